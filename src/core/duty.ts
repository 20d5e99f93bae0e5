/**
 * The coordinator's desk: what it has said and not yet heard back, and since when a condition
 * stands.
 *
 * The waits are kept on its own clock and are never replicated: a new coordinator begins every wait
 * anew (S12). Saying things once is a courtesy to the network; saying them again would be harmless.
 */
import type { Body } from './message.ts'
import { send, set, type Turn } from './state.ts'

/** Sends a message, unless the same one is under way in this session. */
export function once(turn: Turn, key: string, body: Body): void {
  const { duty } = turn.state
  if (duty.sent.includes(key)) return
  set(turn, { duty: { ...duty, sent: [...duty.sent, key] } })
  send(turn, body)
}

/** What we said has come back: from now on the ledger tells. */
export function delivered(turn: Turn, key: string): void {
  const { duty } = turn.state
  if (!duty.sent.includes(key)) return
  set(turn, { duty: { ...duty, sent: duty.sent.filter((each) => each !== key) } })
}

/** The waits of one look at the cluster: conditions that no longer stand are forgotten. */
export interface Waits {
  /** For how long has this condition been standing? Zero when it is new. */
  standingMs(key: string): number
  /** Keeps what was asked for, forgets the rest. */
  keep(): void
}

/** Begins one look at the waits. */
export function waitsOf(turn: Turn): Waits {
  const before = turn.state.duty.sinceMs
  const after: Record<string, number> = {}
  return {
    standingMs(key) {
      const sinceMs = before[key] ?? turn.nowMs
      after[key] = sinceMs
      return turn.nowMs - sinceMs
    },
    keep() {
      const keys = Object.keys(after)
      const same = keys.length === Object.keys(before).length && keys.every((key) => key in before)
      if (!same) set(turn, { duty: { ...turn.state.duty, sinceMs: after } })
    },
  }
}
