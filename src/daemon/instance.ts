/**
 * One picketd on a node. Two would both run resources and answer for one node's name.
 *
 * A lock on a file in the state directory and one in the run directory: two daemons that share
 * either are refused. The kernel drops such a lock with the process that holds it, so that nothing
 * is left to clean up after a crash, and taking it is one step that cannot be raced.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { lockFile } from './libc.ts'

export type Claim =
  | { readonly ok: true; release(): void }
  | { readonly ok: false; readonly because: string }

/** Claims the node for this process until it ends. */
export function claimNode(directories: readonly string[]): Claim {
  const held: number[] = []
  const release = () => {
    for (const fd of held.splice(0)) closeSync(fd)
  }
  for (const directory of directories) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const path = join(directory, 'picketd.lock')
    // 'a+' neither empties the file of a daemon that runs nor needs one to exist.
    const fd = openSync(path, 'a+', 0o600)
    held.push(fd)
    if (lockFile(fd)) {
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`)
      continue
    }
    const owner = /^\d{1,9}\n$/.exec(readFileSync(path, 'utf8'))?.[0].trim()
    release()
    const who = owner ? `picketd (process ${owner})` : 'another picketd'
    return { ok: false, because: `${who} runs on this node already: it holds ${path}` }
  }
  return { ok: true, release }
}
