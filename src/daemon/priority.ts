/**
 * Asks the kernel to let the daemon live on a starved machine (H23): it is scheduled before others
 * and is the last that is killed for memory. Its memory is not locked: V8 gives pages back with
 * `madvise`, which the kernel refuses for locked ones, and V8 then aborts the process. Programs of
 * resources begin with neither.
 */
import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Say } from './log.ts'

const nice = -20
const outOfMemoryScore = -900

/** Takes what it can get, and says what it did not get. */
export function takePriority(say: Say): void {
  const refused: string[] = []
  try {
    setPriority(0, nice)
  } catch {
    refused.push('a higher priority')
  }
  try {
    writeFileSync('/proc/self/oom_score_adj', String(outOfMemoryScore))
  } catch {
    refused.push('protection when memory runs out')
  }
  if (refused.length === 0) return
  say(
    'warn',
    `picketd did not get ${refused.join(' and ')}: on a starved machine its beats may come too ` +
      'late, and its node be fenced. Run it as root with CAP_SYS_NICE and CAP_SYS_RESOURCE.',
  )
}
