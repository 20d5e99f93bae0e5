/** S18: clusters in which half of the nodes may decide, what they keep, and who yields. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  accusersOf,
  isHalf,
  keepersOf,
  leastOf,
  loadsAfter,
  mattersMore,
  priorityDelayMsOf,
} from '../../src/core/halves.ts'
import { blankLedger, type Ledger, type NodeEntry, unknownNode } from '../../src/core/ledger.ts'
import type { Sync } from '../../src/core/message.ts'
import type { Config, NodeId } from '../../src/core/model.ts'
import { newest, unite } from '../../src/core/unite.ts'
import { config } from './table.ts'

const of = (ids: readonly NodeId[], change: Partial<Config> = {}): Config => {
  const { nodes } = config()
  return config({ halves: true, nodes: ids.map((id) => ({ ...nodes[0]!, id })), ...change })
}
const two = of(['a', 'b'])
const four = of(['a', 'b', 'c', 'd'])

test('S18 half of an even number is enough where Corosync says so, and never less', () => {
  assert.deepEqual([leastOf(two), leastOf(four), leastOf(of(['a', 'b', 'c']))], [1, 2, 2])
  assert.equal(leastOf({ ...two, halves: false }), 2)
  assert.deepEqual(
    [isHalf(two, ['a']), isHalf(two, ['a', 'b']), isHalf(four, ['a'])],
    [true, false, false],
  )
})

test('S8 what a half keeps all of it keep, and otherwise a majority does', () => {
  assert.equal(keepersOf(four, ['a', 'c']), 2)
  assert.equal(keepersOf(four, ['a', 'b', 'c']), 3)
  assert.equal(keepersOf(two, ['a', 'b']), 2)
  assert.deepEqual([accusersOf(two), accusersOf(four)], [1, 3])
})

test('S18 of two nodes exactly one yields, and both know which', () => {
  const pairs: readonly (readonly [a: number, b: number])[] = [
    [0, 0],
    [1, 0],
    [0, 2],
    [3, 3],
  ]
  for (const [a, b] of pairs) {
    const yields = [mattersMore(two, { a, b }, 'b', ['a']), mattersMore(two, { a, b }, 'a', ['b'])]
    assert.deepEqual(yields, b > a ? [true, false] : [false, true], `${a} and ${b}`)
  }
  const important = of(['a', 'b'], {
    nodes: two.nodes.map((node) => ({ ...node, priority: node.id === 'b' ? 5 : 0 })),
  })
  assert.equal(mattersMore(important, { a: 3, b: 0 }, 'b', ['a']), true)
  assert.equal(mattersMore(important, { a: 3, b: 0 }, 'a', ['b']), false)
})

test('S18 one of two waits also where the config says nothing of it; others do not', () => {
  assert.equal(priorityDelayMsOf(two), 10_000)
  assert.equal(priorityDelayMsOf(four), 0)
  assert.equal(priorityDelayMsOf(config()), 0)
  const rules = { ...two.rules, priorityDelayMs: 3_000 }
  assert.equal(priorityDelayMsOf({ ...two, rules }), 3_000)
})

const entry = (change: Partial<NodeEntry> = {}): NodeEntry => ({
  ...{ ...unknownNode, standing: 'lost', holds: [], seen: true },
  ...change,
})
const ledgerOf = (seq: number, nodes: Readonly<Record<NodeId, NodeEntry>>): Ledger => {
  return { ...blankLedger, epoch: { seq, rep: 1, step: 1 }, nodes }
}

test('S18 how much a node held is remembered when nobody can say any more', () => {
  const holds = [{ thing: 'x', step: 1 }]
  const before = ledgerOf(1, { a: entry({ holds }), b: entry() })
  const after = ledgerOf(2, { a: entry({ holds: 'anything' }), b: entry({ holds }) })
  const loads = loadsAfter(before, {}, after)
  assert.deepEqual(loads, { a: 1, b: 1 })
  assert.deepEqual(loadsAfter(after, loads, after), { a: 1, b: 1 })
})

const syncOf = (ledger: Ledger, chain: boolean): Sync => {
  return { ledger, chain, shown: [] } as unknown as Sync
}

test('S18 of two ledgers the one counts whose node has proven the other one off', () => {
  const off = ledgerOf(4, { b: entry({ standing: 'fenced' }) })
  const newer = ledgerOf(9, { a: entry() })
  const here = { a: syncOf(off, true), b: syncOf(newer, false) }
  assert.equal(newest(two, ['a', 'b'], here), 'a')
  // What a disk remembers proves nothing.
  assert.equal(newest(two, ['a', 'b'], { ...here, a: syncOf(off, false) }), 'b')
  assert.equal(newest({ ...two, halves: false }, ['a', 'b'], here), 'b')
})

test('S18 the obligations of the other half are added, and none of its proofs', () => {
  const record = {
    ...{
      id: 'f',
      action: 'off' as const,
      because: '',
      requester: '',
      owner: 'a',
      life: 'x',
      round: 0,
    },
    ...{ dangling: [], last: '', staysOff: false, commanded: 'yes' as const },
  } as const
  const ours = ledgerOf(9, { a: entry({ standing: 'member' }), b: entry(), c: entry() })
  const theirs = ledgerOf(4, {
    b: entry({ late: true, fencing: record, holds: [{ thing: 'y', step: 2 }] }),
    c: entry({ standing: 'fenced', holds: 'anything' }),
  })
  const shot = { id: 'f', node: 'b', round: 0 }
  const others = [{ ...theirs, shots: [shot, { ...shot, round: 1 }] }]
  const { nodes, shots, epoch } = unite({ ...ours, shots: [shot] }, others, ['a'])
  assert.equal(epoch.seq, 9)
  assert.deepEqual([nodes.b?.late, nodes.b?.fencing?.id, nodes.b?.standing], [true, 'f', 'lost'])
  assert.deepEqual(nodes.b?.holds, [{ thing: 'y', step: 2 }])
  // Who is here says itself what it has; a command to it may be on its way all the same.
  const back = unite(ours, others, ['a', 'b']).nodes.b
  assert.deepEqual([back?.holds, back?.late], [[], true])
  assert.deepEqual([nodes.c?.standing, nodes.c?.holds], ['lost', 'anything'])
  assert.deepEqual(
    shots.map(({ round }) => round),
    [0, 1],
  )
})
