/**
 * Where everything should run, and why: a pure function of the config and of what the coordinator
 * knows. The important ones choose first, and whoever others follow chooses before them.
 *
 * A node is out of the question for a resource where it cannot take it, where a resource that it
 * must be beside is not, where one is that it must be apart from, or where there is no room. Among
 * the other nodes the best one is that on which it and most of its followers are well; then the one
 * to which an operator has moved it, or most of its followers; then one where the instances of
 * clones beside which it must run are well; then the one where it runs already, if it must stay;
 * then the one with the most points; then the first one in its list. So a group moves as a whole,
 * and nothing moves for nothing.
 */
import { targetsOf } from './clones.ts'
import type { NodeId, Pull, ResourceConfig, ResourceId, Strength } from './model.ts'
import { chooseInstances } from './plan-clones.ts'

/** What the plan is made of, beside the config. */
export interface Facts {
  /** Where a resource is now, or may be; `undefined` where it is nowhere. */
  now(resource: ResourceConfig): NodeId | undefined
  /** Why a node cannot take a resource, or keep it, in a clause; empty where it can. */
  whyNot(resource: ResourceConfig, node: NodeId): string
  /** Why it would be better off elsewhere, in a clause: a check that it needs fails; else empty. */
  ails(resource: ResourceConfig, node: NodeId): string
  /** Why it may not start there yet, though it may follow others there; else empty. */
  unsure(resource: ResourceConfig, node: NodeId): string
  /** Is the answer that it may start there only still to come, and soon? */
  pending(resource: ResourceConfig, node: NodeId): boolean
  /** Where an operator has moved it to, if the node can take it. */
  wanted(resource: ResourceConfig): NodeId | undefined
  capacity(node: NodeId): Readonly<Record<string, number>>
  /** Is this instance of a clone about to be mended, or not well, to who must be beside it? */
  unsound(instance: ResourceConfig, follower: ResourceConfig): boolean
}

/** Where one resource should be. */
export interface Place {
  /** `undefined`: nowhere. */
  readonly node: NodeId | undefined
  /** Why there, or why nowhere, in a clause. */
  readonly because: string
  /** It could stay where it is; another node is better. */
  readonly canStay: boolean
  /** Why not on its other nodes. */
  readonly elsewhere: Readonly<Record<NodeId, string>>
  /** A better node whose first answer is worth a moment of waiting, while it runs nowhere. */
  readonly awaits?: NodeId | undefined
}

export type Plan = ReadonlyMap<ResourceId, Place>

/** What one node has in favour of it. Compared from left to right; more is better. */
export type Merit = readonly [
  well: number,
  moved: number,
  sound: number,
  stays: number,
  points: number,
  first: number,
]

/** A plan in the making. */
export interface Work {
  readonly resources: readonly ResourceConfig[]
  readonly facts: Facts
  readonly places: Map<ResourceId, Place>
  readonly used: Map<NodeId, Map<string, number>>
  readonly ties: Ties
}

/** Plans the places of all resources. Costs resources × nodes, and their wishes. */
export function plan(resources: readonly ResourceConfig[], facts: Facts): Plan {
  const ties = tiesOf(resources)
  const work: Work = { resources, facts, places: new Map(), used: new Map(), ties }
  const put = (resource: ResourceConfig, place: Place): void => {
    work.places.set(resource.id, place)
    if (place.node !== undefined) occupy(work, resource, place.node)
  }
  for (const resource of ties.order) {
    if (work.places.has(resource.id)) continue
    const instances = resource.clone ? targetsOf(resources, resource.clone.id) : []
    if (instances.length <= (resource.clone?.max ?? 0)) put(resource, placeFor(work, resource))
    else for (const [each, place] of chooseInstances(work, instances)) put(each, place)
  }
  return work.places
}

function placeFor(work: Work, resource: ResourceConfig): Place {
  const elsewhere: Record<NodeId, string> = {}
  const nowhere = (because: string): Place => {
    return { node: undefined, because, canStay: false, elsewhere }
  }
  const missing = whyNotYet(work, resource)
  if (missing !== '') return nowhere(missing)
  const now = work.facts.now(resource)
  let best: { readonly node: NodeId; readonly merit: Merit } | undefined
  const hopes: [index: number, node: NodeId][] = []
  for (const [index, node] of resource.nodes.entries()) {
    const why = whyNotThere(work, resource, node)
    if (why !== '') {
      elsewhere[node] = why
      if (now === undefined && isAboutToKnow(work, resource, node, why)) hopes.push([index, node])
      continue
    }
    const merit = meritOf(work, resource, node, { isNow: node === now, index })
    if (best === undefined || compare(merit, best.merit) > 0) best = { node, merit }
  }
  if (best === undefined) {
    const reasons = [...new Set(Object.values(elsewhere))]
    return nowhere(reasons.length === 1 ? (reasons[0] ?? '') : 'none of its nodes can take it')
  }
  const { node, merit } = best
  const canStay = now !== undefined && resource.nodes.includes(now) && elsewhere[now] === undefined
  for (const [index, other] of resource.nodes.entries()) {
    if (other === node || elsewhere[other] !== undefined) continue
    const theirs = meritOf(work, resource, other, { isNow: other === now, index })
    const worse = theirs[0] < merit[0] ? whyWorse(work, resource, other) : ''
    elsewhere[other] = worse || `${node} ${advantage(merit, theirs)}`
  }
  const [, awaits] =
    hopes.find(([index, hope]) => {
      return compare(meritOf(work, resource, hope, { isNow: false, index }), merit) > 0
    }) ?? []
  const because = reasonFor(work, resource, node, now)
  return { node, because, canStay, elsewhere, ...(awaits !== undefined && { awaits }) }
}

/** Is nothing against it but that a check there has not answered for the first time? */
function isAboutToKnow({ facts }: Work, resource: ResourceConfig, node: NodeId, why: string) {
  return facts.pending(resource, node) && why === facts.unsure(resource, node)
}

// ---- what is out of the question ----

/** Whom it starts after has to run; of a clone one instance will do. */
export function whyNotYet({ resources, places }: Work, { after }: ResourceConfig): string {
  const missing = after.find((name) => {
    return targetsOf(resources, name).every(({ id }) => places.get(id)?.node === undefined)
  })
  return missing === undefined ? '' : `${missing}, after which it starts, runs nowhere`
}

/** Why a resource can not be on a node; empty where it can. */
export function whyNotThere(work: Work, resource: ResourceConfig, node: NodeId): string {
  const { resources, facts, places, ties } = work
  const why = facts.whyNot(resource, node) || facts.unsure(resource, node)
  if (why !== '') return why
  for (const { to, strength } of resource.beside) {
    if (strength !== 'must') continue
    const at = targetsOf(resources, to).flatMap(({ id }) => places.get(id)?.node ?? [])
    if (at.length === 0) return `${to}, beside which it must run, runs nowhere`
    if (!at.includes(node)) return `${to}, beside which it must run, belongs on ${at.join(', ')}`
  }
  for (const { to, strength } of ties.apartOf(resource.id)) {
    if (strength === 'must' && places.get(to)?.node === node) {
      return `${to}, from which it must stay apart, is there`
    }
  }
  return whyNoRoom(work, resource, node)
}

function whyNoRoom({ facts, used }: Work, { needs }: ResourceConfig, node: NodeId): string {
  const capacity = facts.capacity(node)
  for (const [what, amount] of Object.entries(needs)) {
    const all = capacity[what]
    if (all === undefined) continue
    const left = all - (used.get(node)?.get(what) ?? 0)
    if (amount > left) return `it needs ${amount} of ${what} and ${left} is left there`
  }
  return ''
}

function occupy({ used }: Work, { needs }: ResourceConfig, node: NodeId): void {
  const there = used.get(node) ?? new Map<string, number>()
  for (const [what, amount] of Object.entries(needs)) {
    there.set(what, (there.get(what) ?? 0) + amount)
  }
  used.set(node, there)
}

// ---- what is better ----

/** What a node has in favour of it. */
export function meritOf(
  { resources, facts, places, ties }: Work,
  resource: ResourceConfig,
  node: NodeId,
  { isNow, index }: { readonly isNow: boolean; readonly index: number },
): Merit {
  const followers = ties.followersOf(resource.id)
  const own = facts.ails(resource, node) === '' ? 1 : 0
  const able = own + followers.filter((each) => isWell(facts, each, node)).length
  let points = pointsOf(resource.prefers[node] ?? 0)
  for (const follower of followers) points += pointsOf(follower.prefers[node] ?? 0)
  for (const { to, strength } of ties.besideOf(resource.id)) {
    if (places.get(to)?.node === node) points += pointsOf(strength)
  }
  for (const { to, strength } of ties.apartOf(resource.id)) {
    if (places.get(to)?.node === node) points -= pointsOf(strength)
  }
  if (isNow) points += pointsOf(resource.stays)
  const stays = isNow && resource.stays === 'must' ? 1 : 0
  // A group is moved by whomever of it is named; its leader's own word counts for more.
  let moved = facts.wanted(resource) === node ? followers.length + 1 : 0
  for (const follower of followers) if (facts.wanted(follower) === node) moved++
  return [able, moved, soundThere(resources, facts, resource, node), stays, points, -index]
}

/** How many instances there that it must be beside are well. */
function soundThere(
  resources: readonly ResourceConfig[],
  facts: Facts,
  resource: ResourceConfig,
  node: NodeId,
): number {
  // An instance has one node alone: it does not run from what is about to be mended there.
  if (resource.clone !== undefined) return 0
  const musts = resource.beside.filter(({ strength }) => strength === 'must')
  return musts.filter(({ to }) => {
    const found = targetsOf(resources, to).find((each) => each.clone && each.nodes.includes(node))
    return found !== undefined && !facts.unsound(found, resource)
  }).length
}

/** What ails it there, or who would be left behind. */
function whyWorse({ facts, ties }: Work, resource: ResourceConfig, node: NodeId): string {
  const ails = facts.ails(resource, node)
  if (ails !== '') return ails
  const lost = ties.followersOf(resource.id).filter((each) => !isWell(facts, each, node))
  const ill = lost.find((each) => facts.ails(each, node) !== '')
  if (ill !== undefined) return `${ill.id} is not well there: ${facts.ails(ill, node)}`
  return `${lost.map((each) => each.id).join(', ')} could not run beside it there`
}

/** Where none of its nodes is well for it, it stays: what ails all of them is no news of one. */
export function isWell(facts: Facts, resource: ResourceConfig, node: NodeId): boolean {
  return canFollow(facts, resource, node) && facts.ails(resource, node) === ''
}

/** Would it run there, if whom it follows did? A node that is none of its own is no loss to it. */
function canFollow(facts: Facts, follower: ResourceConfig, node: NodeId): boolean {
  return follower.nodes.includes(node) && facts.whyNot(follower, node) === ''
}

/** `must` is no matter of points. */
const pointsOf = (strength: Strength): number => (strength === 'must' ? 0 : strength)

/** Above zero where the first one is better. */
export function compare(one: readonly number[], other: readonly number[]): number {
  for (const [index, value] of one.entries()) {
    const difference = value - other[index]!
    if (difference !== 0) return difference
  }
  return 0
}

function advantage(best: Merit, theirs: Merit): string {
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

function reasonFor(
  { resources, places, facts, ties }: Work,
  resource: ResourceConfig,
  node: NodeId,
  now: NodeId | undefined,
): string {
  const { beside, stays, id } = resource
  const leader = beside.find(({ to, strength }) => {
    const there = ({ id: each }: ResourceConfig) => places.get(each)?.node === node
    return strength === 'must' && targetsOf(resources, to).some(there)
  })
  if (leader !== undefined) return `${leader.to} is there, beside which it must run`
  const moved = [resource, ...ties.followersOf(id)].find((each) => facts.wanted(each) === node)
  if (moved !== undefined) return `an operator has moved ${moved.id} there`
  if (node === now && stays === 'must') return 'it runs there already'
  return 'of its nodes that can take it this is the best one'
}

// ---- who is tied to whom: worked out once for each config ----

/** What resources want of each other, looked up by who is meant. */
export interface Ties {
  /** The important ones first, and nobody before whom it follows. */
  readonly order: readonly ResourceConfig[]
  /** Who must run beside it, or beside one that must; those that matter as much as it does. */
  followersOf(id: ResourceId): readonly ResourceConfig[]
  /** Wishes to be together, from either side. */
  besideOf(id: ResourceId): readonly Pull[]
  /** Wishes to be apart, from either side. */
  apartOf(id: ResourceId): readonly Pull[]
}

const known = new WeakMap<readonly ResourceConfig[], Ties>()

/** Who is tied to whom. Worked out once for each list. */
export function tiesOf(resources: readonly ResourceConfig[]): Ties {
  const before = known.get(resources)
  if (before !== undefined) return before
  const beside = mutual(resources, 'beside')
  const apart = mutual(resources, 'apart')
  const followers = followersIn(resources)
  const none: readonly never[] = []
  const ties: Ties = {
    order: orderOf(resources),
    followersOf: (id) => followers.get(id) ?? none,
    besideOf: (id) => beside.get(id) ?? none,
    apartOf: (id) => apart.get(id) ?? none,
  }
  known.set(resources, ties)
  return ties
}

function mutual(
  resources: readonly ResourceConfig[],
  wish: 'beside' | 'apart',
): ReadonlyMap<ResourceId, readonly Pull[]> {
  const pulls = new Map<ResourceId, Pull[]>()
  const add = (id: ResourceId, pull: Pull) => pulls.set(id, [...(pulls.get(id) ?? []), pull])
  for (const { id, [wish]: own } of resources) {
    for (const { to, strength } of own) {
      for (const target of targetsOf(resources, to)) {
        add(id, { to: target.id, strength })
        add(target.id, { to: id, strength })
      }
    }
  }
  return pulls
}

function followersIn(
  resources: readonly ResourceConfig[],
): ReadonlyMap<ResourceId, readonly ResourceConfig[]> {
  const followers = new Map<ResourceId, ResourceConfig[]>()
  for (const follower of resources) {
    for (const leader of leadersOf(resources, follower)) {
      if (follower.priority < leader.priority) continue
      followers.set(leader.id, [...(followers.get(leader.id) ?? []), follower])
    }
  }
  return followers
}

/** Whom it must run beside, and whom those must. */
function leadersOf(
  resources: readonly ResourceConfig[],
  { id, beside }: ResourceConfig,
): readonly ResourceConfig[] {
  const found = new Map<ResourceId, ResourceConfig>()
  const visit = (pulls: readonly Pull[]): void => {
    for (const { to, strength } of pulls) {
      for (const leader of strength === 'must' ? targetsOf(resources, to) : []) {
        if (found.has(leader.id) || leader.id === id) continue
        found.set(leader.id, leader)
        visit(leader.beside)
      }
    }
  }
  visit(beside)
  return [...found.values()]
}

/** Whoever is followed, or awaited, is as important as the most important one that does so. */
function orderOf(resources: readonly ResourceConfig[]): readonly ResourceConfig[] {
  const ordered: ResourceConfig[] = []
  const seen = new Set<ResourceId>()
  const visit = (resource: ResourceConfig): void => {
    if (seen.has(resource.id)) return
    // The instances of a clone choose together.
    const together = targetsOf(resources, resource.clone?.id ?? resource.id)
    for (const { id } of together) seen.add(id)
    for (const { beside, after } of together) {
      for (const name of [...beside.map(({ to }) => to), ...after]) {
        for (const leader of targetsOf(resources, name)) visit(leader)
      }
    }
    ordered.push(...together)
  }
  for (const resource of resources.toSorted((a, b) => b.priority - a.priority)) visit(resource)
  return ordered
}
