/** Mutants of crash dumps: what is said of them holds for ever, or is taken for a proof. */
import type { Mutant } from '../mutant.ts'

export const dumpMutants: readonly Mutant[] = [
  {
    name: 'dump-without-end',
    rule: 'H22',
    file: 'core/dumps.ts',
    find: 'if (heard && spentMs < boundMs) {',
    replace: 'if (heard && boundMs > 0) {',
    because: 'whoever can send datagrams keeps a lost node from being fenced for ever',
    scenario: 'crash-dump-forged',
  },
  {
    name: 'dump-is-proof',
    rule: 'P3',
    file: 'core/verdicts.ts',
    find: 'set(turn, { ledger: withEntry(ledger, node, { deferred: because }) })',
    replace: `const dumps = because.startsWith('it writes a crash dump')
  const dead = { standing: 'fenced', holds: [], deferred: '' } as const
  set(turn, { ledger: withEntry(ledger, node, dumps ? dead : { deferred: because }) })`,
    because: 'a forged datagram lets what a living node holds start elsewhere',
    scenario: 'crash-dump-forged',
  },
]
