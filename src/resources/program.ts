/**
 * Runs one program inside a scope, with bounded output and an environment of its own: nothing of
 * the daemon's environment, priority or open files reaches it.
 *
 * A short shell wrapper goes first: it passes the gate of the scope, so that there is no instant at
 * which the program runs outside, and it tells on descriptor 3 what keeps the program from being
 * executed. The descriptor closes by itself when the program begins.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import { headBuffer, type Sink, tailBuffer, throttle } from './output.ts'
import type { Entrance } from './scope.ts'

export interface Program {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Look for this program instead of the first word before anything is executed. */
  readonly lookFor?: string
  /** Who it runs as; the daemon's own user when absent. */
  readonly account?: Account | undefined
  readonly directory?: string | undefined
  /**
   * Append the output to this file instead of a pipe. Whatever may outlive the daemon must: a pipe
   * would break with the daemon, and the service with the pipe.
   */
  readonly logFile?: string
  /** Keep this much of the beginning of standard output in `stdout`; none by default. */
  readonly stdoutMaxBytes?: number
}

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

export interface ProgramEnd {
  /** Exit code; `undefined` when a signal ended it or it was never executed. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  /** Why it was never executed; `undefined` when it was. */
  readonly notRun: NotRun | undefined
  readonly stdout: string
  /** The last it said on either stream, control characters taken out. */
  readonly output: string
}

/**
 * `scope`: the scope was closed before it got in. `missing`: there is no such program.
 * `forbidden`: it is there and may not be executed. `directory`: cannot be entered.
 * `spawn`: no process could be made at all.
 */
export type NotRun = 'scope' | 'missing' | 'forbidden' | 'directory' | 'spawn'

const NOT_RUN: readonly string[] = [
  'scope',
  'missing',
  'forbidden',
  'directory',
  'spawn',
] satisfies NotRun[]

/** How much of a program's output is kept. */
export const OUTPUT_MAX_BYTES = 4096

export const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * $1 gate, $2 directory, $3 program to look for, the rest is executed. The killer's protection and
 * the raised file limit of the daemon are taken back; neither may be handed to a service.
 */
const WRAPPER = `
case $1 in
*/cgroup.procs) echo 0 >"$1" || { echo scope >&3; exit 125; } ;;
*) [ -e "$1" ] || { echo scope >&3; exit 125; } ;;
esac 2>/dev/null
{ echo 0 >/proc/self/oom_score_adj; ulimit -S -n 1024; umask 022; } 2>/dev/null
cd -- "$2" 2>/dev/null || { echo directory >&3; exit 125; }
case $3 in
*/*) [ -e "$3" ] || { echo missing >&3; exit 125; }
  { [ -x "$3" ] && [ ! -d "$3" ]; } || { echo forbidden >&3; exit 125; } ;;
*) command -v -- "$3" >/dev/null 2>&1 || { echo missing >&3; exit 125; } ;;
esac
shift 3
exec "$@" 3>&-
`

export interface Running {
  readonly pid: number | undefined
  /** Resolves when the program itself runs, or was kept from it. */
  readonly executed: Promise<NotRun | undefined>
  readonly ended: Promise<ProgramEnd>
  /** Lets go of the pipes, so that whoever still has them holds nothing of ours. */
  release(): void
  /** It stays when the daemon goes: do not keep the daemon waiting for it. */
  leave(): void
}

/** Starts a program in a scope. */
export async function startProgram(program: Program, entrance: Entrance): Promise<Running> {
  const log = await openLog(program.logFile)
  const sink = log === undefined ? ('pipe' as const) : log.descriptor
  let child: ChildProcess
  try {
    child = spawn('/bin/sh', ['-c', WRAPPER, 'sh', entrance.gate, ...wrapped(program)], {
      cwd: '/',
      detached: true, // A session of its own: no terminal, and a signal to our group spares it.
      env: { ...environment(program), ...entrance.env },
      stdio: ['ignore', sink, sink, 'pipe'],
    })
  } finally {
    log?.close()
  }
  return follow(child, program, log)
}

function follow(child: ChildProcess, program: Program, log: Log | undefined): Running {
  const out = headBuffer(program.stdoutMaxBytes ?? 0)
  const tail = tailBuffer(OUTPUT_MAX_BYTES)
  const whole = [capture(child.stdout, [out, tail]), capture(child.stderr, [tail])]
  const report = headBuffer(64)
  let unspawned: string | undefined
  const reported = capture(child.stdio[3] as Readable | null, [report])
  const executed = reported.then(() => {
    if (unspawned !== undefined) return 'spawn'
    const word = report.text().trim()
    return NOT_RUN.includes(word) ? (word as NotRun) : undefined
  })
  const exited = new Promise<{ code?: number; signal?: NodeJS.Signals }>((resolve) => {
    child.once('error', (error) => {
      unspawned = error.message
      resolve({})
    })
    child.once('exit', (code, signal) => {
      resolve({ ...(code !== null && { code }), ...(signal !== null && { signal }) })
    })
  })
  const ended = exited.then(async ({ code, signal }): Promise<ProgramEnd> => {
    // What it left in the background may hold the pipes open: only what has arrived is waited for.
    await Promise.race([Promise.all([...whole, reported]), turn()])
    const notRun = unspawned === undefined ? await promptly(executed) : 'spawn'
    return {
      code: notRun === undefined ? code : undefined,
      signal,
      notRun,
      stdout: out.text(),
      output: readable(unspawned ?? (log === undefined ? tail.text() : log.tail())),
    }
  })
  const release = () => {
    for (const stream of child.stdio) stream?.destroy()
  }
  return { pid: child.pid, executed, ended, release, leave: () => child.unref() }
}

/** A descriptor that a killed wrapper's straggler still holds open must not make us wait. */
function promptly(executed: Promise<NotRun | undefined>): Promise<NotRun | undefined> {
  return Promise.race([executed, turn().then(() => undefined)])
}

/**
 * Long enough for bytes that were written before the exit to be read, also on a starved machine.
 */
async function turn(): Promise<void> {
  await sleep(20)
  // Timers may run before sockets are looked at; what comes after `immediate` cannot.
  await immediate()
}

function capture(stream: Readable | null, sinks: readonly Sink[]): Promise<void> {
  if (stream === null) return Promise.resolve()
  const gate = throttle(stream)
  stream.on('data', (chunk: Buffer) => {
    for (const sink of sinks) sink.add(chunk)
    gate.passed(chunk.length)
  })
  return new Promise((resolve) => {
    stream.once('close', () => {
      gate.end()
      resolve()
    })
    stream.once('error', () => resolve())
  })
}

function wrapped({ argv, lookFor, account, directory }: Program): string[] {
  const program = lookFor ?? argv[0] ?? ''
  const niceness = getPriority()
  const calm = niceness === 0 ? [] : ['nice', '-n', String(-niceness)]
  const as =
    account === undefined
      ? []
      : ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--']
  return [directory ?? '/', program, ...calm, ...as, ...argv]
}

function environment({ env, account }: Program): Record<string, string> {
  return {
    PATH,
    LANG: process.env.LANG ?? 'C.UTF-8',
    HOME: account?.home ?? process.env.HOME ?? '/',
    ...(account !== undefined && { USER: account.name, LOGNAME: account.name }),
    ...env,
  }
}

interface Log {
  readonly descriptor: number | 'ignore'
  close(): void
  /** What was appended since, or the end of it. */
  tail(): string
}

async function openLog(file: string | undefined): Promise<Log | undefined> {
  if (file === undefined) return undefined
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const descriptor = openSync(file, 'a', 0o600)
    const begin = fstatSync(descriptor).size
    return { descriptor, close: () => closeSync(descriptor), tail: () => readTail(file, begin) }
  } catch (error) {
    // A full disk is no reason not to start a service.
    const because = `(its output is lost: ${(error as Error).message})`
    return { descriptor: 'ignore', close: () => {}, tail: () => because }
  }
}

function readTail(file: string, begin: number): string {
  try {
    const reader = openSync(file, 'r')
    try {
      const { size } = fstatSync(reader)
      const from = Math.max(size - OUTPUT_MAX_BYTES, size < begin ? 0 : begin)
      const buffer = Buffer.alloc(Math.max(0, size - from))
      return buffer.toString('utf8', 0, readSync(reader, buffer, 0, buffer.length, from))
    } finally {
      closeSync(reader)
    }
  } catch (error) {
    return `(its output cannot be read: ${(error as Error).message})`
  }
}

/** Output of strangers, made safe for a log line. */
function readable(text: string): string {
  return text.replace(/[^\P{Cc}\n]+/gu, ' ').trim()
}
