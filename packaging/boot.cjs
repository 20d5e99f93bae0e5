/**
 * Runs a bundle of a release with its compiled code, which `npm run build` has kept from a run and
 * which saves a start most of the parsing. V8 refuses compiled code of another version or other
 * flags, and what is missing or refused is compiled again: nothing depends on it. It does not look at
 * the bytes, so they end with a checksum. Both files carry the digest of the bundle in their names,
 * so that those of two releases never meet.
 */
'use strict'
const { readFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')
const { crc32 } = require('node:zlib')

// zod would compile its checks at each start, for a config that is checked once.
globalThis.__zod_globalConfig = { jitless: true }

module.exports = (module, require, name) => {
  const folder = dirname(module.filename)
  const filename = join(folder, `${name}.bundle`)
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    cachedData: compiled(join(folder, `${name}.code`)),
  })
  const run = script.runInThisContext()
  run(module.exports, require, module, module.filename, folder)
}

function compiled(file) {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(0, -4)
    return crc32(code) === bytes.readUInt32LE(code.length) ? code : undefined
  } catch {
    return undefined
  }
}
