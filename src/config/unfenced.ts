/**
 * Nodes that may run something and that no fence device can prove off (H18). When one is lost, what
 * it held is started nowhere else before a person has seen it dead. That is refused, unless the
 * config accepts it of that very node: it is the node that lacks a device, and who adds a resource
 * later does not think of its power.
 */
import type { NodeConfig, NodeId, ResourceConfig } from '../core/model.ts'
import type { Problem } from './problem.ts'
import type { ConfigFile } from './schema.ts'
import type { Source } from './yaml.ts'

/** What is said of one node names at most so many of its resources. */
const NAMED_MAX = 3

/**
 * Where secrets are not read, levels that stand in the secrets file alone are not known, and nobody
 * can tell (`complete`). Without any fencing (`fence.enabled: false`) the operator has said so.
 */
export function unfencedProblems(
  { cluster, fence }: ConfigFile,
  levels: ReadonlyMap<NodeId, NodeConfig['levels']>,
  resources: readonly ResourceConfig[],
  { source, complete }: { readonly source: Source; readonly complete: boolean },
): readonly Problem[] {
  if (!fence.enabled) return []
  return cluster.nodes.flatMap(({ name, unfenced }, index): readonly Problem[] => {
    const path = ['cluster', 'nodes', index]
    const has = (levels.get(name) ?? []).length > 0
    if (has && unfenced !== undefined) {
      const message = `${name} has a fence device, so there is nothing to accept; leave it out`
      return [{ ...source.placeOf([...path, 'unfenced']), message }]
    }
    if (has || unfenced !== undefined || !complete) return []
    const own = resources.filter(({ nodes }) => nodes.includes(name))
    const ids = [...new Set(own.map(({ id, clone }) => clone?.id ?? id))]
    if (ids.length === 0) return []
    const more = ids.length > NAMED_MAX ? ` and ${ids.length - NAMED_MAX} more` : ''
    const message =
      `${ids.slice(0, NAMED_MAX).join(', ')}${more} may run on ${name}, and no fence device can ` +
      `prove ${name} off: when it is lost, what it held is started nowhere else before a person ` +
      'confirms that it is dead. Give it a step in fence, take it out of nodes, make it a ' +
      'witness, or write `unfenced: accepted` at this node'
    return [{ ...source.placeOf(path), message }]
  })
}
