/** What picketd's audit log keeps of a fencing, of an operator's order, and of what is void. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Facts } from '../../src/audit/chain.ts'
import { openAudit } from '../../src/audit/log.ts'
import { verify } from '../../src/audit/verify.ts'
import { sessionId } from '../../src/core/state.ts'
import { type Auditor, openAuditor } from '../../src/daemon/auditor.ts'
import { config, Table } from '../core/table.ts'
import { listener, scratch } from './scratch.ts'

const ids = ['a', 'b', 'c']

interface Noted {
  readonly kind: string
  readonly facts: Facts
}

/** A whole cluster on a table, where one node keeps an audit log. */
function watched(self: string, cluster = config()) {
  const table = new Table(cluster)
  const noted: Noted[] = []
  const { said, say } = listener()
  const journalled: string[] = []
  for (const id of ids) table.seat(id)
  const auditor: Auditor = openAuditor({
    audit: { note: (kind, facts) => void noted.push({ kind, facts }) },
    journal: {
      append: ({ kind }) => void journalled.push(kind),
      did: () => void journalled.push('did'),
    },
    say,
    state: () => table.seats.get(self)!.state,
  })
  table.ears.set(self, auditor)
  table.ring(ids)
  table.run(3_000)
  const lines = (since = 0) =>
    noted.slice(since).map(({ kind, facts }) => `${kind} ${facts.target}`)
  const of = (kind: string) => noted.filter((each) => each.kind === kind).map(({ facts }) => facts)
  return { table, auditor, noted, lines, of, said, journalled }
}

test('F13 a fencing is in the log from the loss to the proof, with who, why and what was seen', () => {
  const { table, noted, lines, of, said, journalled } = watched('b')
  assert.deepEqual(lines(), ['standing a', 'standing b', 'standing c', 'grant a'])
  const since = noted.length
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.deepEqual(lines(since), [
    'standing a',
    'fence a',
    'press a',
    'pressed a',
    'read a',
    'read a',
    'verdict a',
    'grant b',
  ])
  const lost = of('standing').at(-1)
  assert.deepEqual([lost?.was, lost?.standing], ['member', 'lost'])
  const [order] = of('fence')
  assert.deepEqual([order?.by, order?.owner, order?.round, order?.action], ['b', 'b', 0, 'off'])
  assert.match(String(order?.because), /./)
  assert.match(String(order?.requester), /./)
  const [press] = of('press')
  assert.deepEqual(press, { target: 'a', device: 'a/1/1', action: 'off', fencing: order?.id })
  assert.deepEqual(of('pressed')[0]?.outcome, 'accepted')
  assert.deepEqual(of('read')[0]?.power, 'off')
  const [verdict] = of('verdict')
  assert.deepEqual([verdict?.proven, verdict?.level, verdict?.by], [true, 1, 'b'])
  assert.match(JSON.stringify(verdict?.evidence), /"device":"a\/1\/1","raw":"off"/)
  assert.deepEqual(said, [])
  assert.equal(journalled.filter((each) => each === 'did').length * 2, journalled.length)
})

test('a member that presses nothing keeps the decisions alone', () => {
  const { table, noted, lines } = watched('c')
  const since = noted.length
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.deepEqual(lines(since), ['standing a', 'fence a', 'verdict a', 'grant b'])
})

test("F13 an operator's order is kept with who asked and why, once, and so is a refusal", () => {
  const { table, noted, lines, of } = watched('b')
  const since = noted.length
  const order = { action: 'off', target: 'c', requester: 'alice', reason: 'it smokes' } as const
  table.tell('b', { kind: 'order', order: { id: 'o1', ...order } })
  table.run(5_000)
  const kinds = lines(since)
  assert.deepEqual(kinds.slice(0, 4), ['order c', 'request c', 'condemn c', 'fence c'])
  assert.equal(kinds.filter((line) => line === 'verdict c').length, 1)
  const [given] = of('order')
  assert.deepEqual(given, { id: 'o1', ...order })
  assert.deepEqual([of('condemn')[0]?.requester, of('condemn')[0]?.barred], ['alice', true])

  const refusedFrom = noted.length
  table.tell('b', { kind: 'order', order: { id: 'o2', ...order, target: 'nobody' } })
  table.tell('b', { kind: 'order', order: { id: 'o3', ...order, action: 'on', target: 'a' } })
  table.run(5_000)
  const later = noted.slice(refusedFrom).map(({ kind, facts }) => `${kind} ${facts.id ?? ''}`)
  assert.deepEqual(later, ['order o2', 'refuse o2', 'order o3', 'request o3', 'refuse o3'])
  const [nobody, member] = of('refuse')
  assert.match(String(nobody?.because), /there is no node nobody/)
  assert.match(String(member?.because), /a is on, and a member/)
})

test('what is void where it is delivered is not kept: it decided nothing', () => {
  const { table, noted } = watched('b')
  const since = noted.length
  const session = sessionId(table.seats.get('b')!.state.session!)
  const because = 'c is no coordinator'
  const common = { session, node: 'a', because } as const
  table.post('c', { say: 'defer', leftMs: 0, ...common })
  table.post('c', { say: 'release', resource: 'vip', ...common })
  table.post('c', { say: 'settle', session, node: 'a' })
  table.post('c', { say: 'refuse', session: 'another', id: 'o9', because })
  assert.deepEqual(noted.slice(since), [])
})

test('a node that goes and the life of picketd itself are kept', () => {
  const { table, auditor, noted, lines, of } = watched('b')
  const begun = { incarnation: 'b1', boot: 'boot-b' }
  const beginning = { self: 'b', config: config(), identity: begun, ledger: undefined, atMs: 0 }
  auditor.begin('1.2.3', beginning)
  const { version, config: hash, incarnation } = of('start')[0] ?? {}
  assert.deepEqual([version, hash, incarnation], ['1.2.3', 'h1', 'b1'])
  const since = noted.length
  table.tell('c', { kind: 'leave' })
  table.run(2_000)
  assert.deepEqual(lines(since), ['left c'])
  auditor.end(0, 'left cleanly')
  assert.deepEqual(of('stop'), [{ code: 0, because: 'left cleanly' }])
})

test('a rule that holds a fencing back is kept', () => {
  const rules = { ...config().rules, delayMs: 60_000 }
  const { table, noted, lines, of } = watched('b', config({ rules }))
  const since = noted.length
  table.ring(['b', 'c'])
  table.run(5_000)
  assert.deepEqual(lines(since), ['standing a', 'defer a'])
  assert.match(String(of('defer')[0]?.because), /./)
})

test('an event that cannot be written down is an alarm, and the loop goes on', () => {
  const { said, say } = listener()
  const table = new Table()
  table.seat('a')
  const note = () => {
    throw new Error('a defect')
  }
  const journal = { append: () => {}, did: () => {} }
  const state = () => table.seats.get('a')!.state
  table.ears.set('a', openAuditor({ audit: { note }, journal, say, state }))
  const order = { id: 'o1', action: 'off', target: 'b', requester: 'x', reason: '' } as const
  table.tell('a', { kind: 'order', order })
  assert.deepEqual(said, ['alarm: Something is missing in the audit log: a defect.'])
})

test('F13 what a cluster went through can be verified on disk', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const audit = openAudit({ dir, node: 'b', say, clean: (text) => text })
  t.after(audit.close)
  const { table } = watched('b')
  const state = () => table.seats.get('b')!.state
  const journal = { append: () => {}, did: () => {} }
  table.ears.set('b', openAuditor({ audit, journal, say, state }))
  table.ring(['b', 'c'])
  table.run(3_000)
  await audit.settled()
  const verified = await verify(dir)
  assert.equal(verified?.finding, undefined)
  assert.equal(verified?.lines, 8)
  assert.deepEqual(said, [])
})
