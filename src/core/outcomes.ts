/**
 * What the outcome of an operation makes of a resource on this node: started, found, failed,
 * stopped, stuck. What is begun, and when, stands in resource.ts.
 */

import { isPaused } from './detach.ts'
import type { RunOutcome } from './event.ts'
import { type FailedOp, failingOf, withFailure } from './failures.ts'
import { isLeftAlone } from './maintenance.ts'
import { endHalfMoved, onReceived, onSent, whyHalfMoved } from './migrate.ts'
import type { ResourceConfig } from './model.ts'
import { endResource, lookAtMs, monitorAtMs, put, run, stopResource } from './resource.ts'
import { say, type Turn } from './state.ts'

/** The first gap between two attempts; it doubles. */
export const STOP_RETRY_MS = 1_000
const STUCK_RETRY_MS = 30_000

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
      if (local.at === 'receiving') return endLook(turn, config)
      // What it has seen was before it was asked to look anew.
      if (local.op.aborted) return run(turn, config, 'probe')
      if (local.at === 'unknown') return onFirstProbe(turn, config, ran.outcome)
      if (local.at === 'stopped' || local.at === 'granted') return onLook(turn, config, ran)
      return onConfirm(turn, config, ran.outcome)
    case 'start':
      return onStarted(turn, config, ran)
    case 'monitor':
      return onMonitored(turn, config, ran)
    case 'migrate_to':
      return onSent(turn, config, ran)
    case 'migrate_from':
      return onReceived(turn, config, ran)
    case 'stop':
      // Whatever the stop says of itself, only a probe tells whether it is true.
      put(turn, config.id, { at: 'confirming' })
      return run(turn, config, 'probe')
  }
}

/** A look from before its live move began. */
function endLook(turn: Turn, config: ResourceConfig): void {
  const { mustStop } = turn.state.resources[config.id]!
  if (mustStop !== '') endResource(turn, config, mustStop)
}

/** It may have ended by itself: the monitor that would come later comes now. */
export function onHint(turn: Turn, config: ResourceConfig): void {
  const local = turn.state.resources[config.id]!
  if (isPaused(turn.state, local)) return
  if (local.at === 'running' && local.op === undefined) run(turn, config, 'monitor')
}

function onFirstProbe(turn: Turn, config: ResourceConfig, outcome: RunOutcome): void {
  const local = turn.state.resources[config.id]!
  if (outcome === 'stopped') return becomeStopped(turn, config)
  if (local.mustStop !== '') return endResource(turn, config, local.mustStop)
  if (outcome === 'running') {
    const half = whyHalfMoved(turn.state, config)
    if (half !== '') return endHalfMoved(turn, config, half)
    say(turn, 'info', `${config.id} was found running here`, { resource: config.id })
    put(turn, config.id, { at: 'running', attempts: 0, nextMs: monitorAtMs(turn, config) })
    return
  }
  const attempts = local.attempts + 1
  if (attempts < turn.state.config.timing.stopAttemptsMax) {
    put(turn, config.id, { attempts, nextMs: turn.nowMs + STOP_RETRY_MS * 2 ** attempts })
    return
  }
  put(turn, config.id, { attempts: 0 })
  if (isLeftAlone(turn.state, config.id)) {
    return put(turn, config.id, { nextMs: monitorAtMs(turn, config) })
  }
  endResource(turn, config, 'no probe could tell whether it runs')
}

/** A second look at a stopped thing. Found running, it was somebody else who started it. */
function onLook(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  if (ran.outcome !== 'running') return put(turn, config.id, { nextMs: lookAtMs(turn, config) })
  const half = whyHalfMoved(turn.state, config)
  if (half !== '') return endHalfMoved(turn, config, half)
  const alone = isLeftAlone(turn.state, config.id)
  const why = alone ? ': it is in maintenance' : ' although nobody here has started it'
  const facts = { resource: config.id }
  say(turn, alone ? 'info' : 'alarm', `${config.id} runs here${why}`, facts)
  put(turn, config.id, { at: 'running', attempts: 0, nextMs: monitorAtMs(turn, config) })
}

function onStarted(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return endResource(turn, config, local.mustStop)
  if (ran.outcome === 'done') {
    say(turn, 'info', `${config.id} is started`, { resource: config.id })
    const nextMs = monitorAtMs(turn, config)
    put(turn, config.id, { at: 'running', attempts: 0, misses: 0, nextMs })
    return
  }
  noteFailure(turn, config, 'start', ran.detail)
  endResource(turn, config, `its start failed: ${ran.detail}`)
}

function onMonitored(
  turn: Turn,
  config: ResourceConfig,
  ran: { outcome: RunOutcome; detail: string },
): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return endResource(turn, config, local.mustStop)
  if (ran.outcome === 'running') {
    put(turn, config.id, { misses: 0, nextMs: monitorAtMs(turn, config) })
    return
  }
  if (isLeftAlone(turn.state, config.id)) return onFailedAlone(turn, config, ran)
  if (ran.outcome === 'unknown' && local.misses === 0) {
    put(turn, config.id, { misses: 1, nextMs: turn.nowMs + STOP_RETRY_MS })
    return
  }
  failResource(turn, config, ran.detail)
}

/** It is there and does not do what it should, by its monitor or by a check of its health. */
export function failResource(turn: Turn, config: ResourceConfig, detail: string): void {
  noteFailure(turn, config, 'monitor', detail)
  stopResource(turn, config, `it failed: ${detail}`)
}

/** It is in maintenance: what ails it is told, and nothing is done about it. */
function onFailedAlone(
  turn: Turn,
  config: ResourceConfig,
  { outcome, detail }: { outcome: RunOutcome; detail: string },
): void {
  const { misses } = turn.state.resources[config.id]!
  if (misses === 0) {
    const text = `${config.id} does not run as it should, and is in maintenance: ${detail}`
    say(turn, 'warn', text, { resource: config.id })
  }
  if (outcome !== 'stopped') {
    put(turn, config.id, { misses: misses + 1, nextMs: monitorAtMs(turn, config) })
    return
  }
  // Only a probe says that it is stopped.
  put(turn, config.id, { at: 'unknown', misses: 0, attempts: 0 })
  run(turn, config, 'probe')
}

function noteFailure(turn: Turn, config: ResourceConfig, op: FailedOp, detail: string): void {
  const { failures } = turn.state.resources[config.id]!
  const failing = failingOf(turn.state.config, config)
  const failed = { op, detail, nowMs: turn.nowMs }
  put(turn, config.id, { failures: withFailure(failures, failing, failed) })
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
  const nextMs = turn.nowMs + STOP_RETRY_MS * 2 ** (attempts - 1)
  put(turn, config.id, { at: 'stopping', attempts, nextMs })
}

function becomeStopped(turn: Turn, config: ResourceConfig): void {
  const { at } = turn.state.resources[config.id]!
  if (at !== 'unknown') say(turn, 'info', `${config.id} is stopped`, { resource: config.id })
  const nextMs = lookAtMs(turn, config)
  put(turn, config.id, { at: 'stopped', mustStop: '', attempts: 0, misses: 0, nextMs })
}
