/** Mutants of what operators want. */
import type { Mutant } from '../mutant.ts'

/** What keeps a node from starting what it was granted before. */
const held =
  "if (whyUnwanted(turn.state.ledger.intents, resource.id, turn.state.self) !== '') continue"

export const intentMutants: readonly Mutant[] = [
  {
    name: 'intents-end-with-the-ring',
    rule: 'H9',
    file: 'core/merge.ts',
    find: '    intents: ledger.intents,',
    replace: '    intents: [],',
    because: 'a node on standby takes resources again as soon as any node comes or goes',
    swarm: 'wishing-operators',
  },
  {
    name: 'intents-not-read-from-disk',
    rule: 'H9',
    file: 'core/ledger.ts',
    find: 'return { ...ledger, nodes: Object.fromEntries(nodes) }',
    replace: 'return { ...ledger, intents: [], nodes: Object.fromEntries(nodes) }',
    because: 'what operators wanted is forgotten when the whole cluster restarts',
    scenario: 'standby-outlasts-the-cluster',
  },
  {
    name: 'told-before-it-is-kept',
    rule: 'H9',
    file: 'core/wants.ts',
    find: '    if (kept < keepersOf(config, members)) return order\n',
    replace: '',
    because: 'an operator is told that an order lasts which the next majority knows nothing of',
    swarm: 'wishing-operators',
  },
  {
    name: 'granted-is-started-all-the-same',
    rule: 'H8',
    file: 'core/starting.ts',
    find: held,
    replace: '',
    because: 'what was disabled, or its node put on standby, starts for it was granted before that',
    scenario: 'disabled-between-grant-and-start',
  },
  {
    name: 'unwanted-is-no-reason',
    rule: 'H8',
    file: 'core/look.ts',
    find: "if (unwanted !== '') return unwanted",
    replace: "if (unwanted === '?') return unwanted",
    also: {
      file: 'core/starting.ts',
      find: held,
      replace: '',
    },
    because: 'resources go to nodes that are on standby, and run although they are disabled',
    swarm: 'wishing-operators',
  },
]
