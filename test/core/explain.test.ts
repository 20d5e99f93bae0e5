/** `picket explain`, as the core answers it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import { scenarioSite } from '../../src/sim/scenario-site.ts'
import { Table } from './table.ts'

test('H3 explain says where, why, and why not elsewhere', () => {
  const { config } = scenarioSite({ resources: 'vip,web', group: 'vip,web' })
  const table = new Table(config)
  for (const { id } of config.nodes) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(5_000)
  const { state } = table.seats.get('a')!
  assert.equal(explain(state, 'nothing'), undefined)
  const { node, belongs, why, elsewhere, wishes } = explain(state, 'web')!
  assert.deepEqual([node, belongs], ['a', 'a'])
  assert.equal(why, 'vip is there, beside which it must run')
  assert.deepEqual(elsewhere, {
    b: 'vip, beside which it must run, belongs on a',
    c: 'vip, beside which it must run, belongs on a',
  })
  assert.deepEqual(wishes, ['beside vip, always', 'after vip'])
})
