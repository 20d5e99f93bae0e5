/**
 * What `bench:failover` and `bench:move` measure: a cluster manager on a lab, with an address and
 * a service on it. Every contender has the same nodes, links, Corosync and BMCs, and is looked at
 * from outside: by clients, and by what Corosync has written.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, ownersOf, startClient } from '../demo/witness.ts'
import {
  crash,
  cut,
  heal,
  initOf,
  type Lab,
  logFiles,
  nowMs,
  power,
  startCorosync,
  until,
  VIP,
} from '../lab/lab.ts'
import { quorumOf } from '../lab/status.ts'

/** How long the device took, from the first command to the proof. */
export interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

/** A cluster manager with an address that it moves between live nodes. */
export interface Mover {
  readonly name: string
  readonly lab: Lab
  /** Orders it as an operator does. */
  move(to: string): Promise<void>
  close(): Promise<void>
}

/** A cluster manager with an address and a service that it brings back after a failure. */
export interface Contender extends Omit<Mover, 'move'> {
  /** Does it learn from Corosync that a node is gone? */
  readonly onCorosync: boolean
  /** Brings the coordinator to the active node, or away from it; false where that means nothing. */
  arrange(led: boolean): Promise<boolean>
  /** The fencing of a node since then, as its own logs tell it. */
  device(victim: string, sinceMs: number): Promise<Span | undefined>
  /** Brings everything back that a failover has cost. */
  restore(): Promise<void>
}

export type Fault = 'crash' | 'cut'
export const faults: readonly Fault[] = ['crash', 'cut']

/** One failover, in milliseconds from the fault. */
export interface Loss {
  readonly victim: string
  readonly beganMs: number
  /** Corosync's own: a survivor has a new membership. Of no meaning where nobody listens to it. */
  readonly detectedMs: number | undefined
  /** The first command left for a device. */
  readonly commandMs: number | undefined
  readonly deviceMs: number | undefined
  readonly addressMs: number
  /** The service answers again at its address. */
  readonly totalMs: number
}

const PATIENCE_MS = 60_000

/** Takes the active node away and waits until a client is served again. */
export async function lose({ lab, ...contender }: Contender, fault: Fault): Promise<Loss> {
  const answers: Answer[] = []
  const knocks: Answer[] = []
  const clients = [
    startClient(lab, answers, undefined, 20),
    startClient(lab, knocks, `tcp://${VIP}:9`, 10),
  ]
  try {
    const served = () => answers.length > 20 && knocks.length > 40
    if (!(await until(served, PATIENCE_MS))) throw new Error('no client is served before the fault')
    const [victim] = ownersOf(lab)
    if (victim === undefined) throw new Error('no node holds the address')
    const beganMs = nowMs()
    await (fault === 'crash' ? crash(lab, victim) : cut(lab, victim))
    // A knock does not tell who was there: what was asked before it is over tells nothing.
    const overMs = nowMs()
    const first = (from: readonly Answer[], node?: string) =>
      from.find((each) => each.askedMs > overMs && each.node !== node)?.answeredMs
    const isBack = () => first(answers, victim) !== undefined && first(knocks) !== undefined
    if (!(await until(isBack, PATIENCE_MS))) throw new Error(`${victim} is lost, nobody serves`)
    await sleep(500)
    const device = await contender.device(victim, beganMs)
    const since = (atMs: number | undefined) => (atMs === undefined ? undefined : atMs - beganMs)
    return {
      victim,
      beganMs,
      detectedMs: contender.onCorosync ? since(noticedMs(lab, victim, beganMs)) : undefined,
      commandMs: since(device?.fromMs),
      deviceMs: device && device.untilMs - device.fromMs,
      addressMs: first(knocks)! - beganMs,
      totalMs: first(answers, victim)! - beganMs,
    }
  } finally {
    for (const client of clients) await client.stop()
  }
}

/** When Corosync of a survivor wrote down the first new membership since. */
function noticedMs(lab: Lab, victim: string, sinceMs: number): number | undefined {
  const found = lab.nodes
    .filter((node) => node !== victim)
    .flatMap((node) => stamps(logFiles(lab, node).corosync, /A new membership .* was formed/))
    .filter((atMs) => atMs >= sinceMs)
  return found.length === 0 ? undefined : Math.min(...found)
}

/**
 * When such lines were written, on the monotonic clock; each begins with e.g. `Nov 21
 * 21:36:05.123`.
 */
export function stamps(file: string, wanted: RegExp): number[] {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return []
  }
  const behindMs = Date.now() - nowMs()
  const year = new Date().getFullYear()
  return text.split('\n').flatMap((line) => {
    const stamp = /^(\w+ +\d+) ([\d:]+\.\d+)/.exec(line)
    if (stamp === null || !wanted.test(line)) return []
    return [new Date(`${stamp[1]} ${year} ${stamp[2]}`).getTime() - behindMs]
  })
}

/** Every node has power, its links and Corosync again. */
export async function mendNodes(lab: Lab): Promise<void> {
  for (const node of lab.nodes) {
    await heal(lab, node)
    if (initOf(lab, node) === undefined) await power(lab, node, 'on')
  }
  const whole = await until(
    async () => {
      const seen = await Promise.all(lab.nodes.map((node) => quorumOf(lab, node)))
      for (const [at, quorum] of seen.entries()) {
        if (quorum === undefined) await startCorosync(lab, lab.nodes[at]!).catch(() => undefined)
      }
      return seen.every((quorum) => quorum?.members.length === lab.nodes.length)
    },
    PATIENCE_MS,
    500,
  )
  if (!whole) throw new Error('Corosync does not bring its nodes together again')
}
