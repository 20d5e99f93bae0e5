/** H3: groups, beside, apart, after, points and room in the config, and what can never come true. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { load, problemsOf, twoNodes } from './files.ts'

const entry = (id: string, more = '') =>
  `  - { id: ${id}, type: exec, run: /bin/${id}${more && `, ${more}`} }\n`

const resourcesOf = (...entries: readonly string[]) => `${twoNodes}resources:\n${entries.join('')}`

async function wishesIn(t: TestContext, config: string) {
  const { core } = await load(t, { config })
  return Object.fromEntries(core.resources.map((resource) => [resource.id, resource]))
}

test('H3 a group is short for beside and after the one before', async (t) => {
  const config = `${resourcesOf(entry('vip'), entry('fs'), entry('web', 'after: db'), entry('db'))}
groups:
  - { id: stack, members: [vip, fs, web] }
`
  const { vip, fs, web } = await wishesIn(t, config)
  assert.deepEqual([vip?.beside, vip?.after], [[], []])
  assert.deepEqual([fs?.beside, fs?.after], [[{ to: 'vip', strength: 'must' }], ['vip']])
  assert.deepEqual([web?.beside, web?.after], [[{ to: 'fs', strength: 'must' }], ['db', 'fs']])
})

test('H3 the name of a group is for people: it makes no other configuration', async (t) => {
  const named = async (name: string) => {
    const groups = `groups: [{ id: ${name}, members: [vip, web] }]\n`
    return (await load(t, { config: `${resourcesOf(entry('vip'), entry('web'))}${groups}` })).core
  }
  const [one, other] = [await named('site'), await named('shop')]
  assert.deepEqual([one.resources[0]?.group, other.resources[0]?.group], ['site', 'shop'])
  assert.equal(one.hash, other.hash)
})

test('H3 wishes with and without a strength; without stickiness nothing moves for points', async (t) => {
  const wishes =
    'beside: vip, apart_from: [{ resource: db, strength: 20 }, log], prefers: { b: 5 }, ' +
    'stickiness: 3, priority: 7, needs: { memory_mb: 512 }'
  const { web, vip } = await wishesIn(
    t,
    resourcesOf(entry('vip'), entry('db'), entry('log'), entry('web', wishes)),
  )
  assert.deepEqual(web?.beside, [{ to: 'vip', strength: 'must' }])
  assert.deepEqual(web?.apart, [
    { to: 'db', strength: 20 },
    { to: 'log', strength: 'must' },
  ])
  assert.deepEqual([web?.prefers, web?.stays, web?.priority], [{ b: 5 }, 3, 7])
  assert.deepEqual(web?.needs, { memory_mb: 512 })
  assert.equal(vip?.stays, 'must')
})

const faults: readonly (readonly [what: string, config: string, expected: RegExp])[] = [
  [
    'a strange name',
    resourcesOf(entry('web', 'beside: vpi'), entry('vip')),
    /no resource "vpi"\. Did you mean vip/,
  ],
  ['itself', resourcesOf(entry('web', 'after: [web]')), /after names web itself/],
  [
    'a strange node',
    resourcesOf(entry('web', 'prefers: { c: 1 }')),
    /"c" is not among the nodes of web/,
  ],
  [
    'a strange member',
    `${resourcesOf(entry('web'))}groups: [{ id: g, members: [web, dbb] }]\n`,
    /no resource "dbb"/,
  ],
  [
    'a group with the name of a resource',
    `${resourcesOf(entry('a'), entry('b'), entry('c'))}groups: [{ id: a, members: [b, c] }]\n`,
    /a is a resource, too; give the group its own name/,
  ],
  [
    'two groups of one name',
    `${resourcesOf(...['a', 'b', 'c', 'd'].map((id) => entry(id)))}groups: [{ id: g, members: [a, b] }, { id: g, members: [c, d] }]\n`,
    /g is another group, too; give the group its own name/,
  ],
  [
    'a group where a resource is named',
    `${resourcesOf(entry('a'), entry('b'), entry('c', 'after: g'))}groups: [{ id: g, members: [a, b] }]\n`,
    /g is a group; name one of its members: a, b/,
  ],
  [
    'a member of two groups',
    `${resourcesOf(entry('a'), entry('b'), entry('c'))}groups: [{ id: g, members: [a, b] }, { id: h, members: [b, c] }]\n`,
    /b is in the group g already/,
  ],
  [
    'a circle',
    resourcesOf(entry('x', 'after: z'), entry('y', 'beside: x'), entry('z', 'after: y')),
    /wait for each other: x -> z -> y -> x/,
  ],
  [
    'a contradiction',
    resourcesOf(entry('x'), entry('y', 'beside: x, apart_from: x')),
    /y and x must be apart, and y must run beside both/,
  ],
  [
    'no node in common',
    resourcesOf(entry('x', 'nodes: [a]'), entry('y', 'nodes: [b], beside: x')),
    /y, x must run on one node, and none is in all their lists/,
  ],
  [
    'more than any node has',
    `${twoNodes.replace('name: b', 'name: b, capacity: { cpu: 2 }')}resources:\n${entry('x', 'nodes: [b], needs: { cpu: 3 }')}`,
    /x needs 3 of cpu, which none of its nodes has/,
  ],
  [
    'no strength at all',
    resourcesOf(entry('x'), entry('y', 'beside: { resource: x, strength: 0 }')),
    /strength/,
  ],
]

for (const [what, config, expected] of faults) {
  test(`H3 ${what} is an error with its place`, async (t) => {
    const problems = (await problemsOf(t, { config })).join('\n')
    assert.match(problems, expected)
    assert.match(problems, /^config\.yaml:([2-9]|\d\d):\d+: /)
  })
}
