/**
 * `picket` as people run it: a process of its own, with everything that it says and its exit code.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

export const program = join(import.meta.dirname, '..', '..', 'bin', 'picket')

export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Another program, with `args` behind it. */
  readonly argv0?: string
  readonly input?: string
  /** Ctrl-C when it has said this on its standard error. */
  readonly until?: RegExp
}

/** No test of a command waits longer. */
const boundMs = 60_000

const home = mkdtempSync(join(tmpdir(), 'picket-home-'))
after(() => rmSync(home, { recursive: true, force: true }))

/** Run it to its end. Nothing of the caller's environment gets in. */
export function picket(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env = {}, argv0 = program, input = '', until } = options
  const child = spawn(argv0, args, {
    env: { PATH: process.env.PATH, HOME: home, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: boundMs,
  })
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    texts.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    texts.err += text
    if (until?.test(texts.err)) child.kill('SIGINT')
  })
  child.stdin.on('error', () => {}).end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...texts }))
  })
}
