/**
 * How a node goes: everything is stopped first, then the others are told, and have to hear it. What
 * is in maintenance runs on, and then there is no goodbye: nobody else may take it for stopped.
 */
import { awaitsAny } from './live.ts'
import { isLeftAlone } from './maintenance.ts'
import { sendGoodbye } from './report.ts'
import { authority, say, set, type Turn } from './state.ts'
import { disarm } from './watchdog.ts'

/** Everything is stopped: say goodbye and wait for it to come back, or go without. */
export function leave(turn: Turn): void {
  const { state, nowMs } = turn
  if (state.leaving === undefined && state.corosyncLost === '') return
  const left = Object.entries(state.resources).filter(([, { at }]) => at !== 'stopped')
  if (left.some(([id, { op }]) => op !== undefined || !isLeftAlone(state, id))) return
  const names = left.map(([id]) => id).join(', ')
  const rest = names === '' ? 'everything is stopped' : `${names} may run on: maintenance`
  if (state.corosyncLost !== '') return exit(turn, 1, `Corosync is gone and ${rest}`)
  const { sinceMs, goodbye } = state.leaving!
  if (Object.values(state.fencings).some((fencing) => fencing.at !== 'done')) return
  if (names !== '') return exit(turn, 0, `left without a goodbye: ${rest}`)
  if (authority(state, nowMs) !== undefined && !awaitsAny(state.ledger, state.self)) {
    if (goodbye) return
    set(turn, { leaving: { sinceMs, goodbye: true } })
    return sendGoodbye(turn)
  }
  if (state.quorum?.quorate !== true) return exit(turn, 0, 'left without quorum')
  if (nowMs - sinceMs < state.config.timing.leaveMs) {
    if (goodbye && state.session?.open !== true) set(turn, { leaving: { sinceMs, goodbye: false } })
    return
  }
  say(turn, 'warn', 'the others did not hear the goodbye in time; they will fence this node')
  exit(turn, 0, 'left without a goodbye')
}

function exit(turn: Turn, code: number, because: string): void {
  set(turn, { exited: true })
  disarm(turn)
  turn.effects.push({ do: 'exit', code, because })
}
