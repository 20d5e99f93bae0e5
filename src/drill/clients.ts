/**
 * Where clients are: on the network of the cluster. Whoever has a cable to another node has one to
 * them. Of two nodes neither has one when they are parted, and the one whose cables are out is the
 * one that was named.
 */
import type { NodeId } from '../core/model.ts'
import type { Machine, World } from '../sim/world.ts'

const parted = new WeakMap<World, ReadonlySet<NodeId>>()

/** The cables of these are out; of nobody: all are in again. */
export function noteCut(world: World, nodes: readonly NodeId[]): void {
  parted.set(world, new Set(nodes))
}

/** Would a client reach this machine? */
export function isReachable(world: World, machine: Machine): boolean {
  const { machines, network } = world
  const { up } = network
  const at = machine.nodeid - 1
  if (machines.length === 1) return true
  if (machines.some((_, i) => i !== at && up[i]?.[at] && up[at]?.[i])) return true
  return machines.length === 2 && parted.get(world)?.has(machine.id) === false
}
