/**
 * One picketd on a node. Two would both run resources and answer for one node's name.
 *
 * A lock on a file in the state directory and one in the run directory: two daemons that share
 * either are refused. The kernel drops such a lock with the process that holds it, so that nothing
 * is left to clean up after a crash, and taking it is one step that cannot be raced.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { lockFile } from './libc.ts'

export type Claim =
  | { readonly ok: true; release(): void }
  | { readonly ok: false; readonly because: string }

/** Claims the node for this process until it ends. */
export function claimNode(directories: readonly string[]): Claim {
  const held: (() => void)[] = []
  const release = () => {
    for (const each of held.splice(0)) each()
  }
  for (const directory of directories) {
    const path = join(directory, 'picketd.lock')
    const claim = claimFile(path)
    if (claim.ok) {
      held.push(claim.release)
      continue
    }
    release()
    const who = claim.owner === '' ? 'another picketd' : `picketd (process ${claim.owner})`
    return { ok: false, because: `${who} runs on this node already: it holds ${path}` }
  }
  return { ok: true, release }
}

export interface FileClaim {
  readonly ok: true
  /** Is the file still there under its name? Else somebody may have claimed another one there. */
  stands(): boolean
  release(): void
}

/** Claims one file, or tells the process number of whoever has; empty where it is not known. */
export function claimFile(
  path: string,
): FileClaim | { readonly ok: false; readonly owner: string } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // 'a+' neither empties the file of a process that runs nor needs one to exist.
  const fd = openSync(path, 'a+', 0o600)
  if (lockFile(fd)) {
    ftruncateSync(fd)
    writeSync(fd, `${process.pid}\n`)
    const { dev, ino } = fstatSync(fd)
    const stands = () => {
      const found = statSync(path, { throwIfNoEntry: false })
      return found?.ino === ino && found.dev === dev
    }
    return { ok: true, stands, release: () => closeSync(fd) }
  }
  closeSync(fd)
  const owner = /^\d{1,9}\n$/.exec(readFileSync(path, 'utf8'))?.[0].trim()
  return { ok: false, owner: owner ?? '' }
}
