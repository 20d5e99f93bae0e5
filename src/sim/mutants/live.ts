/** Mutants of live moves. */
import type { Mutant } from '../mutant.ts'

export const liveMutants: readonly Mutant[] = [
  {
    name: 'sent-is-gone',
    rule: 'H2',
    file: 'core/report.ts',
    find: `    if (state === 'stopped') stopped.add(thing)`,
    replace: `    if (['stopped', 'sending', 'sent'].includes(state)) stopped.add(thing)`,
    because:
      'a source that dies while it sends is forgotten, and what it still has starts elsewhere',
    swarm: 'live-moves',
  },
  {
    name: 'target-is-believed-too-early',
    rule: 'H2',
    file: 'core/report.ts',
    find: '    if (from) return true\n',
    replace: '',
    also: {
      file: 'core/live.ts',
      find: '    .filter(({ from }) => from !== undefined)\n',
      replace:
        '    .filter(({ thing, from }) => from && found.some((each) => each.thing === thing))\n',
    },
    because: 'a target that has found nothing gets it a moment later, and it starts elsewhere too',
    swarm: 'live-moves',
  },
  {
    name: 'half-moved-counts-as-running',
    rule: 'H2',
    file: 'core/migrate.ts',
    find: `  return move?.to === self ? 'its live move to here was cut short' : ''`,
    replace: `  return move?.to === \`not \${self}\` ? 'its live move to here was cut short' : ''`,
    because: 'what has come in half goes for the whole, because a monitor finds it',
    swarm: 'live-moves',
    scenario: 'live-move-and-restarts',
  },
  {
    name: 'failed-move-without-a-stop',
    rule: 'H2',
    file: 'core/migrate.ts',
    find: "  if (ran.outcome === 'done') return put(turn, config.id, { at: 'sent' })\n",
    replace: `  const at = ran.outcome === 'done' ? 'sent' : 'stopped'
  if (at !== 'stopped' || turn.nowMs > 0) return put(turn, config.id, { at, nextMs: Infinity })
`,
    because: 'what a failed move has left on its source runs on beside the one that starts',
    swarm: 'live-moves',
  },
  {
    name: 'moves-before-it-is-kept',
    rule: 'H2',
    file: 'core/migrate.ts',
    find: '  return kept >= keepersOf(state.config, session.merged?.members)',
    replace: '  return kept >= 0',
    because: 'whoever decides next knows nothing of the target, which has it',
    swarm: 'live-moves',
  },
  {
    name: 'looked-before-all-had-come',
    rule: 'H2',
    file: 'core/migrate.ts',
    find: '    if (resource.thing === thing) lookAnew(turn, resource)',
    replace: '    if (resource.thing === thing && turn.nowMs < 0) lookAnew(turn, resource)',
    because: 'what comes in after the target has looked is there, and nobody knows',
    scenario: 'live-move-that-comes-late',
  },
  {
    name: 'taken-over-while-it-is-sent',
    rule: 'H2',
    file: 'core/migrate.ts',
    find: `there === 'sending') return
  if (there !== 'sent') {`,
    replace: `there === 'starting') return
  if (there !== 'sent' && there !== 'sending') {`,
    because: 'source and target work at the same time',
    swarm: 'live-moves',
  },
]
