/**
 * Loaded with `--require` into a program of a release that is being made: when it ends, the code
 * that V8 has compiled by then is kept beside each of its bundles, for packaging/boot.cjs.
 */
'use strict'
const { writeFileSync } = require('node:fs')
const vm = require('node:vm')
const { crc32 } = require('node:zlib')

const scripts = []

vm.Script = class extends vm.Script {
  constructor(text, options) {
    // Compiled anew: what an earlier run has kept does not count.
    super(text, { ...options, cachedData: undefined })
    scripts.push({ script: this, file: options.filename.replace(/\.bundle$/, '.code') })
  }
}

process.on('exit', () => {
  for (const { script, file } of scripts) {
    const code = script.createCachedData()
    const sum = Buffer.alloc(4)
    sum.writeUInt32LE(crc32(code))
    writeFileSync(file, Buffer.concat([code, sum]))
  }
})
