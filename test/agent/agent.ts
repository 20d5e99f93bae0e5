/** The fence agents as Pacemaker runs them: processes, with all that they say and their exit code. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { install } from '../../src/agent/install.ts'
import { admin, type Bmc, startBmc } from '../fence/ipmi-sim.ts'

/** Where a launcher for each of them is, as `picket agents install` places it. */
export const placed = mkdtempSync(join(tmpdir(), 'picket-agents-'))
install(placed)
const cache = mkdtempSync(join(tmpdir(), 'picket-cache-'))
after(() => {
  for (const folder of [placed, cache]) rmSync(folder, { recursive: true, force: true })
})

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
  readonly tookMs: number
}

export interface Start {
  readonly input?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Compiled code is kept between the calls of one test file; nothing else of ours gets in. */
export const cachedEnv = { NODE_COMPILE_CACHE: cache }

export function begin(name: string, { args = [], env = {} }: Omit<Start, 'input'> = {}) {
  return spawn(join(placed, name), args, {
    env: { ...cachedEnv, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: 60_000,
    // As pacemaker-fenced does it: what it runs dies with its group.
    detached: true,
  })
}

export function agent(name: string, start: Start): Promise<Ran> {
  const beganMs = performance.now()
  const child = begin(name, start)
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    texts.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    texts.err += text
  })
  child.stdin.on('error', () => {}).end(start.input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...texts, tookMs: performance.now() - beganMs }))
  })
}

/** `name=value`, one a line. */
export function lines(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}\n`]))
    .join('')
}

export const login = { username: admin.name, password: admin.password }

/** A BMC, and the parameters that lead to it. */
export async function bmcFor(t: { after(work: () => unknown): void }) {
  const bmc: Bmc = await startBmc()
  t.after(() => bmc.stop())
  const device = { ip: '127.0.0.1', ipport: bmc.port, ...login, cipher: 3 }
  const ask = (values: Readonly<Record<string, string | number>>, env = {}) =>
    agent('fence_picket_ipmi', { input: lines({ ...device, ...values }), env })
  return { bmc, device, ask }
}
