/**
 * What clients see of the services while a world lives: for how long nobody serves, and for how
 * long two nodes run the same. Looked at after every event, in the world as it truly is.
 */
import type { NodeId, ResourceId } from '../core/model.ts'
import type { Machine, World } from '../sim/world.ts'

/** Two nodes ran one service at the same time. */
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
  /** The services that nobody serves now. */
  readonly down: () => readonly ResourceId[]
  /** Who serves it, or served it last. */
  readonly home: (resource: ResourceId) => NodeId | undefined
}

export function watch(world: World): Watch {
  const { resources } = world.site.config
  const gaps = new Map<ResourceId, Gap[]>(resources.map(({ id }) => [id, []]))
  const overlaps: Overlap[] = []
  const homes = new Map<ResourceId, NodeId>()
  const isDown = (id: ResourceId) => {
    const last = gaps.get(id)?.at(-1)
    return last !== undefined && last.toMs === undefined
  }
  let told = -1
  const look = () => {
    // Whatever begins or ends to run, to freeze or to be cut off is told in the trace.
    if (world.trace.length === told) return
    told = world.trace.length
    for (const { id, thing } of resources) {
      const serving = world.machines.filter((machine) => serves(world, machine, thing))
      const [home] = serving
      if (home !== undefined) homes.set(id, home.id)
      noteGap(gaps.get(id) ?? [], home === undefined, world.nowMs)
      noteOverlap(overlaps, id, holders(world, thing), world.nowMs)
    }
  }
  return {
    look,
    gaps,
    overlaps,
    down: () => resources.flatMap(({ id }) => (isDown(id) ? [id] : [])),
    home: (id) => homes.get(id),
  }
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

/** Is there a cable between this machine and any other one? */
export function isReachable({ machines, network: { up } }: World, machine: Machine): boolean {
  const at = machine.nodeid - 1
  return machines.length === 1 || machines.some((_, i) => i !== at && up[i]?.[at] && up[at]?.[i])
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
