/**
 * Who is tied to whom: what resources want of each other, looked up by who is meant, and the order
 * in which they choose. It follows from the config alone and is worked out once for each.
 */
import { targetsOf } from './clones.ts'
import type { NodeId, Pull, ResourceConfig, ResourceId } from './model.ts'

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
  /** The nodes of a resource, to be looked up in. */
  nodesOf(resource: ResourceConfig): ReadonlySet<NodeId>
}

const known = new WeakMap<readonly ResourceConfig[], Ties>()

/** Who is tied to whom. Worked out once for each list. */
export function tiesOf(resources: readonly ResourceConfig[]): Ties {
  const before = known.get(resources)
  if (before !== undefined) return before
  const beside = mutual(resources, 'beside')
  const apart = mutual(resources, 'apart')
  const followers = followersIn(resources)
  const nodes = nodeSetsOf(resources)
  const none: readonly never[] = []
  const nobody: ReadonlySet<NodeId> = new Set()
  const ties: Ties = {
    order: orderOf(resources),
    followersOf: (id) => followers.get(id) ?? none,
    besideOf: (id) => beside.get(id) ?? none,
    apartOf: (id) => apart.get(id) ?? none,
    nodesOf: ({ id }) => nodes.get(id) ?? nobody,
  }
  known.set(resources, ties)
  return ties
}

function nodeSetsOf(
  resources: readonly ResourceConfig[],
): ReadonlyMap<ResourceId, ReadonlySet<NodeId>> {
  return new Map(resources.map(({ id, nodes }) => [id, new Set(nodes)]))
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
