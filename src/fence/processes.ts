/**
 * Whether the process that a pid file names has ended, for drivers whose only off is its end.
 *
 * A pid alone says little: it is given again to others, a pid file goes before its process does,
 * and the first thread of a process may be dead while another one still writes.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { readPlainFile } from './plain-file.ts'

/** A process that cannot be mistaken for another one. */
export interface Pinned {
  readonly pid: number
  /** Since the boot, in ticks of the kernel. */
  readonly startTicks: number
}

export interface Sought {
  readonly pidfile: string
  /** Paths that stand among its arguments, or may. */
  readonly paths: readonly string[]
  /** What was found before: it has to be gone too. */
  readonly before?: Pinned | undefined
}

/** The process, if it has not ended; `undefined` only where nothing of it is left. */
export function findProcess({ pidfile, paths, before }: Sought): Pinned | undefined {
  if (before !== undefined && stat(before.pid)?.startTicks === before.startTicks) return before
  const pid = pidIn(pidfile)
  return pid === undefined ? findByArguments([pidfile, ...paths]) : named(pid, pidfile, paths)
}

/** The pid in a pid file; `undefined` where there is no file. Any other content is an error. */
function pidIn(pidfile: string): number | undefined {
  const text = readPid(pidfile)
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,9}\s*$/.test(text)) throw new Error(`${pidfile} does not hold a pid`)
  return Number(text)
}

/** Whoever runs the machine may have put anything in its place: empty for what is no small file. */
function readPid(pidfile: string): string | undefined {
  try {
    return readPlainFile(pidfile, 64)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (['EINVAL', 'EFBIG', 'ENXIO'].includes(code)) return ''
    throw error
  }
}

/** The process of that pid, unless it is a later one that was given the same pid. */
function named(pid: number, pidfile: string, paths: readonly string[]): Pinned | undefined {
  const found = stat(pid)
  if (found === undefined) return undefined
  const words = argumentsOf(pid)
  const names = [pidfile, ...paths].some((path) => words.includes(basename(path)))
  return names || !startedAfter(found.startTicks, pidfile) ? { pid, ...found } : undefined
}

function findByArguments(paths: readonly string[]): Pinned | undefined {
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!/^\d+$/.test(entry) || pid === process.pid) continue
    const words = argumentsOf(pid)
    const found = paths.some((path) => words.includes(path)) ? stat(pid) : undefined
    if (found !== undefined) return { pid, ...found }
  }
  return undefined
}

/** Nothing where there is no such process, or where all of its threads are dead. */
function stat(pid: number): { readonly startTicks: number } | undefined {
  const text = readIfThere(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name in parentheses may hold anything, also blanks and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const dead = fields[0] === 'Z' || fields[0] === 'X'
  return dead && threads(pid) <= 1 ? undefined : { startTicks: Number(fields[19]) }
}

function threads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length
  } catch {
    return 0
  }
}

/** Empty while a process ends: its memory goes before its files. */
const argumentsOf = (pid: number): string => readIfThere(`/proc/${pid}/cmdline`) ?? ''

const TICKS_PER_SECOND = 100
/** What the clock of the file system may be behind. */
const COARSE_MS = 1_000

function startedAfter(startTicks: number, file: string): boolean {
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000
  const startMs = Date.now() - uptimeMs + (startTicks / TICKS_PER_SECOND) * 1_000
  return startMs > statSync(file).mtimeMs + COARSE_MS
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ESRCH'].includes(code)) return undefined
    throw error
  }
}
