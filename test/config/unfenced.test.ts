/** H18: nodes that may run something, and that nobody can prove off. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { effectiveYaml } from '../../src/config/show.ts'
import { folder, load, problemsOf } from './files.ts'

const cluster = (b: string) => `cluster:
  name: test
  nodes:
    - { name: a, fence: { driver: ipmi, host: 10.0.1.1 } }
    - { ${b} }
`
const web = 'resources: [{ id: web, type: exec, run: /bin/web }]\n'
const secrets = 'ipmi: { a: { user: u, password: hunter2-canary } }\n'

test('H18 what may run on a node without a device is refused, with the ways out', async (t) => {
  const problems = await problemsOf(t, { config: `${cluster('name: b')}${web}`, secrets })
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /^config\.yaml:5:\d+: web may run on b, and no fence device can/)
  assert.match(
    problems[0] ?? '',
    /Give it a step in fence, .*or write `unfenced: accepted` at this/,
  )
})

test('H18 the config may accept it, of that node', async (t) => {
  const config = `${cluster('name: b, unfenced: accepted')}${web}`
  const loaded = await load(t, { config, secrets })
  assert.match(effectiveYaml(loaded), /name: b\n {6}unfenced: accepted/)
  assert.ok(loaded.warnings.some((each) => each.startsWith('b has no fence device')))
})

test('H18 a node on which nothing may run needs none', async (t) => {
  await load(t, { config: cluster('name: b'), secrets })
  await load(t, { config: `${cluster('name: b, role: witness')}${web}`, secrets })
  const elsewhere = web.replace('/bin/web', '/bin/web, nodes: [a]')
  await load(t, { config: `${cluster('name: b')}${elsewhere}`, secrets })
})

test('H18 fence.enabled: false accepts it of all', async (t) => {
  const config = `${cluster('name: b')}${web}fence: { enabled: false }\n`
  const { warnings } = await load(t, { config, secrets })
  assert.match(warnings.join('\n'), /Fencing is switched off/)
})

test('H18 who has a device has nothing to accept', async (t) => {
  const config = cluster('name: b').replace('name: a,', 'name: a, unfenced: accepted,')
  const problems = await problemsOf(t, { config: `${config}${web}`, secrets })
  assert.match(problems.join('\n'), /:4:\d+: a has a fence device, so there is nothing to accept/)
  const wrong = cluster('name: b, unfenced: true')
  assert.match(
    (await problemsOf(t, { config: wrong, secrets })).join('\n'),
    /accepted: that nobody/,
  )
})

test('H18 without the secrets nobody can tell: a level may stand there alone', async (t) => {
  const dir = folder(t, { 'config.yaml': `${cluster('name: b')}${web}` })
  const result = await loadConfig(`${dir}/config.yaml`, { withoutSecrets: true })
  assert.equal(result.ok, true)
})
