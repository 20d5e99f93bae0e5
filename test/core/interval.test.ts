/**
 * F5: the least interval between two fencings of a node, where word of the first one nearly gets
 * lost: its presser loses quorum, forgets its round and is ordered anew, or is never answered.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']

/** Devices that reset, whose commands are never late, and an interval of 40 s. */
function whole({ lateMs = 0, delayMs = 0 } = {}): Table {
  const plain = config()
  const devices = plain.devices.map((device) => {
    return { ...device, isolation: 'new-boot' as const, lateMs }
  })
  const rules = { ...plain.rules, minIntervalMs: 40_000, delayMs }
  const table = new Table({ ...plain, devices, rules })
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

const said = (table: Table, text: string) => table.log.filter((line) => line.includes(text))
const entryOf = (table: Table, id: string) => table.seats.get('b')!.state.ledger.nodes[id]!

/** Node a is reset by b, whose ring is too small before it has read the proof. */
function interrupted(delayMs = 0): Table {
  const table = whole({ delayMs })
  table.ring(['b', 'c'])
  table.run(delayMs)
  assert.equal(said(table, 'presses reset of a/1/1').length, 1)
  table.ring(['b'], false)
  table.run(200)
  return table
}

/** Node a is back, takes part, and vanishes once more. */
function lostAgain(table: Table): void {
  table.seat('a', 'a2', 'boot-a2')
  table.ring(ids)
  table.run(2_000)
  assert.equal(entryOf(table, 'a').standing, 'member')
  table.ring(['b', 'c'])
  table.run(20_000)
}

test('F5 a presser that forgets its press does not undo it: the node rests when it is back', () => {
  const table = interrupted()
  table.seats.get('a')!.says = 'unknown'
  table.ring(['b', 'c'])
  table.run(1_000)
  assert.equal(said(table, 'presses reset').length, 1)
  assert.equal(said(table, 'a may still be running').length > 0, true)
  lostAgain(table)
  rests(table)
})

test('F5 a command that nobody has answered may have been carried out', () => {
  const table = whole()
  table.seats.get('a')!.hangs = true
  table.ring(['b', 'c'])
  assert.equal(said(table, 'presses reset of a/1/1').length, 1)
  table.seats.get('a')!.says = 'unknown'
  table.run(6_500)
  assert.equal(said(table, 'a may still be running').length > 0, true)
  lostAgain(table)
  rests(table)
})

test('F5 a round that was interrupted by a ring, and then by a person, may have pressed', () => {
  const table = interrupted(3_000)
  table.ring(['b', 'c'])
  table.run(500)
  assert.equal(entryOf(table, 'a').fencing?.owner, undefined)
  const order = { target: 'a', boot: 'boot-a', requester: 'someone', reason: '', id: 'o1' }
  table.tell('c', { kind: 'order', order: { ...order, action: 'confirm' } })
  table.run(3_000)
  assert.equal(entryOf(table, 'a').standing, 'fenced')
  assert.equal(entryOf(table, 'a').late, false)
  lostAgain(table)
  rests(table)
})

test('F5 a node that is back, and may still be hit by a late command, is fenced anew', () => {
  const table = whole({ lateMs: 30_000 })
  table.seats.get('a')!.says = 'on'
  table.ring(['b', 'c'])
  table.run(3_300)
  assert.equal(said(table, 'presses reset of a/1/1').length, 1)
  assert.equal(said(table, 'a may still be running').length > 0, true)
  lostAgain(table)
  rests(table)
})

function rests(table: Table): void {
  assert.equal(said(table, 'presses reset').length, 1)
  assert.match(said(table, 'is not fenced yet').at(-1)!, /less than 40 s ago/)
  table.run(40_000)
  assert.equal(said(table, 'presses reset').length > 1, true)
}
