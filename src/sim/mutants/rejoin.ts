/** Mutants of what becomes of a node that was fenced and is back. */
import type { Mutant } from '../mutant.ts'

export const rejoinMutants: readonly Mutant[] = [
  {
    name: 'fenced-serves-at-once',
    rule: 'P4',
    file: 'core/look.ts',
    find: '  if (quarantined) return',
    replace: "  if (quarantined && node === '') return",
    also: {
      file: 'core/cluster.ts',
      find: '  if (quarantined) return',
      replace: "  if (quarantined && state.self === '') return",
    },
    because: 'a node that somebody wants to look at first takes services over, and fails again',
    swarm: 'kept-out',
  },
  {
    name: 'return-ends-quarantine',
    rule: 'P4',
    file: 'core/merge.ts',
    find: '    quarantined: old.quarantined || ',
    replace: '    quarantined: ',
    because: 'the node has only to come back, and nobody was asked',
    swarm: 'kept-out',
  },
  {
    name: 'fencing-without-quarantine',
    rule: 'P4',
    file: 'core/verdicts.ts',
    find: "  return state.config.rules.rejoin === 'manual'\n",
    replace: "  return state.config.rules.rejoin !== 'manual'\n",
    because: 'the config asks for a word of an operator, and nobody is kept out for want of one',
    swarm: 'kept-out',
  },
]
