/** H6, H7: for how long the watchdog of a node is fed, on a table. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longestChain } from '../../src/core/chain.ts'
import type { Config, NodeId } from '../../src/core/model.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const leaseMs = 40_000
/** What is left of the lease when the device's timeout and its drift are taken off. */
const feedMs = leaseMs - 10_000 - 1_000

const guarded = (mode: 'automatic' | 'required' = 'automatic', change: Partial<Config> = {}) =>
  config({
    watchdog: { modes: { a: mode, b: mode, c: mode }, timeoutMs: 10_000, leaseMs },
    ...change,
  })

function joined(table: Table, ids: readonly NodeId[] = ['a', 'b', 'c']): void {
  for (const id of ids) table.seat(id)
  table.ring(ids)
}

/** From here on nothing happens but at this node; nobody fences it meanwhile. */
function leaveAlone(table: Table, id: NodeId): void {
  for (const seat of table.seats.values()) seat.power = seat.id === id
}

const seatOf = (table: Table, id: NodeId) => table.seats.get(id)!

test('H7 it is armed by who has joined a quorate ring, and by nobody before', () => {
  const table = new Table(guarded())
  table.seat('a')
  table.ring(['a'])
  table.run(20_000)
  assert.equal(seatOf(table, 'a').fed.armed, false)
  for (const id of ['b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  for (const id of ['a', 'b', 'c']) assert.equal(seatOf(table, id).fed.armed, true, id)
})

test('H7 where the config wants none nothing is armed', () => {
  const table = new Table(config())
  joined(table)
  table.run(5_000)
  assert.equal(seatOf(table, 'a').fed.armed, false)
})

test('H6 without a beat that came back a node that holds something is fed for its lease only', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  const a = seatOf(table, 'a')
  leaveAlone(table, 'a')
  assert.deepEqual([...a.runs], ['vip'])
  assert.ok(a.fed.untilMs > table.nowMs + feedMs - 2_000 && a.fed.untilMs <= table.nowMs + feedMs)
  // Its Corosync freezes: nothing comes back, and nobody says anything of quorum (S3).
  a.pid = 999
  const before = a.fed.untilMs
  table.run(60_000)
  assert.deepEqual([...a.runs], ['vip'])
  assert.equal(a.fed.untilMs, before)
})

test('S4 the lease is not extended any more once the ring has changed, whatever the verdict', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  const a = seatOf(table, 'a')
  leaveAlone(table, 'a')
  const before = a.fed.untilMs
  const ring = { rep: 1, seq: 999 }
  const members = [{ node: 'a', pid: a.pid }]
  // The last word on quorum is still the one of the ring before.
  table.tell('a', { kind: 'group', ring, ringMembers: ['a'], members })
  table.run(20_000)
  assert.deepEqual([...a.runs], ['vip'])
  assert.equal(a.fed.untilMs, before)
  // Nor is anything told that is no instant, when the device answers only now.
  const { id, timeoutMs, detail } = a.state.lease
  table.tell('a', { kind: 'armed', id, ok: true, timeoutMs, detail })
  assert.equal(a.fed.untilMs, before)
  table.tell('a', { kind: 'quorum', ring, quorate: true })
  table.run(2_000)
  assert.ok(a.fed.untilMs > before)
})

test('H6 a node without quorum that has stopped everything is fed all the same', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  leaveAlone(table, 'a')
  table.ring(['a'], false)
  table.run(120_000)
  const a = seatOf(table, 'a')
  assert.equal(a.runs.size, 0)
  assert.ok(a.fed.armed && a.fed.untilMs > table.nowMs + feedMs - 2_000)
  assert.ok(!table.log.some((line) => line.includes('disarms')))
})

test('H7 it is let go when everything is stopped and the node leaves', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  table.tell('a', { kind: 'leave' })
  table.run(5_000)
  const words = table.log.filter((line) => /a (disarms|exits|stops)/.test(line))
  assert.match(words.join('; '), /a stops vip.*a disarms.*a exits/)
  assert.equal(seatOf(table, 'a').fed.armed, false)
})

test('H7 a node that must have one takes nothing without it, and does when it is there', () => {
  const table = new Table(guarded('required'))
  table.seat('a').dog = { ok: false, timeoutMs: 0, detail: 'there is no /dev/watchdog' }
  for (const id of ['b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(5_000)
  assert.deepEqual([...seatOf(table, 'a').runs], [])
  assert.deepEqual([...seatOf(table, 'b').runs], ['vip'])
  assert.match(table.log.join('\n'), /a: this node takes nothing, because it must have a watchdog/)
  const seen = describe(seatOf(table, 'b').state, table.nowMs).nodes
  assert.deepEqual(
    seen.map(({ watchdog }) => [watchdog?.armed, watchdog?.detail]),
    [
      [false, 'there is no /dev/watchdog'],
      [true, 'a double'],
      [true, 'a double'],
    ],
  )
  seatOf(table, 'a').dog = { ok: true, timeoutMs: 10_000, detail: 'a double' }
  table.run(60_000)
  assert.equal(seatOf(table, 'a').fed.armed, true)
  // Once said is enough.
  assert.equal(table.log.filter((line) => line.includes('takes nothing')).length, 1)
})

test('H7 one that fails later is told of, and armed again', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(5_000)
  const { lease } = seatOf(table, 'a').state
  const failed = { ok: false, timeoutMs: 0, detail: 'EIO' }
  table.tell('a', { kind: 'armed', id: lease.id, ...failed })
  assert.match(table.log.join('\n'), /a: the watchdog fails, and may reset this machine: EIO/)
  assert.equal(seatOf(table, 'a').state.lease.at, 'armed')
  assert.notEqual(seatOf(table, 'a').state.lease.id, lease.id)
  // An answer to the question before is none.
  table.tell('a', { kind: 'armed', id: lease.id, ...failed })
  assert.equal(seatOf(table, 'a').state.lease.at, 'armed')
})

test('H7 a device that rounds its timeout up is fed for so much less', () => {
  const table = new Table(guarded())
  table.seat('a').dog = { ok: true, timeoutMs: 25_000, detail: 'a double' }
  for (const id of ['b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(10_000)
  const { untilMs } = seatOf(table, 'a').fed
  assert.ok(untilMs <= table.nowMs + leaseMs - 26_000 && untilMs > table.nowMs + 12_000)
})

test('H25 the longest stop chain: what follows stops first, and only the last is tried again', () => {
  const [vip] = config().resources
  const chain = [
    vip!,
    { ...vip!, id: 'fs', thing: 'fs', after: ['vip'], stopMs: 20_000 },
    { ...vip!, id: 'web', thing: 'web', after: ['fs'], stopMs: 1_000 },
    { ...vip!, id: 'log', thing: 'log', nodes: ['b'], stopMs: 500_000 },
  ]
  const { links, totalMs } = longestChain(chain, 'a', { stopAttemptsMax: 3 })
  // web 1+2, then fs 3 x (20+2) and 3 between; vip beside it is over before.
  assert.deepEqual(
    links.map(({ id }) => id),
    ['web', 'fs'],
  )
  assert.equal(totalMs, 3_000 + 66_000 + 3_000)
  const once = longestChain(chain, 'a', { stopAttemptsMax: 1 })
  assert.equal(once.totalMs, 3_000 + 22_000 + 7_000)
  assert.equal(longestChain([], 'a', { stopAttemptsMax: 3 }).totalMs, 0)
})

const orderOf = (action: 'maintain' | 'detach', target: NodeId) => ({
  kind: 'order' as const,
  order: { id: action, action, target, requester: 'root', reason: '' },
})

test('H8 what is in maintenance runs on without quorum, and no watchdog ends that', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  const a = seatOf(table, 'a')
  table.tell('a', orderOf('maintain', 'a'))
  table.run(2_000)
  leaveAlone(table, 'a')
  table.tell('a', { kind: 'quorum', ring: a.state.group!.ring, quorate: false })
  table.run(120_000)
  assert.deepEqual([...a.runs], ['vip'])
  assert.ok(a.fed.untilMs > table.nowMs)
})

test('H8 a daemon that detaches lets its watchdog go, and what runs there runs on', () => {
  const table = new Table(guarded())
  joined(table)
  table.run(10_000)
  const a = seatOf(table, 'a')
  assert.equal(a.fed.armed, true)
  table.tell('a', orderOf('detach', ''))
  table.run(2_000)
  assert.equal(a.state.exited, true)
  assert.equal(a.fed.armed, false)
  assert.deepEqual([...a.runs], ['vip'])
})
