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
import {
  advantage,
  type Choice,
  choiceOf,
  compare,
  type Known,
  knownOf,
  type Merit,
  meritOf,
  whyWorse,
} from './choice.ts'
import { targetsOf } from './clones.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'
import { chooseInstances } from './plan-clones.ts'
import { type Ties, tiesOf } from './ties.ts'

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

/** A plan in the making. */
export interface Work {
  readonly resources: readonly ResourceConfig[]
  readonly facts: Facts
  readonly places: Map<ResourceId, Place>
  readonly used: Map<NodeId, Map<string, number>>
  readonly ties: Ties
  /** What has been asked of resources so far. */
  readonly known: Map<ResourceId, Known>
}

/** Plans the places of all resources. Costs resources × nodes, and their wishes. */
export function plan(resources: readonly ResourceConfig[], facts: Facts): Plan {
  const ties = tiesOf(resources)
  const fresh = { places: new Map(), used: new Map(), known: new Map() }
  const work: Work = { resources, facts, ties, ...fresh }
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
  const choice = choiceOf(work, resource)
  const { now } = choice
  let best: Candidate | undefined
  const others: Candidate[] = []
  const hopes: [index: number, node: NodeId][] = []
  for (const [index, node] of resource.nodes.entries()) {
    const why = whyNotThere(work, choice, node)
    if (why !== '') {
      elsewhere[node] = why
      if (now === undefined && isAboutToKnow(work, resource, node, why)) hopes.push([index, node])
      continue
    }
    const candidate = { node, merit: meritOf(work, choice, node, index) }
    others.push(candidate)
    if (best === undefined || compare(candidate.merit, best.merit) > 0) best = candidate
  }
  if (best === undefined) {
    const reasons = [...new Set(Object.values(elsewhere))]
    return nowhere(reasons.length === 1 ? (reasons[0] ?? '') : 'none of its nodes can take it')
  }
  const { node, merit } = best
  for (const { node: other, merit: theirs } of others) {
    if (other === node) continue
    const worse = theirs[0] < merit[0] ? whyWorse(work, choice, other) : ''
    elsewhere[other] = worse || `${node} ${advantage(merit, theirs)}`
  }
  const canStay = others.some((each) => each.node === now)
  const [, awaits] =
    hopes.find(([index, hope]) => compare(meritOf(work, choice, hope, index), merit) > 0) ?? []
  const because = reasonFor(work, choice, node)
  return { node, because, canStay, elsewhere, ...(awaits !== undefined && { awaits }) }
}

/** A node that can take a resource, and what speaks for it. */
interface Candidate {
  readonly node: NodeId
  readonly merit: Merit
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

/** Why a resource can not be on one of its nodes; empty where it can. */
export function whyNotThere(work: Work, choice: Choice, node: NodeId): string {
  const { resource, besides, foes } = choice
  const why = knownOf(work, resource).bars.get(node) ?? work.facts.unsure(resource, node)
  if (why !== '') return why
  for (const beside of besides) if (!beside.at.includes(node)) return beside.why
  const foe = foes.get(node)
  if (foe !== undefined) return `${foe}, from which it must stay apart, is there`
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

function reasonFor(
  { resources, places, facts }: Work,
  { resource, followers, now }: Choice,
  node: NodeId,
): string {
  const { beside, stays } = resource
  const leader = beside.find(({ to, strength }) => {
    const there = ({ id: each }: ResourceConfig) => places.get(each)?.node === node
    return strength === 'must' && targetsOf(resources, to).some(there)
  })
  if (leader !== undefined) return `${leader.to} is there, beside which it must run`
  const moved = [resource, ...followers].find((each) => facts.wanted(each) === node)
  if (moved !== undefined) return `an operator has moved ${moved.id} there`
  if (node === now && stays === 'must') return 'it runs there already'
  return 'of its nodes that can take it this is the best one'
}
