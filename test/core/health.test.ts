/** Health checks: what answers come to, who is restarted, who moves, and who stays (H4). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import { noFailures } from '../../src/core/failures.ts'
import { checkText, healthDeadlineMs, risesAt } from '../../src/core/health.ts'
import type { NodeId } from '../../src/core/model.ts'
import { describe } from '../../src/core/status.ts'
import { scenarioSite, type Wishes } from '../../src/sim/scenario-site.ts'
import { Table } from './table.ts'

const ids = ['a', 'b', 'c']
const GATEWAY = { resources: 'vip', where: 'vip:gateway' }

/** Every 2 s, up after two good answers, down after two bad ones; failures are kept for 10 s. */
function whole(wishes: Wishes, ailing: readonly string[] = []): Table {
  const table = new Table(scenarioSite(wishes).config)
  for (const each of ailing) table.ailing.add(each)
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(5_000)
  return table
}

function fail(table: Table, check: string, ...nodes: NodeId[]): void {
  for (const node of nodes) table.ailing.add(`${node}/${check}`)
}

function heal(table: Table, check: string, ...nodes: NodeId[]): void {
  for (const node of nodes) table.ailing.delete(`${node}/${check}`)
}

const runs = (table: Table) =>
  ids.flatMap((id) => [...table.seats.get(id)!.runs].map((each) => `${each} on ${id}`)).join(', ')
const stateOf = (table: Table, id: string) => table.seats.get(id)!.state
const deeds = (table: Table, from: number) =>
  table.log.slice(from).flatMap((line) => /^\d+ (. (?:starts|stops) .*)/.exec(line)?.[1] ?? [])

test('H4 a resource whose check fails is restarted in place, and then moves', () => {
  const table = whole({ resources: 'web', health: 'web:answers' })
  assert.equal(runs(table), 'web on a')
  const from = table.log.length
  fail(table, 'answers', 'a')
  table.run(5_000)
  assert.deepEqual(deeds(table, from), ['a stops web', 'a starts web'])
  table.run(8_000)
  assert.deepEqual(deeds(table, from).slice(2), ['a stops web', 'b starts web'])
  assert.match(table.log.join('\n'), /it failed: its check answers fails: no answer/)
})

test('H4 a single bad answer is told, and does nothing', () => {
  const table = whole({ resources: 'web', health: 'web:answers' })
  const from = table.log.length
  table.run(1_000)
  for (let round = 0; round < 5; round++) {
    fail(table, 'answers', 'a')
    table.run(2_000)
    const [told] = describe(stateOf(table, 'b'), table.nowMs).nodes[0]!.checks
    assert.equal(checkText(told!), 'answers of web has failed once: no answer')
    heal(table, 'answers', 'a')
    table.run(2_000)
  }
  assert.deepEqual(deeds(table, from), [])
})

test('H4 a monitor under way is ended before the resource is stopped for its check', () => {
  const table = whole({ resources: 'web', health: 'web:answers' })
  const seat = table.seats.get('a')!
  const monitor = {
    id: 999,
    op: 'monitor',
    lost: false,
    aborted: false,
    untilMs: Infinity,
  } as const
  const { web } = seat.state.resources
  seat.state = { ...seat.state, resources: { web: { ...web!, op: monitor } } }
  fail(table, 'answers', 'a')
  table.run(5_000)
  assert.equal(seat.state.resources.web!.op?.aborted, true)
  assert.equal(runs(table), 'web on a')
  const ran = { kind: 'ran', id: 999, resource: 'web', outcome: 'unknown', detail: '' } as const
  table.tell('a', ran)
  table.run(1_000)
  assert.match(table.log.join('\n'), /a stops web/)
})

test('H4 a node whose check fails loses the resource to one where it succeeds', () => {
  const table = whole(GATEWAY)
  fail(table, 'gateway', 'a', 'b')
  table.run(5_000)
  assert.equal(runs(table), 'vip on c')
  const { elsewhere, checks, wishes } = explain(stateOf(table, 'c'), 'vip')!
  assert.equal(elsewhere.a, 'the check gateway fails there: no answer')
  assert.match(checks[0]!, /^on a gateway has been failing for \d s: no answer; it takes 2 good/)
  assert.deepEqual(wishes, ['only where gateway succeeds'])
  heal(table, 'gateway', 'a')
  const from = table.log.length
  table.run(30_000)
  assert.deepEqual(deeds(table, from), [], 'it does not go back by itself')
})

test('H4 where it fails on all of its nodes it stays where it is, and starts nowhere', () => {
  const table = whole(GATEWAY)
  const from = table.log.length
  fail(table, 'gateway', ...ids)
  table.run(30_000)
  assert.deepEqual(deeds(table, from), [])
  const sick = whole(GATEWAY, ['a/gateway', 'b/gateway', 'c/gateway'])
  sick.run(30_000)
  assert.equal(runs(sick), '')
  const [vip] = describe(stateOf(sick, 'a'), sick.nowMs).resources
  assert.equal(vip!.because, 'the check gateway fails there: no answer')
  heal(sick, 'gateway', 'b')
  sick.run(5_000)
  assert.equal(runs(sick), 'vip on b')
})

test('H4 what fails in place where its check fails on all nodes is mended there', () => {
  const table = whole(GATEWAY)
  fail(table, 'gateway', ...ids)
  table.run(10_000)
  table.seats.get('a')!.runs.clear()
  table.tell('a', { kind: 'hint', resource: 'vip', because: 'it died' })
  table.run(3_000)
  assert.equal(runs(table), 'vip on a')
})

test('H4 nothing starts where nobody has asked yet, and what runs is not ended for that', () => {
  const table = whole(GATEWAY)
  const { state } = table.seats.get('a')!
  assert.equal(state.health.gateway!.verdict, 'healthy')
  // Its daemon begins anew, finds vip running, and its check does not answer at once.
  fail(table, 'gateway', 'a')
  table.seat('a', 'a2')
  table.ring(ids)
  table.run(1_000)
  assert.equal(stateOf(table, 'a').health.gateway!.verdict, 'unknown')
  assert.equal(runs(table), 'vip on a')
  const told = describe(stateOf(table, 'b'), table.nowMs).nodes[0]!.checks
  assert.deepEqual(told.map(checkText), ['gateway has not succeeded yet: no answer'])
  table.run(3_000)
  assert.equal(runs(table), 'vip on b', 'known to fail, it attracts nothing')
})

test('H4 a check that keeps falling has to be good for longer each time', () => {
  const table = whole(GATEWAY)
  const spans: number[] = []
  for (let round = 0; round < 7; round++) {
    fail(table, 'gateway', 'b')
    table.run(6_000)
    assert.equal(stateOf(table, 'b').health.gateway!.verdict, 'failing')
    heal(table, 'gateway', 'b')
    const beganMs = table.nowMs
    while (stateOf(table, 'b').health.gateway!.verdict === 'failing') table.run(1_000)
    spans.push(Math.round((table.nowMs - beganMs) / 4_000))
  }
  assert.deepEqual(spans, [1, 2, 4, 8, 16, 16, 16])
  table.run(600_000)
  fail(table, 'gateway', 'b')
  table.run(6_000)
  const { health, config } = stateOf(table, 'b')
  assert.equal(risesAt(config.checks[0]!, health.gateway!), 2, 'long ago is forgotten')
})

test('H4 a check that does not answer within its bound has failed; its late answer is void', () => {
  const table = whole(GATEWAY)
  const seat = table.seats.get('b')!
  const asked = { id: 4_711, atMs: table.nowMs }
  const { gateway } = seat.state.health
  seat.state = { ...seat.state, health: { gateway: { ...gateway!, asked, against: 1 } } }
  table.run(10_900)
  assert.equal(seat.state.health.gateway!.verdict, 'healthy')
  table.run(200)
  assert.equal(seat.state.health.gateway!.verdict, 'failing')
  const before = seat.state.health.gateway
  const late = { kind: 'checked', id: asked.id, check: 'gateway', ok: true, detail: '' } as const
  table.tell('b', late)
  assert.equal(seat.state.health.gateway, before)
})

test('H4 a hint lets a check be asked at once, and proves nothing', () => {
  const table = whole(GATEWAY)
  fail(table, 'gateway', 'a')
  table.run(100)
  const stirred = { kind: 'stirred', check: 'gateway', because: 'systemd says so' } as const
  table.tell('a', stirred)
  assert.equal(stateOf(table, 'a').health.gateway!.against, 1)
  table.tell('a', stirred)
  assert.equal(stateOf(table, 'a').health.gateway!.verdict, 'failing')
})

test('H4 a group moves to where all of it is well, and stays where that is nowhere', () => {
  const table = whole({ resources: 'vip,web', group: 'vip,web', where: 'web:gateway' })
  assert.equal(runs(table), 'vip on a, web on a')
  fail(table, 'gateway', 'a')
  table.run(10_000)
  assert.equal(runs(table), 'vip on b, web on b')
  const why = explain(stateOf(table, 'b'), 'vip')!.elsewhere.a!
  assert.equal(why, 'web could not run beside it there')
  const from = table.log.length
  fail(table, 'gateway', 'b', 'c')
  table.run(20_000)
  assert.deepEqual(deeds(table, from), [])
})

test('H4 checks of a config that names none cost nothing', () => {
  const table = whole({ resources: 'vip' })
  assert.deepEqual(stateOf(table, 'a').health, {})
})

const order = (table: Table, action: 'maintain' | 'unmaintain' | 'detach', at = 'a') => {
  const resource = action === 'detach' ? '' : 'web'
  const target = action === 'detach' ? at : ''
  const who = { requester: 'someone', reason: 'a test' }
  const id = `h-${table.nowMs}`
  table.tell(at, { kind: 'order', order: { id, action, target, resource, ...who } })
}

test('H8 what is in maintenance is told and left alone; once it is over, it is mended', () => {
  const table = whole({ resources: 'web', health: 'web:answers' })
  order(table, 'maintain')
  table.run(3_000)
  const from = table.log.length
  fail(table, 'answers', 'a')
  table.run(60_000)
  assert.deepEqual(deeds(table, from), [])
  const said = table.log.slice(from).filter((line) => /is in maintenance: its check/.test(line))
  assert.equal(said.length, 1)
  assert.deepEqual(stateOf(table, 'a').resources.web!.failures, noFailures)
  order(table, 'unmaintain')
  table.run(4_000)
  assert.deepEqual(deeds(table, from).slice(0, 1), ['a stops web'])
})

test('H8 a daemon that makes way asks nothing more, and mends nothing', () => {
  const table = whole({ resources: 'web', health: 'web:answers' })
  const { state } = table.seats.get('a')!
  assert.ok(healthDeadlineMs(state) < Infinity)
  const detaching = { sinceMs: table.nowMs, order: '', sure: false, told: '' }
  assert.equal(healthDeadlineMs({ ...state, detaching }), Infinity)
})

test('H20 what is frozen without quorum stops when its check fails, and starts nowhere', () => {
  const table = whole({ resources: 'web', health: 'web:answers', freeze: 'web' })
  for (const id of ids) table.ring([id])
  table.run(20_000)
  const from = table.log.length
  assert.equal(runs(table), 'web on a')
  fail(table, 'answers', 'a')
  table.run(30_000)
  assert.deepEqual(deeds(table, from), ['a stops web'])
})

test('H4 a check of what runs that fails is a failure like any other: on_fail says the rest', () => {
  const table = whole({ resources: 'web', health: 'web:answers', fail: 'web:stop' })
  fail(table, 'answers', 'a')
  table.run(15_000)
  assert.equal(runs(table), '')
  assert.ok(stateOf(table, 'b').ledger.intents.some(({ kind }) => kind === 'disabled'))
})

test('H4 of a clone, checks concern the instance of the node on which they fail', () => {
  const table = whole({ resources: 'web', clone: 'web', health: 'web:answers' })
  const from = table.log.length
  fail(table, 'answers', 'b')
  table.run(5_000)
  assert.deepEqual(deeds(table, from), ['b stops web@b', 'b starts web@b'])
})

test('H4 an instance leaves a node where its check fails, if another one can have it', () => {
  const table = whole({ resources: 'web', clone: 'web:2', where: 'web:gateway' })
  assert.equal(runs(table), 'web@a on a, web@b on b')
  fail(table, 'gateway', 'a')
  table.run(20_000)
  assert.equal(runs(table), 'web@b on b, web@c on c')
  assert.match(explain(stateOf(table, 'b'), 'web@a')!.why, /the check gateway fails there/)
  const from = table.log.length
  fail(table, 'gateway', 'b', 'c')
  table.run(20_000)
  assert.deepEqual(deeds(table, from), [])
})

test('H4 who must run beside a clone goes to an instance that is well', () => {
  const wishes = { resources: 'web,vip', clone: 'web', beside: 'vip:web', after: 'vip:web' }
  const table = whole({ ...wishes, where: 'web:gateway' })
  const [at, ...others] = ids.filter((id) => table.seats.get(id)!.runs.has('vip'))
  assert.deepEqual(others, [])
  fail(table, 'gateway', at!)
  table.run(20_000)
  const now = ids.filter((id) => table.seats.get(id)!.runs.has('vip'))
  assert.ok(now.length === 1 && now[0] !== at)
  // What ails all of them moves nothing, though not all notice at the same moment.
  const from = table.log.length
  fail(table, 'gateway', ...ids)
  table.run(30_000)
  assert.deepEqual(deeds(table, from), [])
})
