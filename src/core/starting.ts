/**
 * From a grant to a start, on the node that was granted something: when a majority keeps the grant
 * (S8), and when those run that it starts after (H3).
 */
import { awaitedBy, holdersOf, targetsOf } from './clones.ts'
import { keepersOf } from './halves.ts'
import { whyUnwanted } from './intents.ts'
import type { ResourceConfig, ResourceId } from './model.ts'
import { startResource } from './resource.ts'
import { authority, type Session, type State, type Turn } from './state.ts'
import { unguarded } from './watchdog.ts'

/** A grant becomes a start when a majority of all nodes keeps it on disk (S8). */
export function startGranted(turn: Turn): void {
  const session = authority(turn.state, turn.nowMs)
  if (session === undefined || turn.state.detaching !== undefined) return
  if (unguarded(turn.state)) return
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
  follower: ResourceConfig,
): boolean {
  const isHere = (resource: ResourceConfig) => holdersOf({ ledger }, resource).includes(self)
  const isRunning = (leader: ResourceConfig): boolean => {
    const { id } = leader
    const local = resources[id]
    if (isHere(leader)) return local?.at === 'running' && local.mustStop === ''
    return Object.values(session.reports).some((each) => each.resources[id]?.state === 'running')
  }
  // What is given up here is so before the others, and with them the ledger, have heard of it.
  const isComing = (leader: ResourceConfig): boolean => {
    const { at = 'stopped', mustStop = '' } = resources[leader.id] ?? {}
    return isHere(leader) && at !== 'stopped' && mustStop === ''
  }
  const isUp = (name: ResourceId): boolean =>
    awaitedBy(config.resources, follower, name, self).some(isRunning)
  const { after, beside } = follower
  const musts = beside.filter(({ strength }) => strength === 'must')
  return (
    after.every(isUp) && musts.every(({ to }) => targetsOf(config.resources, to).some(isComing))
  )
}
