/**
 * A soak: rounds of faults on a lab, under the eyes of the outside checker. After each round, with
 * all faults ended, the cluster has to be healthy again within a bound. The first overlap, and the
 * first round that does not end well, end the soak.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../core/status.ts'
import { healthy, raise, restore, type Stage, statusFrom, strike } from '../demo/stage.ts'
import { interruption, ownersOf } from '../demo/witness.ts'
import { downLab, LabError, nowMs } from '../lab/lab.ts'
import { deeds } from './deeds.ts'
import { keepArtefacts } from './keep.ts'
import { leftOf, order } from './orders.ts'
import { type Fault, faultText, planRound } from './plan.ts'
import { type RoundReport, type SoakReport, sumUp } from './report.ts'
import { unstick } from './stuck.ts'

export interface SoakOptions {
  readonly seed: number
  readonly minutes: number
  readonly nodes: number
  /** The first round that is played. */
  readonly from: number
  readonly name: string
  /** Another daemon, for example one with a deliberate bug. */
  readonly daemon?: readonly string[]
  readonly say: (line: string) => void
  /** Where what is left of a failure is kept. */
  readonly keepIn: string
}

/** Everything is ended and restored: how long the cluster may take to be whole again. */
const HEALTHY_MS = 120_000
const CHECK_MS = 1_000
/** Less often than in the demonstration: it leaves the machine to the cluster. */
const CLIENT_MS = 50
/** More than Picket writes in hours, so that it is full only when it is filled. */
const DISK_MB = 192

/** Plays rounds until the time is over. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { seed, minutes, nodes, name, daemon, say } = options
  await downLab(name)
  // The service comes first: a start of the address would find out by itself that it has a twin.
  const extra = 'groups: [{ id: site, members: [web, vip] }]'
  const lab = { name, nodes, daemon, extra, diskMb: DISK_MB, everyMs: CLIENT_MS }
  const stage = await raise(lab)
  const rounds: RoundReport[] = []
  const beganMs = nowMs()
  try {
    for (let round = options.from; nowMs() - beganMs < minutes * 60_000; round++) {
      const faults = planRound(seed, round, nodes)
      const played = await playRound(stage, round, faults)
      rounds.push(played)
      say(progress(played, nowMs() - beganMs))
      if (played.overlaps.length > 0 || played.trouble !== undefined) break
    }
    const report = await sumUp(stage, rounds, daemon === undefined)
    if (!report.passed) keepArtefacts(stage.lab, options.keepIn, report)
    return report
  } finally {
    await strike(stage)
  }
}

async function playRound(stage: Stage, round: number, faults: readonly Fault[]) {
  const { witness } = stage
  const beganMs = nowMs()
  const notes: string[] = []
  let over = false
  const seen = () => witness.overlaps()
  // An overlap ends the round as soon as possible: what shows it should be the last thing logged.
  const watch = (async () => {
    while (!over && seen().length === 0) await sleep(CHECK_MS)
  })()
  const playing = Promise.all(faults.map((fault) => play(stage, fault, notes, () => over)))
  let trouble: string | undefined
  try {
    await Promise.race([playing, watch])
    over = true
    await playing
  } catch (error) {
    // A mistake of the soak itself ends it as well, and is looked into like any other end.
    over = true
    trouble = (error as Error).stack ?? String(error)
  }
  const endedMs = nowMs()
  if (trouble === undefined && seen().length === 0) trouble = await recover(stage, notes)
  const answered = interruption(witness.answers, beganMs)
  const report: RoundReport = {
    round,
    faults,
    notes,
    overlaps: seen(),
    trouble,
    healthyMs: nowMs() - endedMs,
    outageMs: answered?.forMs ?? nowMs() - beganMs,
  }
  return report
}

/** One fault from its beginning to its end; what cannot be done is noted, and is no failure. */
async function play(stage: Stage, fault: Fault, notes: string[], over: () => boolean) {
  await pause(fault.atMs, over)
  const node = await nodeOf(stage, fault.whom)
  if (over()) return
  let end: Awaited<ReturnType<(typeof deeds)[typeof fault.kind]>>
  try {
    end = await deeds[fault.kind](stage, node, fault.amount)
    await pause(fault.forMs, over)
    await end?.()
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    notes.push(`${fault.kind} of ${node}: ${error.message.split('\n')[0]}`)
  }
}

async function pause(forMs: number, over: () => boolean): Promise<void> {
  const endMs = nowMs() + forMs
  while (!over() && nowMs() < endMs) await sleep(Math.min(100, Math.max(0, endMs - nowMs())))
}

async function nodeOf(stage: Stage, whom: Fault['whom']): Promise<string> {
  const { nodes } = stage.lab
  if (typeof whom === 'number') return nodes[whom - 1]!
  const [owner = nodes[0]!] = ownersOf(stage.lab)
  if (whom === 'active') return owner
  return (await statusFrom(stage, owner))?.coordinator ?? owner
}

/** Ends all faults, takes all orders back and waits for health; why that failed, or nothing. */
async function recover(stage: Stage, notes: string[]): Promise<string | undefined> {
  const lookAtCorosync = unstick(stage.lab, notes)
  const takeBack = async (seen: readonly (Status | undefined)[]) => {
    lookAtCorosync()
    // Refused where there is no quorum yet, and asked again.
    for (const words of leftOf(seen)) await order(stage, words).catch(() => undefined)
  }
  try {
    await restore(stage, HEALTHY_MS, takeBack)
    const seen = [await statusFrom(stage, stage.lab.nodes[0]!)]
    for (const words of leftOf(seen)) await order(stage, words)
    await healthy(stage, HEALTHY_MS, takeBack)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function progress(played: RoundReport, forMs: number): string {
  const { round, faults, notes, overlaps, trouble, healthyMs, outageMs } = played
  const minutes = Math.floor(forMs / 60_000)
  const clock = `${minutes}:${String(Math.floor(forMs / 1_000) % 60).padStart(2, '0')}`
  const left = notes.length === 0 ? '' : `; noted: ${notes.join('; ')}`
  const end = trouble === undefined ? `healthy after ${(healthyMs / 1_000).toFixed(1)} s` : trouble
  const out = `longest outage ${(outageMs / 1_000).toFixed(1)} s, overlaps ${overlaps.length}`
  return `${clock}  round ${round}: ${faults.map(faultText).join(' + ')}${left}; ${out}; ${end}`
}
