/**
 * How the lab runs other programs: never through a shell, always with a bound on time and output,
 * with a small environment of its own. Also the lab's clock, which is the same in every sandbox.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** What the lab refuses or fails to do, in one sentence, and the exit code that goes with it. */
export class LabError extends Error {
  override readonly name = 'LabError'
  /** 1 failed, 2 wrong usage, 3 refused. */
  readonly exitCode: 1 | 2 | 3

  constructor(message: string, exitCode: 1 | 2 | 3 = 1, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The search path of everything that runs in a lab: our Node.js, `picket`, the rest. */
export const searchPath = [
  path.dirname(process.execPath),
  fileURLToPath(new URL('../../bin', import.meta.url)),
  '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
].join(':')

/** The environment of everything that runs in a lab; ours may hold things that are not theirs. */
export const cleanEnv: Readonly<Record<string, string>> = {
  PATH: searchPath,
  HOME: '/root',
  LANG: 'C.UTF-8',
}

/** How a program ended. `status` is its exit status, or `undefined` where a signal ended it. */
export interface Outcome {
  readonly status: number | undefined
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly timeoutMs?: number
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

const OUTPUT_MAX_BYTES = 4 << 20
/** How long after its end we listen to what a program left running with its output in hand. */
const LINGER_MS = 500

/** Run a program to its end. Rejects only where it cannot be started, runs too long or too loud. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program = '', ...args] = argv
  const { timeoutMs = 20_000, input, env = {} } = options
  // A process group of its own: nsenter's end alone does not end what runs inside.
  const child = spawn(program, args, { detached: true, env: { ...cleanEnv, ...env } })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: Error) => {
      endGroup(child)
      reject(new LabError(`${program} ${why}.`, 1, { cause }))
    }
    const timer = setTimeout(fail, timeoutMs, `did not end within ${timeoutMs} ms`)
    let bytes = 0
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= OUTPUT_MAX_BYTES) chunks.push(chunk)
      else fail(`printed more than ${OUTPUT_MAX_BYTES} bytes`)
    }
    child.stdout.on('data', keep(stdout))
    child.stderr.on('data', keep(stderr))
    child.once('error', (error) => {
      clearTimeout(timer)
      fail(`cannot be run: ${error.message}`, error)
    })
    const end = () => {
      clearTimeout(timer)
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString()
      const { exitCode, signalCode } = child
      resolve({
        status: exitCode ?? undefined,
        signal: signalCode ?? undefined,
        stdout: text(stdout),
        stderr: text(stderr),
      })
    }
    child.once('close', end)
    child.once('exit', () => {
      clearTimeout(timer)
      setTimeout(end, LINGER_MS).unref()
    })
    // A program that ends without reading its input is no error of ours.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
  })
}

/** Kill a child and all that it has started in its process group. */
export function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Run a program that has to succeed; what it printed to standard output. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, signal, stdout, stderr } = await run(argv, options)
  if (status === 0) return stdout
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join(' / ')
  const end = status === undefined ? `was ended by ${signal}` : `failed with status ${status}`
  throw new LabError(`\`${argv.slice(0, 6).join(' ')}\` ${end}: ${said || 'it said nothing'}`)
}

/** Now on CLOCK_MONOTONIC, in ms: the same clock in every sandbox and in the logs of the BMCs. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Ask again every `everyMs` until the answer is truthy; `undefined` after `withinMs`. */
export async function until<T>(
  ask: () => T | Promise<T>,
  withinMs: number,
  everyMs = 20,
): Promise<T | undefined> {
  const endMs = nowMs() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    if (nowMs() >= endMs) return undefined
    await sleep(everyMs)
  }
}
