/**
 * The watchdog over an upgrade (H7): a daemon that makes way for another one leaves its watchdog
 * counting. Where a service manager keeps the device open meanwhile, it is told to wait as long as
 * the others wait for the next daemon, and then handed over; that one feeds it on as soon as it
 * belongs to a quorum, and not before. If none comes in time the machine is reset, not before the
 * others may condemn its node.
 *
 * That time is dated like the lease: from a word of our own that came back in a quorate ring.
 */
import type { Config } from './model.ts'
import { say, set, type Turn } from './state.ts'
import { driftMs, holdsNothing, type Lease, lookAway, noLease, provenMs } from './watchdog.ts'

/** What a life begins with, where there is a watchdog. */
export interface Heirloom {
  /** A service manager keeps the device open from one daemon to the next. */
  readonly keeper: boolean
  /** The daemon before this one has handed over the device: it counts, and nobody feeds it. */
  readonly inherited: boolean
}

const unfed = 'the one of the picketd before counts on, and nobody feeds it'

/** The lease as a life begins. */
export function firstLease({ keeper, inherited }: Heirloom): Lease {
  return inherited ? { ...noLease, keeper, at: 'inherited', detail: unfed } : { ...noLease, keeper }
}

/** For how long after the last proof of belonging to a quorum it counts without a daemon. */
export function handoverMs({ timing, watchdog }: Pick<Config, 'timing' | 'watchdog'>): number {
  return timing.detachMs + (watchdog?.timeoutMs ?? 0) + driftMs
}

/** The others know that this daemon makes way for another one, and what runs here runs on. */
export function handOver(turn: Turn): void {
  const { state, nowMs } = turn
  const { lease, config, self } = state
  if (lease.at === 'unarmed' || !lease.keeper || holdsNothing(state)) return lookAway(turn)
  // Without a proof it is left as it is: it counts from when it was last fed.
  const untilMs = Math.max(nowMs, lease.untilMs, provenMs(state) + handoverMs(config))
  const leftS = Math.round((untilMs - nowMs) / 1_000)
  const text =
    `the watchdog is handed over: it resets this machine in ${leftS} s, ` +
    'unless another picketd is a member before that'
  say(turn, 'info', text, { node: self })
  set(turn, { lease: { ...lease, at: 'unarmed' } })
  turn.effects.push({ do: 'handOver', untilMs })
}

/**
 * What was inherited, and guards nothing: everything here is stopped. It is let go, or a node that
 * finds no quorum would be reset for nothing.
 */
export function releaseInherited(turn: Turn): void {
  const { lease } = turn.state
  if (lease.at !== 'inherited' || !holdsNothing(turn.state)) return
  say(turn, 'info', 'the watchdog of the picketd before is let go: everything here is stopped')
  set(turn, { lease: { ...lease, at: 'unarmed', detail: '' } })
  turn.effects.push({ do: 'disarm' })
}
