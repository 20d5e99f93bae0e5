/** H3 and H20: what failures and lost quorum come to, in the config; what cannot be is refused. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { load, problemsOf } from './files.ts'

const ipmi = '{ driver: ipmi, host: 10.0.0.1, user: admin, password_env: BMC }'
const fabric = '{ driver: agent, agent: fence_scsi, cuts: fabric, options: { devices: /dev/sdb } }'
const options = { env: { BMC: 'winding-Secret-7' } }

/** Two nodes, the second of which has its own way to be fenced, and these resources. */
const configOf = (resources: readonly string[], b: string | undefined = ipmi, fence = '') => `
cluster:
  name: shop
  nodes:
    - { name: a, fence: ${ipmi} }
    - { name: b${b && `, fence: ${b.replace('0.0.1', '0.0.2')}`} }
${fence}
resources:
${resources.map((each) => `  - { ${each} }`).join('\n')}
`
const exec = (id: string, more = '') =>
  `id: ${id}, type: exec, run: /bin/${id}${more && `, ${more}`}`

async function coreOf(t: TestContext, ...more: readonly string[]) {
  const config = configOf(more.map((each, i) => exec(`r${i}`, each)))
  const { core } = await load(t, { config }, options)
  return core.resources.map(({ failing, noQuorum }) => ({ ...failing, noQuorum }))
}

test('H3 left out, a failure is mended in place once, and a start that fails goes elsewhere', async (t) => {
  const [first] = await coreOf(t, '')
  const timeoutMs = 60_000
  const counts = { monitorsMax: 2, startsMax: 1, timeoutMs }
  assert.deepEqual(first, { action: 'restart', ...counts, noQuorum: 'stop' })
})

test('H3 the threshold and the time are those of the resource', async (t) => {
  const [three, move, short, frozen] = await coreOf(
    t,
    'failures_max: 3',
    'on_fail: move',
    'failure_timeout_seconds: 5.5',
    'on_fail: fence, no_quorum: freeze',
  )
  assert.deepEqual([three?.monitorsMax, three?.startsMax], [3, 3])
  assert.deepEqual([move?.action, move?.monitorsMax], ['move', 1])
  assert.equal(short?.timeoutMs, 5_500)
  assert.deepEqual([frozen?.action, frozen?.noQuorum], ['fence', 'freeze'])
})

test('H20 two that follow each other may both freeze', async (t) => {
  const config = configOf([
    exec('db', 'no_quorum: freeze'),
    exec('web', 'no_quorum: freeze, after: db'),
  ])
  await load(t, { config }, options)
})

const faults: readonly (readonly [what: string, config: string, expected: RegExp])[] = [
  [
    'a word that is none',
    configOf([exec('db', 'on_fail: block')]),
    /^config\.yaml:9:\d+: .*"block".*restart.*move.*stop.*fence/m,
  ],
  [
    'a threshold for what never counts',
    configOf([exec('db', 'on_fail: move, failures_max: 3')]),
    /^config\.yaml:9:\d+: on_fail of db is move, which its first failure brings about; take /m,
  ],
  [
    'a fence where nothing can be fenced',
    configOf([exec('db', 'on_fail: fence')], ''),
    /^config\.yaml:9:\d+: on_fail of db is fence, and b has no fence level; give it one, or /m,
  ],
  [
    'a fence where nothing is fenced',
    configOf([exec('db', 'on_fail: fence')], ipmi, 'fence: { enabled: false }'),
    /on_fail of db is fence, and fence\.enabled is false: nothing is fenced at all/,
  ],
  [
    'a freeze where nothing can be proven',
    configOf([exec('db', 'no_quorum: freeze')], ''),
    /^config\.yaml:9:\d+: no_quorum of db is freeze, and b has no fence level; give it one, or /m,
  ],
  [
    'a freeze where a node that is fenced runs on',
    configOf(
      [exec('db', 'no_quorum: freeze')],
      `[${ipmi}, ${fabric}]`,
      'fence: { least_evidence: fabric }',
    ),
    /and no step cuts the power in level 2 of b: b\/2\/1 \(agent\)\. A node that is cut off runs/,
  ],
  [
    'a freeze that its leader ends',
    configOf([exec('db'), exec('web', 'after: db, no_quorum: freeze')]),
    /^config\.yaml:10:\d+: .*and db, after which it starts, stops without quorum, and web before/m,
  ],
]

for (const [what, config, expected] of faults) {
  test(`H3 H20 ${what} is an error with its place`, async (t) => {
    assert.match((await problemsOf(t, { config }, options)).join('\n'), expected)
  })
}

test('H20 a resource that may not run where nothing is proven may freeze elsewhere', async (t) => {
  const config = configOf([exec('db', 'no_quorum: freeze, nodes: [a]')], '')
  await load(t, { config }, options)
})
