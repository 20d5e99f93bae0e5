/** What is said of a Corosync that delivers nothing, and when nothing is said of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe } from '../../src/core/status.ts'
import { Table } from './table.ts'

const ids = ['a', 'b', 'c']

function whole(): Table {
  const table = new Table()
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

const statusOf = (table: Table) => describe(table.seats.get('b')!.state, table.nowMs)

test('O1 an open session in which nothing is delivered any more is called that', () => {
  const table = whole()
  table.mute = true
  table.run(5_000)
  assert.equal(statusOf(table).because, 'this daemon does not hear itself yet', 'it may be a pause')
  table.run(15_000)
  const { ready, because, advice } = statusOf(table)
  assert.equal(ready, false)
  assert.equal(because, 'Corosync has delivered nothing here for 20 s, not even our own')
  assert.match(advice[0]!, /corosync-cfgtool -n.*systemctl restart corosync on b; what runs here/)
})

test('O1 so is a new ring in which the members never hear of each other', () => {
  const table = whole()
  table.mute = true
  table.ring(ids)
  table.run(1_000)
  assert.match(statusOf(table).because, /^the members are agreeing on what they know/)
  table.run(9_000)
  assert.equal(
    statusOf(table).because,
    'Corosync has delivered nothing here for 10 s, not even our own',
  )
  table.ring(['b'])
  assert.match(statusOf(table).because, /^no quorum/, 'in a new ring the silence begins anew')
  table.run(10_000)
  const [advice] = statusOf(table).advice
  assert.match(advice!, /restart corosync on b$/, 'without quorum nothing runs here anyway')
})

test('O1 it is over with the first message of our own', () => {
  const table = whole()
  table.mute = true
  table.run(20_000)
  table.mute = false
  table.run(1_500)
  assert.equal(statusOf(table).ready, true)
  assert.deepEqual(statusOf(table).advice, [])
})
