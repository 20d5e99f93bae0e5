/**
 * `npm run bench:plan`: how long it takes to plan where a thousand resources with wishes go, on 32
 * nodes, and to plan anew when a node is lost. `--runs N` repeats it (30); medians are printed,
 * with the least and the most, beside the cost of twice as many resources, of half the nodes, and
 * of thirty clones.
 */
import { parseArgs } from 'node:util'
import { expandClones } from '../core/clones.ts'
import { type NodeId, plainWishes, type ResourceConfig } from '../core/model.ts'
import { type Facts, plan } from '../core/plan.ts'
import { spreadOf } from './spread.ts'

const capacity = { memory_mb: 65_536 }

/** Groups of four, replicas that stay apart, points for nodes: what people ask for. */
function resourcesFor(count: number, nodes: readonly NodeId[]): readonly ResourceConfig[] {
  const times = { startMs: 1, stopMs: 1, probeMs: 1, monitorEveryMs: 1 }
  return Array.from({ length: count }, (_, at): ResourceConfig => {
    const id = `r${at}`
    const leader = at % 4 === 0 ? undefined : `r${at - 1}`
    const beside = leader === undefined ? [] : [{ to: leader, strength: 'must' } as const]
    const rival = at % 8 === 4 ? [{ to: `r${at - 4}`, strength: 'must' } as const] : []
    const first = (at >> 2) % nodes.length
    return {
      ...plainWishes,
      ...{ id, thing: id, ...times, beside, apart: rival },
      nodes: [...nodes.slice(first), ...nodes.slice(0, first)],
      after: leader === undefined ? [] : [leader],
      prefers: { [nodes[(at * 7) % nodes.length]!]: 10 },
      stays: at % 3 === 0 ? 20 : 'must',
      priority: at % 5,
      needs: { memory_mb: 512 },
    }
  })
}

/** Clones in pairs, every other pair on half of the nodes at most, and a follower of each. */
function clonesFor(count: number, nodes: readonly NodeId[]): readonly ResourceConfig[] {
  const plain = resourcesFor(2 * count, nodes).map((each) => ({ ...each, apart: [], after: [] }))
  return expandClones(
    plain.map((each, at) => {
      if (at >= count) return { ...each, beside: [must(`r${at - count}`)], instances: 0 }
      const instances = at % 4 < 2 ? nodes.length : nodes.length / 2
      return { ...each, beside: at % 2 === 0 ? [] : [must(`r${at - 1}`)], instances }
    }),
  )
}

const must = (to: string) => ({ to, strength: 'must' }) as const

interface Case {
  readonly name: string
  /** Where they are clones, as many others follow them. */
  readonly clones?: boolean
  readonly resources: number
  readonly nodes: number
  readonly lost: boolean
}

const cases: readonly Case[] = [
  { name: '1,000 on 32, from nothing', resources: 1_000, nodes: 32, lost: false },
  { name: '1,000 on 32, one node lost', resources: 1_000, nodes: 32, lost: true },
  { name: '2,000 on 32, from nothing', resources: 2_000, nodes: 32, lost: false },
  { name: '1,000 on 16, from nothing', resources: 1_000, nodes: 16, lost: false },
  { name: '30 clones on 32, one node lost', clones: true, resources: 30, nodes: 32, lost: true },
]

function measure({ resources: count, nodes: nodeCount, lost, clones }: Case, runs: number) {
  const nodes = Array.from({ length: nodeCount }, (_, at) => `node-${at}`)
  const resources = clones ? clonesFor(count, nodes) : resourcesFor(count, nodes)
  const nowhere = () => undefined
  const none = () => ''
  const well = { ails: none, unsure: none, pending: () => false, unsound: () => false }
  const all: Facts = {
    ...well,
    now: nowhere,
    wanted: nowhere,
    whyNot: none,
    capacity: () => capacity,
  }
  const settled = plan(resources, all)
  const without: Facts = {
    ...all,
    now: ({ id }) => settled.get(id)?.node,
    whyNot: (_, node) => (node === 'node-0' ? 'it is lost' : ''),
  }
  return Array.from({ length: runs }, () => {
    const beganMs = performance.now()
    plan(resources, lost ? without : all)
    return performance.now() - beganMs
  })
}

const { values } = parseArgs({ options: { runs: { type: 'string', default: '30' } } })
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1) {
  console.error('--runs takes a whole number, 1 or more')
  process.exit(2)
}
for (const each of cases) {
  // The first ones are still being compiled.
  const { median, low, high } = spreadOf(measure(each, runs + 5).slice(5))
  const [middle, least, most] = [median, low, high].map((ms) => ms.toFixed(1).padStart(6))
  console.log(`${each.name.padEnd(30)} ${middle} ms (${least} to ${most})`)
}
