/**
 * What speaks for a node, and against it, in the choice of one resource (plan.ts). What is the same
 * for all of its nodes, such as where those are that it wants to be beside, is worked out once for
 * each choice: there are as many questions as resources × nodes.
 */
import { targetsOf } from './clones.ts'
import type { NodeId, Pull, ResourceConfig, ResourceId, Strength } from './model.ts'
import type { Work } from './plan.ts'

/** One resource that chooses, and what all of its nodes are measured by. */
export interface Choice {
  readonly resource: ResourceConfig
  readonly now: NodeId | undefined
  /** Who must run beside it, and matters as much as it does. */
  readonly followers: readonly ResourceConfig[]
  /** Where it has to be, by whom it must be beside, and why it can be nowhere else. */
  readonly besides: readonly { readonly at: readonly NodeId[]; readonly why: string }[]
  /** Where those are from which it must stay apart. */
  readonly foes: ReadonlyMap<NodeId, ResourceId>
  /** Points for a node: what it and its followers prefer, and who is there already. */
  readonly points: ReadonlyMap<NodeId, number>
  /** Who of the group has been moved to a node by an operator; its own word counts for more. */
  readonly moved: ReadonlyMap<NodeId, number>
  /** Instances beside which it must run that are well, by their node. */
  readonly sound: ReadonlyMap<NodeId, number>
}

/** What one node has in favour of it. Compared from left to right; more is better. */
export type Merit = readonly [
  well: number,
  moved: number,
  sound: number,
  stays: number,
  points: number,
  first: number,
]

/** What is the same for all nodes, of a resource that chooses now. */
export function choiceOf(work: Work, resource: ResourceConfig): Choice {
  const { facts, ties } = work
  const followers = ties.followersOf(resource.id)
  const moved = new Map<NodeId, number>()
  add(moved, facts.wanted(resource), followers.length + 1)
  for (const follower of followers) add(moved, facts.wanted(follower), 1)
  return {
    resource,
    now: facts.now(resource),
    followers,
    besides: besidesOf(work, resource),
    foes: foesOf(work, resource),
    points: pointsFor(work, resource, followers),
    moved,
    sound: soundFor(work, resource),
  }
}

/** What a node has in favour of it; `index` is its place in the list of the resource. */
export function meritOf(work: Work, choice: Choice, node: NodeId, index: number): Merit {
  const { resource, followers, now } = choice
  const isNow = node === now
  let able = knownOf(work, resource).ails.has(node) ? 0 : 1
  for (const follower of followers) if (isWell(work, follower, node)) able++
  const points = (choice.points.get(node) ?? 0) + (isNow ? pointsOf(resource.stays) : 0)
  const stays = isNow && resource.stays === 'must' ? 1 : 0
  const moved = choice.moved.get(node) ?? 0
  return [able, moved, choice.sound.get(node) ?? 0, stays, points, -index]
}

/** Above zero where the first one is better. */
export function compare(one: readonly number[], other: readonly number[]): number {
  for (let index = 0; index < one.length; index++) {
    const difference = one[index]! - other[index]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Why the best node is better than another one, in the words that follow its name. */
export function advantage(best: Merit, theirs: Merit): string {
  const at = best.findIndex((value, index) => value !== theirs[index])
  switch (at) {
    case 1:
      return 'is where an operator wants it'
    case 2:
      return 'has whom it must be beside in good health'
    case 3:
      return 'has it already, and it stays where it works'
    case 4:
      return `has ${best[4]} points, this one ${theirs[4]}`
    default:
      return 'comes first in its list'
  }
}

/** What ails it on a node, or who would be left behind. */
export function whyWorse(work: Work, { resource, followers }: Choice, node: NodeId): string {
  const ails = knownOf(work, resource).ails.get(node)
  if (ails !== undefined) return ails
  const lost = followers.filter((each) => !isWell(work, each, node))
  const ill = lost.find((each) => work.facts.ails(each, node) !== '')
  if (ill !== undefined) return `${ill.id} is not well there: ${work.facts.ails(ill, node)}`
  return `${lost.map((each) => each.id).join(', ')} could not run beside it there`
}

// ---- what is known of a resource on its nodes, asked once in each plan ----

/** What is against nodes of a resource: there is nothing here of those on which it is well. */
export interface Known {
  readonly bars: ReadonlyMap<NodeId, string>
  readonly ails: ReadonlyMap<NodeId, string>
}

/** Why its nodes cannot take it, or what ails it there. Whoever it follows asks it too. */
export function knownOf({ facts, known }: Work, resource: ResourceConfig): Known {
  const before = known.get(resource.id)
  if (before !== undefined) return before
  const found = {
    bars: told(resource, (node) => facts.whyNot(resource, node)),
    ails: told(resource, (node) => facts.ails(resource, node)),
  }
  known.set(resource.id, found)
  return found
}

function told({ nodes }: ResourceConfig, why: (node: NodeId) => string): Map<NodeId, string> {
  const found = new Map<NodeId, string>()
  for (const node of nodes) {
    const text = why(node)
    if (text !== '') found.set(node, text)
  }
  return found
}

/**
 * Would it run on a node, if whom it follows did? A node that is none of its own is no loss to it.
 * Where none of its nodes is well for it, it stays: what ails all of them is no news of one.
 */
export function isWell(work: Work, resource: ResourceConfig, node: NodeId): boolean {
  const { bars, ails } = knownOf(work, resource)
  return work.ties.nodesOf(resource).has(node) && !bars.has(node) && !ails.has(node)
}

// ---- what others want of it, and it of them ----

function besidesOf({ resources, places }: Work, { beside }: ResourceConfig): Choice['besides'] {
  const musts = beside.filter(({ strength }) => strength === 'must')
  return musts.map(({ to }) => {
    const at = targetsOf(resources, to).flatMap(({ id }) => places.get(id)?.node ?? [])
    const where = at.length === 0 ? 'runs nowhere' : `belongs on ${at.join(', ')}`
    return { at, why: `${to}, beside which it must run, ${where}` }
  })
}

function foesOf({ ties, places }: Work, { id }: ResourceConfig): Choice['foes'] {
  const foes = new Map<NodeId, ResourceId>()
  for (const { to, strength } of ties.apartOf(id)) {
    const at = strength === 'must' ? places.get(to)?.node : undefined
    if (at !== undefined && !foes.has(at)) foes.set(at, to)
  }
  return foes
}

function pointsFor(
  { ties, places }: Work,
  resource: ResourceConfig,
  followers: readonly ResourceConfig[],
): Choice['points'] {
  const points = new Map<NodeId, number>()
  for (const { prefers } of [resource, ...followers]) {
    for (const [node, strength] of Object.entries(prefers)) add(points, node, pointsOf(strength))
  }
  const pull = ({ to, strength }: Pull, sign: number) => {
    add(points, places.get(to)?.node, sign * pointsOf(strength))
  }
  for (const each of ties.besideOf(resource.id)) pull(each, 1)
  for (const each of ties.apartOf(resource.id)) pull(each, -1)
  return points
}

/** How many instances there that it must be beside are well. */
function soundFor({ resources, facts }: Work, resource: ResourceConfig): Choice['sound'] {
  const sound = new Map<NodeId, number>()
  // An instance has one node alone: it does not run from what is about to be mended there.
  if (resource.clone !== undefined) return sound
  for (const { to, strength } of resource.beside) {
    if (strength !== 'must') continue
    for (const instance of targetsOf(resources, to)) {
      if (instance.clone === undefined || facts.unsound(instance, resource)) continue
      add(sound, instance.nodes[0], 1)
    }
  }
  return sound
}

function add(numbers: Map<NodeId, number>, node: NodeId | undefined, number: number): void {
  if (node !== undefined) numbers.set(node, (numbers.get(node) ?? 0) + number)
}

/** `must` is no matter of points. */
const pointsOf = (strength: Strength): number => (strength === 'must' ? 0 : strength)
