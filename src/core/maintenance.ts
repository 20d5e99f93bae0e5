/**
 * Maintenance: an operator works on a node, a resource or the whole cluster, and Picket keeps its
 * hands off (H8). What runs is left alone: looked at, and neither started, restarted, moved nor
 * stopped, also without quorum. A node in maintenance is not fenced unless an operator orders it.
 *
 * Nothing is let go because of it. What a node may hold is granted to nobody else before that node
 * is proven dead or has reported it stopped, so P1 stands on the holds alone. A node that is cut
 * off and does not know that its maintenance is over runs on, and is fenced first.
 */
import { type Intent, maintenanceOf, source } from './intents.ts'
import { entryOf, isOrdered, type Ledger } from './ledger.ts'
import type { NodeId, ResourceId } from './model.ts'
import { type State, set, type Turn } from './state.ts'

/** Is this resource left alone on this very node? */
export function isLeftAlone(
  { ledger, self, chain, leaving }: Pick<State, 'ledger' | 'self' | 'chain' | 'leaving'>,
  resource: ResourceId,
): boolean {
  if (ledger.intents.length === 0) return false
  const { standing, barred, quarantined } = entryOf(ledger, self)
  // An operator has ordered it off all the same, or it was condemned or fenced before.
  if (chain && (standing === 'condemned' || barred || quarantined)) return false
  // Its daemon goes for good, and nobody has said that the node is not to be fenced for that.
  if (leaving !== undefined && sparingOf(ledger.intents, self) === undefined) return false
  return maintenanceOf(ledger.intents, resource, self) !== undefined
}

/** After every event: what was begun and not carried out yet is not carried out any more. */
export function leaveAlone(turn: Turn): void {
  if (turn.state.ledger.intents.length === 0) return
  for (const [id, local] of Object.entries(turn.state.resources)) {
    const granted = local.at === 'granted'
    // Also what was to end as soon as it is found here, when nobody had said that it is left alone.
    const ending = (local.at === 'running' || local.at === 'unknown') && local.mustStop !== ''
    if ((!granted && !ending) || !isLeftAlone(turn.state, id)) continue
    const change = granted
      ? ({ at: 'stopped', detail: 'not started: it is in maintenance' } as const)
      : { mustStop: '' }
    set(turn, { resources: { ...turn.state.resources, [id]: { ...local, ...change } } })
  }
}

/** The maintenance for which a node is not fenced. */
function sparingOf(intents: readonly Intent[], node: NodeId): Intent | undefined {
  return maintenanceOf(intents, '', node)
}

/** Why the cluster does not fence a node by itself, in a clause; empty where it does. */
export function whySpared({ intents, nodes }: Ledger, node: NodeId): string {
  const found = sparingOf(intents, node)
  if (found === undefined) return ''
  // What an operator has ordered is carried out; where it only switches on, that fences nobody.
  const { fencing, standing } = nodes[node] ?? {}
  const isOff = standing === 'fenced' || standing === 'left'
  if (fencing !== undefined && isOrdered(fencing) && (fencing.action !== 'on' || isOff)) return ''
  return `${found.node === '' ? 'the cluster' : 'it'} is in maintenance${source(found)}`
}

/**
 * The ledger after an order, where no wait for the end of a maintenance is stated any more that is
 * over.
 */
export function withoutOldWaits(before: Ledger, after: Ledger): Ledger {
  const nodes = Object.entries(after.nodes).map(([id, entry]) => {
    const waited = entry.deferred !== '' && entry.deferred === whySpared(before, id)
    return [id, waited && whySpared(after, id) === '' ? { ...entry, deferred: '' } : entry]
  })
  return { ...after, nodes: Object.fromEntries(nodes) }
}
