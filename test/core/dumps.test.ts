/** H22: what the core makes of crash kernels that speak, and of those who only claim to be one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']
const dumps = { boundMs: 60_000, firstMs: 10_000, freshMs: 8_000 }

/** A cluster that has lost `a`, which holds `vip`. */
function bereft(rules: object = { dumps }): Table {
  const table = new Table(config({ rules: { ...config().rules, ...rules } }))
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  table.ring(['b', 'c'])
  return table
}

const pressed = (table: Table) => table.log.filter((line) => / presses off/.test(line)).length
const statusOf = (table: Table, via: string) =>
  describe(table.seats.get(via)!.state, table.nowMs).nodes.find(({ id }) => id === 'a')!

/** Only `b`, or whoever it is, hears it, every two seconds. */
function dumping(table: Table, forMs: number, by = 'b', node = 'a'): void {
  for (let ms = 0; ms < forMs; ms += 2_000) {
    table.tell(by, { kind: 'dumping', node })
    table.run(2_000)
  }
}

test('without a word of its crash kernel a lost node is fenced after the first wait', () => {
  const table = bereft()
  table.run(9_000)
  assert.match(statusOf(table, 'b').deferred, /crash kernel is given 10 s/)
  assert.equal(pressed(table), 0)
  table.run(3_000)
  assert.equal(pressed(table), 1)
})

test('whoever hears it, it is left alone, for one bound, and all members know for how long', () => {
  for (const by of ['b', 'c']) {
    const table = bereft()
    dumping(table, 40_000, by)
    assert.equal(pressed(table), 0)
    for (const via of ['b', 'c']) {
      const { deferred, deferredForMs = 0 } = statusOf(table, via)
      assert.match(deferred, /writes a crash dump, and may finish within 60 s of its loss/)
      assert.ok(deferredForMs > 18_000 && deferredForMs <= 20_500, `${deferredForMs}`)
    }
    const why = explain(table.seats.get('b')!.state, 'vip')!
    assert.match(why.because, /a may hold it and is not proven dead; of a: it writes a crash dump/)
    dumping(table, 22_000, by)
    assert.equal(pressed(table), 1)
    assert.equal(statusOf(table, 'b').deferredForMs, undefined)
  }
})

test('one that falls silent is fenced before the bound is over', () => {
  const table = bereft()
  dumping(table, 20_000)
  table.run(12_000)
  assert.equal(pressed(table), 1)
})

test('nothing starts elsewhere because of a dump', () => {
  const table = bereft()
  dumping(table, 50_000)
  for (const id of ['b', 'c']) assert.equal(table.seats.get(id)!.runs.size, 0)
})

test('an order is not held up by a dump, and a second loss has a bound of its own', () => {
  const table = bereft()
  dumping(table, 30_000)
  table.ring(ids)
  table.run(3_000)
  table.ring(['b', 'c'])
  dumping(table, 50_000)
  assert.equal(pressed(table), 0)
  const order = { id: 'o', action: 'off', target: 'a', requester: 'x', reason: 'y' } as const
  table.tell('b', { kind: 'order', order })
  table.run(1_000)
  assert.equal(pressed(table), 1)
})

test('words of members, strangers and this node itself change nothing', () => {
  const table = bereft()
  for (const node of ['b', 'c', 'nobody']) dumping(table, 4_000, 'b', node)
  table.run(6_000)
  assert.equal(pressed(table), 1)
})

test('where nobody asked for it a dump is not waited for', () => {
  const table = bereft({})
  dumping(table, 4_000)
  assert.equal(pressed(table), 1)
})
