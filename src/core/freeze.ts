/**
 * What goes on running on a node that has lost quorum (H20). Whoever is `freeze` is left as it is:
 * nothing of it starts, nothing is mended, a monitor that fails stops it. That nobody else starts
 * it meanwhile rests on fencing alone, so the config allows it only where a power is proven off.
 */
import { entryOf } from './ledger.ts'
import type { ResourceConfig } from './model.ts'
import type { State } from './state.ts'

/**
 * May it run on here without quorum? Only what the last quorate ring knew to be here, in this boot:
 * what somebody starts by hand meanwhile has no right to.
 *
 * A node that has lost Corosync itself is blind: it would never learn that quorum is back, or that
 * it is condemned, and its daemon ends. There everything stops, as on a node that leaves.
 */
export function isFrozen(state: State, { id, thing, noQuorum }: ResourceConfig): boolean {
  if (noQuorum !== 'freeze' || state.leaving !== undefined || state.corosyncLost !== '')
    return false
  const { at } = state.resources[id]!
  if (at !== 'running' && at !== 'unknown') return false
  const { standing, barred, boot, holds } = entryOf(state.ledger, state.self)
  if (standing !== 'member' || barred || boot !== state.identity.boot) return false
  return holds !== 'anything' && holds.some((hold) => hold.thing === thing)
}
