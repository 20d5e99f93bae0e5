/** Mutants of what nodes are there for. */
import type { Mutant } from '../mutant.ts'

export const roleMutants: readonly Mutant[] = [
  {
    name: 'witness-hosts',
    rule: 'H19',
    file: 'core/roles.ts',
    find: `node.id !== id || node.role !== 'witness'`,
    replace: `node.id === node.id`,
    because: 'what is lost elsewhere comes up on a node that was to vote and to fence only',
    swarm: 'witnesses',
    scenario: 'witness',
  },
]
