/** What operators want of nodes and resources: what follows from it, and that it lasts (H8, H9). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import { foresee } from '../../src/core/foresee.ts'
import { type Intent, type IntentAction, intentActions, meanings } from '../../src/core/intents.ts'
import { blankLedger, digestOf, fromDisk } from '../../src/core/ledger.ts'
import { describe } from '../../src/core/status.ts'
import { scenarioSite } from '../../src/sim/scenario-site.ts'
import { Table } from './table.ts'

const ids = ['a', 'b', 'c']
const { config } = scenarioSite({ resources: 'vip,web', group: 'vip,web' })

function whole(): Table {
  const table = new Table(config)
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(5_000)
  return table
}

let given = 0

/** Gives an order at `via`; what became of it. */
function order(
  table: Table,
  action: IntentAction,
  names: { readonly node?: string; readonly resource?: string },
  via = 'c',
) {
  const id = `o${++given}`
  const { node: target = '', resource = '' } = names
  const who = { requester: 'someone', reason: 'a test' }
  table.tell(via, { kind: 'order', order: { id, action, target, resource, ...who } })
  table.run(5_000)
  const { at, because } = table.seats.get(via)!.state.orders.find((each) => each.id === id)!
  return `${at}: ${because}`
}

const runs = (table: Table) =>
  ids.flatMap((id) => [...table.seats.get(id)!.runs].map((each) => `${each} on ${id}`)).join(', ')
const stateOf = (table: Table, id: string) => table.seats.get(id)!.state
const deeds = (table: Table, from: number) =>
  table.log.slice(from).flatMap((line) => /^\d+ (. (?:starts|stops) .*)/.exec(line)?.[1] ?? [])

test('H8 what runs on a node on standby moves away in order, and comes back only on its own', () => {
  const table = whole()
  assert.equal(runs(table), 'vip on a, web on a')
  const from = table.log.length
  assert.equal(order(table, 'standby', { node: 'a' }), 'done: a is on standby')
  assert.deepEqual(deeds(table, from), [
    'a stops web',
    'a stops vip',
    'b starts vip',
    'b starts web',
  ])
  const { state } = table.seats.get('c')!
  assert.equal(explain(state, 'vip')!.elsewhere.a, 'it is on standby: a test (by someone)')
  const { intents, nodes } = describe(state, table.nowMs)
  assert.deepEqual(
    intents.map(({ text }) => text),
    ['a is on standby: a test (by someone)'],
  )
  assert.equal(nodes[0]!.standing, 'member', 'it goes on voting')

  assert.equal(order(table, 'standby', { node: 'b' }), 'done: b is on standby')
  assert.equal(order(table, 'standby', { node: 'c' }), 'done: c is on standby')
  assert.equal(runs(table), '')
  assert.match(order(table, 'unstandby', { node: 'c' }), /^done: c may take resources again/)
  assert.equal(runs(table), 'vip on c, web on c')
  order(table, 'unstandby', { node: 'a' })
  assert.equal(runs(table), 'vip on c, web on c', 'what works stays')
})

test('H9 intents last over the restart of a node and of the whole cluster', () => {
  const table = whole()
  order(table, 'standby', { node: 'a' })
  order(table, 'disable', { resource: 'web' })
  for (const id of ids) {
    table.seats.get(id)!.runs.clear()
    table.seat(id, `${id}2`, `boot-${id}2`)
  }
  table.ring(['a'])
  table.ring(ids)
  table.run(10_000)
  assert.equal(runs(table), 'vip on b')
  for (const id of ids) {
    const { intents } = stateOf(table, id).ledger
    assert.deepEqual(
      intents.map(({ kind }) => kind),
      ['standby', 'disabled'],
    )
  }
})

test('H8 a disabled resource stops after its followers, which then say why they are nowhere', () => {
  const table = whole()
  const from = table.log.length
  assert.equal(order(table, 'disable', { resource: 'vip' }), 'done: vip is disabled')
  assert.deepEqual(deeds(table, from), ['a stops web', 'a stops vip'])
  const why = (id: string) => explain(stateOf(table, 'b'), id)!.why
  assert.equal(why('vip'), 'vip is disabled: a test (by someone)')
  assert.equal(why('web'), 'vip, after which it starts, runs nowhere')
  assert.equal(order(table, 'enable', { resource: 'vip' }), 'done: vip is enabled')
  assert.equal(runs(table), 'vip on a, web on a')
})

test('H8 a move takes the whole group along, whoever of it is named, until it is taken back', () => {
  const table = whole()
  assert.equal(order(table, 'move', { resource: 'web', node: 'c' }), 'done: web is moved to c')
  assert.equal(runs(table), 'vip on c, web on c')
  const { why, intents } = explain(stateOf(table, 'a'), 'vip')!
  assert.equal(why, 'an operator has moved web there')
  assert.deepEqual(intents, [])
  order(table, 'move', { resource: 'web', node: 'b' })
  assert.equal(runs(table), 'vip on b, web on b')
  assert.equal(stateOf(table, 'a').ledger.intents.length, 1, 'the newer one counts')
  order(table, 'unmove', { resource: 'web' })
  assert.equal(runs(table), 'vip on b, web on b', 'it stays')
  assert.equal(stateOf(table, 'a').ledger.intents.length, 0)
})

test('H8 who is to take it over makes ready while the other one stops it', () => {
  const table = whole()
  order(table, 'move', { resource: 'web', node: 'c' })
  const text = table.log.join('\n')
  const at = (words: string) => {
    assert.ok(text.includes(words), words)
    return text.indexOf(words)
  }
  assert.ok(at('c makes ready for vip') < at('c starts vip'))
  assert.ok(at('c makes ready for vip') < at('a stops vip'))
  assert.equal(text.split('makes ready for vip').length, 2, 'once, and at c alone')
  order(table, 'move', { resource: 'web', node: 'a' })
  assert.match(table.log.join('\n'), /a makes ready for vip/)
})

test('H8 a ban keeps a resource off a node', () => {
  const table = whole()
  order(table, 'ban', { resource: 'vip', node: 'a' })
  assert.equal(runs(table), 'vip on b, web on b')
  order(table, 'unban', { resource: 'vip', node: 'a' })
  assert.equal(
    order(table, 'cleanup', { resource: 'vip' }),
    'done: the failures of vip are forgotten',
  )
})

test('H9 without quorum, or about what is not in the config, an order is refused', () => {
  const table = whole()
  const says: readonly (readonly [string, RegExp])[] = [
    [order(table, 'standby', { node: 'z' }), /^refused: there is no node z; the nodes are a, b, c/],
    [
      order(table, 'disable', { resource: 'x' }),
      /there is no resource x; the resources are vip, web/,
    ],
    [order(table, 'move', { resource: 'vip', node: 'z' }), /there is no node z/],
  ]
  for (const [said, wanted] of says) assert.match(said, wanted)
  table.ring(['a'])
  assert.match(order(table, 'standby', { node: 'b' }, 'a'), /^refused: this node has no quorum/)
  assert.equal(stateOf(table, 'a').ledger.intents.length, 0)
})

test('H9 an order that no majority of disks can keep is refused', () => {
  const table = whole()
  for (const id of ['a', 'b']) table.seats.get(id)!.disk.full = true
  table.tell('c', { kind: 'order', order: orderOff() })
  table.run(10_000)
  assert.match(order(table, 'standby', { node: 'b' }), /^refused: too few disks/)
})

const orderOff = () => {
  return {
    id: 'x',
    action: 'disable',
    target: '',
    resource: 'web',
    requester: 'r',
    reason: '',
  } as const
}

test('an intent releases no hold: what a node that is not proven dead holds starts nowhere else', () => {
  const table = whole()
  table.seats.get('a')!.says = 'unknown'
  table.ring(['a'])
  table.ring(['b', 'c'])
  table.run(5_000)
  order(table, 'standby', { node: 'a' })
  order(table, 'ban', { resource: 'vip', node: 'a' })
  order(table, 'move', { resource: 'vip', node: 'c' })
  assert.deepEqual([...table.seats.get('b')!.runs, ...table.seats.get('c')!.runs], [])
})

test('what would move is foreseen, and nothing changes by that', () => {
  const table = whole()
  const { state } = table.seats.get('b')!
  const outlook = foresee(state, { action: 'standby', resource: '', node: 'a' })
  assert.deepEqual(typeof outlook === 'object' && outlook.foreseen, [
    {
      resource: 'vip',
      from: 'a',
      to: 'b',
      because: 'of its nodes that can take it this is the best one',
    },
    { resource: 'web', from: 'a', to: 'b', because: 'vip is there, beside which it must run' },
  ])
  assert.match(String(foresee(state, { action: 'ban', resource: 'vip', node: 'z' })), /no node z/)
  assert.equal(state.ledger.intents.length, 0)
})

test('every field of an intent is in the digest, and the disk keeps all of them', () => {
  const intent: Intent = { kind: 'moved', resource: 'vip', node: 'a', by: 'root', reason: 'why' }
  const others: readonly Partial<Intent>[] = [
    {},
    { kind: 'banned' },
    { resource: 'web' },
    { node: 'b' },
    { by: 'you' },
    { reason: '' },
  ]
  const digests = others.map((change) => {
    return digestOf({ ...blankLedger, intents: [{ ...intent, ...change }] })
  })
  assert.equal(new Set([...digests, digestOf(blankLedger)]).size, 7)
  assert.deepEqual(fromDisk({ ...blankLedger, intents: [intent] }).intents, [intent])
})

test('for every kind of intent one order sets it and one takes it back', () => {
  const kinds = intentActions.flatMap((action) => meanings[action].kind ?? [])
  assert.deepEqual([...new Set(kinds)].sort(), [
    'banned',
    'disabled',
    'maintenance',
    'moved',
    'standby',
  ])
  assert.equal(kinds.length, 10)
})
