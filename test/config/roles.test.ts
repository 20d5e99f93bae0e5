/** H19: `role: witness` in the config. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveYaml } from '../../src/config/show.ts'
import { load, problemsOf } from './files.ts'

const cluster = (role: string, more = '') => `cluster:
  name: test
  nodes:
    - { name: a, unfenced: accepted }
    - { name: b, unfenced: accepted }
    - { name: c, role: ${role}${more} }
`
const vip = (more = '') =>
  `resources:\n  - { id: vip, type: vip, address: 192.0.2.1/24${more && `, ${more}`} }\n`

test('H19 a witness is in the list of no resource, and of no clone', async (t) => {
  const web = '  - { id: web, type: exec, run: /bin/web, clone: true }\n'
  const { core, ...rest } = await load(t, { config: cluster('witness') + vip() + web })
  const ids = core.resources.map(({ id, nodes }) => [id, nodes.join()])
  assert.deepEqual(ids, [
    ['vip', 'a,b'],
    ['web@a', 'a'],
    ['web@b', 'b'],
  ])
  assert.deepEqual(
    core.nodes.map(({ role }) => role),
    [undefined, undefined, 'witness'],
  )
  assert.match(effectiveYaml({ core, ...rest }), /name: c\n {6}role: witness/)
})

test('H19 one that is named beside others is passed over', async (t) => {
  const { core } = await load(t, { config: cluster('witness') + vip('nodes: [c, b, a]') })
  assert.deepEqual(core.resources[0]?.nodes, ['b', 'a'])
})

test('H19 a resource of witnesses alone is refused', async (t) => {
  const problems = await problemsOf(t, { config: cluster('witness') + vip('nodes: [c]') })
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /config\.yaml:8:\d+: vip could run on c only, which is a witness/)
  const all = cluster('witness').replaceAll('unfenced: accepted', 'role: witness')
  const [problem] = await problemsOf(t, { config: all + vip() })
  assert.match(problem ?? '', /vip could run on a, b, c only, which are witnesses/)
})

test('H19 what means nothing of a witness is refused, and so is a wish to be there', async (t) => {
  const options = ', priority: 3, capacity: { memory_mb: 1 }, unfenced: accepted'
  const problems = await problemsOf(t, { config: cluster('witness', options) })
  assert.equal(problems.length, 3)
  assert.match(problems[0] ?? '', /c is a witness, of which priority means nothing; leave it out/)
  const [wish] = await problemsOf(t, { config: cluster('witness') + vip('prefers: { c: 5 }') })
  assert.match(wish ?? '', /c.* is not among the nodes of vip/)
})

test('H19 where one node alone could run anything, that is said at every start', async (t) => {
  const text = cluster('witness').replace('b, unfenced: accepted', 'b, role: witness')
  const { warnings } = await load(t, { config: text + vip() })
  assert.ok(warnings.some((each) => each.startsWith('a is the only node that is no witness')))
})
