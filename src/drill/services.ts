/**
 * Services as people count them: a clone is one of them, which serves as long as one of its
 * instances does. Everything else is a resource alone.
 */
import { targetsOf } from '../core/clones.ts'
import type { NodeId, ResourceConfig, ResourceId } from '../core/model.ts'

export interface Served {
  readonly id: ResourceId
  /** Of a clone all of them, else the resource itself. */
  readonly instances: readonly ResourceConfig[]
  /** Where it may run. */
  readonly nodes: readonly NodeId[]
  readonly isClone: boolean
}

type Resources = readonly ResourceConfig[]

export function servicesOf(resources: Resources): readonly Served[] {
  return [...Map.groupBy(resources, nameOf)].map(([id, instances]) => ({
    id,
    instances,
    nodes: instances.flatMap(({ nodes }) => nodes),
    isClone: instances.some(({ clone }) => clone !== undefined),
  }))
}

/** What people call it. */
export function nameOf({ id, clone }: ResourceConfig): ResourceId {
  return clone?.id ?? id
}

/** What of a service runs on a node: of a clone the instance there, if there is one. */
export function resourceAt(
  resources: Resources,
  id: ResourceId,
  node: NodeId,
): ResourceConfig | undefined {
  return targetsOf(resources, id).find(({ clone, nodes }) => {
    return clone === undefined || nodes.includes(node)
  })
}
