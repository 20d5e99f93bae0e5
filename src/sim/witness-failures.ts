/**
 * How often a resource has failed where, as its daemon was told, and what operators have forgiven:
 * see witness.ts.
 */
import { type FailedOp, failingOf } from '../core/failures.ts'
import { maintenanceOf } from '../core/intents.ts'
import type { Wanted } from '../core/message.ts'
import type { Failing, ResourceConfig } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Daemon } from './daemons.ts'
import type { Moments } from './invariants.ts'

interface Failed {
  readonly op: FailedOp
  readonly atMs: number
}

export interface FailureNotes {
  /** By `machine/resource`; a new daemon begins anew. */
  readonly notes: Map<string, { readonly daemon: Daemon; readonly list: Failed[] }>
  /** The last one on which the cluster has to act, by the same. */
  readonly grave: Map<string, Failed & { readonly daemon: Daemon }>
  /** When an operator last had the failures of a resource forgotten. */
  readonly cleaned: Map<string, number>
}

/** More of them are not looked at. */
const KEPT_MAX = 200

export function makeFailures(): FailureNotes {
  return { notes: new Map(), grave: new Map(), cleaned: new Map() }
}

/** A daemon is about to be told how an operation ended. */
export function noteOutcome(
  { notes, grave }: FailureNotes,
  { daemon, news }: Moments['onOutcome'],
  nowMs: number,
): void {
  const { mind, config } = daemon
  const resource = config.resources.find(({ id }) => id === news.resource)
  if (!isReal(mind) || resource === undefined) return
  const { op, mustStop, misses } = mind.resources[news.resource]!
  if (op === undefined || op.id !== news.id || mustStop !== '') return
  if (op.op !== 'start' && op.op !== 'monitor') return
  if (news.outcome === (op.op === 'start' ? 'done' : 'running')) return
  // Once nobody can tell, it is looked at again.
  if (op.op === 'monitor' && news.outcome === 'unknown' && misses === 0) return
  // What is in maintenance is somebody's to look after, and its failures are not counted.
  const alone = maintenanceOf(mind.ledger.intents, resource.id, daemon.machine.id) !== undefined
  if (op.op === 'monitor' && alone) return
  noteFailed({ notes, grave }, daemon, resource, { op: op.op, atMs: nowMs })
}

/** One more failure of a resource, as its daemon has to count it. */
export function noteFailed(
  { notes, grave }: Pick<FailureNotes, 'notes' | 'grave'>,
  daemon: Daemon,
  resource: ResourceConfig,
  failed: Failed,
): void {
  const key = `${daemon.machine.id}/${resource.id}`
  const before = notes.get(key)
  const list = before?.daemon === daemon ? before.list : []
  notes.set(key, { daemon, list: [...list, failed].slice(-KEPT_MAX) })
  const { action } = failingOf(daemon.config, resource)
  if (action === 'stop' || (action === 'fence' && failed.op === 'monitor')) {
    grave.set(key, { ...failed, daemon })
  }
}

/** An operator has seen to it, as the ring has put it in order. */
export function noteForgiven(
  { notes, grave, cleaned }: FailureNotes,
  { action, resource }: Wanted,
  nowMs: number,
): void {
  if (action !== 'cleanup' && action !== 'enable') return
  for (const key of grave.keys()) if (key.endsWith(`/${resource}`)) grave.delete(key)
  if (action === 'enable') return
  cleaned.set(resource, nowMs)
  for (const key of notes.keys()) if (key.endsWith(`/${resource}`)) notes.delete(key)
}

/** Until when these failures keep a resource away from where they were. */
export function awayUntilMs(list: readonly Failed[], failing: Failing): number {
  let untilMs = -Infinity
  for (const [index, { op, atMs }] of list.entries()) {
    const counting = list.slice(0, index + 1).filter((each) => atMs - each.atMs < failing.timeoutMs)
    const max = op === 'start' ? failing.startsMax : failing.monitorsMax
    if (counting.length >= max) untilMs = atMs + failing.timeoutMs
  }
  return untilMs
}
