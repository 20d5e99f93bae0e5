/**
 * Clusters in which half of the nodes may decide: two nodes with `two_node`, or an even number with
 * a quorum device (S18). No majority stands behind what a half decides, and with `two_node` both
 * halves may decide at once. So a half takes for granted only what it can prove by itself:
 *
 * - Whoever is absent may hold anything until it is proven off. A half that has proven the other
 *   one off is alone, whatever the other one has decided before.
 * - What it keeps, all of its members keep: a majority that forms later has one of them in it.
 * - Of two nodes, the one that matters less waits before it fences, so that not both die.
 */
import { entryOf, type Ledger } from './ledger.ts'
import { type Config, majorityOf, type NodeId } from './model.ts'
import { isWitness } from './roles.ts'

/** How long the one of two nodes that matters less waits, where the config does not say. */
const TIE_DELAY_MS = 10_000

/** How many members are enough for a session to decide. */
export function leastOf(config: Config): number {
  const { length } = config.nodes
  return config.halves && length % 2 === 0 ? length / 2 : majorityOf(config)
}

/** Are these members no majority, and yet enough? */
export function isHalf(config: Config, members: readonly NodeId[]): boolean {
  return members.length >= leastOf(config) && members.length < majorityOf(config)
}

/**
 * How many disks have to keep what these members must not forget: all of them, where they are no
 * majority and yet decide, as a half or because the others are written off (recovery.ts).
 */
export function keepersOf(config: Config, members: readonly NodeId[] = []): number {
  const few = members.length > 0 && members.length < majorityOf(config)
  return few ? members.length : majorityOf(config)
}

/** How many members have to miss another one before the others go on without it. */
export function accusersOf(config: Config): number {
  return config.halves && config.nodes.length === 2 ? 1 : majorityOf(config)
}

/** How long whoever matters less waits before it fences whoever matters more. */
export function priorityDelayMsOf({ halves, nodes, rules }: Config): number {
  if (rules.priorityDelayMs > 0) return rules.priorityDelayMs
  return halves && nodes.length === 2 ? TIE_DELAY_MS : 0
}

/** What absent nodes held when this node last agreed with them on it: how many things. */
export type Loads = Readonly<Record<NodeId, number>>

/** The loads after a session has begun of which this is the ledger: a half forgets what it was. */
export function loadsAfter(before: Ledger, loads: Loads, after: Ledger): Loads {
  const known = Object.entries(after.nodes).map(([id, { holds }]) => {
    const last = entryOf(before, id).holds
    const load = holds !== 'anything' ? holds.length : last !== 'anything' ? last.length : loads[id]
    return [id, load ?? 0] as const
  })
  return Object.fromEntries(known)
}

/**
 * Does a lost node matter more than these members, so that they wait? Of two nodes always exactly
 * one does: where their priorities are equal, the one that held more; where they held as much, the
 * one that comes first. Both sides know the same of each other, for they were together before. A
 * witness matters less than any node that could go on with the resources.
 */
export function mattersMore(
  config: Config,
  loads: Loads,
  id: NodeId,
  members: readonly NodeId[],
): boolean {
  const priorityOf = (node: NodeId) => {
    if (isWitness(config, node)) return -1
    return config.nodes.find((each) => each.id === node)?.priority ?? 0
  }
  const theirs = priorityOf(id)
  const ours = Math.max(...members.map(priorityOf))
  const [own] = members
  const two = config.nodes.length === 2 && isHalf(config, members)
  if (theirs !== ours || own === undefined || !two) return theirs > ours
  const [load = 0, ownLoad = 0] = [loads[id], loads[own]]
  return load === ownLoad ? id < own : load > ownLoad
}
