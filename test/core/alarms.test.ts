/** H18: what stands in every status, and that nothing waits for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf } from '../../src/core/alarms.ts'
import { config, Table } from './table.ts'

function started(table: Table): Table {
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(10_000)
  return table
}

const alarmsAt = (table: Table, id: string) => alarmsOf(table.seats.get(id)!.state)

test('H18 nothing stands where every device has worked once', () => {
  const table = started(new Table())
  assert.deepEqual(alarmsAt(table, 'a'), [])
  // One that worked is an alarm of its check, and none of these.
  table.seats.get('b')!.refuses = true
  table.run(120_000)
  assert.equal(table.seats.get('a')!.state.devices['b/1/1']?.ok, false)
  assert.deepEqual(alarmsAt(table, 'a'), [])
})

test('H18 a node of which no device has ever worked is an alarm, and nothing waits for it', () => {
  const table = new Table()
  for (const id of ['c', 'b', 'a']) table.seat(id).refuses = true
  table.ring(['a', 'b', 'c'])
  table.run(10_000)
  assert.ok([...table.seats.values()].some(({ runs }) => runs.has('vip')))
  assert.deepEqual(
    alarmsAt(table, 'a').map((text) => text.split(' has ever')[0]),
    ['no fence device of b', 'no fence device of c'],
  )
  table.seats.get('b')!.refuses = false
  table.run(120_000)
  assert.equal(alarmsAt(table, 'a').length, 1)
})

test('H18 nodes without a device that may run something are named in one alarm', () => {
  const plain = config()
  const nodes = plain.nodes.map((node) => (node.id === 'a' ? node : { ...node, levels: [] }))
  const table = started(new Table(config({ nodes })))
  const [alarm, ...more] = alarmsAt(table, 'a')
  assert.deepEqual(more, [])
  assert.match(alarm ?? '', /^b, c have no fence device: when they are lost, what was there waits/)
  const elsewhere = plain.resources.map((each) => ({ ...each, nodes: ['a'] }))
  assert.deepEqual(alarmsAt(started(new Table(config({ nodes, resources: elsewhere }))), 'a'), [])
})
