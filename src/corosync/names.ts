/** Names of nodes by Corosync's node ids. */
import type { NodeId } from '../core/model.ts'
import type { Keys } from './cmap.ts'
import { nodesOf, unlistedName } from './nodelist.ts'

export interface Names {
  of(nodeid: number): NodeId
  /** The nodelist has changed. */
  forget(): void
}

/**
 * A node that has just been added is in the nodelist before it is in the ring, but Corosync tells
 * of the two over different connections: before an id counts as unlisted, `catchUp` hears the
 * rest.
 */
export function createNames(keys: Keys, catchUp: () => void): Names {
  let known = new Map<number, NodeId>()
  const read = () => {
    known = new Map(nodesOf(keys).map(({ nodeid, name }) => [nodeid, name]))
  }
  return {
    of(nodeid) {
      if (!known.has(nodeid)) read()
      if (!known.has(nodeid)) {
        catchUp()
        read()
      }
      return known.get(nodeid) ?? unlistedName(nodeid)
    },
    forget: () => known.clear(),
  }
}
