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
  {
    name: 'nobody-guards-an-upgrade',
    rule: 'H7',
    file: 'core/handover.ts',
    find: "if (lease.at === 'unarmed' || !lease.keeper || ",
    replace: "if (lease.at === 'unarmed' || lease.keeper || ",
    because: 'while a daemon is replaced nothing resets its node, for as long as that may take',
    swarm: 'watched-upgrades',
    scenario: 'watchdog-over-an-upgrade',
  },
  {
    name: 'handed-over-for-ever',
    rule: 'H7',
    file: 'core/handover.ts',
    find: 'provenMs(state) + handoverMs(config)',
    replace: 'nowMs + 10 * handoverMs(config)',
    because: 'a node whose new daemon never comes is not reset when the others condemn it',
    swarm: 'watched-upgrades',
    scenario: 'watchdog-over-an-upgrade',
  },
  {
    name: 'handed-over-too-briefly',
    rule: 'H7',
    file: 'core/handover.ts',
    find: 'return timing.detachMs + (watchdog',
    replace: 'return (watchdog',
    because: 'a node is reset in the middle of an upgrade, while the others still wait for it',
    swarm: 'watched-upgrades',
    scenario: 'handed-over-and-never-taken',
  },
  {
    name: 'inherited-is-fed-at-once',
    rule: 'H7',
    file: 'core/watchdog.ts',
    find: 'turn.nowMs >= lease.retryMs && hasJoined(turn.state)) {',
    replace:
      "turn.nowMs >= lease.retryMs && (lease.at === 'inherited' || hasJoined(turn.state))) {",
    because: 'a daemon that belongs to no quorum keeps its machine up, with all that runs there',
    swarm: 'watched-upgrades',
    scenario: 'watchdog-over-an-upgrade',
  },
  {
    name: 'inherited-is-nobodys',
    rule: 'H7',
    file: 'core/handover.ts',
    find: "if (lease.at !== 'inherited' || !holdsNothing(turn.state)) return",
    replace: 'if (lease.id >= 0) return',
    because: 'a node that finds no quorum stops everything, and is reset all the same',
    swarm: 'watched-upgrades',
    scenario: 'handed-over-and-no-quorum',
  },
]
