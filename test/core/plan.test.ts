/** Where everything should run: what must hold of every plan, and what a few plans look like. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type NodeId,
  plainWishes,
  type ResourceConfig,
  type Strength,
} from '../../src/core/model.ts'
import { type Facts, plan } from '../../src/core/plan.ts'

const must = (to: string, strength: Strength = 'must') => ({ to, strength })

function resource(id: string, changes: Partial<ResourceConfig> = {}): ResourceConfig {
  const times = { startMs: 1, stopMs: 1, probeMs: 1, monitorEveryMs: 1 }
  return { ...plainWishes, id, thing: id, nodes: ['a', 'b', 'c'], ...times, ...changes }
}

const nowhere = () => undefined
const none = () => ''
const well = { whyNot: none, ails: none, unsure: none, pending: () => false, unsound: () => false }
const idle: Facts = { ...well, now: nowhere, wanted: nowhere, capacity: () => ({}) }

function placesOf(resources: readonly ResourceConfig[], facts: Partial<Facts> = {}) {
  const places = plan(resources, { ...idle, ...facts })
  return Object.fromEntries([...places].map(([id, { node }]) => [id, node]))
}

const down =
  (...nodes: NodeId[]) =>
  (_: ResourceConfig, node: NodeId): string =>
    nodes.includes(node) ? 'it is lost' : ''

test('H3 without wishes the first able node of its list gets it, and it stays there', () => {
  const vip = resource('vip', { nodes: ['b', 'c'] })
  assert.deepEqual(placesOf([vip]), { vip: 'b' })
  assert.deepEqual(placesOf([vip], { whyNot: down('b') }), { vip: 'c' })
  assert.deepEqual(placesOf([vip], { now: () => 'c' }), { vip: 'c' })
})

test('H4 a better node whose first answer is still to come is named, while it runs nowhere', () => {
  const vip = resource('vip')
  const waitsFor = (facts: Partial<Facts>) => plan([vip], { ...idle, ...facts }).get('vip')?.awaits
  const unsure = (_: ResourceConfig, node: NodeId) => (node === 'b' ? '' : 'no answer yet')
  const pending = () => true
  assert.equal(waitsFor({ unsure, pending }), 'a', 'c comes later in its list than b')
  assert.equal(waitsFor({ unsure }), undefined, 'its first answer was a bad one, or is overdue')
  assert.equal(waitsFor({ unsure, pending, now: () => 'b' }), undefined)
  assert.equal(waitsFor({ unsure, pending, whyNot: down('a') }), undefined)
})

test('H3 whoever must be beside another one goes where that goes, and never the other way', () => {
  const vip = resource('vip', { nodes: ['a', 'b'] })
  const web = resource('web', { nodes: ['b', 'c'], beside: [must('vip')] })
  // a is the first choice of vip, but web could not follow it there.
  assert.deepEqual(placesOf([web, vip]), { vip: 'b', web: 'b' })
  assert.deepEqual(placesOf([vip, web], { whyNot: down('b') }), { vip: 'a', web: undefined })
  const small = { ...web, priority: -1 }
  assert.deepEqual(placesOf([vip, small]), { vip: 'a', web: undefined }, 'it matters less')
})

test('H3 a group moves as a whole when one of it cannot run where it is', () => {
  const vip = resource('vip')
  const web = resource('web', { beside: [must('vip')], after: ['vip'] })
  const failed = (each: ResourceConfig, node: NodeId) =>
    each.id === 'web' && node === 'a' ? 'it failed there a moment ago' : ''
  const now = () => 'a'
  assert.deepEqual(placesOf([vip, web], { whyNot: failed, now }), { vip: 'b', web: 'b' })
})

test('H3 apart, after, points, room and priority', () => {
  const one = resource('one')
  assert.deepEqual(placesOf([one, resource('two', { apart: [must('one')] })]), {
    one: 'a',
    two: 'b',
  })
  // The wish counts from either side.
  assert.deepEqual(placesOf([resource('zero', { apart: [must('one', 5)] }), one]), {
    zero: 'a',
    one: 'b',
  })
  const late = resource('late', { after: ['one'] })
  assert.deepEqual(placesOf([late, one], { whyNot: (each) => (each.id === 'one' ? 'no' : '') }), {
    one: undefined,
    late: undefined,
  })
  const fond = resource('fond', { prefers: { c: 10 }, stays: 5 })
  assert.deepEqual(placesOf([fond], { now: () => 'a' }), { fond: 'c' })
  assert.deepEqual(placesOf([{ ...fond, stays: 20 }], { now: () => 'a' }), { fond: 'a' })
  const big = (id: string, priority: number) =>
    resource(id, { needs: { memory_mb: 3 }, priority, nodes: ['a'] })
  const capacity = () => ({ memory_mb: 4 })
  assert.deepEqual(placesOf([big('less', 0), big('more', 1)], { capacity }), {
    more: 'a',
    less: undefined,
  })
})

test('H3 every place says why, and why not elsewhere', () => {
  const vip = resource('vip')
  const web = resource('web', { beside: [must('vip')] })
  const places = plan([vip, web], { ...idle, whyNot: down('a') })
  assert.deepEqual(places.get('web'), {
    node: 'b',
    because: 'vip is there, beside which it must run',
    canStay: false,
    elsewhere: { a: 'it is lost', c: 'vip, beside which it must run, belongs on b' },
  })
  assert.deepEqual(places.get('vip')?.elsewhere, {
    a: 'it is lost',
    c: 'b comes first in its list',
  })
})

const nodes = ['a', 'b', 'c', 'd']
const ids = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5']

/** Resources whose wishes point at earlier ones only, so that there is no circle. */
const anyResources = fc
  .array(
    fc.record({
      list: fc.shuffledSubarray(nodes, { minLength: 1 }),
      wish: fc.constantFrom('none', 'beside', 'besideIfPossible', 'apart', 'apartIfPossible'),
      leader: fc.nat(5),
      after: fc.boolean(),
      points: fc.integer({ min: -5, max: 5 }),
      stays: fc.constantFrom<Strength>('must', 0, 3),
      priority: fc.integer({ min: 0, max: 2 }),
      needs: fc.nat(3),
    }),
    { minLength: 1, maxLength: ids.length },
  )
  .map((drawn) =>
    drawn.map(({ list, wish, leader, after, points, stays, priority, needs }, at) => {
      const to = at === 0 ? undefined : `r${leader % at}`
      const pull = (soft: string, hard: string) => {
        if (to === undefined || (wish !== soft && wish !== hard)) return []
        return [must(to, wish === hard ? 'must' : 4)]
      }
      return resource(`r${at}`, {
        nodes: list,
        beside: pull('besideIfPossible', 'beside'),
        apart: pull('apartIfPossible', 'apart'),
        after: after && to !== undefined ? [to] : [],
        prefers: { b: points },
        ...{ stays, priority, needs: { cpu: needs } },
      })
    }),
  )

const anyFacts = fc
  .record({
    unable: fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...nodes))),
    room: fc.integer({ min: 1, max: 8 }),
    moved: fc.dictionary(fc.constantFrom(...ids), fc.constantFrom(...nodes)),
    now: fc.dictionary(fc.constantFrom(...ids), fc.constantFrom(...nodes)),
  })
  .map(
    ({ unable, room, now, moved }): Facts => ({
      now: ({ id }) => now[id],
      ails: () => '',
      unsure: () => '',
      pending: () => false,
      wanted: ({ id }) => moved[id],
      whyNot: ({ id }, node) =>
        unable.some(([whose, where]) => whose === id && where === node) ? 'it cannot' : '',
      capacity: () => ({ cpu: room }),
      unsound: () => false,
    }),
  )

test('H3 no plan breaks a wish that must hold, or puts anything where it cannot be', () => {
  fc.assert(
    fc.property(anyResources, anyFacts, (resources, facts) => {
      const places = plan(resources, facts)
      const used: Record<string, number> = {}
      for (const each of resources) {
        const { node } = places.get(each.id)!
        if (node === undefined) continue
        assert.ok(each.nodes.includes(node))
        assert.equal(facts.whyNot(each, node), '')
        for (const { to, strength } of each.beside) {
          if (strength === 'must') assert.equal(places.get(to)?.node, node)
        }
        for (const { to, strength } of each.apart) {
          if (strength === 'must') assert.notEqual(places.get(to)?.node, node)
        }
        for (const id of each.after) assert.notEqual(places.get(id)?.node, undefined)
        used[node] = (used[node] ?? 0) + (each.needs.cpu ?? 0)
        assert.ok(used[node] <= (facts.capacity(node).cpu ?? Infinity))
      }
    }),
  )
})

test('H3 what has come to where it should be stays there: a plan that is carried out is the same', () => {
  fc.assert(
    fc.property(anyResources, anyFacts, (resources, facts) => {
      const first = plan(resources, facts)
      const settled = plan(resources, { ...facts, now: ({ id }) => first.get(id)?.node })
      for (const { id } of resources) assert.equal(settled.get(id)?.node, first.get(id)?.node, id)
    }),
  )
})
