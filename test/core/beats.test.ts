/**
 * All members come to beat together, so that a daemon wakes once a beat and not once for each of
 * them. A beat may come sooner for that, never later.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type State, step } from '../../src/core/cluster.ts'
import type { Message } from '../../src/core/message.ts'
import { Table } from './table.ts'

const ids = ['a', 'b', 'c']
const BEAT_MS = 1_000

function whole(): Table {
  const table = new Table()
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

/** Member `to` as it is after a report of `from` that came so long before its own next beat. */
function heard(table: Table, to: string, from: string, earlyMs: number): State {
  const { state } = table.seats.get(to)!
  const sender = table.seats.get(from)!
  const said = step(sender.state, { kind: 'tick', atMs: sender.state.nextBeatMs })
  const sent = said.effects.find(
    (effect) => effect.do === 'send' && effect.message.say === 'report',
  )
  const { message } = sent as { message: Message }
  const atMs = state.nextBeatMs - earlyMs
  return step(state, { kind: 'message', from, pid: sender.pid, message, atMs }).state
}

test('a beat comes a quarter sooner when the first member is heard before it', () => {
  const table = whole()
  const { nextBeatMs } = table.seats.get('b')!.state
  assert.equal(heard(table, 'b', 'a', 600).nextBeatMs, nextBeatMs - BEAT_MS / 4)
  assert.equal(heard(table, 'b', 'a', 100).nextBeatMs, nextBeatMs - 100, 'now, and not before')
})

test('a beat that has just been stays where it is, and so does one that is due', () => {
  const table = whole()
  const { nextBeatMs } = table.seats.get('b')!.state
  assert.equal(heard(table, 'b', 'a', 950).nextBeatMs, nextBeatMs)
  assert.ok(heard(table, 'b', 'a', -5).nextBeatMs >= nextBeatMs)
})

test('nobody follows any other member, and the first follows none', () => {
  const table = whole()
  for (const [to, from] of [
    ['b', 'c'],
    ['a', 'b'],
    ['a', 'a'],
  ] as const) {
    const { nextBeatMs } = table.seats.get(to)!.state
    assert.equal(heard(table, to, from, 600).nextBeatMs, nextBeatMs, `${to} follows ${from}`)
  }
})

test('members that beat at their own times soon beat together', () => {
  const table = whole()
  const first = table.seats.get('a')!
  for (const [id, lateMs] of [
    ['b', 370],
    ['c', 730],
  ] as const) {
    const seat = table.seats.get(id)!
    seat.state = { ...seat.state, nextBeatMs: first.state.nextBeatMs + lateMs - BEAT_MS }
  }
  table.run(6 * BEAT_MS)
  const next = ids.map((id) => table.seats.get(id)!.state.nextBeatMs)
  assert.deepEqual(new Set(next).size, 1, next.join(', '))
})
