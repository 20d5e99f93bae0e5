/**
 * From a grant to a start, on the node that was granted something: when a majority keeps the grant
 * (S8), and when those run that it starts after (H3).
 */
import { keepersOf } from './halves.ts'
import { whyUnwanted } from './intents.ts'
import { entryOf, mayHold } from './ledger.ts'
import type { ResourceConfig, ResourceId } from './model.ts'
import { startResource } from './resource.ts'
import { authority, type Session, type State, type Turn } from './state.ts'

/** A grant becomes a start when a majority of all nodes keeps it on disk (S8). */
export function startGranted(turn: Turn): void {
  const session = authority(turn.state, turn.nowMs)
  if (session === undefined) return
  for (const resource of turn.state.config.resources) {
    const local = turn.state.resources[resource.id]!
    if (local.at !== 'granted' || local.op !== undefined) continue
    const kept = Object.values(session.saved).filter((step) => step >= local.grantStep).length
    if (kept < keepersOf(turn.state.config, session.merged?.members)) continue
    // It was granted before an operator said so; the coordinator takes it back.
    if (whyUnwanted(turn.state.ledger.intents, resource.id, turn.state.self) !== '') continue
    if (mayFollow(turn.state, session, resource)) startResource(turn, resource)
  }
}

/**
 * Do those run that it starts after, and are those here beside which it must run? What was so when
 * it was granted may have changed since.
 */
function mayFollow(
  { resources, config, ledger, self }: State,
  session: Session,
  { after, beside }: ResourceConfig,
): boolean {
  const isHere = (id: ResourceId): boolean => {
    const resource = config.resources.find((each) => each.id === id)
    return resource !== undefined && mayHold(entryOf(ledger, self), resource.thing)
  }
  const isUp = (id: ResourceId): boolean => {
    const local = resources[id]
    if (isHere(id)) return local?.at === 'running' && local.mustStop === ''
    return Object.values(session.reports).some((each) => each.resources[id]?.state === 'running')
  }
  const musts = beside.filter(({ strength }) => strength === 'must')
  return after.every(isUp) && musts.every(({ to }) => isHere(to))
}
