/** C1, C2: from what is written to levels of devices with all their options. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Loaded } from '../../src/config/load.ts'
import { lacking } from '../../src/config/missing.ts'
import { tidyProblems } from '../../src/config/problem.ts'
import { levelLines } from '../../src/config/show.ts'
import { driverNames } from '../../src/fence/drivers/index.ts'
import { load, problemsOf, twoNodes } from './files.ts'

const c1 = {
  config: `# /etc/picket/config.yaml
cluster:
  name: prod-cluster
  nodes:
    - name: node-01
      address: 192.168.1.101
      fence:
        driver: proxmox
        vmid: 101
    - name: node-02
      address: 192.168.1.102
      fence:
        driver: proxmox
        vmid: 102

fence:
  enabled: true
  require_quorum: true          # fence only with quorum
  delay_seconds: 30             # wait before fencing
  max_retries: 3
  confirm_down: true            # check that the node really is off
  drivers:
    proxmox:
      api_url: https://192.168.1.100:8006
      credentials_file: fence-secrets.yaml
      verify_ssl: false
    ipmi:
      interface: lanplus
`,
  secrets: `# /etc/picket/fence-secrets.yaml (mode 0600)
proxmox:
  token_id: "root@pam!picket"
  token_secret: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
ipmi:
  node-01: { host: 192.168.1.201, user: admin, password: "secret" }
  node-02: { host: 192.168.1.202, user: admin, password: "secret" }
`,
}

function levels({ core }: Loaded): Record<string, readonly (readonly string[])[]> {
  return Object.fromEntries(
    core.nodes.map(({ id, levels: rungs }) => [
      id,
      rungs.map(({ devices, verify }) => [...devices, ...(verify ? ['verify'] : [])]),
    ]),
  )
}

test('C1 the example is accepted as it stands, with IPMI as the next level', async (t) => {
  const loaded = await load(t, c1)
  assert.deepEqual(levels(loaded), {
    'node-01': [['node-01/1/1'], ['node-01/2/1']],
    'node-02': [['node-02/1/1'], ['node-02/2/1']],
  })
  assert.deepEqual(loaded.devices.get('node-02/1/1')?.options, {
    api_url: 'https://192.168.1.100:8006',
    verify_ssl: false,
    vmid: 102,
    token_id: 'root@pam!picket',
    token_secret: 'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx',
  })
  assert.equal(loaded.devices.get('node-02/2/1')?.options.host, '192.168.1.202')
  assert.equal(loaded.core.rules.delayMs, 30_000)
  assert.deepEqual(
    levelLines(loaded).map(({ text }) => text),
    [
      'proxmox at 192.168.1.100:8006/101 (node-01/1/1)',
      'ipmi at 192.168.1.201:623 (node-01/2/1)',
      'proxmox at 192.168.1.100:8006/102 (node-02/1/1)',
      'ipmi at 192.168.1.202:623 (node-02/2/1)',
    ],
  )
})

test('C1 a driver that is not built in is refused with the list of those that are', async (t) => {
  const problems = await problemsOf(t, {
    config: c1.config.replaceAll('proxmox', 'proxmix'),
    secrets: c1.secrets.replaceAll('proxmox', 'proxmix'),
  })
  const drivers = [...driverNames].sort().join(', ')
  const refused = `config.yaml:8:17: there is no fence driver "proxmix"; there are: ${drivers}.`
  assert.ok(
    problems.some((line) => line.startsWith(refused)),
    problems.join('\n'),
  )
  assert.ok(problems.some((line) => line.startsWith('fence-secrets.yaml:2:1:')))
})

const login = `ipmi: { user: admin, password: geheim-1 }
`

test('C2 a list of levels, each a step or a list of steps, verify among them', async (t) => {
  const config = `cluster:
  name: test
  nodes:
    - name: a
      address: 10.0.0.1
      fence: [[{driver: ipmi, host: 10.0.1.1}, {driver: ipmi, host: 10.0.1.2}, verify], {driver: ipmi, host: 10.0.1.3}]
    - { name: b, fence: {driver: ipmi, host: 10.0.1.4} }
`
  const loaded = await load(t, { config, secrets: login })
  assert.deepEqual(levels(loaded), {
    a: [['a/1/1', 'a/1/2', 'verify'], ['a/2/1']],
    b: [['b/1/1']],
  })
  assert.equal(loaded.devices.get('a/1/2')?.options.host, '10.0.1.2')
})

test('C2 where a node lists addresses, verify ends every level', async (t) => {
  const config = (verify: string) => `cluster:
  name: test
  nodes:
    - name: a
      address: 10.0.0.1
      addresses: { management: 10.0.2.1, client: [10.0.3.1, "2001:db8::1", 10.0.0.1] }
      fence: [{driver: ipmi, host: 10.0.1.1}, {driver: ipmi, host: 10.0.1.2}]
${verify}`
  const loaded = await load(t, { config: config(''), secrets: login })
  assert.deepEqual(levels(loaded).a, [
    ['a/1/1', 'verify'],
    ['a/2/1', 'verify'],
  ])
  assert.deepEqual(loaded.core.nodes[0]?.addresses, [
    '10.0.0.1',
    '10.0.2.1',
    '10.0.3.1',
    '2001:db8::1',
  ])
  assert.deepEqual(loaded.warnings, [])

  const without = await load(t, { config: config('fence: { verify: false }'), secrets: login })
  assert.deepEqual(levels(without).a, [['a/1/1'], ['a/2/1']])
  assert.equal(without.warnings.length, 1)
  assert.match(without.warnings[0] ?? '', /fence\.verify: false/)
})

test('C2 options are merged from four places, the later one wins', async (t) => {
  const config = `cluster:
  name: test
  nodes:
    - { name: a, fence: {driver: ipmi, host: from-step, port: 1001, privilege: operator} }
    - { name: b, fence: {driver: ipmi} }
fence:
  drivers:
    ipmi: { host: from-section, port: 1000, user: from-section, privilege: administrator }
`
  const secrets = `ipmi:
  user: from-shared
  password: from-shared
  b: { password: from-node, port: 1003 }
`
  const { devices } = await load(t, { config, secrets })
  assert.deepEqual(devices.get('a/1/1')?.options, {
    host: 'from-step',
    port: 1001,
    privilege: 'operator',
    user: 'from-shared',
    password: 'from-shared',
  })
  assert.deepEqual(devices.get('b/1/1')?.options, {
    host: 'from-section',
    port: 1003,
    privilege: 'administrator',
    user: 'from-shared',
    password: 'from-node',
  })
})

const oneFenced = twoNodes.replace(
  '{ name: a, unfenced: accepted }',
  'name: a\n      fence: {driver: ipmi, host: x}',
)

test('C2 a required value that is set nowhere names all the places', async (t) => {
  const config = `${oneFenced}`
  const problems = await problemsOf(t, { config })
  assert.deepEqual(problems, [
    'config.yaml: there is no secrets file fence-secrets.yaml: what is set nowhere may stand ' +
      'there, and secrets have to (mode 0600)',
    'config.yaml:5:14: the options user and password of ipmi are set nowhere for a; write user in ' +
      "fence.drivers.ipmi or in the node's own fence entry, and password in the secrets file " +
      'below ipmi: or below ipmi: a: (or password_env or password_credential where other options ' +
      'stand)',
  ])
})

test('C2 what many nodes lack is told once, each option of a driver that all of them lack', async (t) => {
  const steps = [1, 2, 3].map((n) => `{ name: n${n}, fence: [{driver: ipmi, host: x${n}}] }`)
  const user = 'fence: { drivers: { ipmi: { user: root } } }'
  const config = `cluster: { name: x, nodes: [${steps.join(', ')}] }\n${user}\n`
  const problems = await problemsOf(t, { config, secrets: 'ipmi: { n2: { password: canary-7 } }' })
  assert.deepEqual(problems, [
    'config.yaml:1:49: the option password of ipmi is set nowhere for n1 and n3; write password in ' +
      'the secrets file below ipmi: or below ipmi: n1: (or password_env or password_credential ' +
      'where other options stand)',
  ])
})

test('C2 of very many nodes a few are named', () => {
  const lacks = Array.from({ length: 40 }, (_, index) => ({
    ...{ driver: 'http', option: 'off_url', secret: false, node: `n${index}` },
  }))
  const place = { file: 'config.yaml', line: 1, column: 1 }
  const told = tidyProblems(lacks.map((lack) => lacking(place, lack)))
  assert.deepEqual(
    told.map(({ message }) => message),
    [
      'the option off_url of http is set nowhere for n0, n1, n2, n3, n4 and 35 more; write off_url ' +
        "in fence.drivers.http or in the node's own fence entry",
    ],
  )
})

test('C1 fence.enabled: false leaves no level to anybody, and says so', async (t) => {
  const config = `${oneFenced}
fence: { enabled: false }
resources: [{ id: r, type: exec, run: sleep 1 }]
`
  const loaded = await load(t, { config, secrets: login })
  assert.deepEqual(levels(loaded), { a: [], b: [] })
  assert.deepEqual(loaded.core.devices, [])
  assert.equal(loaded.devices.size, 0)
  assert.match(loaded.warnings.join('\n'), /Fencing is switched off/)
})

test('a node without any fence device that is accepted is a warning', async (t) => {
  const config = `${twoNodes}resources: [{ id: r, type: exec, run: sleep 1 }]\n`
  const { warnings } = await load(t, { config })
  assert.equal(warnings.length, 3)
  assert.match(warnings[1] ?? '', /^b has no fence device/)
  assert.match(warnings[2] ?? '', /^Two nodes take over from each other only where/)
})

test('what a step may be, it says where it is something else', async (t) => {
  const config = `cluster:
  name: test
  nodes:
    - { name: a, fence: [verify] }
    - { name: b, fence: [] }
    - { name: c, fence: [[]] }
    - { name: d, fence: ipmi }
    - { name: e, fence: [5] }
    - { name: f, fence: {host: x} }
    - { name: g, fence: [[{driver: ipmi, host: x}, verify]] }
`
  const problems = await problemsOf(t, { config, secrets: login })
  assert.deepEqual(
    problems.map((line) => line.slice(0, 60)),
    [
      'config.yaml:4:26: this level has no device, and silence alone proves'.slice(0, 60),
      'config.yaml:5:25: the fence of b is empty; write a step ({driver: …}) or'.slice(0, 60),
      'config.yaml:6:26: this level is empty; write its steps or take it out'.slice(0, 60),
      'config.yaml:7:25: the fence of d is "ipmi"; write a step ({driver: …})'.slice(0, 60),
      'config.yaml:8:26: a step is 5; write {driver: …} or the word verify'.slice(0, 60),
      'config.yaml:9:25: a step names no driver; write driver: and its name'.slice(0, 60),
      'config.yaml:10:26: verify listens on the addresses of g, which has none'.slice(0, 60),
    ],
  )
})

test('S15 two nodes that name the very same device are refused', async (t) => {
  const config = `cluster:
  name: test
  nodes:
    - { name: a, fence: {driver: ipmi, host: 10.0.0.1} }
    - { name: b, fence: {driver: ipmi, host: 10.0.0.1} }
    - { name: c, fence: {driver: ipmi, host: 10.0.0.1, port: 624} }
`
  const problems = await problemsOf(t, { config, secrets: login })
  assert.equal(problems.length, 1)
  assert.match(problems[0] ?? '', /^config\.yaml:5:7: b\/1\/1 is the very device of a\/1\/1/)
})

test('identity and bounds of a step reach the core, whatever the driver', async (t) => {
  const config = `cluster:
  name: test
  nodes:
    - name: a
      fence: {driver: ipmi, host: x, identity: 4C4C4544-0001-4222-8333-123456789ABC, timeout_seconds: 2.5, late_seconds: 0, returns_seconds: 7}
`
  const { core } = await load(t, { config, secrets: login })
  const [device] = core.devices
  assert.equal(device?.timeoutMs, 2500)
  assert.equal(device?.lateMs, 0)
  assert.equal(device?.returnsMs, 7000)
  // In the one spelling that devices are compared in.
  assert.match(device?.identity ?? '', /^[0-9a-f-]{36}$/)
  assert.equal(device?.driver, 'ipmi')
})

test('F15 a node that no level can prove off is refused; a weak step may stand before a strong one', async (t) => {
  const config = (fence: string) => `cluster:
  name: test
  nodes:
    - name: a
      fence: ${fence}
`
  const weak = '{driver: qemu-guest-agent, socket: /run/a.agent}'
  const strong = '{driver: ipmi, host: x}'
  for (const fence of [weak, `[[${weak}]]`, `[[${strong}, ${weak}]]`]) {
    const problems = await problemsOf(t, { config: config(fence), secrets: login })
    assert.deepEqual(
      problems.map((problem) => /no level of a can prove it off/.test(problem)),
      [true],
    )
    assert.match(problems[0] ?? '', /^config\.yaml:5:\d+: .*qemu-guest-agent proves nothing; add/)
  }
  const { core } = await load(t, { config: config(`[[${weak}], [${strong}]]`), secrets: login })
  assert.equal(core.nodes[0]?.levels.length, 2)
})

test('S15 an identity that names no machine is refused, and not left unchecked', async (t) => {
  for (const identity of ['00000000-0000-0000-0000-000000000000', 'F'.repeat(32), '   ']) {
    const config = `cluster:
  name: test
  nodes:
    - name: a
      fence: {driver: ipmi, host: x, identity: "${identity}"}
`
    const problems = await problemsOf(t, { config, secrets: login })
    assert.match(problems.join(), /^config\.yaml:5:\d+: identity: names no machine/, identity)
  }
})
