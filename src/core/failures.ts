/**
 * What the failures of a resource on one node come to (H3): how many still count, whether this node
 * asks not to be given it for a while, and whether the whole cluster has to act on one.
 *
 * They are kept in the memory of the node, on its own clock, and told with every report. A new ring
 * changes nothing of them, a new daemon begins without any: what has to last is in the ledger by
 * then, as an intent or as a condemned node.
 */
import type { Intent } from './intents.ts'
import { entryOf } from './ledger.ts'
import type { Report } from './message.ts'
import type { Config, Failing, NodeId, ResourceConfig, ResourceId } from './model.ts'
import type { Session, State } from './state.ts'

/** A start that failed, or a monitor that found it failed. */
export type FailedOp = 'start' | 'monitor'

/** What a node remembers of the failures of one resource. */
export interface Failures {
  /** When they were, the oldest first; those that counted when the last one came. */
  readonly atMs: readonly number[]
  /** Until when this node asks not to be given the resource. */
  readonly awayUntilMs: number
  /** What the last one was, in a clause. */
  readonly last: string
  /** The same, while the cluster has not acted on it yet; empty where it has not to. */
  readonly grave: string
}

/** It has not failed here, or that is forgotten. */
export const noFailures: Failures = { atMs: [], awayUntilMs: -Infinity, last: '', grave: '' }

/** What agents say may be long, and goes to every node with every report. */
const TEXT_MAX = 200
/** No threshold is higher. */
const COUNTED_MAX = 100

/** The rule for a resource; where its config has none it is mended in place once. */
export function failingOf({ timing }: Config, { failing }: ResourceConfig): Failing {
  const { coolDownMs: timeoutMs } = timing
  return failing ?? { action: 'restart', monitorsMax: 2, startsMax: 1, timeoutMs }
}

/** One failure more. */
export function withFailure(
  before: Failures,
  failing: Failing,
  failed: { readonly op: FailedOp; readonly detail: string; readonly nowMs: number },
): Failures {
  const { action, timeoutMs } = failing
  const { op, detail, nowMs } = failed
  const max = op === 'start' ? failing.startsMax : failing.monitorsMax
  const counting = before.atMs.filter((atMs) => nowMs - atMs < timeoutMs)
  const atMs = [...counting, nowMs].slice(-COUNTED_MAX)
  const what = op === 'start' ? 'its start failed' : 'it failed'
  const last = detail === '' ? what : `${what}: ${shortened(detail)}`
  // What does not come up may be wrong in the config: that is no reason to fence node after node.
  const isGrave = action === 'stop' || (action === 'fence' && op === 'monitor')
  return {
    atMs,
    awayUntilMs: atMs.length >= max ? nowMs + timeoutMs : before.awayUntilMs,
    last,
    grave: isGrave ? last : before.grave,
  }
}

function shortened(detail: string): string {
  return detail.length > TEXT_MAX ? `${detail.slice(0, TEXT_MAX)}…` : detail
}

/** How many of them count at this moment. */
export function countOf({ atMs }: Failures, { timeoutMs }: Failing, nowMs: number): number {
  return atMs.filter((each) => nowMs - each < timeoutMs).length
}

/** Does this node ask not to be given it? */
export function keepsAway({ awayUntilMs, grave }: Failures, nowMs: number): boolean {
  return nowMs < awayUntilMs || grave !== ''
}

/** Is it disabled, by whomever? Then nothing more has to be done about a failure of it. */
export function isDisabled(intents: readonly Intent[], id: ResourceId): boolean {
  return intents.some(({ kind, resource }) => kind === 'disabled' && resource === id)
}

/** A failure after which it is to be disabled, and is not yet: where, and what it was. */
export function failureToStop(
  { ledger, config }: Pick<State, 'ledger' | 'config'>,
  session: Session,
  resource: ResourceConfig,
): { readonly node: NodeId; readonly last: string } | undefined {
  if (failingOf(config, resource).action !== 'stop') return undefined
  if (isDisabled(ledger.intents, resource.id)) return undefined
  for (const node of session.merged?.members ?? []) {
    const last = session.reports[node]?.resources[resource.id]?.grave ?? ''
    if (last !== '') return { node, last }
  }
  return undefined
}

/** Why it runs nowhere, in a clause. */
export function stopText({ node, last }: { readonly node: NodeId; readonly last: string }): string {
  return `on ${node} ${last}, and its on_fail is stop`
}

/** The failure because of which a member has to be fenced; empty where there is none. */
export function failureToFence(
  { config, ledger }: Pick<State, 'config' | 'ledger'>,
  node: NodeId,
  report: Report | undefined,
): string {
  if (report === undefined || entryOf(ledger, node).standing !== 'member') return ''
  for (const resource of config.resources) {
    const last = report.resources[resource.id]?.grave ?? ''
    if (last === '' || failingOf(config, resource).action !== 'fence') continue
    return `${last.replace('it', resource.id)}, and its on_fail is fence`
  }
  return ''
}

/**
 * Has somebody else to judge it? Nobody condemns itself, so whoever cannot stop something, or has
 * failed in a way for which it is fenced, leads and presses only where all others are no fitter.
 */
export function awaitsJudge(config: Config, report: Pick<Report, 'resources'>): boolean {
  return config.resources.some((resource) => {
    const told = report.resources[resource.id]
    if (told?.state === 'stuck') return true
    return Boolean(told?.grave) && failingOf(config, resource).action === 'fence'
  })
}

/** What people are told of the failures of a resource on one node. */
export interface FailureStatus {
  readonly count: number
  /** What the last one was, in a clause. */
  readonly last: string
  /** Is the resource kept away from that node because of them? */
  readonly away: boolean
}

/** The failures that still count, by node, as the members have told them. */
export function failuresOf(
  session: Session | undefined,
  id: ResourceId,
): Readonly<Record<NodeId, FailureStatus>> {
  const found: Record<NodeId, FailureStatus> = {}
  for (const [node, { resources }] of Object.entries(session?.reports ?? {})) {
    const { failures: count = 0, last = '', refuses: away = false } = resources[id] ?? {}
    if (count > 0) found[node] = { count, last, away }
  }
  return found
}

/** One of them as a sentence. */
export function failureText(node: NodeId, { count, last, away }: FailureStatus): string {
  const times = count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`
  const kept = away ? '; it is kept away from there' : ''
  return `failed on ${node} ${times}: ${last}${kept}`
}
