/** What the core decides when nothing goes wrong but the one thing that each test is about. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { begin, step } from '../../src/core/cluster.ts'
import type { State } from '../../src/core/state.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']

function whole(table = new Table()): Table {
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

const said = (table: Table, text: string) => table.log.filter((line) => line.includes(text))
const at = (table: Table, text: string) => Number(said(table, text)[0]?.split(' ')[0] ?? Infinity)
const holders = (table: Table) =>
  ids.filter((id) => table.seats.get(id)?.power && table.seats.get(id)?.runs.has('vip'))
const statusOf = (table: Table, id: string) => describe(table.seats.get(id)!.state, table.nowMs)

test('a whole cluster runs each resource once, on the first of its nodes', () => {
  const table = whole()
  assert.deepEqual(holders(table), ['a'])
  assert.equal(statusOf(table, 'c').resources[0]!.node, 'a')
  assert.deepEqual(statusOf(table, 'b').advice, [])
})

test('H3 forty that each start after all the others before come up in turn, and are decided at once', () => {
  const { resources } = config()
  const ordered = Array.from({ length: 40 }, (_, at) => ({
    ...resources[0]!,
    ...{ id: `r${at}`, thing: `thing ${at}` },
    after: Array.from({ length: at }, (_, before) => `r${before}`),
  }))
  // With one more round for each way up the order this would take longer than anybody lives.
  const table = new Table(config({ resources: ordered }))
  whole(table)
  table.run(20_000)
  const states = statusOf(table, 'a').resources.map(({ state }) => state)
  assert.deepEqual([...new Set(states)], ['running'])
})

test('a hint brings the next monitor forward, and proves nothing', () => {
  const table = whole()
  const before = table.nowMs
  table.seats.get('a')!.runs.delete('vip')
  const hint = { kind: 'hint', resource: 'vip', because: 'it ended' } as const
  table.tell('b', hint)
  assert.deepEqual(holders(table), [], 'it does not run there')
  table.tell('a', { ...hint, resource: 'unheard-of' })
  assert.deepEqual(holders(table), [])
  table.tell('a', hint)
  table.run(100)
  assert.deepEqual(holders(table), ['a'])
  const starts = said(table, 'a starts vip').length
  table.tell('a', hint)
  table.run(100)
  assert.equal(said(table, 'a starts vip').length, starts, 'it runs, whatever the hint says')
  assert.ok(table.nowMs - before < 5_000, 'before the monitor would have come')
})

test('P3 a lost node is fenced before its resource starts elsewhere', () => {
  const table = whole()
  table.ring(['b', 'c'])
  table.ring(['a'])
  table.run(3_000)
  assert.deepEqual(holders(table), ['b'])
  assert.ok(at(table, 'presses off of a/1/1') <= at(table, 'Node a fenced'))
  assert.ok(at(table, 'Node a fenced') <= at(table, 'b starts vip'))
})

test('H6 without quorum everything stops', () => {
  const table = whole()
  table.ring(['a'])
  table.run(1_000)
  assert.equal(table.seats.get('a')!.runs.size, 0)
  assert.match(statusOf(table, 'a').because, /no quorum: 1 of 3/)
})

test('F2 a device that reads on after an off proves nothing, and nothing moves', () => {
  const table = whole()
  table.seats.get('a')!.says = 'on'
  table.ring(['b', 'c'])
  table.run(30_000)
  assert.deepEqual(holders(table), ['a'])
  const status = statusOf(table, 'b')
  assert.equal(status.resources[0]!.state, 'blocked')
  assert.match(status.advice.join(), /a cannot be proven off/)
  assert.match(status.nodes[0]!.fencing!.at, /reads on/)
})

test('P6 a fencing that failed is tried again, with a growing gap, until it is proven', () => {
  const table = whole()
  table.seats.get('a')!.says = 'unknown'
  table.ring(['b', 'c'])
  table.run(60_000)
  const presses = said(table, 'presses off').map((line) => Number(line.split(' ')[0]))
  assert.ok(presses.length >= 3 && presses.length < 12, String(presses))
  table.seats.get('a')!.says = undefined
  table.run(40_000)
  assert.deepEqual(holders(table), ['b'])
})

test('P6 of a lost node that was taken out of the config it is said what mends it', () => {
  const table = whole()
  table.seats.get('a')!.says = 'unknown'
  table.ring(['b', 'c'])
  table.run(5_000)
  const seat = table.seats.get('b')!
  const nodes = seat.state.config.nodes.filter(({ id }) => id !== 'a')
  seat.state = { ...seat.state, config: { ...seat.state.config, nodes } }
  const { advice } = statusOf(table, 'b')
  assert.match(advice.join(), /^a stands in the config no more, and what it may hold waits/)
  assert.doesNotMatch(advice.join(), /confirm a/)
})

test('P4 a node that an operator switched off serves only after the operator says on', () => {
  const table = whole()
  const order = { requester: 'someone', reason: '', target: 'a' }
  table.tell('c', { kind: 'order', order: { ...order, id: 'o1', action: 'off' } })
  table.run(2_000)
  assert.equal(statusOf(table, 'c').orders[0]!.at, 'done')
  table.ring(['b', 'c'])
  table.run(2_000)
  assert.deepEqual(holders(table), ['b'])
  assert.match(statusOf(table, 'c').advice.join(), /a was switched off by an operator/)

  table.seat('a', 'a2', 'boot-a2')
  table.ring(ids)
  table.ring(ids)
  table.run(2_000)
  assert.equal(statusOf(table, 'a').nodes[0]!.barred, true)
  table.tell('c', { kind: 'order', order: { ...order, id: 'o2', action: 'on' } })
  table.run(2_000)
  assert.equal(statusOf(table, 'a').nodes[0]!.barred, false)
})

test('P4 an off that nobody can prove is not told as done, and its node is not to be ordered on', () => {
  const table = whole()
  table.seats.get('a')!.says = 'on'
  const order = { requester: 'someone', reason: '', target: 'a' }
  table.tell('c', { kind: 'order', order: { ...order, id: 'o1', action: 'off' } })
  table.run(10_000)
  const { advice } = statusOf(table, 'c')
  assert.match(advice.join(), /a cannot be proven off/)
  assert.doesNotMatch(advice.join(), /was switched off by an operator/)
  table.tell('c', { kind: 'order', order: { ...order, id: 'o2', action: 'on' } })
  table.run(1_000)
  const [, on] = statusOf(table, 'c').orders
  assert.match(on!.because, /a is not proven off yet, and its off goes on|is under way already/)
})

test('a node that leaves stops first and is not fenced', () => {
  const table = whole()
  table.tell('a', { kind: 'leave' })
  table.run(1_000)
  assert.equal(said(table, 'a exits: left cleanly').length, 1)
  assert.deepEqual(holders(table), ['b'])
  assert.equal(said(table, 'presses').length, 0)
  assert.ok(at(table, 'a stops vip') <= at(table, 'b starts vip'))
})

test('S8 a member whose disk is full takes part, but nothing counts on it', () => {
  const table = new Table()
  for (const id of ids) table.seat(id)
  table.seats.get('a')!.disk.full = true
  table.ring(ids)
  table.run(3_000)
  assert.equal(statusOf(table, 'b').coordinator, 'b')
  assert.equal(holders(table).length, 1)
  assert.equal(said(table, 'a: the ledger cannot be saved').length, 1)
})

test('H16 a disk that does not answer is an alarm, and nobody is condemned for it', () => {
  const table = whole()
  const { state } = table.seats.get('a')!
  const pending = { id: 9_001, session: '', step: 7 }
  let next: State = { ...state, disk: { ...state.disk, pending } }
  const said: string[] = []
  for (let atMs = table.nowMs; next.disk.ok && said.length < 1_000; ) {
    atMs = Math.max(atMs, next.nextBeatMs)
    const turn = step(next, { kind: 'tick', atMs })
    for (const effect of turn.effects) if (effect.do === 'say') said.push(effect.text)
    next = turn.state
    if (atMs > table.nowMs + 60_000) break
  }
  assert.equal(next.disk.ok, false)
  assert.match(
    said.join('\n'),
    /the ledger cannot be saved: the disk has not answered for [\d.]+ s/,
  )
  const done = step(next, { kind: 'saved', id: pending.id, ok: true, atMs: table.nowMs + 60_000 })
  assert.equal(done.state.disk.ok, true)
})

test('S8 what is left over of an older ring is saved, and is no word for the new one', () => {
  const table = whole()
  const { state } = table.seats.get('a')!
  const old = { id: 9_001, session: 'old', step: 7 }
  const busy = { ...state, disk: { ...state.disk, pending: old, wanted: true } }
  const ring = { rep: 1, seq: 900 }
  const members = ids.map((id) => ({ node: id, pid: table.seats.get(id)!.pid }))
  const news = { kind: 'group', ring, ringMembers: ids, members, atMs: 4_000 } as const
  const regrouped = step(busy, news).state
  const next = step(regrouped, { kind: 'saved', id: old.id, ok: true, atMs: 4_001 })
  const save = next.effects.find((effect) => effect.do === 'save')!
  const kept = step(next.state, { kind: 'saved', id: save.id, ok: true, atMs: 4_002 }).state
  assert.equal(kept.disk.saved, -1)
})

test('a daemon that looks on runs nothing new and leads nothing', () => {
  const table = new Table()
  table.seat('a', 'a1', 'boot-a', 'it crashed five times within ten minutes')
  table.seat('b')
  table.seat('c')
  table.ring(ids)
  table.run(3_000)
  assert.equal(statusOf(table, 'b').coordinator, 'b')
  assert.deepEqual(holders(table), ['b'])
  assert.match(statusOf(table, 'a').advice.join(), /only looks on: it crashed five times/)
})

test('a node that nobody has seen is fenced after the start grace, after a look', () => {
  const table = new Table()
  table.seat('a')
  table.seat('b')
  table.seat('c').power = false
  table.ring(['a', 'b'])
  table.run(4_000)
  assert.deepEqual(holders(table), [])
  table.run(4_000)
  // It reads as off already: that is success, and no button is pressed (F3).
  assert.equal(said(table, 'presses').length, 0)
  assert.deepEqual(holders(table), ['a'])
})

test('two ids for one thing hold one thing (S16)', () => {
  const base = config()
  const [vip] = base.resources
  const table = whole(new Table(config({ resources: [vip!, { ...vip!, id: 'alias' }] })))
  const running = ids.flatMap((id) => [...table.seats.get(id)!.runs])
  assert.equal(running.length, 1)
})

test('what an order cannot do is refused with the reason', () => {
  const table = whole()
  const order = { id: 'o', requester: 'someone', reason: '' }
  table.tell('a', { kind: 'order', order: { ...order, action: 'off', target: 'z' } })
  assert.match(statusOf(table, 'a').orders[0]!.because, /no node z; the nodes are a, b, c/)
  table.tell('a', { kind: 'order', order: { ...order, action: 'on', target: 'b' } })
  assert.match(statusOf(table, 'a').orders[0]!.because, /b is on, and a member/)
})

test('S13 a member that was left out of the session decides nothing on its old ledger', () => {
  const table = whole()
  const { session } = table.seats.get('a')!.state
  const message = {
    session: `${session!.base}#${session!.round}`,
    say: 'accuse',
    node: 'a',
  } as const
  table.post('b', message)
  table.post('c', message)
  assert.equal(table.seats.get('a')!.state.session!.open, true)
  assert.equal(statusOf(table, 'a').ready, false)
  assert.notEqual(statusOf(table, 'b').coordinator, 'a')
})

test('status tells who still looks for a thing from who runs it as well', () => {
  const { state } = whole().seats.get('b')!
  const joined = (found: 'unknown' | 'running') => {
    const { session, ledger } = state
    const report = session!.reports.c!
    const vip = { ...report.resources.vip!, state: found }
    const reports = { ...session!.reports, c: { ...report, resources: { vip } } }
    const thing = 'address 192.0.2.1'
    const nodes = { ...ledger.nodes, c: { ...ledger.nodes.c!, holds: [{ thing, step: 0 }] } }
    const seen = { ...state, session: { ...session!, reports }, ledger: { ...ledger, nodes } }
    return describe(seen, 0).resources[0]!
  }
  const { state: running, node, because } = joined('unknown')
  assert.deepEqual([running, node, because], ['running', 'a', 'it is still looked for on c'])
  const twice = joined('running')
  assert.deepEqual([twice.state, twice.because], ['blocked', 'a and c both hold it'])
})

test('S16 what a node was given is not stopped because its config forgets it', () => {
  const before = whole().seats.get('a')!
  const { ledger, identity } = before.state
  const forgetful = config({ resources: [] })
  const sayOf = (boot: string) => {
    const life = { ...identity, incarnation: 'next', boot }
    const born = begin({ self: 'a', config: forgetful, identity: life, ledger, atMs: 0 }).state
    const { state, effects } = step(born, {
      kind: 'group',
      ring: { rep: 1, seq: 99 },
      ringMembers: ids,
      members: [{ node: 'a', pid: 77 }],
      atMs: 1,
    })
    const sent = effects.flatMap((effect) => (effect.do === 'send' ? [effect.message] : []))
    const sync = sent.find((message) => message.say === 'sync')
    const { advice } = describe(state, 1)
    return { found: sync?.say === 'sync' ? Object.values(sync.sync.report.resources) : [], advice }
  }
  const { found, advice } = sayOf(identity.boot)
  assert.deepEqual(found, [
    {
      ...{ thing: 'address 192.0.2.1', state: 'unknown', refuses: true, mends: false },
      ...{ failures: 0, last: '', grave: '' },
    },
  ])
  assert.match(advice.join(), /a was given address 192.0.2.1, which the config does not know/)
  // After a boot nothing of it can be running.
  assert.deepEqual(sayOf('another boot').found, [])
})
