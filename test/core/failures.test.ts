/** What failures of a resource come to, and what runs on without quorum (H3, H20). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import {
  countOf,
  failureText,
  keepsAway,
  noFailures,
  withFailure,
} from '../../src/core/failures.ts'
import type { Failing, FailureAction, ResourceConfig } from '../../src/core/model.ts'
import { startGranted } from '../../src/core/starting.ts'
import type { Turn } from '../../src/core/state.ts'
import { describe } from '../../src/core/status.ts'
import { scenarioSite } from '../../src/sim/scenario-site.ts'
import { Table } from './table.ts'

const ids = ['a', 'b', 'c']

function whole(change: Partial<ResourceConfig>): Table {
  const { config } = scenarioSite({ resources: 'vip' })
  const resources = config.resources.map((each) => ({ ...each, ...change }))
  const table = new Table({ ...config, resources })
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(5_000)
  return table
}

const ruleOf = (action: FailureAction, more: Partial<Failing> = {}): Partial<ResourceConfig> => {
  const max = action === 'restart' ? 2 : 1
  const failing = { action, monitorsMax: max, startsMax: 1, timeoutMs: 60_000, ...more }
  return { failing }
}

const runs = (table: Table) => ids.filter((id) => table.seats.get(id)!.runs.has('vip')).join()
const stateOf = (table: Table, id: string) => table.seats.get(id)!.state
const stands = (table: Table) => describe(stateOf(table, 'b'), table.nowMs).nodes[0]!.standing

/** Each of them is alone, without quorum. */
function apart(table: Table): void {
  for (const id of ids) table.ring([id], false)
}

/** It dies on `id`, which is told. */
function fail(table: Table, id: string): void {
  table.seats.get(id)!.runs.delete('vip')
  table.tell(id, { kind: 'hint', resource: 'vip', because: 'it died' })
  table.run(2_000)
}

function order(table: Table, action: 'cleanup' | 'enable' | 'disable', id: string): string {
  const who = { requester: 'someone', reason: '' }
  table.tell('c', { kind: 'order', order: { id, action, target: '', resource: 'vip', ...who } })
  table.run(5_000)
  return stateOf(table, 'c').orders.find((each) => each.id === id)!.at
}

const rule: Failing = { action: 'restart', monitorsMax: 3, startsMax: 1, timeoutMs: 10_000 }

test('H3 failures count within their time, and keep away from the last of them on', () => {
  const detail = 'exit 1'
  const first = withFailure(noFailures, rule, { op: 'monitor', detail, nowMs: 0 })
  const second = withFailure(first, rule, { op: 'monitor', detail, nowMs: 9_000 })
  assert.equal(countOf(second, rule, 9_500), 2)
  assert.equal(countOf(second, rule, 10_000), 1, 'the first is forgotten')
  const third = withFailure(second, rule, { op: 'monitor', detail, nowMs: 10_500 })
  assert.equal(keepsAway(third, 10_500), false, 'two within ten seconds')
  const fourth = withFailure(third, rule, { op: 'monitor', detail, nowMs: 11_000 })
  assert.equal(keepsAway(fourth, 11_000), true)
  assert.equal(keepsAway(fourth, 20_999), true)
  assert.equal(keepsAway(fourth, 21_000), false)
  assert.equal(countOf(fourth, rule, 21_000), 0)
  const start = withFailure(noFailures, rule, { op: 'start', detail, nowMs: 0 })
  assert.equal(keepsAway(start, 0), true, 'what does not come up is tried elsewhere')
})

test('H3 what is kept of failures is bounded, however many and however long they are', () => {
  let failures = noFailures
  for (let nowMs = 0; nowMs < 1_000; nowMs++) {
    failures = withFailure(failures, rule, { op: 'monitor', detail: 'x'.repeat(9_999), nowMs })
  }
  assert.equal(failures.atMs.length, 100)
  assert.ok(failures.last.length < 230)
})

test('H3 restart: the first failure is mended in place, a second one soon after goes elsewhere', () => {
  const table = whole(ruleOf('restart'))
  fail(table, 'a')
  assert.equal(runs(table), 'a')
  const [vip] = describe(stateOf(table, 'c'), table.nowMs).resources
  assert.deepEqual(vip!.failures, { a: { count: 1, last: 'it failed', away: false } })
  fail(table, 'a')
  assert.equal(runs(table), 'b')
  const { failures, elsewhere } = explain(stateOf(table, 'c'), 'vip')!
  assert.equal(
    failureText('a', failures.a!),
    'failed on a twice: it failed; it is kept away from there',
  )
  assert.equal(elsewhere.a, 'there it failed')
  table.run(61_000)
  assert.deepEqual(explain(stateOf(table, 'c'), 'vip')!.failures, {}, 'forgotten')
})

test('H3 failures outlast a new ring, and end with the daemon that counted them', () => {
  const table = whole(ruleOf('restart'))
  fail(table, 'a')
  table.ring(ids)
  table.run(5_000)
  assert.equal(explain(stateOf(table, 'c'), 'vip')!.failures.a?.count, 1)
  table.seat('a', 'a2')
  table.ring(ids)
  table.run(5_000)
  assert.deepEqual(explain(stateOf(table, 'c'), 'vip')!.failures, {})
})

test('H3 move: it leaves its node at the first failure', () => {
  const table = whole(ruleOf('move'))
  fail(table, 'a')
  assert.equal(runs(table), 'b')
})

test('H3 stop: it stays stopped everywhere, over restarts, until a cleanup', () => {
  const table = whole(ruleOf('stop'))
  fail(table, 'a')
  assert.equal(runs(table), '')
  const { resources, intents } = describe(stateOf(table, 'c'), table.nowMs)
  assert.match(resources[0]!.because, /vip is disabled: on a it failed, and its on_fail is stop/)
  assert.deepEqual([intents.length, intents[0]!.by], [1, 'picket'])
  for (const id of ids) table.seat(id, `${id}2`, `boot-${id}2`)
  table.ring(['a'])
  table.ring(ids)
  table.run(90_000)
  assert.equal(runs(table), '')
  assert.equal(order(table, 'cleanup', 'o1'), 'done')
  assert.equal(runs(table), 'a')
  assert.deepEqual(stateOf(table, 'a').ledger.intents, [])
})

test('H3 stop: what an operator has disabled is not for a cleanup to take back', () => {
  const table = whole(ruleOf('stop'))
  fail(table, 'a')
  assert.equal(order(table, 'disable', 'o1'), 'done')
  assert.equal(order(table, 'cleanup', 'o2'), 'done')
  assert.equal(runs(table), '')
  assert.equal(order(table, 'enable', 'o3'), 'done')
  table.run(60_000)
  assert.equal(runs(table), 'a', 'the failure is not brought up once more')
})

test('H3 fence: the node on which it failed is condemned, also where it coordinates', () => {
  const table = whole(ruleOf('fence'))
  assert.equal(stateOf(table, 'b').ledger.coordinator, 'a')
  fail(table, 'a')
  assert.equal(table.seats.get('a')!.power, false)
  assert.match(table.log.join('\n'), /a is condemned: vip failed, and its on_fail is fence/)
  table.ring(['b', 'c'])
  table.run(10_000)
  assert.equal(stands(table), 'fenced')
  assert.equal(runs(table), 'b')
})

test('H20 what is to freeze runs on without quorum; nothing else does, and nothing starts', () => {
  const table = whole({ noQuorum: 'freeze' })
  apart(table)
  table.run(60_000)
  assert.equal(runs(table), 'a')
  const [vip] = describe(stateOf(table, 'a'), table.nowMs).resources
  assert.match(vip!.because, /left running without quorum, as it was \(no_quorum: freeze\)/)
  fail(table, 'a')
  table.run(60_000)
  assert.equal(runs(table), '', 'a monitor that fails stops it, and nothing is mended')

  const stops = whole({})
  apart(stops)
  stops.run(5_000)
  assert.equal(runs(stops), '')
})

test('H20 it runs on over a restart of its daemon, but not what was started by hand', () => {
  const table = whole({ noQuorum: 'freeze' })
  apart(table)
  table.seat('a', 'a2')
  apart(table)
  table.run(10_000)
  assert.equal(runs(table), 'a')

  const byHand = whole({ noQuorum: 'freeze' })
  apart(byHand)
  byHand.seats.get('b')!.runs.add('vip')
  byHand.run(120_000)
  assert.equal(byHand.seats.get('b')!.runs.has('vip'), false)

  const rebooted = whole({ noQuorum: 'freeze' })
  rebooted.seat('a', 'a2', 'boot-a2')
  apart(rebooted)
  rebooted.run(10_000)
  assert.equal(rebooted.seats.get('a')!.runs.has('vip'), false, 'another boot has no right to it')
})

test('H20 it stops on a node that leaves, and where Corosync itself is gone', () => {
  const leaves = whole({ noQuorum: 'freeze' })
  apart(leaves)
  leaves.tell('a', { kind: 'leave' })
  leaves.run(5_000)
  assert.equal(leaves.seats.get('a')!.runs.has('vip'), false)
  const blind = whole({ noQuorum: 'freeze' })
  apart(blind)
  blind.tell('a', { kind: 'corosyncLost', because: 'it died' })
  blind.run(5_000)
  assert.equal(blind.seats.get('a')!.runs.has('vip'), false)
})

test('H20 back in a quorate ring it is found where it was', () => {
  const table = whole({ noQuorum: 'freeze' })
  apart(table)
  table.run(30_000)
  table.ring(ids)
  table.run(5_000)
  const [vip] = describe(stateOf(table, 'b'), table.nowMs).resources
  assert.deepEqual([vip!.state, vip!.node], ['running', 'a'])
  assert.equal(runs(table), 'a')
  assert.equal(table.log.filter((line) => line.endsWith('starts vip')).length, 1)
})

const sentences = [
  'web.service is masked on this node; run `systemctl unmask web.service`',
  'there is no /usr/lib/ocf/resource.d/heartbeat/pgsql on this node',
  '203.0.113.100 is answered by 52:54:00:12:34:56; is another machine using it?',
]

for (const sentence of sentences) {
  test(`H2 every node tells why it did not start: ${sentence}`, () => {
    const { config } = scenarioSite({ resources: 'vip' })
    const table = new Table(config)
    for (const id of ids) table.seat(id).broken.set('vip', sentence)
    table.ring(ids)
    table.run(3_000)
    for (const id of ids) {
      const [vip] = describe(stateOf(table, id), table.nowMs).resources
      assert.equal(vip!.because, `there its start failed: ${sentence}`)
      const told = ids.map((each) => failureText(each, vip!.failures[each]!))
      const last = `its start failed: ${sentence}; it is kept away from there`
      assert.deepEqual(
        told,
        ids.map((each) => `failed on ${each} once: ${last}`),
      )
    }
  })
}

test('H3 who must run beside one that was not started after all does not start either', () => {
  const { config } = scenarioSite({ resources: 'vip,web' })
  const [vip, web] = config.resources.map((each) => ({ ...each, nodes: ids }))
  const follower: ResourceConfig = { ...web!, beside: [{ to: 'vip', strength: 'must' }] }
  const table = new Table({ ...config, resources: [vip!, follower] })
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(5_000)
  const startsWith = (at: 'stopped' | 'granted' | 'running'): boolean => {
    const { resources, ...state } = stateOf(table, 'a')
    const granted = { ...resources.web!, at: 'granted' as const, op: undefined, grantStep: 0 }
    const locals = { vip: { ...resources.vip!, at, op: undefined }, web: granted }
    const turn: Turn = { state: { ...state, resources: locals }, effects: [], nowMs: table.nowMs }
    startGranted(turn)
    return turn.effects.some((each) => each.do === 'run' && each.resource === 'web')
  }
  // The ledger still gives vip to a: its report is on its way.
  assert.equal(startsWith('stopped'), false)
  assert.equal(startsWith('running'), true)
  assert.equal(startsWith('granted'), true)
})
