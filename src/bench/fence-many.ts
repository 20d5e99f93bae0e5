/**
 * Many nodes lost at once, each with a device of its own that takes a second: what one fencing
 * costs the others. A cluster has at most 32 nodes, so they are those of several clusters, whose
 * daemons share this process: more for one event loop than any picketd will see.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Finding } from './fence-finding.ts'
import { type Fenced, type Member, startMember, type Target } from './member.ts'
import { startOutlets } from './outlets.ts'
import { type Spread, spreadOf } from './spread.ts'

const COUNT = 64
const CLUSTERS = 5
const SLOW_MS = 1_000
/** The device that hangs: the first of all, so that everybody would have to wait for it. */
const HUNG = 0

interface Clusters {
  readonly members: readonly Member[]
  readonly targets: readonly (readonly Target[])[]
}

export async function measureMany(
  runs: number,
  progress: (text: string) => void,
): Promise<readonly Finding[]> {
  const outlets = await startOutlets(COUNT, SLOW_MS)
  const targets = shared(outlets.targets, CLUSTERS)
  const clusters: Clusters = { members: targets.map(startMember), targets }
  const took = { one: [] as number[], all: [] as number[], beside: [] as number[] }
  const lag: number[] = []
  try {
    await Promise.all(clusters.members.map((member) => member.ready()))
    const measure = async (into: number[], lost: number, hung?: number) => {
      await outlets.reset(hung)
      const monitor = monitorEventLoopDelay({ resolution: 1 })
      monitor.enable()
      into.push(await loseMs(clusters, lost, hung))
      monitor.disable()
      if (lost === COUNT) lag.push(monitor.max / 1e6)
      await outlets.reset(undefined)
      await Promise.all(clusters.members.map((member) => member.heal()))
    }
    for (let index = 0; index < runs; index++) {
      const turns = [
        () => measure(took.one, 1),
        () => measure(took.all, COUNT),
        () => measure(took.beside, COUNT, HUNG),
      ]
      for (const turn of index % 2 ? turns.reverse() : turns) await turn()
      const [one = 0, all = 0] = [took.one.at(-1), took.all.at(-1)]
      progress(`many ${index + 1}/${runs}: one ${one.toFixed(0)} ms, all ${all.toFixed(0)} ms`)
    }
  } finally {
    await Promise.all(clusters.members.map((member) => member.close()))
    outlets.close()
  }
  return findingsOf(spreadOf(took.one), spreadOf(took.all), spreadOf(took.beside), spreadOf(lag))
}

function findingsOf(one: Spread, all: Spread, beside: Spread, lag: Spread): readonly Finding[] {
  const peer = { name: 'one node alone', took: one }
  const target = { kind: 'ratio', atMost: 1.5 } as const
  const others = COUNT - 1
  return [
    { what: `${COUNT} nodes at once, the last one proven off`, ours: all, peer, target },
    { what: `${others} beside a device that hangs, the last one`, ours: beside, peer, target },
    {
      what: `delay of the event loop meanwhile, the worst of a run`,
      ours: lag,
      target: { kind: 'worst', atMost: 50 },
    },
  ]
}

/** From the loss of so many nodes to the last proof, that of the hung one not counted. */
async function loseMs({ members, targets }: Clusters, lost: number, hung?: number) {
  const all = targets.flat()
  const chosen = new Set(all.slice(0, lost).map(({ node }) => node))
  const waitless = hung === undefined ? undefined : all[hung]?.node
  const fenced = await Promise.all(
    members.map((member, index): Promise<readonly Fenced[]> | readonly Fenced[] => {
      const names = (targets[index] ?? []).map(({ node }) => node)
      const gone = names.filter((node) => chosen.has(node))
      const awaited = gone.filter((node) => node !== waitless)
      return gone.length === 0 ? [] : member.lose(gone, awaited)
    }),
  )
  return Math.max(...fenced.flat().map(({ lostMs, provenMs }) => provenMs - lostMs))
}

/** So many parts, as equal as they can be. */
function shared<T>(items: readonly T[], parts: number): readonly (readonly T[])[] {
  const size = Math.ceil(items.length / parts)
  return Array.from({ length: parts }, (_, index) => items.slice(index * size, (index + 1) * size))
}
