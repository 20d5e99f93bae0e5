/** How a round ends, or begins anew, from outside: its ring is gone, its order, or its proof. */
import type { NodeId } from './model.ts'
import { type Fencing, lateUntilMs, settled } from './round.ts'
import { say, set, type Turn } from './state.ts'

/** Another member vanished between an off and its proof: perhaps we hit the wrong machine (S15). */
export function voidProof(turn: Turn, target: NodeId): void {
  const fencing = turn.state.fencings[target]
  if (fencing === undefined || !fencing.pressed) return
  say(turn, 'warn', `what was proven of ${target} is void: another member vanished meanwhile`, {
    node: target,
    fencing: fencing.id,
  })
  const again: Fencing = {
    ...settled(fencing),
    lateUntilMs: lateUntilMs(turn.state, fencing),
    at: 'durable',
    device: 0,
    reads: 0,
    bootBefore: '',
    bootAfter: '',
    asked: undefined,
    outcome: undefined,
    hush: undefined,
    pressed: false,
    confirmFirst: fencing.heldBack !== '',
    verdict: undefined,
    step: -1,
  }
  set(turn, { fencings: { ...turn.state.fencings, [target]: again } })
}

/** Ends our part; what is still on its way to a device is remembered for as long as it may be. */
export function dropFencing(turn: Turn, target: NodeId): void {
  const { [target]: dropped, ...fencings } = turn.state.fencings
  if (dropped === undefined) return
  set(turn, { fencings })
  const { aftermath } = turn.state
  const untilMs = Math.max(lateUntilMs(turn.state, dropped), aftermath[target] ?? -Infinity)
  if (untilMs > turn.nowMs) set(turn, { aftermath: { ...aftermath, [target]: untilMs } })
}
