/** R5: which request is carried out next. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Request } from '../../src/recorder/message.ts'
import { planOf, type Waiting } from '../../src/respond/plan.ts'
import { requestOf } from '../recorder/site.ts'

let turn = 0
const waiting = (target: string, some: Partial<Request> = {}, untilMs = 1_000): Waiting => ({
  request: requestOf({ target_node: target, ...some }),
  untilMs,
  turn: turn++,
})
const named = (some: readonly Waiting[]) => some.map(({ request }) => request.target_node)

test('by priority, then by deadline, then by turn', () => {
  const all = [
    waiting('d', {}, 2_000),
    waiting('c'),
    waiting('b', { priority: 5 }, 3_000),
    waiting('a', { priority: 9 }),
    waiting('e', {}, 2_000),
    waiting('f', { priority: -1 }, 500),
  ]
  assert.deepEqual(named(planOf(all, [], 9, 0).begin), ['a', 'b', 'c', 'd', 'e', 'f'])
})

test('one at a time for each node, so many in all; a look disturbs nobody', () => {
  const all = [
    waiting('a'),
    waiting('a'),
    waiting('b'),
    waiting('c'),
    waiting('a', { action: 'status' }),
  ]
  const plan = planOf(all, [requestOf({ target_node: 'b' })], 3, 0)
  assert.deepEqual(
    plan.begin.map((each) => all.indexOf(each)),
    [0, 3],
  )
  const look = planOf([waiting('b', { action: 'status' })], [requestOf({ target_node: 'b' })], 3, 0)
  assert.equal(look.begin.length, 1)
  assert.deepEqual(planOf(all, [requestOf(), requestOf()], 2, 0).begin, [])
})

test('what is late is never begun', () => {
  const plan = planOf([waiting('a', {}, 999), waiting('b', {}, 1_000)], [], 9, 999)
  assert.deepEqual([named(plan.begin), named(plan.late)], [['b'], ['a']])
})

test('looks wait behind deeds, and leave them room', () => {
  const look = (name: string) => waiting(name, { action: 'status', priority: 100 })
  const all = [look('x'), look('y'), look('z'), waiting('a', { priority: -5 })]
  assert.deepEqual(named(planOf(all, [], 9, 0).begin), ['a', 'x', 'y', 'z'])
  assert.deepEqual(named(planOf(all, [], 4, 0).begin), ['a', 'x', 'y'])
  const looking = [requestOf({ action: 'status' }), requestOf({ action: 'status' })]
  assert.deepEqual(named(planOf(all, looking, 4, 0).begin), ['a'])
})
