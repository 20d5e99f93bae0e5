/** Mutants of clusters in which half of the nodes may decide (S18). */
import type { Mutant } from '../mutant.ts'

export const halvesMutants: readonly Mutant[] = [
  {
    name: 'half-trusts-the-absent',
    rule: 'S18',
    file: 'core/merge.ts',
    find: 'const complete = vouching > config.nodes.length - leastOf(config)',
    replace: 'const complete = half || vouching > config.nodes.length - leastOf(config)',
    because: 'what nobody holds is given away by both halves of a cut at once',
    swarm: 'two-nodes-meet-again',
  },
  {
    name: 'half-keeps-by-one',
    rule: 'S8',
    file: 'core/halves.ts',
    find: 'return few ? members.length : majorityOf(config)',
    replace: 'return few ? 1 : majorityOf(config)',
    because: 'a grant of a half is unknown to the member of it that the next majority has',
    swarm: 'two-halves',
  },
  {
    name: 'neither-of-two-yields',
    rule: 'S18',
    file: 'core/halves.ts',
    find: '  return load === ownLoad ? id < own : load > ownLoad',
    replace: '  return false',
    because: 'two nodes that are cut apart switch each other off',
    scenario: 'two-nodes-cut-apart',
  },
  {
    name: 'one-of-two-accuses-in-vain',
    rule: 'H16',
    file: 'core/halves.ts',
    find: 'config.halves && config.nodes.length === 2 ? 1 : majorityOf(config)',
    replace: 'majorityOf(config)',
    because: 'of two nodes, one whose daemon is silent keeps its services for ever',
    scenario: 'silent-daemon-of-two',
  },
  {
    name: 'commands-of-the-other-half-forgotten',
    rule: 'P4',
    file: 'core/unite.ts',
    find: `    late: all.some(({ late }) => late),
    rests: all.some(({ rests }) => rests),
    fencing: entry.fencing ?? fencing,`,
    replace: `    late: entry.late,
    rests: entry.rests,
    fencing: entry.fencing,`,
    because: 'a node serves while a command of the other half is on its way to it',
    scenario: 'late-command-of-the-other-half',
  },
]
