/**
 * What holds a fencing back (F5, P9): the delays before it, the gap between two fencings of one
 * node, and the limit for all of them. A rule defers and says so; it drops nothing. The coordinator
 * keeps the times on its own clock, so that a new one waits anew (S12).
 */

import { isBoundTold } from './dumps.ts'
import { once, type Waits } from './duty.ts'
import { mattersMore, priorityDelayMsOf } from './halves.ts'
import {
  entryOf,
  type FencingRecord,
  hash,
  mayStillFire,
  type NodeEntry,
  shotsBeside,
} from './ledger.ts'
import type { NodeId } from './model.ts'
import type { Session, State, Turn } from './state.ts'

/**
 * `press`: nothing holds it back. `look`: the power may be read, and proven off where it is off
 * already, but no button is pressed. `wait`: not even that.
 */
export type Permit =
  | { readonly go: 'press' }
  | { readonly go: 'look' | 'wait'; readonly because: string }

/** May this node be fenced at this moment? */
export function permitFor(
  { ledger, config }: State,
  entry: NodeEntry,
  record: FencingRecord | undefined,
): Permit {
  if (record?.action === 'on') return { go: 'press' }
  const { minIntervalMs, stormMax, stormWindowMs } = config.rules
  // What has begun goes on: the limit is for new ones, and one without end must not use it up.
  if (record?.commanded === 'yes') return { go: 'press' }
  if (entry.rests) {
    const because = `it was fenced less than ${minIntervalMs / 1000} s ago; it waits that long`
    return { go: 'wait', because }
  }
  if (shotsBeside(ledger, record?.id) < stormMax) return { go: 'press' }
  const because = `the storm limit is used up (${stormMax} within ${stormWindowMs / 1000} s)`
  return { go: 'look', because }
}

/**
 * How long a lost node is left alone before it is fenced: the fixed delay, a part of the random one
 * that differs from daemon to daemon, and more where it matters more than all that is left here.
 */
export function delayMsOf(state: State, session: Session, id: NodeId): number {
  const { config, identity, loads } = state
  const { delayMs, randomDelayMs } = config.rules
  const lot = Number.parseInt(hash(`${identity.incarnation} ${id}`).slice(0, 8), 16) / 2 ** 32
  const waits = mattersMore(config, loads, id, session.merged?.members ?? [])
  const more = waits ? priorityDelayMsOf(config) : 0
  return delayMs + Math.round(randomDelayMs * lot) + more
}

/** Tells everybody why a node is not being fenced; once, as long as the reason is the same. */
export function defer(turn: Turn, node: NodeId, because: string, leftMs = 0): void {
  const told = leftMs === 0 || isBoundTold(turn.state, node)
  if (told && entryOf(turn.state.ledger, node).deferred === because) return
  once(turn, `defer:${node}`, { say: 'defer', node, because, leftMs })
}

/**
 * What is old enough counts no more: a round under the storm limit, from its end on, and the last
 * fencing of a node.
 */
export function forgetRounds(turn: Turn, waits: Waits): void {
  const { ledger, config } = turn.state
  const { stormWindowMs, minIntervalMs } = config.rules
  for (const shot of ledger.shots) {
    if (mayStillFire(ledger, shot)) continue
    const { id, round } = shot
    if (waits.standingMs(`shot:${id}:${round}`) < stormWindowMs) continue
    once(turn, `forget:${id}:${round}`, { say: 'forget', id, round })
  }
  for (const [node, { rests }] of Object.entries(ledger.nodes)) {
    if (!rests || waits.standingMs(`rest:${node}`) < minIntervalMs) continue
    once(turn, `rested:${node}`, { say: 'rested', node })
  }
}
