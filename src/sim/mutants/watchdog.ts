/** Mutants of the lease: for how long a watchdog is fed, and when it is armed and let go. */
import type { Mutant } from '../mutant.ts'

export const watchdogMutants: readonly Mutant[] = [
  {
    name: 'fed-unconditionally',
    rule: 'H6',
    file: 'core/watchdog.ts',
    find: 'const fromMs = holdsNothing(state) ? nowMs : provenMs(state)',
    replace: 'const fromMs = nowMs',
    because: 'a node without quorum that cannot stop what it holds is never reset',
    swarm: 'watchdogs',
  },
  {
    name: 'fed-until-the-verdict',
    rule: 'S4',
    file: 'core/watchdog.ts',
    find: 'if (!quorateHere(state) || !sameRing(heard.ring, group.ring)) return -Infinity',
    replace: 'if (state.quorum?.quorate !== true) return -Infinity',
    because: 'the lease goes on after the ring has changed, until somebody speaks of quorum',
    swarm: 'watchdogs',
  },
  {
    name: 'lease-dated-from-arrival',
    rule: 'S3',
    file: 'core/watchdog.ts',
    find: 'heard: { ring: group.ring, sentMs } } })',
    replace: 'heard: { ring: group.ring, sentMs: turn.nowMs } } })',
    because: 'a beat that comes back after a long sleep feeds a node that nobody hears any more',
    swarm: 'watchdogs',
  },
  {
    name: 'disarmed-before-all-is-stopped',
    rule: 'H7',
    file: 'core/watchdog.ts',
    find: `  if (lease.at !== 'armed') return
`,
    replace: `  if (lease.at !== 'armed') return
  if (turn.state.leaving !== undefined) {
    set(turn, { lease: { ...lease, at: 'unarmed', retryMs: Infinity } })
    turn.effects.push({ do: 'disarm' })
    return
  }
`,
    because: 'a daemon that hangs while it leaves keeps what it had, and nothing resets its node',
    swarm: 'watchdogs',
  },
  {
    name: 'never-let-go',
    rule: 'H7',
    file: 'core/watchdog.ts',
    find: "disarm(turn: Turn): void {\n  if (turn.state.lease.at === 'unarmed') return",
    replace: 'disarm(turn: Turn): void {\n  if (turn.state.exited) return',
    because: 'every node that leaves in order is reset a few seconds later',
    swarm: 'watchdogs',
  },
  {
    name: 'armed-before-it-has-joined',
    rule: 'H7',
    file: 'core/watchdog.ts',
    find: `  if (state.session?.adopted !== true || state.leaving !== undefined) return false
  return Number.isFinite(provenMs(state))`,
    replace: '  return state.group !== undefined',
    because: 'a node whose config nobody shares, or that hears nobody, is reset again and again',
    swarm: 'watchdogs',
  },
  {
    name: 'required-is-a-wish',
    rule: 'H7',
    file: 'core/watchdog.ts',
    find: `return config.watchdog?.modes[self] === 'required' && lease.at !== 'armed'`,
    replace: 'return false',
    because: 'a node takes resources although the watchdog that it must have is not there',
    swarm: 'watchdogs',
  },
  {
    name: 'idle-is-not-fed',
    rule: 'H6',
    file: 'core/watchdog.ts',
    find: 'const fromMs = holdsNothing(state) ? nowMs : provenMs(state)',
    replace: 'const fromMs = provenMs(state)',
    because: 'every node of a minority is reset for ever, though it has stopped everything',
    swarm: 'watchdogs',
  },
]
