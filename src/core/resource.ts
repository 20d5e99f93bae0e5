/**
 * One resource on this node: probe, start, monitor, stop, and never two of them at once (S1).
 *
 *     unknown -> stopped -> granted -> starting -> running -> stopping -> confirming -> stopped
 *
 * `stopped` counts only from a probe begun after every process of the operation before it is gone.
 * A stop that keeps failing ends in `stuck`: the node says so, and the others condemn it (H6). What
 * starts after a resource stops before it (H3); whose first stop has failed is not waited for.
 */
import type { ResourceOp } from './effect.ts'
import type { RunOutcome } from './event.ts'
import type { ResourceState } from './message.ts'
import type { ResourceConfig, ResourceId } from './model.ts'
import { freshId, say, set, type Turn } from './state.ts'

export interface Local {
  readonly at: 'unknown' | 'stopped' | 'granted' | 'starting' | 'running' | Ending
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
  readonly failedMs: number
  readonly coolUntilMs: number
  /** What was found last, for people. */
  readonly detail: string
}

type Ending = 'stopping' | 'confirming' | 'stuck'

interface Operation {
  readonly id: number
  readonly op: ResourceOp
  readonly aborted: boolean
  readonly untilMs: number
}

const RETRY_MS = 1_000
const STUCK_RETRY_MS = 30_000
/**
 * Stopped things are looked at every so many monitor gaps: somebody may start one by hand (H15).
 */
const LOOK_AGAIN_GAPS = 6
/** How long after its own bound an operation may take to be killed and proven gone. */
const REAP_MS = 10_000

/** A resource of which this life of the daemon knows nothing yet. */
export const untried: Local = {
  at: 'unknown',
  op: undefined,
  mustStop: '',
  grantStep: 0,
  attempts: 0,
  misses: 0,
  nextMs: 0,
  failedMs: -Infinity,
  coolUntilMs: -Infinity,
  detail: 'not probed yet',
}

/**
 * What the others are told. A granted resource is as good as starting: the grant must not lapse.
 */
export function reportedState(local: Local): ResourceState {
  switch (local.at) {
    case 'granted':
      return 'starting'
    case 'confirming':
      return 'stopping'
    case 'unknown':
    case 'stopped':
    case 'starting':
    case 'running':
    case 'stopping':
    case 'stuck':
      return local.at
  }
}

/** The next instant at which this resource wants a tick. */
export function resourceDeadlineMs(local: Local): number {
  if (local.op !== undefined) return local.at === 'stuck' ? Infinity : local.op.untilMs
  return local.at === 'granted' ? Infinity : local.nextMs
}

/** Time has passed: is there anything to do unasked? */
export function tickResource(turn: Turn, config: ResourceConfig): void {
  const local = turn.state.resources[config.id]!
  if (turn.nowMs < resourceDeadlineMs(local)) return
  if (local.op !== undefined) {
    const detail = `its ${local.op.op} cannot be ended`
    say(turn, 'alarm', `${config.id}: ${detail}`, { resource: config.id })
    put(turn, config.id, { at: 'stuck', detail })
    return
  }
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
      throw new Error(`${config.id} is ${local.at} without an operation`)
  }
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
  put(turn, id, { failedMs: -Infinity, coolUntilMs: -Infinity })
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
  if (local.at === 'granted') {
    put(turn, config.id, { at: 'stopped', detail: `not started: ${because}` })
    return
  }
  put(turn, config.id, { mustStop: because })
  if (local.op === undefined) {
    if (local.at === 'running' || local.at === 'unknown') end(turn, config, because)
  } else if (!local.op.aborted && (local.at === 'starting' || local.at === 'running')) {
    // One operation at a time: the stop follows when the start is proven gone.
    put(turn, config.id, { op: { ...local.op, aborted: true } })
    turn.effects.push({ do: 'abort', id: local.op.id, resource: config.id })
  }
}

/** It is there and does not do what it should: mended in place, then moved. */
export function failResource(turn: Turn, config: ResourceConfig, because: string): void {
  const local = turn.state.resources[config.id]!
  // The first failure is mended in place; a second one soon after sends it elsewhere.
  const { coolDownMs } = turn.state.config.timing
  const again = turn.nowMs - local.failedMs < coolDownMs
  const coolUntilMs = again ? turn.nowMs + coolDownMs : local.coolUntilMs
  put(turn, config.id, { failedMs: turn.nowMs, coolUntilMs })
  stopResource(turn, config, `it failed: ${because}`)
}

/** An operation is over, and so are all its processes. */
export function onRan(
  turn: Turn,
  config: ResourceConfig,
  ran: { id: number; outcome: RunOutcome; detail: string },
): void {
  const local = turn.state.resources[config.id]!
  if (local.op?.id !== ran.id) return
  put(turn, config.id, { op: undefined, detail: ran.detail })
  switch (local.op.op) {
    case 'probe':
      if (local.at === 'unknown') return onFirstProbe(turn, config, ran.outcome)
      if (local.at === 'stopped' || local.at === 'granted') return onLook(turn, config, ran)
      return onConfirm(turn, config, ran.outcome)
    case 'start':
      return onStarted(turn, config, ran)
    case 'monitor':
      return onMonitored(turn, config, ran)
    case 'stop':
      // Whatever the stop says of itself, only a probe tells whether it is true.
      put(turn, config.id, { at: 'confirming' })
      return run(turn, config, 'probe')
  }
}

/** It may have ended by itself: the monitor that would come later comes now. */
export function onHint(turn: Turn, config: ResourceConfig): void {
  const local = turn.state.resources[config.id]!
  if (local.at === 'running' && local.op === undefined) run(turn, config, 'monitor')
}

function onFirstProbe(turn: Turn, config: ResourceConfig, outcome: RunOutcome): void {
  const local = turn.state.resources[config.id]!
  if (outcome === 'stopped') return becomeStopped(turn, config)
  if (local.mustStop !== '') return end(turn, config, local.mustStop)
  if (outcome === 'running') {
    say(turn, 'info', `${config.id} was found running here`, { resource: config.id })
    put(turn, config.id, { at: 'running', attempts: 0, nextMs: monitorAtMs(turn, config) })
    return
  }
  const attempts = local.attempts + 1
  if (attempts < turn.state.config.timing.stopAttemptsMax) {
    put(turn, config.id, { attempts, nextMs: turn.nowMs + RETRY_MS * 2 ** attempts })
    return
  }
  put(turn, config.id, { attempts: 0 })
  end(turn, config, 'no probe could tell whether it runs')
}

/** A second look at a stopped thing. Found running, it was somebody else who started it. */
function onLook(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  const nextMs = turn.nowMs + LOOK_AGAIN_GAPS * config.monitorEveryMs
  if (ran.outcome !== 'running') return put(turn, config.id, { nextMs })
  say(turn, 'alarm', `${config.id} runs here although nobody here has started it`, {
    resource: config.id,
  })
  put(turn, config.id, { at: 'running', attempts: 0, nextMs: monitorAtMs(turn, config) })
}

function onStarted(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return end(turn, config, local.mustStop)
  if (ran.outcome === 'done') {
    say(turn, 'info', `${config.id} is started`, { resource: config.id })
    const nextMs = monitorAtMs(turn, config)
    put(turn, config.id, { at: 'running', attempts: 0, misses: 0, nextMs })
    return
  }
  const { coolDownMs } = turn.state.config.timing
  put(turn, config.id, { failedMs: turn.nowMs, coolUntilMs: turn.nowMs + coolDownMs })
  end(turn, config, `its start failed: ${ran.detail}`)
}

function onMonitored(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return end(turn, config, local.mustStop)
  if (ran.outcome === 'running') {
    put(turn, config.id, { misses: 0, nextMs: monitorAtMs(turn, config) })
    return
  }
  if (ran.outcome === 'unknown' && local.misses === 0) {
    put(turn, config.id, { misses: 1, nextMs: turn.nowMs + RETRY_MS })
    return
  }
  failResource(turn, config, ran.detail)
}

function onConfirm(turn: Turn, config: ResourceConfig, outcome: RunOutcome): void {
  if (outcome === 'stopped') return becomeStopped(turn, config)
  const local = turn.state.resources[config.id]!
  const attempts = local.attempts + 1
  if (attempts >= turn.state.config.timing.stopAttemptsMax) {
    const text = `${config.id} cannot be stopped here: ${local.detail}`
    if (local.attempts < attempts) say(turn, 'alarm', text, { resource: config.id })
    put(turn, config.id, { at: 'stuck', attempts, nextMs: turn.nowMs + STUCK_RETRY_MS })
    return
  }
  const nextMs = turn.nowMs + RETRY_MS * 2 ** (attempts - 1)
  put(turn, config.id, { at: 'stopping', attempts, nextMs })
}

function becomeStopped(turn: Turn, config: ResourceConfig): void {
  const { at } = turn.state.resources[config.id]!
  if (at !== 'unknown') say(turn, 'info', `${config.id} is stopped`, { resource: config.id })
  const nextMs = turn.nowMs + LOOK_AGAIN_GAPS * config.monitorEveryMs
  put(turn, config.id, { at: 'stopped', mustStop: '', attempts: 0, misses: 0, nextMs })
}

/** Ends it; whatever starts after it has to end first. */
function end(turn: Turn, config: ResourceConfig, because: string): void {
  for (const follower of followersOf(turn, config)) {
    stopResource(turn, follower, `${config.id} stops, after which it starts`)
  }
  if (followersGone(turn, config)) return beginStop(turn, config, because)
  const nextMs = monitorAtMs(turn, config)
  put(turn, config.id, { at: 'running', op: undefined, mustStop: because, nextMs })
}

function followersOf(turn: Turn, { id }: ResourceConfig): readonly ResourceConfig[] {
  return turn.state.config.resources.filter(({ after }) => after.includes(id))
}

/** Has everything here ended that starts after it, or is it known not to end well? */
function followersGone(turn: Turn, config: ResourceConfig): boolean {
  return followersOf(turn, config).every(({ id }) => {
    const { at, attempts } = turn.state.resources[id]!
    return at === 'stopped' || at === 'stuck' || (at === 'stopping' && attempts > 0)
  })
}

function beginStop(turn: Turn, config: ResourceConfig, because: string): void {
  say(turn, 'info', `${config.id} stops here: ${because}`, { resource: config.id })
  put(turn, config.id, { at: 'stopping', mustStop: because, attempts: 0, nextMs: turn.nowMs })
  run(turn, config, 'stop')
}

function run(turn: Turn, config: ResourceConfig, op: ResourceOp): void {
  const timeoutMs = op === 'start' ? config.startMs : op === 'stop' ? config.stopMs : config.probeMs
  const id = freshId(turn)
  const untilMs = turn.nowMs + timeoutMs + REAP_MS
  put(turn, config.id, { op: { id, op, aborted: false, untilMs } })
  turn.effects.push({ do: 'run', id, resource: config.id, op, timeoutMs })
}

function monitorAtMs(turn: Turn, config: ResourceConfig): number {
  return turn.nowMs + config.monitorEveryMs
}

function put(turn: Turn, id: ResourceId, change: Partial<Local>): void {
  const { resources } = turn.state
  set(turn, { resources: { ...resources, [id]: { ...resources[id]!, ...change } } })
}
