/**
 * One resource on this node: probe, start, monitor, stop, and never two of them at once (S1).
 *
 *     unknown -> stopped -> granted -> starting -> running -> stopping -> confirming -> stopped
 *
 * `stopped` counts only from a probe begun after every process of the operation before it is gone.
 * A stop that keeps failing ends in `stuck`: the node says so, and the others condemn it (H6). What
 * starts after a resource stops before it (H3); whose first stop has failed is not waited for.
 */
import { awaitedBy, startsAfter } from './clones.ts'
import { isPaused } from './detach.ts'
import type { Move, ResourceOp } from './effect.ts'
import { type Failures, isDisabled, noFailures } from './failures.ts'
import { isLeftAlone } from './maintenance.ts'
import type { ResourceState } from './message.ts'
import type { ResourceConfig, ResourceId } from './model.ts'
import { freshId, isKept, type State, say, set, type Turn } from './state.ts'

export interface Local {
  readonly at: 'unknown' | 'stopped' | 'granted' | 'starting' | 'running' | Moving | Ending
  /** The operation under way; `untilMs` is when we stop believing that it will ever answer. */
  readonly op: Operation | undefined
  /** Why it has to stop; empty while it may run. */
  readonly mustStop: string
  /** The step of the ledger that granted it; it starts when a majority keeps that step. */
  readonly grantStep: number
  /** Stops, or probes, that failed in a row. */
  readonly attempts: number
  /** Monitors in a row that could not tell. */
  readonly misses: number
  /** When to do the next thing unasked: a monitor, another probe, another stop. */
  readonly nextMs: number
  readonly failures: Failures
  /** What was found last, for people. */
  readonly detail: string
}

type Ending = 'stopping' | 'confirming' | 'stuck'
/** On its way to another node, or from one (migrate.ts). */
type Moving = 'sending' | 'sent' | 'receiving'

interface Operation {
  readonly id: number
  readonly op: ResourceOp
  readonly aborted: boolean
  readonly untilMs: number
  /** It should have ended, and nobody knows what it does: as bad as a stop that fails. */
  readonly lost: boolean
}

/** How long after its own bound an operation may take to be killed and proven gone. */
const REAP_MS = 10_000
/** A tick that is later than this comes after a sleep, and answers wait behind it. */
const SLEPT_MS = 1_000

/** A resource of which this life of the daemon knows nothing yet. */
export const untried: Local = {
  at: 'unknown',
  op: undefined,
  mustStop: '',
  grantStep: 0,
  attempts: 0,
  misses: 0,
  nextMs: 0,
  failures: noFailures,
  detail: 'not probed yet',
}

/** The instance of another node: it cannot be here, so nobody here looks for it. */
export const boundElsewhere: Local = { ...untried, at: 'stopped', nextMs: Infinity, detail: '' }

/**
 * What the others are told. A granted resource is as good as starting: the grant must not lapse.
 */
export function reportedState(local: Local): ResourceState {
  if (isStuck(local)) return 'stuck'
  switch (local.at) {
    case 'granted':
      return 'starting'
    case 'confirming':
      return 'stopping'
    case 'unknown':
    case 'stopped':
    case 'starting':
    case 'running':
    case 'sending':
    case 'sent':
    case 'receiving':
    case 'stopping':
    case 'stuck':
      return local.at
  }
}

/** Can nobody here say that it ends? */
export function isStuck({ at, op }: Local): boolean {
  return at === 'stuck' || op?.lost === true
}

const isMoving = ({ at }: Local): boolean => {
  return at === 'sending' || at === 'sent' || at === 'receiving'
}

/** The next instant at which this resource wants a tick. */
export function resourceDeadlineMs(local: Local): number {
  if (local.op !== undefined) return local.op.lost ? Infinity : local.op.untilMs
  return local.at === 'granted' || isMoving(local) ? Infinity : local.nextMs
}

/** Time has passed: is there anything to do unasked? */
export function tickResource(turn: Turn, config: ResourceConfig): void {
  const local = turn.state.resources[config.id]!
  if (turn.nowMs < resourceDeadlineMs(local) || isPaused(turn.state, local)) return
  if (local.op !== undefined) return loseOperation(turn, config, local.op)
  switch (local.at) {
    case 'unknown':
    case 'stopped':
      return run(turn, config, 'probe')
    case 'running':
      return run(turn, config, 'monitor')
    case 'stopping':
    case 'stuck':
      return run(turn, config, 'stop')
    case 'starting':
    case 'confirming':
    case 'granted':
    case 'sending':
    case 'sent':
    case 'receiving':
      throw new Error(`${config.id} is ${local.at} without an operation`)
  }
}

/** When it ends after all, what it says counts as if it had been in time. */
function loseOperation(turn: Turn, config: ResourceConfig, op: Operation): void {
  const { nowMs } = turn
  if (nowMs > op.untilMs + SLEPT_MS) {
    return put(turn, config.id, { op: { ...op, untilMs: nowMs + SLEPT_MS } })
  }
  const detail = `its ${op.op} cannot be ended`
  say(turn, 'alarm', `${config.id}: ${detail}`, { resource: config.id })
  put(turn, config.id, { op: { ...op, lost: true }, detail })
}

/** After every event: starts and stops that have waited for others of this node. */
export function followOrder(turn: Turn): void {
  for (const config of turn.state.config.resources) {
    const { mustStop, op, at } = turn.state.resources[config.id]!
    if (mustStop === '' || op !== undefined || at !== 'running') continue
    if (followersGone(turn, config)) beginStop(turn, config, mustStop)
  }
}

/** The cluster has granted it to us; the start itself waits for the acknowledgements (S8). */
export function grantResource(turn: Turn, id: ResourceId, step: number): void {
  const local = turn.state.resources[id]
  if (local?.at !== 'stopped') return
  put(turn, id, { at: 'granted', grantStep: step, mustStop: '' })
}

/** A majority keeps the grant: now it may run here, and nowhere else. */
export function startResource(turn: Turn, config: ResourceConfig): void {
  say(turn, 'info', `${config.id} starts here`, { resource: config.id })
  put(turn, config.id, { at: 'starting' })
  run(turn, config, 'start')
}

/** An operator says that what made it fail is mended: it may be tried here at once. */
export function forgetFailures(turn: Turn, id: ResourceId): void {
  if (turn.state.resources[id] === undefined) return
  put(turn, id, { failures: noFailures })
}

/** What the cluster had to act on is told until a majority keeps what it has made of it. */
export function settleFailures(turn: Turn): void {
  const { resources, ledger } = turn.state
  for (const id in resources) {
    const { failures } = resources[id]!
    if (failures.grave === '' || !isDisabled(ledger.intents, id)) continue
    if (!isKept(turn.state)) return
    put(turn, id, { failures: { ...failures, grave: '' } })
  }
}

/** What was granted and not started yet is not ours any more. */
export function dropGrants(turn: Turn): void {
  for (const [id, local] of Object.entries(turn.state.resources)) {
    if (local.at === 'granted') put(turn, id, { at: 'stopped', detail: 'the grant has lapsed' })
  }
}

/** It has no right to run here any more. */
export function stopResource(turn: Turn, config: ResourceConfig, because: string): void {
  const local = turn.state.resources[config.id]!
  if (local.at === 'stopped' || local.mustStop !== '') return
  if (isLeftAlone(turn.state, config.id)) return
  if (local.at === 'granted') {
    put(turn, config.id, { at: 'stopped', detail: `not started: ${because}` })
    return
  }
  put(turn, config.id, { mustStop: because })
  if (local.op === undefined) {
    if (local.at === 'running' || local.at === 'unknown') endResource(turn, config, because)
    else if (isMoving(local)) beginStop(turn, config, because)
  } else if (!local.op.aborted && (isUpOrComing(local) || isMoving(local))) {
    // One operation at a time: the stop follows when the start is proven gone.
    put(turn, config.id, { op: { ...local.op, aborted: true } })
    turn.effects.push({ do: 'abort', id: local.op.id, resource: config.id })
  }
}

const isUpOrComing = ({ at }: Local): boolean => at === 'starting' || at === 'running'

/** Ends it; whatever starts after it has to end first. */
export function endResource(turn: Turn, config: ResourceConfig, because: string): void {
  for (const follower of followersOf(turn, config)) {
    stopResource(turn, follower, `${config.id} stops, after which it starts`)
  }
  if (followersGone(turn, config)) return beginStop(turn, config, because)
  const nextMs = monitorAtMs(turn, config)
  put(turn, config.id, { at: 'running', op: undefined, mustStop: because, nextMs })
}

function followersOf({ state }: Turn, config: ResourceConfig): readonly ResourceConfig[] {
  return state.config.resources.filter((other) => {
    if (!startsAfter(other, config)) return false
    const { clone } = config
    // Any other instance will do for what need not run beside it.
    if (clone === undefined || !other.after.includes(clone.id)) return true
    return !awaitedBy(state.config.resources, other, clone.id, state.self).some((each) => {
      return each !== config && runsElsewhere(state, each)
    })
  })
}

function runsElsewhere({ session, self }: State, { id, nodes }: ResourceConfig): boolean {
  const others = nodes.filter((node) => node !== self)
  return others.some((node) => session?.reports[node]?.resources[id]?.state === 'running')
}

/** Has everything here ended that starts after it, or is it known not to end well? */
function followersGone(turn: Turn, config: ResourceConfig): boolean {
  return followersOf(turn, config).every(({ id }) => {
    const local = turn.state.resources[id]!
    if (isLeftAlone(turn.state, id) || isStuck(local)) return true
    return local.at === 'stopped' || (local.at === 'stopping' && local.attempts > 0)
  })
}

function beginStop(turn: Turn, config: ResourceConfig, because: string): void {
  say(turn, 'info', `${config.id} stops here: ${because}`, { resource: config.id })
  put(turn, config.id, { at: 'stopping', mustStop: because, attempts: 0, nextMs: turn.nowMs })
  run(turn, config, 'stop')
}

/** Begins one operation; there must be none under way. */
export function run(turn: Turn, config: ResourceConfig, op: ResourceOp, move?: Move): void {
  const timeoutMs = boundOf(config, op)
  const id = freshId(turn)
  const untilMs = turn.nowMs + timeoutMs + REAP_MS
  put(turn, config.id, { op: { id, op, aborted: false, untilMs, lost: false } })
  const of = { id, resource: config.id, op, timeoutMs }
  turn.effects.push({ do: 'run', ...of, ...(move !== undefined && { move }) })
}

function boundOf({ startMs, stopMs, probeMs, live }: ResourceConfig, op: ResourceOp): number {
  switch (op) {
    case 'start':
      return startMs
    case 'stop':
      return stopMs
    case 'migrate_to':
    case 'migrate_from':
      return live?.boundMs ?? startMs
    case 'probe':
    case 'monitor':
      return probeMs
  }
}

/**
 * Stopped things are looked at every so many monitor gaps: somebody may start one by hand (H15).
 */
const LOOK_AGAIN_GAPS = 6

/** When a stopped one is looked at next: less often, but for one that somebody is at work on. */
export function lookAtMs(turn: Turn, config: ResourceConfig): number {
  const gaps = isLeftAlone(turn.state, config.id) ? 1 : LOOK_AGAIN_GAPS
  return turn.nowMs + gaps * config.monitorEveryMs
}

/** When a running resource is looked at next. */
export function monitorAtMs(turn: Turn, config: ResourceConfig): number {
  return turn.nowMs + config.monitorEveryMs
}

/** Replaces some fields of what is known of one resource here. */
export function put(turn: Turn, id: ResourceId, change: Partial<Local>): void {
  const { resources } = turn.state
  set(turn, { resources: { ...resources, [id]: { ...resources[id]!, ...change } } })
}
