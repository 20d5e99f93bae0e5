/** `picket drivers NAME --targets`: from a login alone to the number of every machine. */
import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folder } from '../config/files.ts'
import { createAgentDouble, password } from '../fence/agent-double.ts'
import { token } from '../fence/proxmox-double.ts'
import { start } from '../fence/proxmox-stand.ts'
import { operator, redfishDouble } from '../fence/redfish-double.ts'
import { blades } from '../fence/redfish-profiles.ts'
import { picket, type Ran } from './picket.ts'

/** A cluster whose nodes say this of their fencing, and a section for all. */
const cluster = (fences: Readonly<Record<string, string>>, drivers: string): string => `
cluster:
  name: test
  nodes:
${Object.entries(fences)
  .map(([name, fence]) => `    - { name: ${name}${fence && `, fence: ${fence}`} }`)
  .join('\n')}
fence:
  drivers:
    ${drivers}
`

const secrets = `proxmox: { token_id: "${token.id}", token_secret: "${token.secret}" }`

async function proxmox(t: TestContext, fences: Readonly<Record<string, string>>) {
  const double = await start(t)
  double.add(102, 'lxc', 'pve2', { name: 'web2', power: 'off' })
  double.add(1003, 'qemu', 'pve1', { name: 'web3' })
  double.add(100, 'qemu', 'pve1', { name: 'db1' })
  const host = double.hosts.get('pve1')
  const own = `proxmox: { api_url: "${host?.url}", fingerprint: "${host?.fingerprint}" }`
  return { double, config: cluster(fences, own), at: host?.url.replace('https://', '') }
}

async function targets(
  t: TestContext,
  driver: string,
  files: { readonly config: string; readonly secrets?: string },
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const dir = folder(t, {
    'config.yaml': files.config,
    ...(files.secrets !== undefined && { 'fence-secrets.yaml': files.secrets }),
  })
  const args = ['drivers', driver, '--targets', '--config', `${dir}/config.yaml`, ...more]
  const ran = await picket(args, { env })
  const all = `${ran.out}${ran.err}`
  for (const secret of [token.secret, operator.password]) {
    assert.ok(!all.includes(secret), 'a secret is seen')
  }
  return ran
}

test('a login tells the number, name and power of every guest, and which node uses it', async (t) => {
  const { config, double, at } = await proxmox(t, {
    a: '{ driver: proxmox, vmid: 1003, name: web3 }',
    b: '{ driver: proxmox }',
    c: '{ driver: proxmox, vmid: 999 }',
    d: '',
  })
  const { code, out, err } = await targets(t, 'proxmox', { config, secrets })
  assert.deepEqual([code, err], [0, ''])
  assert.equal(
    out,
    `proxmox at ${at}
  vmid  name  power  node
  100   db1   on
  102   web2  off
  1003  web3  on     a
  … b names no vmid
  … c names vmid 999, which is none of these
What our user may not see is not in it; and a power told here proves nothing.
`,
  )
  assert.ok(double.log.every((line) => / GET /.test(line)))

  const json = JSON.parse((await targets(t, 'proxmox', { config, secrets }, ['--json'])).out)
  assert.deepEqual(
    [json.driver, json.plug, json.ok, json.boxes.length],
    ['proxmox', 'vmid', true, 1],
  )
  const [box] = json.boxes
  assert.deepEqual(box.targets[2], { plug: '1003', name: 'web3', power: 'on', nodes: ['a'] })
  assert.deepEqual(box.unmatched, [{ node: 'b' }, { node: 'c', plug: '999' }])
})

test('without a step of any node the section of the driver is enough', async (t) => {
  const { config } = await proxmox(t, { a: '', b: '' })
  const { code, out } = await targets(t, 'proxmox', { config, secrets })
  assert.equal(code, 0)
  assert.match(out, /^ {2}1003 {2}web3 {2}on$/m)
})

test('1 with one sentence where a device does not answer as it should', async (t) => {
  const { config, double } = await proxmox(t, {
    a: '{ driver: proxmox, vmid: 100, name: db1 }',
    b: '{ driver: proxmox, vmid: 102 }',
  })
  double.quirks.hidden = true
  const empty = await targets(t, 'proxmox', { config, secrets })
  assert.equal(empty.code, 1)
  assert.match(empty.err, /^proxmox .*list of guests is empty.*VM\.Audit.*left out\n$/)
  assert.ok(!empty.out.includes('none of these'), empty.out)

  const wrong = secrets.replace(token.secret, 'aaaaaaaa-bbbb-4ccc-8ddd-anothercanary')
  const refused = await targets(t, 'proxmox', { config, secrets: wrong })
  assert.equal(refused.code, 1)
  assert.match(refused.err, /^proxmox .*refused our password.*correct token_secret[^\n]*\n$/)
  const json = await targets(t, 'proxmox', { config, secrets: wrong }, ['--json'])
  assert.deepEqual([json.code, JSON.parse(json.out).ok], [1, false])
  assert.match(JSON.parse(json.out).boxes[0].problems[0], /refused our password/)
})

test('2 where the configuration does not say how to ask, with the place and what to write', async (t) => {
  const { config } = await proxmox(t, { a: '{ driver: proxmox, vmid: 100 }', b: '' })
  const bare = cluster({ a: '', b: '' }, 'proxmox: {}')
  const cases: readonly [string, string | undefined, RegExp][] = [
    [
      config,
      undefined,
      /config\.yaml:\d+:\d+: the login of proxmox is set nowhere; write token_id and/,
    ],
    [bare, secrets, /option api_url of proxmox is set nowhere; write api_url in fence\.drivers/],
    [config.replace('proxmox: {', 'proxmox: { vmidd: 1,'), secrets, /no option vmidd/],
    [config, 'proxmox: 7', /fence-secrets\.yaml:1:1: write a map below proxmox/],
    [config.replace('name: test', 'nom: test'), secrets, /config\.yaml:.*name/],
    ['', secrets, /it is empty/],
  ]
  for (const [text, secret, expected] of cases) {
    const files = { config: text, ...(secret !== undefined && { secrets: secret }) }
    const { code, out, err } = await targets(t, 'proxmox', files)
    assert.deepEqual([code, out], [2, ''], err)
    assert.match(err, expected)
    assert.match(err, /No device was asked/)
  }
})

test('what else is wrong in the file is no hindrance', async (t) => {
  const { config } = await proxmox(t, { a: '{ driver: ipmi }', b: '{ driver: nonsense }' })
  const text = `${config}\nresources: [{ id: web, type: nonsense }]\n`
  const { code, out, err } = await targets(t, 'proxmox', { config: text, secrets })
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /db1/)
})

test('every chassis of a redfish driver has a table of its own, by whatever names a system', async (t) => {
  const double = await redfishDouble(blades)
  t.after(() => double.close())
  const { host, port, fingerprint } = double.transport
  const [first, second] = blades.systems
  assert.ok(first && second)
  const step = `driver: redfish, host: ${host}, port: ${port}, fingerprint: "${fingerprint}"`
  const config = cluster(
    {
      a: `{ ${step}, system: "${first.serial}" }`,
      b: `{ ${step}, system: "${second.uuid?.toUpperCase()}" }`,
      c: `{ driver: redfish, host: 127.0.0.2, port: 1 }`,
      d: `{ ${step}, system: Compute Blade }`,
    },
    `redfish: { user: ${operator.user} }`,
  )
  const login = `redfish: { password: "${operator.password}" }`
  const { code, out, err } = await targets(t, 'redfish', { config, secrets: login })
  assert.equal(code, 1)
  const lines = out.split('\n')
  const line = (id: string) => lines.find((each) => each.startsWith(`  ${id} `)) ?? ''
  assert.match(line(first.id), / on .* a$/)
  assert.match(line(second.id), / on .* b$/)
  assert.match(out, /d names system Compute Blade, which several of these are called$/m)
  assert.match(out, /^redfish at 127\.0\.0\.2:1$/m)
  assert.match(err, /^redfish 127\.0\.0\.2:1: the device cannot be reached.*\n$/)
})

test('the outlets of a foreign agent, and its password in nothing that is said', async (t) => {
  const double = createAgentDouble()
  t.after(double.remove)
  const config = cluster(
    { a: '{ driver: agent, plug: 3 }', b: '{ driver: agent }' },
    'agent: { agent: fence_double, options: { ip: 192.0.2.1 } }',
  )
  const login = `agent: { secret_options: { passwd: ${JSON.stringify(password)} } }`
  const files = { config, secrets: login }
  const env = { PATH: `${double.folder}:${process.env.PATH}` }
  const { code, out, err } = await targets(t, 'agent', files, [], env)
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^ {2}1 {5}left, below {2}off$/m)
  assert.match(out, /^ {2}3 {5}web-02 {7}on {5}a$/m)
  double.setFault('403')
  const refused = await targets(t, 'agent', files, [], env)
  assert.equal(refused.code, 1)
  assert.match(refused.err, /fence_double ended with 1: no: passwd=/)
  assert.ok(!refused.err.includes(password.trim()))
})

test('a driver that switches one thing is a usage error; so are words that mean nothing', async () => {
  const none = await picket(['drivers', 'ipmi', '--targets'])
  assert.equal(none.code, 2)
  assert.match(
    none.err,
    /ipmi cannot tell .*these can: agent, libvirt, proxmox, recorder, redfish\./,
  )
  assert.match((await picket(['drivers', '--targets'])).err, /NAME is missing/)
  const alone = await picket(['drivers', 'proxmox', '--config', 'x'])
  assert.deepEqual([alone.code, alone.out], [2, ''])
  assert.match(alone.err, /--config belongs to --targets/)
})

test('whoever waits is told after a second what for', async (t) => {
  const { config, double } = await proxmox(t, {
    a: '{ driver: proxmox, vmid: 100, timeout_seconds: 1.5 }',
  })
  double.hosts.get('pve1')?.fail('hang', 0)
  const { code, err } = await targets(t, 'proxmox', { config, secrets })
  assert.equal(code, 1)
  assert.match(err, /^asking the devices of proxmox … 1 s\nproxmox .*did not answer in time/)
})

test('a hypervisor with very many machines is told within seconds', async (t) => {
  const bin = folder(t, {
    virsh: `#!/bin/sh
for last; do :; done
uuid=00000000-0000-4000-8000-00000000
n=1000
while [ $n -lt 1600 ]; do
  case $last in
    list*) echo "$uuid$n vm$n" ;;
    *) echo "=$uuid$n=running (booted)" ;;
  esac
  n=$((n + 1))
done
`,
  })
  chmodSync(join(bin, 'virsh'), 0o755)
  const libvirt = 'libvirt: { uri: "qemu:///system" }'
  const missing = { a: '{ driver: libvirt, domain: a }', b: '{ driver: libvirt, domain: b }' }
  const beganMs = performance.now()
  const env = { PATH: `${bin}:${process.env.PATH}` }
  const { out } = await targets(t, 'libvirt', { config: cluster(missing, libvirt) }, [], env)
  assert.match(out, /vm1599/)
  assert.match(out, /b names domain b, which is none of these/)
  const tookMs = performance.now() - beganMs
  assert.ok(tookMs < 5_000, `${Math.round(tookMs)} ms`)
})
