/**
 * One look at the cluster, for whoever decides about resources: who may hold what, who is able to
 * take it, and the plan that follows from both.
 */
import { holdersOf, targetsOf } from './clones.ts'
import { failureToStop, stopText } from './failures.ts'
import { healthKey, isPending, whyAiling, whyFailing, whyUnsure, whyWavering } from './health.ts'
import { maintenanceOf, wantedOn, whyUnwanted } from './intents.ts'
import { entryOf, type Ledger } from './ledger.ts'
import { moveOf } from './live.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'
import { type Plan, plan } from './plan.ts'
import type { Session, State } from './state.ts'

export interface Look {
  readonly state: State
  readonly session: Session
  readonly plan: Plan
  holdersOf(resource: ResourceConfig): readonly NodeId[]
  byId(id: ResourceId): ResourceConfig | undefined
}

/**
 * A look is worked out once for what it depends on: the ledger, and what the members say of their
 * resources. Reports of which nothing here is new leave it as it is.
 */
export function lookAt(state: State, session: Session): Look {
  const members = session.merged?.members ?? []
  const reports = members.map((id) => session.reports[id])
  const said = reports.flatMap((report) => [
    report?.resources,
    report?.leaving,
    report?.detaching,
    report && healthKey(report.checks),
  ])
  // Also who they are: two rings may have heard equally little of different members.
  const key = [...members, ...said]
  const before = looks.get(state.ledger)
  const same = before?.key.length === key.length && before.key.every((each, i) => each === key[i])
  if (before !== undefined && same && before.look.state.config === state.config) return before.look
  const look = freshLook(state, session)
  looks.set(state.ledger, { key, look })
  return look
}

const looks = new WeakMap<Ledger, { readonly key: readonly unknown[]; readonly look: Look }>()

function freshLook(state: State, session: Session): Look {
  const { resources, nodes } = state.config
  const holders = new Map(resources.map((each) => [each.id, holdersOf(state, each)]))
  const byId = new Map(resources.map((each) => [each.id, each]))
  const capacities = new Map(nodes.map(({ id, capacity }) => [id, capacity]))
  const known = (resource: ResourceConfig) => holders.get(resource.id) ?? []
  const stops = new Map(resources.map((each) => [each.id, failureToStop(state, session, each)]))
  const whyStopped = ({ id }: ResourceConfig): string => {
    const found = stops.get(id)
    return found === undefined ? '' : stopText(found)
  }
  return {
    state,
    session,
    holdersOf: known,
    byId: (id) => byId.get(id),
    plan: plan(resources, {
      now: (resource) => whereNow(state, session, resource, known(resource)),
      whyNot: (resource, node) =>
        whyStopped(resource) || whyUnable(state, session, resource, node, known(resource)),
      ails: (resource, node) => whyRatherNot(session, resource, node, known(resource)),
      unsure: (resource, node) => whyNotSure(session, resource, node, known(resource)),
      pending: (resource, node) => {
        return isPending(session.reports[node]?.checks ?? [], resource.onlyWhere)
      },
      unsound: (instance, follower) => isUnsound(session, instance, follower, known(follower)),
      wanted: ({ id }) => wantedOn(state.ledger.intents, id),
      capacity: (node) => capacities.get(node) ?? {},
    }),
  }
}

/** Where it is, or is about to be started again after a failure. */
function whereNow(
  state: State,
  session: Session,
  resource: ResourceConfig,
  holders: readonly NodeId[],
): NodeId | undefined {
  const { id } = resource
  const move = moveOf(state.ledger, resource.thing)
  if (move !== undefined) return move.to
  const [holder, ...others] = holders
  if (holder !== undefined) {
    return others.length > 0 || isOneTooMany(state, resource, holder) ? undefined : holder
  }
  return session.merged?.members.find((node) => session.reports[node]?.resources[id]?.mends)
}

/** Has nobody granted this instance, while its clone has more than it may have? (H15) */
function isOneTooMany(state: State, { clone, thing }: ResourceConfig, holder: NodeId): boolean {
  const { holds } = entryOf(state.ledger, holder)
  if (clone === undefined || holds === 'anything') return false
  if (holds.some((hold) => hold.thing === thing && hold.step > 0)) return false
  const all = targetsOf(state.config.resources, clone.id)
  return all.filter((each) => holdersOf(state, each).length > 0).length > clone.max
}

/**
 * Is an instance no good company for who must run beside it? It has failed and is not up again, or
 * a check that it needs fails there: by the measure of who would leave it, or come to it.
 */
function isUnsound(
  session: Session,
  { id, nodes, onlyWhere }: ResourceConfig,
  follower: ResourceConfig,
  holders: readonly NodeId[],
): boolean {
  return nodes.some((node) => {
    const { resources, checks = [] } = session.reports[node] ?? {}
    const { state, mends } = resources?.[id] ?? {}
    if (mends === true || state === 'stopping' || state === 'stuck') return true
    if (onlyWhere.length === 0) return false
    if (isThere(session, follower, node, holders)) return whyAiling(checks, onlyWhere) !== ''
    return whyFailing(checks, onlyWhere) !== '' || whyWavering(checks, onlyWhere) !== ''
  })
}

/** Why a node cannot take a resource, or keep it; empty where it can. */
function whyUnable(
  { ledger }: State,
  session: Session,
  { id, onlyWhere }: ResourceConfig,
  node: NodeId,
  holders: readonly NodeId[],
): string {
  // What is left alone stays where it is, whatever becomes of its node.
  const alone = holders.find((each) => maintenanceOf(ledger.intents, id, each) !== undefined)
  if (alone !== undefined) return alone === node ? '' : `it is in maintenance on ${alone}`
  const { standing, barred, quarantined, late, detached } = entryOf(ledger, node)
  // It is to be found running there by the next daemon.
  if (detached && standing === 'lost') {
    return holders.includes(node) ? '' : 'its picketd is being replaced'
  }
  const report = session.reports[node]
  if (ledger.recovery?.nodes.includes(node)) return 'it is written off'
  if (standing !== 'member') return `it is ${standing}`
  if (barred) return 'an operator has switched it off'
  if (quarantined) return 'it was fenced, and waits for `picket unfence`'
  const unwanted = whyUnwanted(ledger.intents, id, node)
  if (unwanted !== '') return unwanted
  const present = session.merged?.members.includes(node) === true
  if (report === undefined || !present) return 'it has not said anything yet'
  if (report.leaving) return 'it leaves'
  if (holders.includes(node)) return ''
  if (report.detaching) return 'its picketd is about to be replaced'
  if (late) return 'a command to it may still be carried out'
  const local = report.resources[id]
  if (local === undefined) return 'its config does not know it'
  if (local.state === 'unknown') return 'it is still looked for there'
  if (local.state !== 'stopped') return `it is ${local.state} there`
  if (local.refuses)
    return local.last === '' ? 'that node takes nothing new' : `there ${local.last}`
  // Where it was a moment ago it may be mended, as it might have gone on there: see plan.ts.
  return local.mends ? '' : whyFailing(report.checks, onlyWhere)
}

/** Why it may not start there yet; what is there is not ended for that. */
function whyNotSure(
  session: Session,
  resource: ResourceConfig,
  node: NodeId,
  holders: readonly NodeId[],
): string {
  if (resource.onlyWhere.length === 0 || isThere(session, resource, node, holders)) return ''
  return whyUnsure(session.reports[node]?.checks ?? [], resource.onlyWhere)
}

/** Why it would be better off elsewhere, if it is there; else why it is no better off there. */
function whyRatherNot(
  session: Session,
  resource: ResourceConfig,
  node: NodeId,
  holders: readonly NodeId[],
): string {
  if (resource.onlyWhere.length === 0) return ''
  const why = isThere(session, resource, node, holders) ? whyAiling : whyWavering
  return why(session.reports[node]?.checks ?? [], resource.onlyWhere)
}

/** Does it run there, or is it about to be mended there? */
function isThere(
  session: Session,
  { id }: ResourceConfig,
  node: NodeId,
  holders: readonly NodeId[],
): boolean {
  return holders.includes(node) || session.reports[node]?.resources[id]?.mends === true
}
