/** Maintenance, detaching and `rejoin: manual`: what the core decides of them (H8, H14). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cautionsOf } from '../../src/core/caution.ts'
import { step } from '../../src/core/cluster.ts'
import type { Order } from '../../src/core/event.ts'
import { entryOf } from '../../src/core/ledger.ts'
import type { State } from '../../src/core/state.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']

function whole(rejoin: 'automatic' | 'manual' = 'automatic'): Table {
  const table = new Table(config({ rules: { ...config().rules, rejoin } }))
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

let given = 0

/** Gives an order at `via`; what became of it. */
function order(
  table: Table,
  action: Order['action'],
  { target = '', resource = '', via = 'c' }: { target?: string; resource?: string; via?: string },
): string {
  const id = `m${++given}`
  const who = { requester: 'someone', reason: 'a test' }
  table.tell(via, { kind: 'order', order: { id, action, target, resource, ...who } })
  table.run(3_000)
  const { at, because } = table.seats.get(via)!.state.orders.find((each) => each.id === id)!
  return `${at}: ${because}`
}

const runs = (table: Table) => ids.filter((id) => table.seats.get(id)!.runs.has('vip'))
const pressed = (table: Table) => table.log.filter((line) => / presses /.test(line))
const statusAt = (table: Table, id: string) => {
  return describe(table.seats.get(id)!.state, table.nowMs)
}

test('H8 a node in maintenance that is lost waits, says so, and is fenced on an order', () => {
  const table = whole()
  assert.match(order(table, 'maintain', { target: 'a' }), /^done: a is in maintenance/)
  table.ring(['b', 'c'])
  table.run(120_000)
  assert.deepEqual([pressed(table), runs(table)], [[], ['a']])
  const { nodes, resources, advice } = statusAt(table, 'b')
  assert.match(
    nodes.find(({ id }) => id === 'a')!.deferred,
    /in maintenance: a test \(by someone\)/,
  )
  assert.equal(resources[0]!.state, 'blocked')
  assert.match(advice.join('\n'), /a is in maintenance, so nobody fences it.*picket fence off a/)
  order(table, 'off', { target: 'a' })
  assert.equal(pressed(table).length, 1)
  assert.deepEqual(runs(table), ['b'])
})

test('H8 what is in maintenance is not stopped without quorum; everything else is', () => {
  for (const [target, left] of [
    ['a', ['a']],
    ['b', []],
  ] as const) {
    const table = whole()
    order(table, 'maintain', { target })
    table.tell('a', { kind: 'quorum', ring: { rep: 1, seq: 4 }, quorate: false })
    assert.deepEqual(runs(table), left)
  }
})

test('H8 who leaves a node in maintenance says no goodbye for what runs on', () => {
  const table = whole()
  order(table, 'maintain', { target: 'a' })
  table.tell('a', { kind: 'leave' })
  assert.match(table.log.at(-1)!, /a exits: left without a goodbye: vip may run on: maintenance/)
  assert.equal(entryOf(table.seats.get('b')!.state.ledger, 'a').standing, 'member')
  assert.deepEqual(runs(table), ['a'])
})

test('H8 a daemon that leaves stops what alone is in maintenance: its node would be fenced', () => {
  const table = whole()
  order(table, 'maintain', { resource: 'vip' })
  table.tell('a', { kind: 'leave' })
  assert.equal(entryOf(table.seats.get('b')!.state.ledger, 'a').standing, 'left')
  assert.deepEqual(runs(table), [])
})

test('H8 maintenance is of one thing, which there is', () => {
  const table = whole()
  assert.match(order(table, 'maintain', { target: 'z' }), /^refused: there is no node z/)
  assert.match(order(table, 'maintain', { resource: 'z' }), /^refused: there is no resource z/)
  const both = order(table, 'maintain', { target: 'a', resource: 'vip' })
  assert.match(both, /^refused: maintenance is of a node, of a resource, or of the cluster/)
})

test('H13 what is left of the quorum is said before', () => {
  const { state } = whole().seats.get('c')!
  const caution = (node: string, resource = '') =>
    cautionsOf(state, { action: 'maintain', node, resource }).join(' ')
  assert.match(caution('a'), /vip on a is left alone.*--drain/)
  assert.match(caution('a'), /Without a, 2 of 3 nodes are in the ring, just enough: one more/)
  assert.match(caution('b'), /Nothing runs on b/)
  assert.match(caution('', 'vip'), /vip is left alone/)
  assert.match(caution(''), /Nobody is fenced/)
  assert.deepEqual(cautionsOf(state, { action: 'standby', node: 'a', resource: '' }), [])
})

test('H8 a daemon that detaches goes when it has been heard, and all runs on', () => {
  const table = whole()
  const id = 'detach'
  const order = { id, action: 'detach', target: '', requester: 'root', reason: '' } as const
  table.tell('a', { kind: 'order', order })
  assert.match(table.log.join('\n'), /a exits: detached: what runs here runs on/)
  assert.equal(table.seats.get('a')!.state.orders.at(-1)!.at, 'done')
  assert.ok(entryOf(table.seats.get('b')!.state.ledger, 'a').detached)
  assert.deepEqual(runs(table), ['a'])
})

test('H8 what was to end before it was found here is left alone, as soon as that is known', () => {
  const table = whole()
  order(table, 'maintain', { resource: 'vip' })
  const { state } = table.seats.get('a')!
  const op = { id: 9_001, op: 'probe', aborted: false, untilMs: Infinity, lost: false } as const
  const local = { ...state.resources.vip!, at: 'unknown', mustStop: 'quorum is lost', op } as const
  const sought: State = { ...state, resources: { ...state.resources, vip: local } }
  const atMs = state.nextBeatMs
  const known = step(sought, { kind: 'tick', atMs }).state
  const ran = { resource: 'vip', outcome: 'unknown', detail: 'it took too long' } as const
  const { effects } = step(known, { kind: 'ran', id: op.id, ...ran, atMs })
  assert.deepEqual(
    effects.filter((effect) => effect.do === 'run' && effect.op === 'stop'),
    [],
  )
})

test('H8 without a cluster that decides nobody detaches, and the daemon goes on', () => {
  const table = whole()
  for (const id of ['b', 'c']) table.seats.get(id)!.power = false
  table.ring(['a'], true)
  const said = { requester: 'root', reason: '', target: '' }
  table.tell('a', { kind: 'order', order: { id: 'd', action: 'detach', ...said } })
  table.run(25_000)
  const { state } = table.seats.get('a')!
  assert.match(state.orders.at(-1)!.because, /the cluster cannot decide now/)
  assert.deepEqual([state.exited, state.detaching], [false, undefined])
})

test('H8 where too few would be left nobody detaches, but who is sure of it', () => {
  const table = whole()
  table.seats.get('c')!.power = false
  table.ring(['a', 'b'])
  table.run(30_000)
  const detach = (id: string, sure: boolean) => {
    const said = { requester: 'root', reason: '', target: '' }
    table.tell('a', { kind: 'order', order: { id, action: 'detach', ...said, sure } })
    return table.seats.get('a')!.state.orders.at(-1)!
  }
  const { at, because } = detach('d', false)
  assert.equal(at, 'refused')
  assert.match(because, /without it 1 of 3 picketd are there, fewer than the 2 needed.*--yes/)
  assert.equal(detach('e', true).at, 'done')
})

function detachAt(table: Table, id: string): string {
  const said = { id: `d${++given}`, requester: 'root', reason: '', target: '', sure: true }
  table.tell(id, { kind: 'order', order: { ...said, action: 'detach' } })
  const { at, because } = table.seats.get(id)!.state.orders.at(-1)!
  return `${at}: ${because}`
}

test('H8 who detached, never came back and was fenced keeps nobody from being replaced', () => {
  const table = whole()
  assert.match(detachAt(table, 'a'), /^done/)
  table.ring(ids, true, ['b', 'c'])
  table.run(5_000)
  assert.match(detachAt(table, 'b'), /^refused: a is without its picketd just now/)
  // It is proven off before Corosync misses it.
  table.run(30_000)
  assert.equal(entryOf(table.seats.get('b')!.state.ledger, 'a').standing, 'fenced')
  table.ring(['b', 'c'])
  table.run(5_000)
  assert.match(detachAt(table, 'b'), /^done/)
})

test('H8 where nobody has agreed on anything, no old ledger says who is away', () => {
  const table = whole()
  table.seats.get('c')!.power = false
  table.ring(['a', 'b'])
  table.run(30_000)
  assert.match(detachAt(table, 'a'), /^done/)
  table.ring(['a', 'b'], true, ['b'])
  // Its other daemon is there, and has not said anything yet.
  table.seats.get('a')!.pid++
  table.ring(['a', 'b'])
  assert.doesNotMatch(detachAt(table, 'b'), /a is without/)
})

test('H14 who was fenced and is back takes nothing before an operator lets it', () => {
  const table = whole('manual')
  table.ring(['b', 'c'])
  table.run(5_000)
  assert.deepEqual(runs(table), ['b'])
  table.seat('a', 'a2', 'boot-a2')
  table.ring(ids)
  table.run(3_000)
  const { nodes, advice } = statusAt(table, 'b')
  assert.deepEqual(
    nodes.map(({ quarantined, standing }) => [standing, quarantined]),
    [
      ['member', true],
      ['member', false],
      ['member', false],
    ],
  )
  assert.match(advice.join('\n'), /picket unfence a/)
  order(table, 'ban', { target: 'b', resource: 'vip' })
  order(table, 'ban', { target: 'c', resource: 'vip' })
  assert.deepEqual(runs(table), [])
  assert.match(order(table, 'unfence', { target: 'a' }), /^done: a may serve again/)
  assert.deepEqual(runs(table), ['a'])
  assert.match(order(table, 'unfence', { target: 'a' }), /^refused: nothing keeps a out/)
})

test('H14 what an operator has ordered keeps nobody out beyond his word', () => {
  const table = whole('manual')
  order(table, 'reboot', { target: 'a' })
  assert.equal(entryOf(table.seats.get('b')!.state.ledger, 'a').quarantined, false)
})

test('H8 a resource goes back to the node that it prefers, where points say so', () => {
  for (const [stays, there] of [
    [10, 'a'],
    [200, 'b'],
    ['must', 'b'],
  ] as const) {
    const [vip] = config().resources
    const resources = [{ ...vip!, prefers: { a: 100 }, stays }]
    const table = new Table(config({ resources }))
    for (const id of ids) table.seat(id)
    table.ring(ids)
    table.run(3_000)
    order(table, 'standby', { target: 'a' })
    assert.deepEqual(runs(table), ['b'])
    order(table, 'unstandby', { target: 'a' })
    assert.deepEqual(runs(table), [there])
  }
})

test('H8 nobody waits for a picketd that is away from a node in maintenance', () => {
  const table = whole()
  order(table, 'maintain', { target: 'b' })
  const { state } = table.seats.get('a')!
  const nodes = { ...state.ledger.nodes, b: { ...entryOf(state.ledger, 'b'), detached: true } }
  const away: State = { ...state, ledger: { ...state.ledger, nodes } }
  const said = { id: 'd', action: 'detach', requester: 'root', reason: '', target: '' } as const
  const answer = (at: State) => {
    const news = { kind: 'order', order: said, atMs: state.nextBeatMs } as const
    return step(at, news).state.orders.at(-1)!.because
  }
  assert.doesNotMatch(answer(away), /without its picketd/)
  const busy: State = { ...away, ledger: { ...away.ledger, intents: [] } }
  assert.match(answer(busy), /b is without its picketd just now/)
})
