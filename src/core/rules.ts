/**
 * What holds a fencing back (F5, P9): the delays before it, the gap between two fencings of one
 * node, and the limit for all of them. A rule defers and says so; it drops nothing. The coordinator
 * keeps the times on its own clock, so that a new one waits anew (S12).
 */
import { once, type Waits } from './duty.ts'
import { entryOf, type FencingRecord, hash } from './ledger.ts'
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
  waits: Waits,
  id: NodeId,
  record: FencingRecord | undefined,
): Permit {
  if (record?.action === 'on') return { go: 'press' }
  const { minIntervalMs, stormMax, stormWindowMs } = config.rules
  // What has begun goes on: the limit is for new ones, and one without end must not use it up.
  if (record?.commanded) return { go: 'press' }
  const others = ledger.shots.filter((shot) => shot.id !== record?.id)
  const recent = others.some(
    (shot) => shot.node === id && waits.standingMs(shotKey(shot.id)) < minIntervalMs,
  )
  if (recent) {
    const because = `it was fenced less than ${minIntervalMs / 1000} s ago; it waits that long`
    return { go: 'wait', because }
  }
  if (others.length < stormMax) return { go: 'press' }
  const because = `the storm limit is used up (${stormMax} within ${stormWindowMs / 1000} s)`
  return { go: 'look', because }
}

/**
 * How long a lost node is left alone before it is fenced: the fixed delay, a part of the random one
 * that differs from daemon to daemon, and more where it matters more than all that is left here.
 */
export function delayMsOf(state: State, session: Session, id: NodeId): number {
  const { config, identity } = state
  const { delayMs, randomDelayMs, priorityDelayMs } = config.rules
  const lot = Number.parseInt(hash(`${identity.incarnation} ${id}`).slice(0, 8), 16) / 2 ** 32
  const priorityOf = (node: NodeId) => config.nodes.find((each) => each.id === node)?.priority ?? 0
  const ours = Math.max(...(session.merged?.members ?? []).map(priorityOf))
  const more = priorityOf(id) > ours ? priorityDelayMs : 0
  return delayMs + Math.round(randomDelayMs * lot) + more
}

/** Tells everybody why a node is not being fenced; once, as long as the reason is the same. */
export function defer(turn: Turn, node: NodeId, because: string): void {
  if (entryOf(turn.state.ledger, node).deferred === because) return
  once(turn, `defer:${node}`, { say: 'defer', node, because })
}

/** Shots that are old enough count no more. They age from the end of their first round on. */
export function forgetShots(turn: Turn, waits: Waits): void {
  const { ledger, config } = turn.state
  const { stormWindowMs, minIntervalMs } = config.rules
  for (const { id, node } of ledger.shots) {
    const { standing, fencing } = entryOf(ledger, node)
    const open = standing === 'lost' || standing === 'condemned'
    if (open && fencing?.id === id && !fencing.commanded) continue
    if (waits.standingMs(shotKey(id)) < Math.max(stormWindowMs, minIntervalMs)) continue
    once(turn, `forget:${id}`, { say: 'forget', id })
  }
}

function shotKey(id: string): string {
  return `shot:${id}`
}
