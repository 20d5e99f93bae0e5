/**
 * Runs a bundle of a release with its compiled code, which `npm run build` has kept from a run and
 * which saves a start most of the parsing. V8 refuses compiled code of another version or other
 * flags, and what is missing or refused is compiled again: nothing depends on it. It does not look at
 * the bytes, so they are kept twice, and count only where both are the same: loading anything that
 * computes a checksum takes longer. All files carry the digest of the bundle in their names, so that
 * those of two releases never meet.
 */
'use strict'
const { closeSync, fstatSync, openSync, readFileSync, readSync } = require('node:fs')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')

// zod would compile its checks at each start, for a config that is checked once.
globalThis.__zod_globalConfig = { jitless: true }

/** Runs the bundle `name`. `pieces` are those that it loads later, by what it calls them. */
module.exports = (module, require, name, pieces) => {
  const folder = dirname(module.filename)
  const loaded = new Map()

  const requireOwn = (id) => {
    if (!Object.hasOwn(pieces, id)) return require(id)
    if (!loaded.has(id)) loaded.set(id, run(pieces[id], { exports: {} }))
    return loaded.get(id)
  }
  requireOwn.main = require.main

  const run = (name, module) => {
    const filename = join(folder, `${name}.bundle`)
    const script = new Script(readFileSync(filename, 'latin1'), {
      filename,
      cachedData: compiled(join(folder, `${name}.code`)),
    })
    script.runInThisContext()(module.exports, requireOwn, module, filename, folder)
    return module.exports
  }
  run(name, module)
}

function compiled(path) {
  let file
  try {
    file = openSync(path)
    const code = Buffer.allocUnsafeSlow(fstatSync(file).size / 2)
    if (readSync(file, code) !== code.length) return undefined
    const part = Buffer.allocUnsafeSlow(1 << 16)
    let at = 0
    while (at < code.length) {
      const got = readSync(file, part)
      if (got === 0 || part.compare(code, at, at + got, 0, got) !== 0) return undefined
      at += got
    }
    return at === 0 ? undefined : code
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
