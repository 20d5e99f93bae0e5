/**
 * What /proc says about processes. Only files that the kernel answers without taking the process's
 * memory lock are read here: `environ` and `cmdline` of a process stuck in the kernel can hang
 * their reader, so those are left to a child that can be killed (`marker.ts`).
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessStat {
  readonly comm: string
  /** One letter as in proc(5): R, S, D, Z ... */
  readonly state: string
  readonly parent: number
  readonly session: number
  readonly threads: number
  /** With the pid, this tells one process from a later one that was given the same number. */
  readonly startTicks: string
}

/** What the kernel says about one process; `undefined` when there is none. */
export function statOf(pid: number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name stands in parentheses and may itself hold spaces and parentheses.
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  return {
    comm: text.slice(text.indexOf('(') + 1, close).replace(/[^\x20-\x7e]/g, '?'),
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    session: Number(fields[3]),
    threads: Number(fields[17]),
    startTicks: fields[19] ?? '',
  }
}

/**
 * Is it a process that still runs code? A zombie waits for its parent and does nothing any more,
 * unless it is only the first thread that has ended.
 */
export function lives(stat: ProcessStat | undefined): boolean {
  if (stat === undefined) return false
  return (stat.state !== 'Z' && stat.state !== 'X') || stat.threads > 1
}

/** Every process number in /proc. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Names some processes for a sentence: `node (pid 12), sh (pid 14) and 3 more`. */
export function describe(pids: readonly number[]): string {
  const named = pids.slice(0, 4).map(describeOne)
  const more = pids.length - named.length
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** `node (pid 12)`. */
export function describeOne(pid: number): string {
  return `${statOf(pid)?.comm ?? 'a process'} (pid ${pid})`
}

/** Why a process outlives SIGKILL, as far as the kernel tells. */
export function describeStuck(pid: number): string {
  const stat = statOf(pid)
  const where = waitsIn(pid)
  const state =
    stat === undefined ? '' : `, state ${stat.state}${where === '' ? '' : ` in ${where}`}`
  return `${stat?.comm ?? 'a process'} (pid ${pid}${state})`
}

function waitsIn(pid: number): string {
  try {
    const name = readFileSync(`/proc/${pid}/wchan`, 'latin1')
    return name === '0' ? '' : name.replace(/[^\w.]/g, '')
  } catch {
    return ''
  }
}

/** Sends a signal; a process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * The pid namespace we live in. Throws when /proc shows another one: then a number read there would
 * name a stranger's process, and we would kill it.
 */
export function pidNamespace(): string {
  if (readlinkSync('/proc/self') !== String(process.pid)) {
    throw new Error(
      '/proc shows another pid namespace; mount one of our own: mount -t proc proc /proc',
    )
  }
  return readlinkSync('/proc/self/ns/pid')
}
