/**
 * The cluster network: who hears whom, one direction at a time. Devices have wires of their own.
 */
import type { Machine, World } from './world.ts'

export interface Network {
  /** `up[from][to]`, by position in the world's list of machines. */
  readonly up: boolean[][]
  /** Two rings that are to notice each other at the next formation. */
  readonly merging: Set<string>
  /** Pairs for which that is under way. */
  readonly attempts: Set<string>
}

export function makeNetwork(size: number): Network {
  return {
    up: Array.from({ length: size }, () => Array.from({ length: size }, () => true)),
    merging: new Set(),
    attempts: new Set(),
  }
}

/** Does what `from` sends arrive at `to`? */
export function carries(world: World, from: Machine, to: Machine): boolean {
  return from === to || world.network.up[from.nodeid - 1]![to.nodeid - 1]!
}

export function setLink(world: World, from: Machine, to: Machine, up: boolean): void {
  world.network.up[from.nodeid - 1]![to.nodeid - 1] = up
}

/** Do both Corosyncs live, and does each hear the other? */
export function connected(world: World, a: Machine, b: Machine): boolean {
  return isLive(a) && isLive(b) && carries(world, a, b) && carries(world, b, a)
}

/** Does its Corosync take part in anything? */
export function isLive(machine: Machine): boolean {
  return machine.powered && machine.corosync !== undefined && machine.frozen.corosync === 0
}

/** Would a probe of one machine's addresses by another be answered? By the kernel alone. */
export function answersProbe(world: World, target: Machine, listener: Machine): boolean {
  return (
    target.powered &&
    target.up &&
    carries(world, listener, target) &&
    carries(world, target, listener)
  )
}

/** A name for a pair of machines, whichever comes first. */
export function pairOf(a: Machine, b: Machine): string {
  return a.nodeid < b.nodeid ? `${a.id}-${b.id}` : `${b.id}-${a.id}`
}
