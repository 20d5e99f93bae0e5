/** Sites with clones: what runs on several nodes at once, and others beside and after it (H2). */
import { expandClones, type Written } from '../core/clones.ts'
import type { NodeId, ResourceConfig } from '../core/model.ts'
import type { Rng } from './rng.ts'
import type { Machine, Site, World } from './world.ts'

/** The site, whose first resource is a clone now. */
export function withClones(site: Site, lot: Rng): Site {
  const ids = site.config.nodes.map(({ id }) => id)
  const [first, ...others] = site.config.resources
  if (first === undefined) return site
  const max = lot.chance(50) ? ids.length : lot.int(1, ids.length)
  const clone = { ...first, ...plain, nodes: lot.shuffle(ids), instances: max }
  const rest = others.map((each, index) => companion(lot, each, clone, index === 0))
  return { ...site, config: { ...site.config, resources: expandClones([clone, ...rest]) } }
}

const plain = { beside: [], apart: [], after: [] } as const

/** Whoever wants something of it: it follows an instance, waits for one, or is a clone too. */
function companion(lot: Rng, each: ResourceConfig, leader: Written, near: boolean): Written {
  const free = { ...each, ...plain, instances: 0 }
  const beside = [{ to: leader.id, strength: 'must' as const }]
  switch (near ? lot.int(0, 2) : lot.int(1, 4)) {
    case 0:
    case 1:
      return { ...free, beside, after: lot.chance(70) ? [leader.id] : [] }
    case 2:
      return { ...free, after: [leader.id] }
    case 3:
      // Instance by instance, on the same nodes; where that one is not, this one cannot be.
      return {
        ...free,
        ...{ nodes: leader.nodes, beside, after: [leader.id] },
        instances: leader.instances,
      }
    default:
      return free
  }
}

/** A resource as a machine has it: the instance there, where it is one of a clone. */
export function asOn(
  resources: readonly ResourceConfig[],
  resource: ResourceConfig,
  node: NodeId,
): ResourceConfig | undefined {
  const { clone } = resource
  if (clone === undefined) return resource
  return resources.find((each) => each.clone?.id === clone.id && each.nodes.includes(node))
}

/** A node that must have a watchdog and has none takes nothing, for good. */
function mayServe({ config, undogged }: Site, node: NodeId): boolean {
  return config.watchdog?.modes[node] !== 'required' || undogged?.includes(node) !== true
}

/** Each clone as often as it may be, and everything else once; `undefined` where it is so. */
export function scattered({ site, machines }: World): string | undefined {
  const isUp = (thing: string) => (machine: Machine) => machine.powered && machine.things.has(thing)
  const wanted = new Map<string, { up: number; all: number; max: number }>()
  for (const { id, thing, clone, nodes } of site.config.resources) {
    const holders = machines.filter(isUp(thing))
    if (clone !== undefined) {
      const { up, all } = wanted.get(clone.id) ?? { up: 0, all: 0 }
      const able = nodes.every((node) => mayServe(site, node)) ? 1 : 0
      wanted.set(clone.id, { up: up + holders.length, all: all + able, max: clone.max })
    } else if (holders.length !== 1) {
      const where = holders.length === 0 ? 'nowhere' : `on ${holders.map((each) => each.id)}`
      return `${id} runs ${where}`
    }
  }
  for (const [id, { up, all, max }] of wanted) {
    const most = Math.min(all, max)
    if (up !== most) return `${id} has ${up} instances of ${most}`
  }
  return undefined
}
