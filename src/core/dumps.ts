/**
 * Crash dumps (H22): a node whose kernel has died may write down why before its power is cut, for a
 * bounded time. Its crash kernel says so beside the ring (kdump), and any member may hear it.
 *
 * The message is a datagram that anybody can forge. It defers a fencing for what is left of one
 * bound, which begins with the loss of the node and is not begun anew by another message, and it is
 * no proof of anything: the node is fenced when it falls silent, or when the bound is over.
 */
import { entryOf } from './ledger.ts'
import type { NodeId } from './model.ts'
import { type Session, type State, say, set, type Turn } from './state.ts'

/** What one node knows of crash dumps. Nothing of it is agreed on. */
export interface Dumps {
  /** When the crash kernel of a node was last heard here. */
  readonly heardMs: Readonly<Record<NodeId, number>>
  /** Until when, on our clock, a deferred fencing waits at most, and which coordinator said so. */
  readonly bounds: Readonly<Record<NodeId, { readonly by: NodeId; readonly untilMs: number }>>
}

/** Nothing has been heard. */
export const noDumps: Dumps = { heardMs: {}, bounds: {} }

/** Why a lost node is not fenced yet, and for how much longer at most. */
export interface DumpWait {
  readonly because: string
  readonly leftMs: number
  /** Some member hears its crash kernel; else that is still waited for. */
  readonly heard: boolean
}

/** A crash kernel has been heard; true where that is news. */
export function onDump(turn: Turn, node: NodeId): boolean {
  const { dumps, config, self } = turn.state
  if (config.rules.dumps === undefined || node === self) return false
  if (!config.nodes.some(({ id }) => id === node)) return false
  const news = !dumpsHere(turn.state, turn.nowMs).includes(node)
  set(turn, { dumps: { ...dumps, heardMs: { ...dumps.heardMs, [node]: turn.nowMs } } })
  if (news) say(turn, 'warn', `the crash kernel of ${node} says that it writes a dump`, { node })
  return news
}

/** Whose crash kernel was heard here a moment ago. */
export function dumpsHere({ dumps, config }: State, nowMs: number): readonly NodeId[] {
  const freshMs = config.rules.dumps?.freshMs ?? 0
  return Object.keys(dumps.heardMs).filter((node) => nowMs - dumps.heardMs[node]! < freshMs)
}

/** What a node that vanished from the ring is given time for because of a dump, if anything. */
export function dumpWait(
  { config, ledger }: State,
  session: Session,
  id: NodeId,
  spentMs: number,
): DumpWait | undefined {
  const { dumps } = config.rules
  const { seen, fencing } = entryOf(ledger, id)
  if (dumps === undefined || !seen || fencing !== undefined) return undefined
  const { firstMs, boundMs } = dumps
  const members = session.merged?.members ?? []
  const heard = members.some((by) => session.reports[by]?.dumps.includes(id))
  if (heard && spentMs < boundMs) {
    const because = `it writes a crash dump, and may finish within ${boundMs / 1000} s of its loss`
    return { because, leftMs: boundMs - spentMs, heard }
  }
  if (spentMs >= firstMs) return undefined
  const because = `its crash kernel is given ${firstMs / 1000} s to say that it writes a dump`
  return { because, leftMs: firstMs - spentMs, heard }
}

/** A deferral with a bound was delivered: on our clock it is over then. */
export function noteBound(turn: Turn, by: NodeId, node: NodeId, leftMs: number): void {
  const { dumps } = turn.state
  const { [node]: before, ...others } = dumps.bounds
  if (before === undefined && leftMs <= 0) return
  const bounds = leftMs > 0 ? { ...others, [node]: { by, untilMs: turn.nowMs + leftMs } } : others
  set(turn, { dumps: { ...dumps, bounds } })
}

/** Has this coordinator said itself for how long that fencing waits at most? */
export function isBoundTold({ dumps, self }: State, node: NodeId): boolean {
  return dumps.bounds[node]?.by === self
}

/** For how much longer the fencing of a node waits at most. */
export interface Deferral {
  /** Left out where nobody has told it. */
  readonly deferredForMs?: number
}

/** As it was told, on our clock. */
export function deferralOf({ dumps, ledger }: State, id: NodeId, nowMs: number): Deferral {
  const bound = dumps.bounds[id]
  if (bound === undefined || entryOf(ledger, id).deferred === '') return {}
  return { deferredForMs: Math.max(0, bound.untilMs - nowMs) }
}

/** Of nodes that may hold something: which of them are given time for a dump, as a clause. */
export function dumpText({ dumps, ledger }: State, nodes: readonly NodeId[]): string {
  const waiting = nodes.filter((id) => dumps.bounds[id] && entryOf(ledger, id).deferred !== '')
  return waiting.map((id) => `; of ${id}: ${entryOf(ledger, id).deferred}`).join('')
}

/** Once a beat: what was heard long ago, and bounds of what waits no more. */
export function forgetDumps(turn: Turn): void {
  const { state, nowMs } = turn
  const { heardMs, bounds } = state.dumps
  const fresh = dumpsHere(state, nowMs)
  const open = Object.keys(bounds).filter((node) => entryOf(state.ledger, node).deferred !== '')
  if (fresh.length === Object.keys(heardMs).length && open.length === Object.keys(bounds).length) {
    return
  }
  const only = <Of>(of: Readonly<Record<NodeId, Of>>, ids: readonly NodeId[]) =>
    Object.fromEntries(ids.map((id) => [id, of[id]!]))
  set(turn, { dumps: { heardMs: only(heardMs, fresh), bounds: only(bounds, open) } })
}
