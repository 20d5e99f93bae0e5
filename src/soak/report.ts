/** What came of a soak: each round, and all of them together. */
import { type Begin, begin, step } from '../core/cluster.ts'
import { replay } from '../daemon/replay.ts'
import type { Stage } from '../demo/stage.ts'
import { type Lab, readBmcLog } from '../lab/lab.ts'
import { bmcLevels, nodeDir } from '../lab/names.ts'
import type { Fault } from './plan.ts'

export interface RoundReport {
  readonly round: number
  readonly faults: readonly Fault[]
  /** What could not be begun or ended, and why; and what was done about Corosync. */
  readonly notes: readonly string[]
  readonly overlaps: readonly string[]
  /** Why the cluster is not healthy after it; nothing where it is. */
  readonly trouble: string | undefined
  readonly healthyMs: number
  /** The longest time that the client went without an answer. */
  readonly outageMs: number
}

export interface SoakReport {
  readonly rounds: readonly RoundReport[]
  /** Nodes whose daemon decided what the same core does not decide again. */
  readonly replayedOtherwise: readonly string[]
  /** How often a client was answered by another node than before. */
  readonly moves: number
  /** How often a BMC has switched a node off. */
  readonly powerCuts: number
  readonly passed: boolean
}

/** `replayed`: the daemons are expected to have decided what the core here decides. */
export async function sumUp(
  stage: Stage,
  rounds: readonly RoundReport[],
  replayed: boolean,
): Promise<SoakReport> {
  const { lab, witness } = stage
  const answers = witness.answers.toSorted((a, b) => a.askedMs - b.askedMs)
  const moves = answers.filter(({ node }, at) => at > 0 && node !== answers[at - 1]?.node).length
  const replayedOtherwise = replayed ? await replayAll(lab) : []
  const well = rounds.every(
    ({ overlaps, trouble }) => overlaps.length === 0 && trouble === undefined,
  )
  const passed = rounds.length > 0 && well && replayedOtherwise.length === 0
  return { rounds, replayedOtherwise, moves, powerCuts: await countCuts(lab), passed }
}

/** Steps the core through what every daemon has lived through, as far as its journal is kept. */
async function replayAll(lab: Lab): Promise<string[]> {
  const core = { begin: (beginning: unknown) => begin(beginning as Begin), step }
  const found: string[] = []
  for (const node of lab.nodes) {
    const { difference } = await replay(`${nodeDir(lab, node)}/lib-picket/journal.jsonl`, core)
    if (difference !== undefined) found.push(`${node}, line ${difference.line} of its journal`)
  }
  return found
}

async function countCuts(lab: Lab): Promise<number> {
  const both = lab.nodes.flatMap((node) => bmcLevels.map((level) => readBmcLog(lab, node, level)))
  const isOff = ({ event, command }: { event: string; command: string }) =>
    event === 'done' && command === 'off'
  return (await Promise.all(both)).flat().filter(isOff).length
}

/** The lines at the end of a soak. */
export function reportLines({ rounds, ...report }: SoakReport): string[] {
  const counts = new Map<string, number>()
  for (const { kind } of rounds.flatMap(({ faults }) => faults)) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  const kinds = [...counts].toSorted(([, a], [, b]) => b - a).map(([kind, n]) => `${kind} ${n}`)
  const longest = rounds.toSorted((a, b) => b.outageMs - a.outageMs)[0]
  const slowest = rounds.toSorted((a, b) => b.healthyMs - a.healthyMs)[0]
  const overlaps = rounds.flatMap((round) => round.overlaps)
  const noted = rounds.flatMap(({ round, notes }) => notes.map((note) => `round ${round}: ${note}`))
  const troubles = rounds.flatMap(({ round, trouble }) => trouble && `round ${round}: ${trouble}`)
  const seconds = (ms = 0) => `${(ms / 1_000).toFixed(1)} s`
  return [
    `rounds           ${rounds.length}`,
    `faults           ${kinds.join(', ')}`,
    `noted            ${noted.length}`,
    ...noted.map((line) => `  ${line}`),
    `moves            ${report.moves}; BMCs have switched off ${report.powerCuts} times`,
    `longest outage   ${seconds(longest?.outageMs)} (round ${longest?.round})`,
    `longest recovery ${seconds(slowest?.healthyMs)} (round ${slowest?.round})`,
    `overlaps         ${overlaps.length}`,
    ...overlaps.map((line) => `  ${line}`),
    `healthy          ${troubles.some(Boolean) ? 'no' : 'yes'}`,
    ...troubles.filter((line) => line !== undefined).map((line) => `  ${line}`),
    ...report.replayedOtherwise.map((where) => `replayed otherwise: ${where}`),
  ]
}
