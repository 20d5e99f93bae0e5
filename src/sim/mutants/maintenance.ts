/** Mutants of maintenance. */
import type { Mutant } from '../mutant.ts'

const spared = "  if (spared !== '') {"

export const maintenanceMutants: readonly Mutant[] = [
  {
    name: 'maintenance-ends-without-quorum',
    rule: 'H8',
    file: 'core/resource.ts',
    find: '  if (isLeftAlone(turn.state, config.id)) return\n',
    replace: '',
    because: 'whoever exchanges a switch in a maintenance stops every service with it',
    swarm: 'maintaining-operators',
  },
  {
    name: 'maintenance-does-not-spare',
    rule: 'H8',
    file: 'core/coordinator.ts',
    find: spared,
    replace: "  if (spared === '?') {",
    also: {
      file: 'core/verdicts.ts',
      find: "  if (off && (!isOpen(entry) || whySpared(ledger, node) !== '')) return\n",
      replace: '  if (off && !isOpen(entry)) return\n',
    },
    because: 'a node that somebody is at work on is switched off under his hands',
    swarm: 'maintaining-operators',
  },
  {
    name: 'maintenance-ends-a-hold',
    rule: 'P3',
    file: 'core/clones.ts',
    find: 'if (entry === undefined) return false',
    replace: 'if (entry === undefined || / maintenance/.test(entry.deferred)) return false',
    because: 'what a node in maintenance runs on, cut off, starts elsewhere without any proof',
    swarm: 'maintaining-operators',
    scenario: 'maintenance-of-a-node',
  },
  {
    name: 'maintenance-starts-again',
    rule: 'H8',
    file: 'core/outcomes.ts',
    find: '  if (isLeftAlone(turn.state, config.id)) return onFailedAlone(turn, config, ran)\n',
    replace: '',
    because: 'a database that an operator has stopped to work on is stopped once more, and started',
    swarm: 'maintaining-operators',
    scenario: 'maintenance-of-a-resource',
  },
  {
    name: 'maintenance-ends-what-hung',
    rule: 'H8',
    file: 'core/resource.ts',
    find: 'put(turn, config.id, { op: { ...op, lost: true }, detail })',
    replace: "put(turn, config.id, { at: 'stuck', op: { ...op, lost: true }, detail })",
    because: 'a disk is slow for half a minute, and the database is stopped under whoever mends it',
    swarm: 'maintaining-operators',
    scenario: 'maintenance-of-a-slow-disk',
  },
  {
    name: 'rest-of-a-reboot-does-not-spare',
    rule: 'H8',
    file: 'core/maintenance.ts',
    find: "(fencing.action !== 'on' || isOff)) return ''",
    replace: "(fencing.action !== 'on' || isOff || node !== '')) return ''",
    because: 'a node in maintenance is fenced because an old order has not switched it on yet',
    scenario: 'maintenance-after-a-reboot',
  },
]
