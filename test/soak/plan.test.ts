/** What a soak does: the same for a seed, of every kind in the long run, and nothing without end. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { deeds } from '../../src/soak/deeds.ts'
import { type FaultKind, faultText, kinds, planRound } from '../../src/soak/plan.ts'
import { reportLines } from '../../src/soak/report.ts'
import { missedIn } from '../../src/soak/stuck.ts'
import { folder } from '../config/files.ts'

const rounds = Array.from({ length: 500 }, (_, at) => planRound(7, at + 1, 3))

test('a round follows from the seed and its number alone', () => {
  assert.deepEqual(planRound(7, 300, 3), rounds[299])
  assert.notDeepEqual(planRound(8, 300, 3), rounds[299])
})

test('in the long run there is every kind of fault, and each has a deed', () => {
  const drawn = new Set(rounds.flat().map(({ kind }) => kind))
  assert.deepEqual([...drawn].sort(), Object.keys(kinds).sort())
  assert.deepEqual(Object.keys(deeds).sort(), Object.keys(kinds).sort())
})

test('a fault begins and ends within what its kind allows, and names a node that there is', () => {
  for (const fault of rounds.flat()) {
    const [least, most] = kinds[fault.kind].seconds
    assert.ok(fault.atMs >= 0 && fault.atMs <= 5_000, faultText(fault))
    assert.ok(fault.forMs >= least * 1_000 && fault.forMs <= most * 1_000, faultText(fault))
    if (typeof fault.whom === 'number') assert.ok([1, 2, 3].includes(fault.whom))
  }
  assert.ok(rounds.every(({ length, 0: first }) => length >= 1 && length <= 3 && first?.atMs === 0))
})

test('a report says what was found, and that it did not pass', () => {
  const fault = { kind: 'cut' as FaultKind, whom: 2, atMs: 0, forMs: 1_000, amount: 0 }
  const round = { round: 4, faults: [fault], notes: [], healthyMs: 9_000, outageMs: 2_500 }
  const found = { overlaps: ['node1 and node2 hold the address at once'], trouble: 'no quorum' }
  const lines = reportLines({
    rounds: [{ ...round, ...found }],
    replayedOtherwise: ['node3, line 7 of its journal'],
    moves: 1,
    powerCuts: 1,
    passed: false,
  }).join('\n')
  assert.match(lines, /faults +cut 1\n/)
  assert.match(lines, /longest outage +2\.5 s \(round 4\)/)
  assert.match(lines, /overlaps +1\n {2}node1 and node2 hold the address at once/)
  assert.match(lines, /healthy +no\n {2}round 4: no quorum\nreplayed otherwise: node3, line 7/)
})

test('a Corosync that is stuck is known by the last line of its log, while that is new', (t) => {
  const at = (ms: number) => {
    const when = new Date(ms)
    const [, month, day] = when.toString().split(' ')
    return `${month} ${day} ${when.toTimeString().slice(0, 8)}.123 [59] node1 corosync notice  `
  }
  const asks = '[TOTEM ] Retransmit List: 1 2 3 '
  const dir = folder(t, {
    stuck: `${at(Date.now())}[KNET  ] link\n${at(Date.now())}${asks}\n`,
    over: `${at(Date.now() - 60_000)}${asks}\n`,
    well: `${at(Date.now())}${asks}\n${at(Date.now())}[QUORUM] Members[3]: 1 2 3\n`,
  })
  assert.equal(missedIn(join(dir, 'stuck')), '1 2 3')
  for (const name of ['over', 'well', 'none']) assert.equal(missedIn(join(dir, name)), undefined)
})
