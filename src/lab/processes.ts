/**
 * The process table, read from /proc: who lives in which namespace, and who is dead. A process is
 * known by its id and its start time together, because ids are used again.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { LabError, until } from './run.ts'

export interface Process {
  readonly pid: number
  /** Clock ticks from boot to the start of this process. */
  readonly startTicks: string
  /** The letter of /proc/PID/stat: `R`, `S`, `T` for stopped, `Z` for dead but not yet reaped. */
  readonly state: string
  readonly name: string
}

/** The process of this id, or `undefined` where there is none. */
export function readProcess(pid: number): Process | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name is in parentheses and may hold anything, also parentheses and spaces.
    const end = text.lastIndexOf(')')
    const name = text.slice(text.indexOf('(') + 1, end)
    const [state = '', ...rest] = text.slice(end + 2).split(' ')
    return { pid, startTicks: rest[18] ?? '', state, name }
  } catch {
    return undefined
  }
}

/** True while the process exists and has not died; a zombie is dead. */
export function isAlive(process: Process | undefined): process is Process {
  return process !== undefined && process.state !== 'Z' && process.state !== 'X'
}

/** The living process that a file names as `PID START`, as `machine.sh` and `rememberIn` write. */
export function processOf(file: string): Process | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  const [pid, startTicks] = text.trim().split(' ')
  const process = readProcess(Number(pid))
  return isAlive(process) && process.startTicks === startTicks ? process : undefined
}

/** Every living process whose namespace of this kind is the same as that of `like`, a path. */
export function processesLike(kind: 'net' | 'pid', like: string): Process[] {
  const wanted = inodeOf(like)
  if (wanted === undefined) return []
  const found: Process[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || inodeOf(`/proc/${entry}/ns/${kind}`) !== wanted) continue
    const process = readProcess(Number(entry))
    if (isAlive(process)) found.push(process)
  }
  return found
}

function inodeOf(file: string): string | undefined {
  try {
    // The link's text holds the inode; following it would open the namespace for nothing.
    if (file.startsWith('/proc/')) return /\[(\d+)\]/.exec(readlinkSync(file))?.[1]
    return String(statSync(file).ino)
  } catch {
    return undefined
  }
}

/** Send a signal; a process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Kill whatever `find` finds, again and again, until it finds nothing. */
export async function killAll(what: string, find: () => Process[]): Promise<void> {
  let last: Process[] = []
  const gone = await until(
    () => {
      last = find().filter(({ pid }) => pid !== process.pid)
      for (const { pid } of last) signal(pid, 'SIGKILL')
      return last.length === 0
    },
    10_000,
    10,
  )
  if (gone) return
  const left = last.map(({ pid, name }) => `${name} (${pid})`).join(', ')
  throw new LabError(`Processes of ${what} do not die: ${left}. Run \`picket lab down\` again.`)
}
