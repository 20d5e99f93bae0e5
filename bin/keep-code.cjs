/**
 * Loaded with `--require` into a program of a release that is being made: when it ends, the code
 * that V8 has compiled by then is kept beside each of its bundles, for packaging/boot.cjs.
 */
'use strict'
const { writeFileSync } = require('node:fs')
const vm = require('node:vm')

const scripts = []

vm.Script = class extends vm.Script {
  constructor(text, options) {
    // With what earlier runs have kept: the code of all of them is kept.
    super(text, options)
    scripts.push({ script: this, file: options.filename.replace(/\.bundle$/, '.code') })
  }
}

process.on('exit', () => {
  for (const { script, file } of scripts) {
    const code = script.createCachedData()
    // Twice: boot.cjs compares.
    writeFileSync(file, Buffer.concat([code, code]))
  }
})
