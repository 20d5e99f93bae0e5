/**
 * One look at the cluster, for whoever decides about resources: who may hold what, who is able to
 * take it, and the plan that follows from both.
 */
import { healthKey, whyAiling, whyFailing, whyUnsure, whyWavering } from './health.ts'
import { wantedOn, whyUnwanted } from './intents.ts'
import { entryOf, type Ledger, mayHold } from './ledger.ts'
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

/** Every node that may hold a thing, as far as the ledger knows. */
export function holdersOf({ ledger }: Pick<State, 'ledger'>, thing: string): NodeId[] {
  return Object.keys(ledger.nodes).filter((id) => mayHold(entryOf(ledger, id), thing))
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
  const holders = new Map(resources.map((each) => [each.id, holdersOf(state, each.thing)]))
  const byId = new Map(resources.map((each) => [each.id, each]))
  const capacities = new Map(nodes.map(({ id, capacity }) => [id, capacity]))
  const known = (resource: ResourceConfig) => holders.get(resource.id) ?? []
  return {
    state,
    session,
    holdersOf: known,
    byId: (id) => byId.get(id),
    plan: plan(resources, {
      now: (resource) => whereNow(session, resource, known(resource)),
      whyNot: (resource, node) => whyUnable(state, session, resource, node, known(resource)),
      ails: (resource, node) => whyRatherNot(session, resource, node, known(resource)),
      unsure: (resource, node) => whyNotSure(session, resource, node, known(resource)),
      wanted: ({ id }) => wantedOn(state.ledger.intents, id),
      capacity: (node) => capacities.get(node) ?? {},
    }),
  }
}

/** Where it is, or is about to be started again after a failure. */
function whereNow(
  session: Session,
  { id }: ResourceConfig,
  holders: readonly NodeId[],
): NodeId | undefined {
  if (holders.length > 0) return holders.length === 1 ? holders[0] : undefined
  return session.merged?.members.find((node) => session.reports[node]?.resources[id]?.mends)
}

/** Why a node cannot take a resource, or keep it; empty where it can. */
function whyUnable(
  { ledger }: State,
  session: Session,
  { id, onlyWhere }: ResourceConfig,
  node: NodeId,
  holders: readonly NodeId[],
): string {
  const { standing, barred, late } = entryOf(ledger, node)
  const report = session.reports[node]
  if (standing !== 'member') return `it is ${standing}`
  if (barred) return 'an operator has switched it off'
  const unwanted = whyUnwanted(ledger.intents, id, node)
  if (unwanted !== '') return unwanted
  const present = session.merged?.members.includes(node) === true
  if (report === undefined || !present) return 'it has not said anything yet'
  if (report.leaving) return 'it leaves'
  if (holders.includes(node)) return ''
  if (late) return 'a command to it may still be carried out'
  const local = report.resources[id]
  if (local === undefined) return 'its config does not know it'
  if (local.state === 'unknown') return 'it is still looked for there'
  if (local.state !== 'stopped') return `it is ${local.state} there`
  if (local.refuses) return 'it failed there a moment ago, or that node takes nothing new'
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
