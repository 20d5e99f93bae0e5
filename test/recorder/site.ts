/** A directory for requests, the agent as a process, and responders as processes, for one test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { install } from '../../src/agent/install.ts'
import type { Request } from '../../src/recorder/message.ts'
import { openPlace, type Place } from '../../src/recorder/place.ts'

const home = join(import.meta.dirname, '../..')

/** The agents, placed as Pacemaker would find them. */
const agentsDir = mkdtempSync(join(tmpdir(), 'picket-agents-'))
after(() => rmSync(agentsDir, { recursive: true, force: true }))
install(agentsDir)
export const agentProgram = join(agentsDir, 'fence_recorder')

export interface Site {
  readonly root: string
  readonly place: Place
  readonly logs: string
  /** The agent, with this on its standard input besides what the site itself needs. */
  agent(lines: Readonly<Record<string, string>>): Promise<Ended>
  responder(...args: readonly string[]): Promise<Running>
}

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly child: ChildProcess
  said(): string
  /** Waits until it has said this. */
  says(what: RegExp, boundMs?: number): Promise<void>
  end(signal?: NodeJS.Signals): Promise<void>
}

export function site(t: TestContext): Site {
  const root = mkdtempSync(join(tmpdir(), 'picket-recorder-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const place = openPlace(join(root, 'fencing'))
  const logs = join(root, 'logs')
  return {
    ...{ root, place, logs },
    agent: (lines) =>
      ended(
        agentProgram,
        [],
        Object.entries({
          directory: place.dir,
          log_dir: logs,
          gfs2_discovery: '0',
          recorder_timeout: '50',
          ...lines,
        })
          .map(([name, value]) => `${name}=${value}\n`)
          .join(''),
      ),
    async responder(...args) {
      const running = start(['respond', '--directory', place.dir, ...args])
      t.after(() => running.end('SIGKILL'))
      return running
    },
  }
}

/** Runs a program to its end. */
export function ended(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(program, args, { env: { PATH: process.env.PATH, HOME: '/nowhere' } })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (text) => {
    texts.out += text
  })
  child.stderr.on('data', (text) => {
    texts.err += text
  })
  child.stdin.on('error', () => {}).end(input)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...texts })))
}

function start(args: readonly string[]): Running {
  const env = { PATH: process.env.PATH, HOME: '/nowhere' }
  const main = join(home, 'src/cli/main.ts')
  const child = spawn(process.execPath, [main, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr?.on('data', (text) => {
    said += text
  })
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    child,
    said: () => said,
    async says(what, boundMs = 60_000) {
      const untilMs = performance.now() + boundMs
      while (!what.test(said)) {
        if (performance.now() > untilMs) throw new Error(`it never said ${what}: ${said}`)
        await sleep(20)
      }
    },
    async end(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await over
    },
  }
}

/** A request as somebody else would write it. */
export function requestOf(some: Partial<Request> = {}): Request {
  return {
    request_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    action: 'off',
    target_node: 'node-01',
    gfs2_filesystems: [],
    recorder_node: 'recorder-1',
    ...some,
  }
}

export const linesIn = (path: string): readonly string[] =>
  readFileSync(path, 'utf8').split('\n').filter(Boolean)

/** Waits until something holds. */
export async function until(holds: () => boolean, boundMs = 30_000): Promise<void> {
  const untilMs = performance.now() + boundMs
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`it never held: ${holds}`)
    await sleep(10)
  }
}
