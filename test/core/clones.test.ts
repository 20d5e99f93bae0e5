/** Clones: their instances, what a plan makes of them, and what a cluster does with them (H2). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandClones, otherForm, type Written } from '../../src/core/clones.ts'
import { explain, explainClone } from '../../src/core/explain.ts'
import { foresee } from '../../src/core/foresee.ts'
import { type IntentAction, whyMeaningless, withOrder } from '../../src/core/intents.ts'
import {
  type NodeId,
  plainWishes,
  type ResourceConfig,
  type Strength,
} from '../../src/core/model.ts'
import { type Facts, plan } from '../../src/core/plan.ts'
import { describe } from '../../src/core/status.ts'
import { scenarioSite, type Wishes } from '../../src/sim/scenario-site.ts'
import { Table } from './table.ts'

const must = (to: string, strength: Strength = 'must') => ({ to, strength })

function written(id: string, instances: number, changes: Partial<ResourceConfig> = {}): Written {
  const times = { startMs: 1, stopMs: 1, probeMs: 1, monitorEveryMs: 1 }
  const nodes = ['a', 'b', 'c']
  return { ...plainWishes, id, thing: `the ${id}`, nodes, instances, ...times, ...changes }
}

const idle: Facts = {
  now: () => undefined,
  wanted: () => undefined,
  whyNot: () => '',
  capacity: () => ({}),
  ails: () => '',
  unsure: () => '',
  pending: () => false,
  unsound: () => false,
}

function placesOf(all: readonly Written[], facts: Partial<Facts> = {}) {
  const places = plan(expandClones(all), { ...idle, ...facts })
  return Object.fromEntries([...places].map(([id, { node }]) => [id, node]))
}

const up = (places: Readonly<Record<string, NodeId | undefined>>, of: string): string =>
  Object.entries(places)
    .flatMap(([id, node]) => (id.startsWith(`${of}@`) && node !== undefined ? [node] : []))
    .join('')

const on = (nodes: string) => (each: ResourceConfig) =>
  each.clone && nodes.includes(each.nodes[0]!) ? each.nodes[0] : undefined

test('H2 every node has an instance that is a thing of its own', () => {
  const [vip, ...web] = expandClones([written('vip', 0), written('web', 3)])
  assert.equal(vip?.thing, 'the vip')
  assert.deepEqual(
    web.map(({ id, thing, nodes, clone }) => [id, thing, nodes, clone]),
    ['a', 'b', 'c'].map((node) => [
      ...[`web@${node}`, `the web @${node}`, [node]],
      { id: 'web', max: 3 },
    ]),
  )
  // A config may make a clone of what was none, and the other way round (S16).
  assert.equal(otherForm('the web @a', 'a'), 'the web')
  assert.equal(otherForm('the web', 'a'), 'the web @a')
})

test('H2 what a clone wants of another one it wants of the instance on its own node', () => {
  const dlm = written('dlm', 3, { nodes: ['a', 'b'] })
  const web = written('web', 3, { after: ['dlm'], beside: [must('dlm')], apart: [must('vip')] })
  const all = expandClones([written('vip', 0), dlm, web])
  const find = (id: string) => all.find((each) => each.id === id)
  assert.deepEqual(find('web@a')?.after, ['dlm@a'])
  assert.deepEqual(find('web@a')?.beside, [must('dlm@a')])
  assert.deepEqual(find('web@a')?.apart, [must('vip')])
  // Where the other one has no instance, it is any of them.
  assert.deepEqual(find('web@c')?.after, ['dlm'])
  assert.equal(up(placesOf([written('vip', 0, { nodes: ['c'] }), dlm, web]), 'web'), 'ab')
})

test('H2 a clone runs on all of its nodes that can take it, and one of them is no other', () => {
  const places = placesOf([written('web', 3)], {
    whyNot: (_, node) => (node === 'b' ? 'it is on standby' : ''),
  })
  assert.equal(up(places, 'web'), 'ac')
})

test('H2 at most so many: those that run, then points, then the list', () => {
  const web = written('web', 2)
  assert.equal(up(placesOf([web]), 'web'), 'ab')
  assert.equal(up(placesOf([web], { now: on('c') }), 'web'), 'ac')
  assert.equal(up(placesOf([web], { now: on('bc') }), 'web'), 'bc')
  assert.equal(up(placesOf([{ ...web, prefers: { c: 1 } }]), 'web'), 'ac')
  // Points move it only where its stickiness says so.
  const fond = { ...web, prefers: { c: 5 }, stays: 3 }
  assert.equal(up(placesOf([fond], { now: on('ab') }), 'web'), 'ac')
  assert.equal(up(placesOf([{ ...fond, stays: 9 }], { now: on('ab') }), 'web'), 'ab')
  // One that failed gives its place to another node.
  const failed = { whyNot: (_: ResourceConfig, node: NodeId) => (node === 'a' ? 'failed' : '') }
  assert.equal(up(placesOf([web], { ...failed, now: on('b') }), 'web'), 'bc')
  const { 'web@c': last } = Object.fromEntries(plan(expandClones([web]), idle))
  assert.equal(last?.because, 'web runs on at most 2 nodes at once, now on a, b')
})

test('H2 room counts for every instance', () => {
  const capacity = (node: NodeId) => ({ cpu: node === 'b' ? 1 : 4 })
  const web = written('web', 3, { needs: { cpu: 3 } })
  const rest = written('rest', 0, { needs: { cpu: 2 } })
  assert.deepEqual(placesOf([web, rest], { capacity }), {
    ...{ 'web@a': 'a', 'web@b': undefined, 'web@c': 'c' },
    rest: undefined,
  })
})

test('H2 whoever must run beside a clone is where an instance is, rather where it is well', () => {
  const web = written('web', 3)
  const vip = written('vip', 0, { beside: [must('web')], after: ['web'] })
  const without = (node: NodeId) => (each: ResourceConfig, at: NodeId) =>
    each.clone && at === node ? 'it failed there a moment ago' : ''
  assert.equal(placesOf([vip, web]).vip, 'a')
  assert.equal(placesOf([vip, web], { whyNot: without('a') }).vip, 'b')
  // What is only about to be mended is left for what works.
  const now = ({ id, nodes }: ResourceConfig) => (id === 'vip' ? 'a' : nodes[0])
  assert.equal(placesOf([vip, web], { now, unsound: ({ id }) => id === 'web@a' }).vip, 'b')
  assert.equal(placesOf([vip, web], { now, unsound: () => true }).vip, 'a')
  const none = placesOf([vip, web], { whyNot: ({ clone }) => (clone ? 'no' : '') })
  assert.equal(none.vip, undefined)
})

test('H2 of few instances one is where a follower can be, and the others stay', () => {
  const web = written('web', 2)
  const vip = written('vip', 0, { nodes: ['c'], beside: [must('web')] })
  const places = placesOf([web, vip], { now: on('ab') })
  assert.deepEqual([up(places, 'web'), places.vip], ['ac', 'c'])
  // It is there already.
  assert.equal(up(placesOf([web, vip], { now: on('bc') }), 'web'), 'bc')
})

test('H2 whoever starts after a clone needs one instance, anywhere', () => {
  const web = written('web', 3, { nodes: ['a', 'b'] })
  const job = written('job', 0, { nodes: ['c'], after: ['web'] })
  const only = (nodes: string) => (each: ResourceConfig, at: NodeId) =>
    each.clone && !nodes.includes(at) ? 'no' : ''
  assert.equal(placesOf([job, web], { whyNot: only('b') }).job, 'c')
  assert.equal(placesOf([job, web], { whyNot: only('') }).job, undefined)
})

test('H2 what must be apart from a clone is on none of its nodes', () => {
  const web = written('web', 2)
  assert.equal(placesOf([web, written('db', 0, { apart: [must('web')] })]).db, 'c')
  assert.equal(placesOf([web, written('db', 0, { beside: [must('web', 5)] })]).db, 'a')
})

// ---- what must hold of every plan ----

const nodes = ['a', 'b', 'c', 'd']
const ids = ['r0', 'r1', 'r2', 'r3', 'r4']

const anyWritten = fc
  .array(
    fc.record({
      list: fc.shuffledSubarray(nodes, { minLength: 1 }),
      wish: fc.constantFrom('none', 'beside', 'besideIfPossible', 'apart'),
      leader: fc.nat(4),
      after: fc.boolean(),
      points: fc.integer({ min: -5, max: 5 }),
      stays: fc.constantFrom<Strength>('must', 0, 3),
      instances: fc.constantFrom(0, 0, 1, 2, 3, 4),
      needs: fc.nat(3),
    }),
    { minLength: 1, maxLength: ids.length },
  )
  .map((drawn) => {
    const isClone = (at: number) => drawn[at]!.instances > 0
    return drawn.map(({ list, wish, leader, after, points, stays, needs, instances }, at) => {
      const to = at === 0 ? undefined : leader % at
      // A clone beside what is none is refused by the config.
      const hard = wish === 'beside' && (instances === 0 || (to !== undefined && isClone(to)))
      const pull = (kind: boolean, strength: Strength) =>
        to !== undefined && kind ? [must(`r${to}`, strength)] : []
      return written(`r${at}`, instances, {
        nodes: list,
        beside: [...pull(hard, 'must'), ...pull(wish === 'besideIfPossible', 4)],
        apart: pull(wish === 'apart', 'must'),
        after: after && to !== undefined ? [`r${to}`] : [],
        prefers: { b: points },
        ...{ stays, needs: { cpu: needs } },
      })
    })
  })

const anyFacts = fc
  .record({
    unable: fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...nodes))),
    ailing: fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...nodes))),
    room: fc.integer({ min: 1, max: 8 }),
    moved: fc.dictionary(fc.constantFrom(...ids), fc.constantFrom(...nodes)),
    now: fc.dictionary(fc.constantFrom(...ids), fc.constantFrom(...nodes)),
    runs: fc.array(fc.tuple(fc.constantFrom(...ids), fc.constantFrom(...nodes))),
  })
  .map(({ unable, ailing, room, now, moved, runs }): Facts => {
    const among = (pairs: readonly [string, string][], { id, clone }: ResourceConfig, at: NodeId) =>
      pairs.some(([whose, where]) => whose === (clone?.id ?? id) && where === at)
    return {
      now: (each) => {
        if (each.clone === undefined) return now[each.id]
        return among(runs, each, each.nodes[0]!) ? each.nodes[0] : undefined
      },
      wanted: ({ id }) => moved[id],
      whyNot: (each, node) => (among(unable, each, node) ? 'it cannot' : ''),
      ails: () => '',
      unsure: () => '',
      pending: () => false,
      unsound: (each) => among(ailing, each, each.nodes[0]!),
      capacity: () => ({ cpu: room }),
    }
  })

test('H2 no plan breaks a wish that must hold, nor has too many instances', () => {
  fc.assert(
    fc.property(anyWritten, anyFacts, (all, facts) => {
      const resources = expandClones(all)
      const places = plan(resources, facts)
      const at = (name: string) =>
        resources
          .filter(({ id, clone }) => id === name || clone?.id === name)
          .flatMap(({ id }) => places.get(id)?.node ?? [])
      const used: Record<string, number> = {}
      for (const each of resources) {
        const { node } = places.get(each.id)!
        if (node === undefined) continue
        assert.ok(each.nodes.includes(node))
        assert.equal(facts.whyNot(each, node), '')
        for (const { to, strength } of each.beside) {
          if (strength === 'must') assert.ok(at(to).includes(node), `${each.id} beside ${to}`)
        }
        for (const { to, strength } of each.apart) {
          if (strength === 'must') assert.ok(!at(to).includes(node), `${each.id} apart from ${to}`)
        }
        for (const name of each.after) assert.ok(at(name).length > 0, `${each.id} after ${name}`)
        used[node] = (used[node] ?? 0) + (each.needs.cpu ?? 0)
        assert.ok(used[node] <= (facts.capacity(node).cpu ?? Infinity))
      }
      for (const { id, instances } of all) {
        if (instances > 0) assert.ok(at(id).length <= instances, `too many of ${id}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('H2 a plan with clones that is carried out is the same plan', () => {
  fc.assert(
    fc.property(anyWritten, anyFacts, (all, facts) => {
      const resources = expandClones(all)
      const first = plan(resources, facts)
      const settled = plan(resources, { ...facts, now: ({ id }) => first.get(id)?.node })
      for (const { id } of resources) assert.equal(settled.get(id)?.node, first.get(id)?.node, id)
    }),
    { numRuns: 500 },
  )
})

// ---- on a table ----

const seats = ['a', 'b', 'c']

function whole(wishes: Wishes): Table {
  const table = new Table(scenarioSite(wishes).config)
  for (const id of seats) table.seat(id)
  table.ring(seats)
  table.run(5_000)
  return table
}

const runs = (table: Table) =>
  seats.flatMap((id) => [...table.seats.get(id)!.runs].map((each) => `${each} on ${id}`)).join(', ')

let given = 0

function order(table: Table, action: IntentAction, resource: string, target = ''): string {
  const id = `clones-${++given}`
  const who = { requester: 'someone', reason: 'a test' }
  table.tell('c', { kind: 'order', order: { id, action, target, resource, ...who } })
  table.run(5_000)
  return table.seats.get('c')!.state.orders.find((each) => each.id === id)!.because
}

test('H2 an order about a clone is about all of its instances, or about one of them', () => {
  const table = whole({ resources: 'web', clone: 'web' })
  assert.equal(runs(table), 'web@a on a, web@b on b, web@c on c')
  assert.equal(order(table, 'ban', 'web', 'b'), 'web is banned from b')
  assert.equal(runs(table), 'web@a on a, web@c on c')
  order(table, 'unban', 'web', 'b')
  assert.equal(order(table, 'disable', 'web'), 'web is disabled')
  assert.equal(runs(table), '')
  order(table, 'enable', 'web')
  order(table, 'disable', 'web@a')
  assert.equal(runs(table), 'web@b on b, web@c on c')
  assert.match(order(table, 'move', 'web', 'a'), /web is a clone.*cannot be moved; ban it/)
  assert.match(order(table, 'move', 'web@b', 'b'), /is a clone/)
  assert.match(order(table, 'disable', 'wbe'), /the resources are web$/)
})

test('H2 a clone is explained with its instances, and the status lists them', () => {
  const table = whole({ resources: 'web,vip', clone: 'web:2', beside: 'vip:web', after: 'vip:web' })
  assert.equal(runs(table), 'web@a on a, web@b on b, vip on b')
  const { state } = table.seats.get('a')!
  const told = explainClone(state, 'web')!
  assert.deepEqual([told.max, told.instances.map(({ node }) => node)], [2, ['a', 'b', undefined]])
  assert.match(told.instances[2]!.why, /at most 2 nodes at once, now on a, b/)
  assert.equal(explainClone(state, 'vip'), undefined)
  assert.equal(explain(state, 'vip')!.why, 'web is there, beside which it must run')
  const { resources } = describe(state, table.nowMs)
  assert.deepEqual(
    resources.map(({ id, clone }) => [id, clone?.max]),
    [...seats.map((id) => [`web@${id}`, 2]), ['vip', undefined]],
  )
  const outlook = foresee(state, { action: 'ban', resource: 'web', node: 'b' })
  assert.ok(typeof outlook !== 'string')
  assert.deepEqual(outlook.foreseen, [
    { resource: 'web@b', from: 'b', to: undefined, because: 'web is banned from it (by you)' },
    ...[{ resource: 'web@c', from: undefined, to: 'c' }].map((each) => ({
      ...each,
      because: 'of the nodes of its clone it is among the best',
    })),
    { resource: 'vip', from: 'b', to: 'c', because: 'web is there, beside which it must run' },
  ])
})

test('H2 a report says nothing of what is bound to other nodes', () => {
  const table = whole({ resources: 'web', clone: 'web' })
  const { reports } = table.seats.get('a')!.state.session!
  for (const id of seats) assert.deepEqual(Object.keys(reports[id]!.resources), [`web@${id}`])
})

test('H2 orders about a clone have a meaning, also where they are taken back', () => {
  const { config } = scenarioSite({ resources: 'web', clone: 'web' })
  const banned = { action: 'ban', resource: 'web', node: 'a' } as const
  assert.equal(whyMeaningless(config, [], banned), undefined)
  const intents = withOrder([], { ...banned, resource: 'web@a' }, 'someone', '')
  assert.equal(whyMeaningless(config, intents, { ...banned, resource: 'web@a' }), undefined)
  assert.match(whyMeaningless(config, [], { ...banned, resource: 'web@a', node: 'b' })!, /none of/)
})

test('H3 a cleanup of a clone takes back what the failure of an instance has stopped', () => {
  const stopped = withOrder([], { action: 'disable', resource: 'web@a', node: '' }, 'picket', '')
  const others = withOrder(stopped, { action: 'disable', resource: 'webs', node: '' }, 'picket', '')
  const left = withOrder(others, { action: 'cleanup', resource: 'web', node: '' }, 'me', '')
  assert.deepEqual(
    left.map(({ resource }) => resource),
    ['webs'],
  )
})
