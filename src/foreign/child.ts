/**
 * Runs one foreign program for a driver: bounded in time and output, in a process group of its own,
 * with a minimal environment, and gone when it is no longer wanted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endMarked, markedEnv } from './offspring.ts'

/** How a program ended, and what it said. */
export interface ChildResult {
  /** `null` when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ChildOptions {
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
  /** What it reads, from a file without a name: `/dev/stdin` can be opened again, a pipe cannot. */
  readonly stdin?: string | undefined
  readonly signal: AbortSignal
  readonly outputMaxBytes: number
}

/** Why there is no result. `missing`: it was never started. */
export class ChildError extends Error {
  override readonly name = 'ChildError'
  readonly kind: 'missing' | 'aborted' | 'flooded' | 'failed'

  constructor(kind: ChildError['kind'], detail: string) {
    super(detail)
    this.kind = kind
  }
}

/** Set where programs stay in our own group: how they begin that carry our mark. */
let ours: string | undefined
const running = new Set<string>()

/**
 * From now on a program stays in the group of this process, and ends with it where the whole group
 * is ended from outside: a fence agent may be, and what it runs must not go on.
 */
export function keepChildrenInGroup(): void {
  if (ours !== undefined) return
  const mark = randomUUID()
  ours = mark
  // Nobody ends them any more once we are gone: what they still do would come at any time.
  process.once('exit', () => {
    if (running.size > 0) endMarked(mark)
  })
}

/** Output of grandchildren that outlive the program is not waited for any longer than this. */
const LINGER_MS = 200

export function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<ChildResult> {
  const { signal, outputMaxBytes } = options
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new ChildError('aborted', `${program} was not started`))

    const mark = ours && `${ours}.${randomUUID()}`
    const child = start(program, args, options, mark)
    if (mark !== undefined) running.add(mark)
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    let bytes = 0
    let linger: NodeJS.Timeout | undefined

    let settled = false

    const settle = (conclude: () => void, killing = true): void => {
      if (settled) return
      settled = true
      signal.removeEventListener('abort', abort)
      clearTimeout(linger)
      if (killing) endAll(child, mark)
      if (mark !== undefined) running.delete(mark)
      child.stdout?.destroy()
      child.stderr?.destroy()
      conclude()
    }
    const abort = (): void =>
      settle(() => reject(new ChildError('aborted', `${program} was still running and was killed`)))
    const collect = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes > outputMaxBytes) {
        settle(() => reject(new ChildError('flooded', `${program} printed without end`)))
      }
    }
    const finish = (code: number | null, killing: boolean): void =>
      settle(
        () =>
          resolve({
            code,
            stdout: Buffer.concat(output.stdout).toString(),
            stderr: Buffer.concat(output.stderr).toString(),
          }),
        killing,
      )

    signal.addEventListener('abort', abort, { once: true })
    child.stdout?.on('data', collect(output.stdout))
    child.stderr?.on('data', collect(output.stderr))
    child.on('error', (error) => settle(() => reject(startError(program, error))))
    child.on('exit', (code) => {
      linger = setTimeout(() => finish(code, true), LINGER_MS)
    })
    // Nobody holds its output any more. Its id may soon be another process's: no kill from here on.
    child.on('close', (code) => finish(code, false))
  })
}

function start(
  program: string,
  args: readonly string[],
  { env, stdin }: ChildOptions,
  mark: string | undefined,
): ChildProcess {
  let input: number | undefined
  try {
    input = stdin === undefined ? undefined : namelessFile(stdin)
    return spawn(program, args, {
      env: mark === undefined ? env : { ...env, ...markedEnv(mark) },
      cwd: '/',
      detached: mark === undefined,
      stdio: [input ?? 'ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw startError(program, error)
  } finally {
    if (input !== undefined) closeSync(input)
  }
}

function startError(program: string, error: unknown): ChildError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  // The message of a spawn error repeats the arguments; only the code is told on.
  return code === 'ENOENT'
    ? new ChildError('missing', `there is no ${program} in the PATH`)
    : new ChildError('failed', `${program} could not be started, ${code || 'unknown error'}`)
}

/** Helpers that the program has started must not outlive it. */
function endAll(child: ChildProcess, mark: string | undefined): void {
  if (mark === undefined) return killGroup(child.pid)
  child.kill('SIGKILL')
  endMarked(mark)
}

/** A negative id means the whole group. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // No process of the group is left.
  }
}

function namelessFile(text: string): number {
  let failure: unknown
  // In memory it costs no disk and needs none: it must work while the disk is full.
  for (const folder of ['/dev/shm', tmpdir()]) {
    try {
      const path = join(folder, `picket-${randomUUID()}`)
      const file = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
      // An explicit position leaves the file's own at 0, where the child begins to read.
      writeSync(file, text, 0)
      return file
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
