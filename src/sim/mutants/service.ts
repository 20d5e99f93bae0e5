/** Mutants of what may run where. */
import type { Mutant } from '../mutant.ts'

export const serviceMutants: readonly Mutant[] = [
  {
    name: 'stop-beside-start',
    rule: 'S1',
    file: 'core/resource.ts',
    find: `  if (local.op === undefined) {
    if (local.at === 'running' || local.at === 'unknown') beginStop(turn, config, because)`,
    replace: `  if (local.op === undefined || local.at === 'starting') {
    if (local.at !== 'stopping') beginStop(turn, config, because)`,
    because: 'a stop runs beside a start that still succeeds, and the node reports nothing running',
  },
  {
    name: 'stop-believed',
    rule: 'S1',
    file: 'core/resource.ts',
    find: `      put(turn, config.id, { at: 'confirming' })
      return run(turn, config, 'probe')`,
    replace: '      return becomeStopped(turn, config)',
    because: 'a stop that failed counts as stopped, because no probe looks',
  },
  {
    name: 'assume-stopped-at-start',
    rule: 'S10',
    file: 'core/cluster.ts',
    find: '({ id }) => [id, untried]',
    replace: `({ id }) => [id, { ...untried, at: 'stopped', nextMs: Infinity }]`,
    because: 'a new daemon forgets what the former one left running',
  },
  {
    name: 'start-without-acknowledgement',
    rule: 'S8',
    file: 'core/cluster.ts',
    find: 'if (kept >= majorityOf(turn.state.config)) startResource',
    replace: 'if (kept >= 0) startResource',
    because: 'a grant that only the separated side has seen is started there, and given away here',
  },
  {
    name: 'report-outruns-grant',
    rule: 'S9',
    file: 'core/report.ts',
    find: 'return held.has(thing) || step > report.step || !stopped.has(thing)',
    replace: 'return held.has(thing) || !stopped.has(thing)',
    because: 'a report from before the grant frees the thing for a second node',
  },
  {
    name: 'run-on-without-quorum',
    rule: 'P1',
    file: 'core/cluster.ts',
    find: `  if (state.quorum?.quorate === false) return 'quorum is lost'\n`,
    replace: '',
    because: 'a node outside of the quorate ring keeps its resources',
  },
  {
    name: 'recover-before-proof',
    rule: 'P3',
    file: 'core/ledger.ts',
    find: `  if (entry.holds === 'anything') return true`,
    replace: `  if (entry.standing === 'lost') return false
  if (entry.holds === 'anything') return true`,
    because: 'what a lost node holds is started elsewhere before the node is proven dead',
  },
  {
    name: 'absent-daemon-assumed-idle',
    rule: 'P1',
    file: 'core/merge.ts',
    find: `  const holds = how.complete ? kept.holds : 'anything'`,
    replace: `  const holds = how.inRing ? [] : how.complete ? kept.holds : 'anything'`,
    because: 'a node whose daemon is gone is taken for idle, while its resources run on',
  },
  {
    name: 'two-actives-left-alone',
    rule: 'S19',
    file: 'core/placement.ts',
    find: 'else if (keeper !== undefined) release(',
    replace: `else if (keeper === 'nobody') release(`,
    because: 'a thing that somebody started by hand runs on beside the granted one for ever',
  },
  {
    name: 'never-look-again',
    rule: 'S19',
    file: 'core/resource.ts',
    find: 'const LOOK_AGAIN_GAPS = 6',
    replace: 'const LOOK_AGAIN_GAPS = Infinity',
    because: 'what is started by hand after the first probe is never seen',
  },
  {
    name: 'serve-while-barred',
    rule: 'P4',
    file: 'core/placement.ts',
    find: `if (entry.standing !== 'member' || entry.barred || entry.late) return false`,
    replace: `if (entry.standing !== 'member' || entry.late) return false`,
    also: {
      file: 'core/cluster.ts',
      find: `return barred ? 'an operator has switched this node off' : ''`,
      replace: `return barred ? '' : ''`,
    },
    because: 'a node that an operator switched off serves as soon as it boots',
  },
  {
    name: 'serve-while-late',
    rule: 'P4',
    file: 'core/placement.ts',
    find: `if (entry.standing !== 'member' || entry.barred || entry.late) return false`,
    replace: `if (entry.standing !== 'member' || entry.barred) return false`,
    because: 'a node serves while a late command may still switch it off',
    swarm: 'late-commands',
  },
  {
    name: 'beat-without-gap',
    rule: 'P8',
    file: 'core/cluster.ts',
    find: 'nextBeatMs: turn.nowMs + turn.state.config.timing.beatMs',
    replace: 'nextBeatMs: turn.nowMs',
    because: 'the loop is busy without news',
  },
]
