/** H26: when few nodes decide by a person's word, for how long, and what they say of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarmsOf } from '../../src/core/alarms.ts'
import type { Order } from '../../src/core/event.ts'
import { explain } from '../../src/core/explain.ts'
import {
  blankLedger,
  digestOf,
  type Ledger,
  orderedFencing,
  type Recovery,
} from '../../src/core/ledger.ts'
import { blankReport, type Sync } from '../../src/core/message.ts'
import type { NodeId } from '../../src/core/model.ts'
import { hasMixedPast, recoveryIn, votesText, writtenOff } from '../../src/core/recovery.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const { nodes } = config()
const of = (ids: readonly NodeId[], halves = false) =>
  config({ halves, nodes: ids.map((id) => ({ ...nodes[0]!, id })) })
const five = of(['a', 'b', 'c', 'd', 'e'])
const gone = ['c', 'd', 'e']
const word: Recovery = { id: 'w', nodes: gone, votes: 2, boots: { a: 'A1', b: 'B1' }, because: '' }

const syncOf = (boot: string, more: Partial<Sync> = {}): Sync => ({
  identity: { incarnation: boot, boot },
  configHash: 'h1',
  ledger: undefined,
  chain: false,
  shown: [],
  report: blankReport,
  ...more,
})
const keeping = (recovery?: Recovery): Ledger => ({ ...blankLedger, ...(recovery && { recovery }) })
const kept = { ledger: keeping(word) }
const group = (ids: readonly NodeId[]) => ({
  ring: { rep: 1, seq: 4 },
  ringMembers: ids,
  members: ids.map((node) => ({ node, pid: 1 })),
})
const two = { a: syncOf('A1', kept), b: syncOf('B1', kept) }
const here = ['a', 'b']

test('H26 a word counts in a ring of all that are left, and in no other', () => {
  const told = { a: syncOf('A1', { recovery: word }), b: syncOf('B1') }
  assert.deepEqual(recoveryIn(five, group(here), here, told)?.nodes, gone)
  assert.deepEqual(recoveryIn(five, group(here), here, told)?.boots, { a: 'A1', b: 'B1' })
  assert.equal(recoveryIn(five, group(['a']), ['a'], told), undefined, 'b is missing')
  assert.equal(recoveryIn(five, group([...here, 'c']), here, told), undefined, 'c is in the ring')
  const half = of(['a', 'b', 'c', 'd'], true)
  const of2 = { a: syncOf('A1', { recovery: { ...word, nodes: ['b', 'c', 'd'], votes: 1 } }) }
  assert.equal(recoveryIn(half, group(['a']), ['a'], of2), undefined, 'halves have their own rules')
})

test('H26 it is remembered where all keep it and one has been up ever since', () => {
  assert.equal(recoveryIn(five, group(here), here, two), word)
  const b = syncOf('B2', kept)
  assert.equal(recoveryIn(five, group(here), here, { ...two, b }), word)
  const booted = { a: syncOf('A2', kept), b }
  assert.equal(recoveryIn(five, group(here), here, booted), undefined, 'both have booted')
  const forgot = { ...two, b: syncOf('B1') }
  assert.equal(recoveryIn(five, group(here), here, forgot), undefined, 'b has lost its disk')
  const other = { ...two, b: syncOf('B1', { ledger: keeping({ ...word, id: 'v' }) }) }
  assert.equal(recoveryIn(five, group(here), here, other), undefined, 'b knows another word')
  const over = { ...two, b: syncOf('B1', { ledger: keeping({ ...word, nodes: [] }) }) }
  assert.equal(recoveryIn(five, group(here), here, over), undefined, 'it is over')
})

test('S8 ledgers of different pasts do not vouch for each other', () => {
  assert.equal(hasMixedPast(here, two), false)
  assert.equal(hasMixedPast(here, { ...two, b: syncOf('B1') }), false)
  assert.equal(hasMixedPast(here, { ...two, b: syncOf('B1', { ledger: blankLedger }) }), true)
  assert.notEqual(digestOf(keeping(word)), digestOf(keeping({ ...word, nodes: [] })))
})

test('H26 a quorum of the votes is met by all that are left, and by no half of them', () => {
  assert.equal(votesText(1, 1), undefined)
  assert.deepEqual([3, 4, 5].map((votes) => votesText(votes, 3)).filter(Boolean), [])
  assert.match(
    votesText(2, 3) ?? '',
    /with 3 of the nodes left, 3 to 5 votes may be expected, not 2/,
  )
  assert.match(votesText(2, 1) ?? '', /with 1 of the nodes left, 1 vote may be expected, not 2/)
})

test('F3 a command that may be on its way to a written-off node is waited for', () => {
  const table = new Table()
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  const entry = table.seats.get('a')!.state.ledger.nodes.b!
  const dangling = [{ node: 'a', life: 'a1', step: 1 }]
  const record = orderedFencing({
    ...{ id: 'f', action: 'reboot', because: '', requester: '', staysOff: false, dangling },
  })
  const fencing = { ...record, owner: 'a', life: 'a1' }
  const off = writtenOff({ ...entry, standing: 'lost', fencing }, 'seen', config().rules)
  assert.deepEqual(
    [off.standing, off.late, off.holds, off.fencing?.action, off.fencing?.owner],
    ['fenced', true, [], 'off', undefined],
  )
  assert.equal(writtenOff({ ...entry, standing: 'lost' }, 'seen', config().rules).late, false)
})

/** Three nodes, of which b and c are gone. */
function alone(): Table {
  const table = new Table()
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(5_000)
  for (const id of ['b', 'c']) table.seats.get(id)!.power = false
  table.ring(['a'])
  table.run(5_000)
  return table
}

const ringOf = (table: Table) => describe(table.seats.get('a')!.state, table.nowMs).ring
let orders = 0

function giveUp(table: Table, change: Partial<NonNullable<Order['recovery']>> = {}) {
  const recovery = { nodes: ['b', 'c'], votes: 1, ring: ringOf(table), ...change }
  const id = `o${++orders}`
  const about = { action: 'recover', target: '', requester: 'root', reason: 'fire' } as const
  table.tell('a', { kind: 'order', order: { id, ...about, recovery } })
  return () => table.seats.get('a')!.state.orders.find((order) => order.id === id)
}

function verdict(table: Table, quorate: boolean): void {
  const { ring } = table.seats.get('a')!.state.group!
  table.tell('a', { kind: 'quorum', ring, quorate })
}

test('H26 an order that does not fit is refused with a sentence', () => {
  const table = alone()
  const because = (change: Partial<NonNullable<Order['recovery']>>) =>
    giveUp(table, change)()?.because
  assert.match(because({ nodes: [] }) ?? '', /no node is named/)
  assert.match(
    because({ nodes: ['b'] }) ?? '',
    /c is missing as well: bring it back, or name it too/,
  )
  assert.match(because({ nodes: ['a', 'b', 'c'] }) ?? '', /a is in the ring: its Corosync answers/)
  assert.match(because({ nodes: ['b', 'c', 'x'] }) ?? '', /there is no node x/)
  assert.match(because({ ring: '1.1' }) ?? '', /the ring has changed since the status was shown/)
  assert.match(because({ votes: 2 }) ?? '', /1 vote may be expected, not 2/)
  table.seats.get('b')!.power = true
  table.ring(['a', 'b'])
  assert.match(because({ nodes: ['c'] }) ?? '', /enough nodes are here to decide/)
})

test('H26 status says what to do, and what has been done', () => {
  const table = alone()
  const status = () => describe(table.seats.get('a')!.state, table.nowMs)
  assert.match(
    status().advice.join('\n'),
    /b, c are missing.*dead for good, picket quorum expected 1/,
  )
  const order = giveUp(table)
  assert.equal(order()?.at, 'waiting')
  assert.equal(status().ready, false, 'Corosync has not said yes')
  verdict(table, true)
  table.run(1_000)
  assert.equal(order()?.at, 'done', order()?.because)
  assert.match(order()?.because ?? '', /b, c: confirmed dead and written off by root: fire/)
  assert.equal(status().ready, true)
  const { state, runs } = table.seats.get('a')!
  assert.ok(runs.has('vip'))
  assert.match(alarmsOf(state).join('\n'), /b, c are written off.*nothing is decided unless a is/)
  assert.equal(status().advice.filter((each) => each.includes('fence on b')).length, 0)
  assert.equal(explain(state, 'vip')?.elsewhere.b, 'it is written off')
  const id = 'on-b'
  const about = { action: 'on', target: 'b', requester: 'root', reason: '' } as const
  table.tell('a', { kind: 'order', order: { id, ...about } })
  const on = table.seats.get('a')!.state.orders.find((each) => each.id === id)
  assert.match(on?.because ?? '', /b is written off: wipe it, and switch it on by hand/)
})

test('H26 a word that is not taken in time, or in another ring, takes no effect later', () => {
  const late = alone()
  const order = giveUp(late)
  late.run(12_000)
  assert.equal(order()?.at, 'refused')
  verdict(late, true)
  late.run(2_000)
  assert.equal(describe(late.seats.get('a')!.state, late.nowMs).ready, false)

  const moved = alone()
  const other = giveUp(moved)
  moved.ring(['a'], true)
  moved.run(2_000)
  assert.match(other()?.because ?? '', /the ring has changed meanwhile/)
  assert.equal(describe(moved.seats.get('a')!.state, moved.nowMs).ready, false)
})

test('H26 a smaller cluster, without the lost nodes, waits for nobody, also after a reboot', () => {
  const table = alone()
  giveUp(table)
  verdict(table, true)
  table.run(1_000)
  const { ledger } = table.seats.get('a')!.disk
  const { resources } = config()
  const small = new Table({
    ...of(['a']),
    hash: 'h2',
    resources: [{ ...resources[0]!, nodes: ['a'] }],
  })
  small.seat('a').disk.ledger = ledger
  small.seat('a', 'a2', 'boot-2')
  small.ring(['a'])
  small.run(10_000)
  const { state, runs } = small.seats.get('a')!
  assert.ok(runs.has('vip'), describe(state, small.nowMs).resources[0]?.because)
  assert.deepEqual(state.ledger.recovery?.nodes, [])
  assert.deepEqual(state.ledger.nodes.b?.holds, [])
})
