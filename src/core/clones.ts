/**
 * Clones: one resource that runs on several nodes at once. Each of its nodes has an instance, which
 * is a resource like any other, `web@node1`, bound to that node. So is its thing: a web server here
 * and the same web server there are two things, and promise P1 is about things. Nobody else is
 * asked where an instance runs, and whoever does not have its node cannot hold it.
 *
 * What others want of a clone they want of its instances: of the one on their own node where they
 * must run beside it, of any of them where they only start after it.
 */
import { entryOf, type Ledger, mayHold } from './ledger.ts'
import type { Config, NodeId, ResourceConfig, ResourceId } from './model.ts'

/** A resource as it is written: a clone has all of its nodes here. */
export interface Written extends ResourceConfig {
  /** At most so many instances at once; 0 where it is no clone. */
  readonly instances: number
}

/** The resources of a config, with the instances of each clone in its place. */
export function expandClones(written: readonly Written[]): readonly ResourceConfig[] {
  const clones = new Map(written.filter(isClone).map((each) => [each.id, each]))
  return written.flatMap(({ instances, ...resource }): readonly ResourceConfig[] => {
    if (instances === 0) return [resource]
    return resource.nodes.map((node) => instanceOn(node, resource, instances, clones))
  })
}

const isClone = ({ instances }: Written): boolean => instances > 0

/** What it wants of another clone it wants of that one's instance on its own node. */
function instanceOn(
  node: NodeId,
  { id, thing, beside, apart, after, ...common }: ResourceConfig,
  max: number,
  clones: ReadonlyMap<ResourceId, Written>,
): ResourceConfig {
  const here = (to: ResourceId) => (clones.get(to)?.nodes.includes(node) ? at(to, node) : to)
  return {
    ...common,
    id: at(id, node),
    thing: boundThing(thing, node),
    clone: { id, max },
    nodes: [node],
    beside: beside.map(({ to, strength }) => ({ to: here(to), strength })),
    apart: apart.map(({ to, strength }) => ({ to: here(to), strength })),
    after: after.map(here),
  }
}

/** The id of an instance. No name in a config holds an `@`. */
const at = (id: ResourceId, node: NodeId): ResourceId => `${id}@${node}`

const boundThing = (thing: string, node: NodeId): string => `${thing} @${node}`

/** Is a resource the named one, or an instance of the clone of that name? */
export function isOf(id: ResourceId, name: ResourceId): boolean {
  return id === name || id.startsWith(`${name}@`)
}

/** Is this the instance of another node? Nothing of it can be here, and nothing is looked for. */
export function isElsewhere({ clone, nodes }: ResourceConfig, node: NodeId): boolean {
  return clone !== undefined && !nodes.includes(node)
}

/**
 * A thing as it may also have been called on a node by another config, in which it was a clone and
 * is none any more, or the other way round (S16).
 */
export function otherForm(thing: string, node: NodeId): string {
  const ending = boundThing('', node)
  return thing.endsWith(ending) ? thing.slice(0, -ending.length) : boundThing(thing, node)
}

/** What an instance is, without its node. */
export function plainThing({ thing, clone, nodes: [node] }: ResourceConfig): string {
  return clone === undefined || node === undefined ? thing : otherForm(thing, node)
}

/** Every node that may hold a resource, as far as the ledger knows. */
export function holdersOf(
  { ledger }: { readonly ledger: Ledger },
  { thing, clone, nodes }: ResourceConfig,
): NodeId[] {
  const asked = clone === undefined ? Object.keys(ledger.nodes) : nodes
  return asked.filter((node) => {
    const entry = ledger.nodes[node]
    if (entry === undefined) return false
    return mayHold(entry, thing) || mayHold(entryOf(ledger, node), otherForm(thing, node))
  })
}

/** Does nobody hold it, and if it is an instance, not as many others as there may be at once? */
export function isFree(
  { config, ledger }: { readonly config: Pick<Config, 'resources'>; readonly ledger: Ledger },
  resource: ResourceConfig,
): boolean {
  const isHeld = (each: ResourceConfig) => holdersOf({ ledger }, each).length > 0
  if (isHeld(resource)) return false
  const { clone } = resource
  if (clone === undefined) return true
  return targetsOf(config.resources, clone.id).filter(isHeld).length < clone.max
}

// ---- who is meant by a name ----

type Resources = readonly ResourceConfig[]

const known = new WeakMap<Resources, ReadonlyMap<ResourceId, Resources>>()

/** The resource of that id, or all instances of the clone of that name. */
export function targetsOf(resources: Resources, id: ResourceId): Resources {
  let named = known.get(resources)
  if (named === undefined) {
    const found = new Map<ResourceId, ResourceConfig[]>()
    const add = (name: ResourceId, resource: ResourceConfig) => {
      const there = found.get(name)
      if (there === undefined) found.set(name, [resource])
      else there.push(resource)
    }
    for (const resource of resources) {
      add(resource.id, resource)
      if (resource.clone !== undefined) add(resource.clone.id, resource)
    }
    named = found
    known.set(resources, named)
  }
  return named.get(id) ?? []
}

/** Must it run beside whoever is meant by this name? */
export function mustBeBeside({ beside }: ResourceConfig, name: ResourceId): boolean {
  return beside.some(({ to, strength }) => to === name && strength === 'must')
}

/**
 * One of these has to run before a resource starts on a node: of a clone beside which it must run
 * the instance there, of another one any.
 */
export function awaitedBy(
  resources: Resources,
  follower: ResourceConfig,
  name: ResourceId,
  node: NodeId,
): Resources {
  const targets = targetsOf(resources, name)
  if (!mustBeBeside(follower, name)) return targets
  return targets.filter(({ clone, nodes }) => clone === undefined || nodes.includes(node))
}

/** Is one of them meant wherever this name stands among those that a resource starts after? */
export function startsAfter(follower: ResourceConfig, { id, clone }: ResourceConfig): boolean {
  return follower.after.includes(id) || (clone !== undefined && follower.after.includes(clone.id))
}
