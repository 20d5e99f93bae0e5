/** H7: the watchdog of a daemon that makes way for another one, on a table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstLease, type Heirloom } from '../../src/core/handover.ts'
import { config, Table } from './table.ts'

const leaseMs = 40_000
const guarded = config({
  watchdog: {
    modes: { a: 'automatic', b: 'automatic', c: 'automatic' },
    timeoutMs: 10_000,
    leaseMs,
  },
})
const spanMs = guarded.timing.detachMs + 10_000 + 1_000

const seatOf = (table: Table, id: string) => table.seats.get(id)!

/** A daemon that has found this much of a watchdog. */
function seatWith(table: Table, id: string, heirloom: Heirloom) {
  const seat = table.seat(id)
  seat.state = { ...seat.state, lease: firstLease(heirloom) }
  return seat
}

/** Three nodes of which a runs the address; and a is told to make way. */
function detached(heirloom: Heirloom) {
  const table = new Table(guarded)
  for (const id of ['a', 'b', 'c']) seatWith(table, id, heirloom)
  table.ring(['a', 'b', 'c'])
  table.run(10_000)
  const a = seatOf(table, 'a')
  assert.deepEqual([...a.runs], ['vip'])
  assert.ok(a.fed.armed)
  const order = { id: 'o', action: 'detach', target: 'a', resource: '' } as const
  table.tell('a', { kind: 'order', order: { ...order, requester: 'someone', reason: '' } })
  table.run(3_000)
  return { table, a }
}

test('H7 a daemon that makes way hands its watchdog over for as long as the others wait', () => {
  const { table, a } = detached({ keeper: true, inherited: false })
  const log = table.log.join('\n')
  assert.match(log, /a: the watchdog is handed over: it resets this machine in \d+ s, unless/)
  assert.match(log, /a hands its watchdog over/)
  assert.doesNotMatch(log, /a disarms/)
  const handedMs = a.handedUntilMs! - (table.nowMs - 3_000)
  assert.ok(handedMs > spanMs - 2_000 && handedMs < spanMs + 2_000, `${handedMs}`)
  assert.deepEqual([...a.runs], ['vip'])
})

test('H7 where nobody keeps it, it lets the machine be until another daemon is there', () => {
  const { table, a } = detached({ keeper: false, inherited: false })
  assert.match(table.log.join('\n'), /a: the watchdog lets this machine be until another daemon/)
  assert.equal(a.handedUntilMs, undefined)
  assert.equal(a.fed.armed, false)
})

test('H7 what was inherited is fed by a member of a quorate ring, and by nobody before', () => {
  const table = new Table(guarded)
  table.seat('a').runs.add('vip')
  const a = seatWith(table, 'a', { keeper: true, inherited: true })
  table.run(5_000)
  assert.equal(a.state.lease.at, 'inherited')
  assert.equal(a.fed.armed, false)
  for (const id of ['b', 'c']) seatWith(table, id, { keeper: true, inherited: false })
  table.ring(['a', 'b', 'c'])
  table.run(3_000)
  assert.equal(a.state.lease.at, 'armed')
  assert.ok(a.fed.armed && a.fed.untilMs > table.nowMs)
})

test('H6 what was inherited is let go by who finds no quorum and has stopped everything', () => {
  const table = new Table(guarded)
  const a = seatWith(table, 'a', { keeper: true, inherited: true })
  table.ring(['a'], false)
  table.run(20_000)
  assert.match(
    table.log.join('\n'),
    /a: the watchdog of the picketd before is let go[\s\S]*a disarms/,
  )
  assert.equal(a.state.lease.at, 'unarmed')
})
