/**
 * `role: witness` (H19): which nodes may run something, and what cannot be said of one that never
 * does. A witness that stands among the `nodes` of a resource is passed over, so that a node can be
 * made one for a while without touching every list.
 */
import type { NodeId } from '../core/model.ts'
import { hostsAmong } from '../core/roles.ts'
import type { Problem } from './problem.ts'
import type { ConfigFile, FileResource } from './schema.ts'
import type { Source } from './yaml.ts'

/** The nodes that may run a resource, in the order of its list. */
export function hostsOf({ cluster }: ConfigFile, { nodes }: Pick<FileResource, 'nodes'>): NodeId[] {
  const all = cluster.nodes.map(({ name, role }) => ({ id: name, role }))
  return [...hostsAmong(all, nodes ?? all.map(({ id }) => id))]
}

/** Resources that no node could run, and options of a witness that would do nothing. */
export function roleProblems(config: ConfigFile, source: Source): readonly Problem[] {
  const { nodes } = config.cluster
  const homeless = config.resources.flatMap((entry, index): readonly Problem[] => {
    const listed = entry.nodes ?? nodes.map(({ name }) => name)
    const known = listed.every((each) => nodes.some(({ name }) => name === each))
    if (!known || listed.length === 0 || hostsOf(config, entry).length > 0) return []
    const which = listed.length === 1 ? 'is a witness' : 'are witnesses'
    const message =
      `${entry.id} could run on ${listed.join(', ')} only, which ${which}, and nothing runs on a ` +
      'witness; name another node in nodes, or take role: witness away from one'
    const path = ['resources', index, ...(entry.nodes === undefined ? [] : ['nodes'])]
    return [{ ...source.placeOf(path), message }]
  })
  const idle = nodes.flatMap((node, index): readonly Problem[] => {
    const { name, role, priority, capacity, unfenced } = node
    if (role !== 'witness') return []
    const useless = [
      ...(priority === 0 ? [] : ['priority']),
      ...(Object.keys(capacity).length === 0 ? [] : ['capacity']),
      ...(unfenced === undefined ? [] : ['unfenced']),
    ]
    return useless.map((key) => {
      const message = `${name} is a witness, of which ${key} means nothing; leave it out`
      return { ...source.placeOf(['cluster', 'nodes', index, key]), message }
    })
  })
  return [...homeless, ...idle]
}

/** What has to be said of a cluster in which nobody could take over. */
export function roleWarnings({ cluster, resources }: ConfigFile): readonly string[] {
  const hosts = cluster.nodes.filter(({ role }) => role !== 'witness')
  const [only, ...more] = hosts
  if (only === undefined || more.length > 0 || hosts.length === cluster.nodes.length) return []
  if (resources.length === 0) return []
  return [
    `${only.name} is the only node that is no witness: when it is lost, nothing is started ` +
      'elsewhere.',
  ]
}
