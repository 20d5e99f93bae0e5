/** What a node holds, for people: by the names of its resources, not by what runs there. */
import type { NodeStatus, ResourceStatus } from '../core/status.ts'
import { plain } from './marks.ts'

/**
 * The instance of a clone is named as its clone: which one it is says the node. What no config
 * knows any more is named as the programs and addresses that it is.
 */
export function heldBy(
  { holds }: Pick<NodeStatus, 'holds'>,
  resources: readonly Pick<ResourceStatus, 'id' | 'thing' | 'clone'>[],
): string {
  const names = holds.map((held) => {
    const found = resources.find(({ thing }) => thing === held)
    return found?.clone?.id ?? found?.id ?? held
  })
  return names.map(plain).join(', ')
}
