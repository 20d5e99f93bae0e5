/**
 * What clients see of the services while a world lives: for how long nobody serves, and for how
 * long two nodes run the same. Looked at after every event, in the world as it truly is.
 */
import type { NodeId, ResourceId } from '../core/model.ts'
import type { Machine, World } from '../sim/world.ts'
import { isReachable } from './clients.ts'
import { type Served, servicesOf } from './services.ts'

/** Two nodes ran one service at the same time, or one instance of a clone. */
export interface Overlap {
  readonly resource: ResourceId
  readonly nodes: readonly NodeId[]
  readonly fromMs: number
  /** `undefined`: to the end. */
  readonly toMs: number | undefined
}

export interface Gap {
  readonly fromMs: number
  readonly toMs: number | undefined
}

export interface Watch {
  /** Look now. */
  readonly look: () => void
  readonly gaps: ReadonlyMap<ResourceId, readonly Gap[]>
  readonly overlaps: readonly Overlap[]
  /** The services that nobody serves now; a clone is one. */
  readonly down: () => readonly ResourceId[]
  /** Who serves it, or served it last: of a clone all that do. */
  readonly homes: (service: ResourceId) => readonly NodeId[]
  /** On how few nodes it was served at any moment. */
  readonly least: (service: ResourceId) => number
}

export function watch(world: World): Watch {
  const services = servicesOf(world.site.config.resources)
  const gaps = new Map<ResourceId, Gap[]>(services.map(({ id }) => [id, []]))
  const overlaps: Overlap[] = []
  const homes = new Map<ResourceId, readonly NodeId[]>()
  const least = new Map<ResourceId, number>()
  const isDown = (id: ResourceId) => {
    const last = gaps.get(id)?.at(-1)
    return last !== undefined && last.toMs === undefined
  }
  let told = -1
  const look = () => {
    // Whatever begins or ends to run, to freeze or to be cut off is told in the trace.
    if (world.trace.length === told) return
    told = world.trace.length
    for (const service of services) {
      const { id, instances } = service
      const serving = serversOf(world, service)
      if (serving.length > 0) homes.set(id, serving)
      least.set(id, Math.min(least.get(id) ?? Infinity, serving.length))
      noteGap(gaps.get(id) ?? [], serving.length === 0, world.nowMs)
      for (const { id: own, thing } of instances) {
        noteOverlap(overlaps, own, holders(world, thing), world.nowMs)
      }
    }
  }
  return {
    look,
    gaps,
    overlaps,
    down: () => services.flatMap(({ id }) => (isDown(id) ? [id] : [])),
    homes: (id) => homes.get(id) ?? [],
    least: (id) => least.get(id) ?? 0,
  }
}

/** The nodes from which a client gets it. */
function serversOf(world: World, { instances }: Served): readonly NodeId[] {
  const found = world.machines.filter((machine) =>
    instances.some(({ thing }) => serves(world, machine, thing)),
  )
  return found.map(({ id }) => id)
}

/** Would a client be answered? Not by a node that hangs, and not by one that is cut off. */
function serves(world: World, machine: Machine, thing: string): boolean {
  return (
    machine.powered &&
    machine.up &&
    machine.frozen.scripts === 0 &&
    machine.things.has(thing) &&
    isReachable(world, machine)
  )
}

/** On which powered machines it is active: a hanging or a lonely one may go on at any moment. */
function holders(world: World, thing: string): readonly NodeId[] {
  const found = world.machines.filter(({ powered, things }) => powered && things.has(thing))
  return found.map(({ id }) => id)
}

function noteGap(gaps: Gap[], isDown: boolean, nowMs: number): void {
  const last = gaps.at(-1)
  const isOpen = last !== undefined && last.toMs === undefined
  if (isDown && !isOpen) gaps.push({ fromMs: nowMs, toMs: undefined })
  if (!isDown && isOpen) gaps[gaps.length - 1] = { ...last, toMs: nowMs }
}

function noteOverlap(
  overlaps: Overlap[],
  resource: ResourceId,
  nodes: readonly NodeId[],
  nowMs: number,
): void {
  const at = overlaps.findIndex((each) => each.resource === resource && each.toMs === undefined)
  const found = overlaps[at]
  if (nodes.length > 1) {
    if (found === undefined) overlaps.push({ resource, nodes, fromMs: nowMs, toMs: undefined })
  } else if (found !== undefined) {
    overlaps[at] = { ...found, toMs: nowMs }
  }
}
