/** H19: witnesses vote, lead and fence, and nothing is ever there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain, explainClone } from '../../src/core/explain.ts'
import { mattersMore } from '../../src/core/halves.ts'
import { whyMeaningless } from '../../src/core/intents.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

/** `c` is a witness; with `first` so is the lowest name, which would lead. */
function withWitness(witness: string) {
  const plain = config()
  const nodes = plain.nodes.map((node) =>
    node.id === witness ? { ...node, role: 'witness' as const } : node,
  )
  const resources = plain.resources.map((each) => ({
    ...each,
    nodes: each.nodes.filter((id) => id !== witness),
  }))
  return config({ nodes, resources })
}

test('H19 a witness leads and presses, and what it proves free goes elsewhere', () => {
  const table = new Table(withWitness('a'))
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(5_000)
  assert.equal(table.seats.get('a')!.state.ledger.coordinator, 'a')
  assert.ok(table.seats.get('b')!.runs.has('vip'))
  table.ring(['a', 'c'])
  table.run(10_000)
  assert.ok(table.log.some((line) => line.includes('a presses off of b/1/1')))
  assert.ok(table.seats.get('c')!.runs.has('vip'))
  assert.ok(!table.seats.get('a')!.runs.has('vip'))
})

test('H19 status and explain say that a node is a witness', () => {
  const table = new Table(withWitness('c'))
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(5_000)
  const { state } = table.seats.get('a')!
  const shown = describe(state, table.nowMs).nodes.map(({ id, role }) => [id, role])
  assert.deepEqual(shown, [
    ['a', undefined],
    ['b', undefined],
    ['c', 'witness'],
  ])
  const found = explain(state, 'vip')
  assert.match(found?.elsewhere.c ?? '', /^it is a witness/)
  assert.equal(explainClone(state, 'vip'), undefined)
})

test('H19 nothing can be moved to a witness, or be banned from one', () => {
  const { nodes, resources } = withWitness('c')
  for (const action of ['move', 'ban'] as const) {
    const order = { action, resource: 'vip', node: 'c' }
    const why = whyMeaningless({ nodes, resources }, [], order)
    assert.match(why ?? '', /^vip cannot be on c: it is a witness/)
  }
  const why = whyMeaningless({ nodes, resources }, [], {
    action: 'move',
    resource: 'vip',
    node: 'b',
  })
  assert.equal(why, undefined)
})

test('S18 of two nodes the one that could run something matters more than a witness', () => {
  const { nodes, ...rest } = withWitness('a')
  const two = { ...rest, nodes: nodes.slice(0, 2), halves: true }
  // Without it the first name would fence at once, and nobody would be left to run anything.
  assert.equal(mattersMore(two, {}, 'b', ['a']), true)
  assert.equal(mattersMore(two, {}, 'a', ['b']), false)
})
