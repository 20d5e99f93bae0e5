/**
 * A home directory of our own for foreign programs, with a few constant files in it.
 *
 * It stands in memory (the disk may be full when a node must be fenced) under a name made from its
 * content: every process of ours finds the same one, and none is left over per start.
 */
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const known = new Map<string, string | undefined>()

/**
 * The path of a directory that holds exactly these files (name to text; no secrets), or `undefined`
 * where none can be made: whoever asks must be able to do without.
 */
export function privateHome(files: Readonly<Record<string, string>>): string | undefined {
  const key = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16)
  if (!known.has(key)) known.set(key, find(key, files))
  return known.get(key)
}

function find(key: string, files: Readonly<Record<string, string>>): string | undefined {
  for (const folder of ['/dev/shm', tmpdir()]) {
    const home = join(folder, `picket-home-${process.geteuid?.() ?? 0}-${key}`)
    if (isOurs(home)) return home
    make(folder, home, files)
    // Another process of ours may have been faster; a stranger's directory is never used.
    if (isOurs(home)) return home
  }
  return undefined
}

function make(folder: string, home: string, files: Readonly<Record<string, string>>): void {
  let draft: string | undefined
  try {
    draft = mkdtempSync(join(folder, 'picket-home-'))
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(draft, name)), { recursive: true })
      writeFileSync(join(draft, name), text)
    }
    renameSync(draft, home)
  } catch {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true })
  }
}

/** A directory in a place where everybody may write is ours only by its owner and its mode. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0
}
