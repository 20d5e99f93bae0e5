/**
 * Makes `group` news out of what CPG tells: pure, one instance per connection.
 *
 * Seen with Corosync 3.1.7, three nodes, links cut and healed, processes killed, Corosync killed
 * and frozen, with messages under way all the time:
 *
 * - A process that joins or leaves or dies gives one membership callback at every member, in the
 *   order of the messages. The ring stays the same.
 * - A change of the ring gives, without a message in between: one membership callback (reason
 *   "node down") if members were lost, one ("node up") if members came, and then the ring callback
 *   with the new ring, also when the group has not changed. So the ring callback ends every change
 *   of the ring, and the membership callbacks before it belong to it: told for the old ring they
 *   would name members that were never in it.
 * - The messages of the old ring come before the first of these callbacks, those of the new one
 *   after the last. What was said while the ring was broken comes in the new ring, if at all.
 * - Whoever joins gets its own "join" first and then the ring, or the other way round when another
 *   process joins at that moment.
 * - Corosync may form several rings before it tells of one; the others are never told.
 */
import type { RingId } from '../core/model.ts'

/** A process in the group. */
export interface Address {
  readonly nodeid: number
  readonly pid: number
}

/** A process that came or went, and why. */
export interface Change extends Address {
  readonly reason: number
}

export interface View {
  readonly ring: RingId
  /** Ids of the nodes in the ring, in ascending order. */
  readonly nodeids: readonly number[]
  /** In ascending order of node id, then pid. */
  readonly members: readonly Address[]
}

export interface Group {
  /** The membership callback. Gives the new view if there is one. */
  onChange(members: readonly Address[], changes: readonly Change[]): View | undefined
  /** The ring callback. */
  onRing(ring: RingId, nodeids: readonly number[]): View | undefined
}

/** `CPG_REASON_*` of those whose node left or entered the ring. */
const nodeDown = 3
const nodeUp = 4

export function createGroup(self: Address): Group {
  let members: readonly Address[] = []
  let ring: { readonly id: RingId; readonly nodeids: readonly number[] } | undefined
  let ringChanges = false
  let told = ''

  const view = (): View | undefined => {
    if (ring === undefined || ringChanges) return undefined
    const { id, nodeids } = ring
    // A view that cannot be true is none; another callback is on its way to complete it.
    if (!members.some(({ nodeid, pid }) => nodeid === self.nodeid && pid === self.pid)) {
      return undefined
    }
    if (!members.every(({ nodeid }) => nodeids.includes(nodeid))) return undefined
    const next: View = { ring: id, nodeids, members }
    const text = JSON.stringify(next)
    if (text === told) return undefined
    told = text
    return next
  }

  return {
    onChange(now, changes) {
      members = [...now].sort((a, b) => a.nodeid - b.nodeid || a.pid - b.pid)
      ringChanges ||= changes.some(({ reason }) => reason === nodeDown || reason === nodeUp)
      return view()
    },
    onRing(id, nodeids) {
      ring = { id, nodeids: [...nodeids].sort((a, b) => a - b) }
      ringChanges = false
      return view()
    },
  }
}
