/**
 * Witnesses (H19): nodes that vote, keep what is agreed on, lead, and press buttons, and on which
 * nothing ever runs. They are taken out of the nodes of every resource, so that nothing is placed
 * there, no check is asked there, no clone has an instance there, and what is found running there
 * all the same has no right to. A third node of this kind gives two others a majority.
 */
import type { Config, NodeId } from './model.ts'

/** What a node is there for. */
export const roles = ['host', 'witness'] as const
export type Role = (typeof roles)[number]

type Nodes = readonly { readonly id: NodeId; readonly role?: Role | undefined }[]

/** Those of these nodes on which something may run. */
export function hostsAmong(nodes: Nodes, ids: readonly NodeId[]): readonly NodeId[] {
  return ids.filter((id) => nodes.every((node) => node.id !== id || node.role !== 'witness'))
}

/** Does this node only vote and fence? */
export function isWitness({ nodes }: Pick<Config, 'nodes'>, id: NodeId): boolean {
  return nodes.some((node) => node.id === id && node.role === 'witness')
}

/** Why nothing is on a witness, in a clause about it. */
export const witnessText = 'it is a witness, which votes and fences, and hosts nothing'

/** For `picket explain`: why a resource is on none of the witnesses. */
export function notOnWitnesses({ nodes }: Pick<Config, 'nodes'>): Readonly<Record<NodeId, string>> {
  const witnesses = nodes.filter(({ role }) => role === 'witness')
  return Object.fromEntries(witnesses.map(({ id }) => [id, witnessText]))
}
