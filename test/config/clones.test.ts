/** H2: clones in the config, the resources that they become, and what cannot be one. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { resourceLines } from '../../src/config/show.ts'
import { load, problemsOf, twoNodes } from './files.ts'

const entry = (id: string, more = '') =>
  `  - { id: ${id}, type: exec, run: /bin/${id}${more && `, ${more}`} }\n`

const resourcesOf = (...entries: readonly string[]) => `${twoNodes}resources:\n${entries.join('')}`

async function loaded(t: TestContext, config: string) {
  const { core, resources, ...rest } = await load(t, { config })
  return { core, resources, ...rest, byId: new Map(core.resources.map((each) => [each.id, each])) }
}

test('H2 a clone becomes a resource for each of its nodes', async (t) => {
  const text = resourcesOf(entry('web', 'clone: true, nodes: [b, a]'), entry('one', 'clone: 1'))
  const { core, resources, byId } = await loaded(t, text)
  assert.deepEqual([...byId.keys()], ['web@b', 'web@a', 'one@a', 'one@b'])
  assert.deepEqual(byId.get('web@b')?.nodes, ['b'])
  assert.equal(byId.get('web@b')?.thing, `${byId.get('web@a')?.thing.slice(0, -1)}b`)
  assert.deepEqual(byId.get('web@b')?.clone, { id: 'web', max: 2 })
  assert.deepEqual(byId.get('one@a')?.clone, { id: 'one', max: 1 })
  assert.deepEqual(
    resources.map(({ name, cloneMax, options }) => [name, cloneMax, options.run]),
    [
      ...['web', 'web'].map((id) => [id, 2, `/bin/${id}`]),
      ...['one', 'one'].map((id) => [id, 1, `/bin/${id}`]),
    ],
  )
  assert.deepEqual(
    resourceLines(core).map(({ id, text: told }) => [id, /, a clone, on (.*)/.exec(told)?.[1]]),
    [
      ['web', 'each of b, a'],
      ['one', 'at most 1 of a, b'],
    ],
  )
  const plain = await loaded(t, resourcesOf(entry('web', 'clone: false')))
  assert.deepEqual([...plain.byId.keys()], ['web'])
})

test('H2 a clone wants the instances on its own nodes, whoever is none wants any', async (t) => {
  const { byId } = await loaded(
    t,
    resourcesOf(
      entry('dlm', 'clone: true'),
      entry('web', 'clone: true, after: dlm'),
      entry('vip', 'beside: web, after: web'),
    ),
  )
  assert.deepEqual(byId.get('web@b')?.after, ['dlm@b'])
  assert.deepEqual(byId.get('vip')?.after, ['web'])
})

test('H2 a group may be a clone: every node has all of it', async (t) => {
  const text = `${resourcesOf(entry('dlm'), entry('gfs'))}groups: [{ id: storage, members: [dlm, gfs], clone: true }]\n`
  const { byId } = await loaded(t, text)
  assert.deepEqual(byId.get('gfs@b')?.beside, [{ to: 'dlm@b', strength: 'must' }])
  assert.deepEqual(byId.get('gfs@b')?.after, ['dlm@b'])
})

const faults: readonly (readonly [what: string, config: string, expected: RegExp])[] = [
  [
    'an address',
    resourcesOf('  - { id: vip, type: vip, address: 192.0.2.9/24, clone: true }\n'),
    /vip cannot be a clone: an address must never be on two nodes at once; leave `clone` out/,
  ],
  [
    'an address of an agent',
    resourcesOf(
      '  - { id: ip, type: ocf, agent: "ocf:heartbeat:IPaddr2", params: { ip: 192.0.2.9 }, clone: 2 }\n',
    ),
    /ip cannot be a clone: an address must never be/,
  ],
  [
    'a clone beside what is on one node',
    resourcesOf(entry('db'), entry('web', 'clone: true, beside: db')),
    /web is a clone and would run on one node only, beside db; write `beside: web` at db instead/,
  ],
  [
    'a clone after that one in a group',
    `${resourcesOf(entry('db'), entry('web', 'clone: true'))}groups: [{ id: g, members: [db, web] }]\n`,
    /put it before db in the group g, or make the group a clone/,
  ],
  [
    'a group that says otherwise',
    `${resourcesOf(entry('db', 'clone: 1'), entry('web'))}groups: [{ id: g, members: [db, web], clone: true }]\n`,
    /db and its group g say `clone`, and not the same; keep one/,
  ],
  ['no number', resourcesOf(entry('web', 'clone: 0')), /clone/],
  ['a word', resourcesOf(entry('web', 'clone: everywhere')), /clone/],
  [
    'an instance as a name',
    resourcesOf(entry('web', 'clone: true'), entry('vip', 'after: web@a')),
    /web@a/,
  ],
  [
    'two clones of one thing',
    resourcesOf(entry('web', 'clone: true'), '  - { id: www, type: exec, run: /bin/web }\n'),
    /www is the same thing as web/,
  ],
]

for (const [what, config, expected] of faults) {
  test(`H2 refused: ${what}`, async (t) => {
    assert.match((await problemsOf(t, { config })).join('\n'), expected)
  })
}

test('H2 there is a bound on what is planned', async (t) => {
  const nodes = Array.from({ length: 32 }, (_, at) => `    - { name: n${at} }\n`).join('')
  const many = Array.from({ length: 32 }, (_, at) => entry(`r${at}`, 'clone: true')).join('')
  const config = `cluster:\n  name: big\n  nodes:\n${nodes}resources:\n${many}`
  assert.match((await problemsOf(t, { config })).join('\n'), /come to 1024 instances, at most 1000/)
})
