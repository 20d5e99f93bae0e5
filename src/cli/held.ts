/** What a node holds, for people: by the names of its resources, not by what runs there. */
import type { NodeStatus, ResourceStatus } from '../core/status.ts'
import { plain } from './marks.ts'

/** What no config knows any more is named as the programs and addresses that it is. */
export function heldBy(
  { holds }: Pick<NodeStatus, 'holds'>,
  resources: readonly Pick<ResourceStatus, 'id' | 'thing'>[],
): string {
  const names = holds.map((held) => resources.find(({ thing }) => thing === held)?.id ?? held)
  return names.map(plain).join(', ')
}
