/** Mutants of a daemon that makes way for another one. */
import type { Mutant } from '../mutant.ts'

export const detachMutants: readonly Mutant[] = [
  {
    name: 'detach-stops-resources',
    rule: 'H8',
    file: 'core/cluster.ts',
    find: "  if (state.leaving !== undefined) return 'this node leaves'\n",
    replace:
      "  if (state.leaving ?? state.detaching) return 'this node is without a daemon soon'\n",
    because: 'an upgrade of the daemon is a restart of every service',
    scenario: 'rolling-restart',
  },
  {
    name: 'detach-is-not-waited-for',
    rule: 'H8',
    file: 'core/coordinator.ts',
    find: 'entry.detached ? timing.detachMs : 0',
    replace: '0',
    because: 'a daemon that takes a little longer to come up costs its node the power',
    scenario: 'detached-and-late',
  },
  {
    name: 'detached-for-ever',
    rule: 'P10',
    file: 'core/coordinator.ts',
    find: '  const goneMs = Math.max(',
    replace: '  const goneMs = entry.detached ? Infinity : Math.max(',
    because: 'a node whose new daemon never comes holds what it holds, and nobody looks after it',
    swarm: 'detaching-daemons',
    scenario: 'detached-and-never-back',
  },
  {
    name: 'detached-without-a-ring',
    rule: 'P10',
    file: 'core/coordinator.ts',
    find: "    return because === '' ? fence(",
    replace: "    return because === '' && !entry.detached ? fence(",
    also: {
      file: 'core/merge.ts',
      find: '  const detached = old.detached && how.inRing && !how.inGroup\n',
      replace: '  const { detached } = old\n',
    },
    because: 'a node that dies in the middle of an upgrade is not fenced, and its services wait',
    scenario: 'detached-and-dead',
  },
  {
    name: 'all-detach-at-once',
    rule: 'H8',
    file: 'core/detach.ts',
    find: 'return from === self ? stay(turn, away) : undefined',
    replace: "if (away === '?') return",
    because: 'who upgrades all nodes with one command has no daemon left for a while',
    scenario: 'two-detach-at-once',
  },
  {
    name: 'detach-costs-the-majority',
    rule: 'H8',
    file: 'core/detach.ts',
    find: 'if (sure || left < 1 || left >= least) return',
    replace: 'if (sure || left < least || left >= least) return',
    because: 'the last but one daemon makes way, and nobody mends what fails before it is back',
    scenario: 'detach-without-a-majority',
  },
]
