/**
 * Asks the kernel to let the daemon live on a starved machine (H23): it is scheduled before others
 * and is the last that is killed for memory. Its memory is not locked: V8 gives pages back with
 * `madvise`, which the kernel refuses for locked ones, and V8 then aborts the process. Programs of
 * resources begin with neither.
 *
 * Where the kernel groups tasks by session (autogroup, as Debian's does), a nice value counts
 * within the session alone: the session as a whole asks for its share separately.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Say } from './log.ts'

const nice = -20
const outOfMemoryScore = -900
const autogroup = '/proc/self/autogroup'

/** Takes what it can get, and says what it did not get. */
export function takePriority(say: Say): void {
  const refused: string[] = []
  if (!threads().every((thread) => takes(thread))) refused.push('a higher priority')
  if (ownSession() && !writes(autogroup, String(nice))) refused.push('a share for its session')
  if (!writes('/proc/self/oom_score_adj', String(outOfMemoryScore))) {
    refused.push('protection when memory runs out')
  }
  if (refused.length === 0) return
  say(
    'warn',
    `picketd did not get ${refused.join(' and ')}: on a starved machine its beats may come too ` +
      'late, and its node be fenced. Run it as root with CAP_SYS_NICE and CAP_SYS_RESOURCE.',
  )
}

/**
 * Linux keeps a nice value for each thread. V8's own were there before us, and the main thread
 * waits for them whenever memory is swept; threads that begin later inherit it.
 */
function threads(): number[] {
  return readdirSync('/proc/self/task').map(Number)
}

/** A thread that has ended meanwhile needs nothing. */
function takes(thread: number): boolean {
  try {
    setPriority(thread, nice)
    return true
  } catch (error) {
    return (error as { info?: { code?: string } }).info?.code === 'ESRCH'
  }
}

/**
 * Is there such a group, and is it ours alone? A daemon that was started by hand shares one with
 * the shell.
 */
function ownSession(): boolean {
  if (!existsSync(autogroup)) return false
  const stat = readFileSync('/proc/self/stat', 'utf8')
  // The name may hold anything, also blanks and brackets.
  const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return session === String(process.pid)
}

function writes(file: string, text: string): boolean {
  try {
    writeFileSync(file, text)
    return true
  } catch {
    return false
  }
}
