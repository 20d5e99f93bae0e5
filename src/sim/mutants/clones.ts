/** Mutants of what runs on several nodes at once. */
import type { Mutant } from '../mutant.ts'

export const cloneMutants: readonly Mutant[] = [
  {
    name: 'clone-without-bound',
    rule: 'H2',
    file: 'core/placement.ts',
    find: 'if (held.length + before.length < clone.max) return',
    replace: 'if (held.length + before.length >= 0) return',
    also: {
      file: 'core/clones.ts',
      find: 'filter(isHeld).length < clone.max',
      replace: 'filter(isHeld).length >= 0',
    },
    because: 'another instance starts while a lost node may still have the one that it stands for',
    swarm: 'clones',
  },
  {
    name: 'instance-looked-for-everywhere',
    rule: 'H2',
    file: 'core/cluster.ts',
    find: 'resources.filter((resource) => isElsewhere(resource, self))',
    replace: `resources.filter((resource) => isElsewhere(resource, self) && self === '')`,
    because:
      'a node finds its own instance when it looks for that of another one, and reports both',
    swarm: 'clones',
  },
  {
    name: 'any-instance-is-company',
    rule: 'H3',
    file: 'core/starting.ts',
    find: 'awaitedBy(config.resources, follower, name, self).some(isRunning)',
    replace: 'targetsOf(config.resources, name).some(isRunning)',
    because: 'an address comes up on a node before the server there, because another node has one',
    swarm: 'clones',
    scenario: 'clone-on-every-node',
  },
]
