/** Places and ears for one test, gone when the test is over. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Facts, Level, Say } from '../../src/daemon/log.ts'

export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'picket-'))
  // A write that nobody waits for may still make a file in it.
  const again = { maxRetries: 10, retryDelay: 20 }
  t.after(() => rmSync(directory, { recursive: true, force: true, ...again }))
  return directory
}

/** A disk that is full after some KiB. */
export function smallDisk(t: TestContext, sizeKiB: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'picket-'))
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k`, 'tmpfs', directory])
  if (mount.status !== 0) throw new Error(`mount failed: ${mount.stderr}`)
  t.after(() => {
    spawnSync('umount', ['-l', directory])
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

/** Keeps what is said, as `level: text`. */
export function listener(): { said: string[]; say: Say } {
  const said: string[] = []
  const say = (level: Level, text: string, _facts?: Facts) => void said.push(`${level}: ${text}`)
  return { said, say }
}

/** Why tests that mount a file system cannot run here; `false` where they can. */
export const noMounts = process.getuid?.() === 0 ? false : 'needs root: run the tests with sudo'
