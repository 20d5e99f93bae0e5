/** What a configuration may say and should not be said without a warning at every start. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { folder, load } from './files.ts'

const secrets =
  'proxmox: { token_id: "a@pam!b", token_secret: c-4711-c }\nredfish: { user: u, password: p-4711-p }\n'
const pin = 'ab'.repeat(32)

async function warningsFor(t: TestContext, [a, b]: readonly [string, string]) {
  const config = `cluster:
  name: shop
  nodes:
    - { name: a, fence: { ${a} } }
    - { name: b, fence: { ${b} } }
    - { name: c, fence: { driver: proxmox, vmid: 103 } }
fence: { drivers: { proxmox: { api_url: "https://192.0.2.1:8006" } } }
`
  return (await load(t, { config, secrets })).warnings
}

test('a device whose certificate nobody looks at is a warning, one that is pinned is none', async (t) => {
  const open = 'driver: redfish, host: 192.0.2.7, verify_ssl: false'
  const pinned = `driver: proxmox, vmid: 102, verify_ssl: false, fingerprint: "${pin}"`
  const warnings = await warningsFor(t, [open, pinned])
  assert.deepEqual(warnings, [
    'Whoever answers for redfish at 192.0.2.7 is believed and gets its login (a/1/1: ' +
      'verify_ssl: false without a fingerprint): pin the one that `picket fence check a` tells.',
  ])
  const checked = 'driver: redfish, host: 192.0.2.8'
  assert.deepEqual(await warningsFor(t, [checked, checked.replace('.8', '.9')]), [])
})

test('a login over plain http is a warning, but for what never leaves this machine', async (t) => {
  const plug = (url: string) =>
    `driver: http, url: "${url}", off: {}, on: {}, status: { off: ["0"], on: ["1"] }`
  const of = async (url: string, login: string) => {
    const config = `cluster:
  name: shop
  nodes:
    - { name: a, fence: { ${plug(`${url}/1`)} } }
    - { name: b, fence: { ${plug(`${url}/2`)} } }
    - { name: c, fence: { ${plug(`${url}/3`)} } }
`
    return (await load(t, { config, secrets: `http: { ${login} }\n` })).warnings
  }
  const said = [
    'Whoever is on the way to http at 192.0.2.7 reads its login and may answer for it (a/1/1, ' +
      'b/1/1, c/1/1: plain http://): write https://, where the device has it.',
  ]
  const own = 'k-4711-k'
  const logins = [
    ...[`user: u, password: ${own}`, `token: ${own}`, `api_key: ${own}`],
    `secret_headers: { X-Key: ${own} }`,
  ]
  for (const login of logins) assert.deepEqual(await of('http://192.0.2.7', login), said)
  for (const host of ['127.0.0.1:81', 'localhost', '[::1]']) {
    assert.deepEqual(await of(`http://${host}`, `token: ${own}`), [])
  }
  assert.deepEqual(await of('https://192.0.2.7', `token: ${own}`), [])
  assert.deepEqual(await of('http://192.0.2.7', ''), [])
})

test('a node without a fence device is a warning, whether or not there are resources', async (t) => {
  const config = 'cluster: { name: x, nodes: [{ name: a }, { name: b }, { name: c }] }\n'
  const { warnings } = await load(t, { config })
  assert.equal(warnings.length, 3)
  assert.equal(
    warnings[0],
    'a has no fence device: when it is lost, nothing that it held is started elsewhere before it ' +
      'is back, or a person confirms that it is dead.',
  )
})

test('a ca_file that cannot be read is a warning, with its path and the reason', async (t) => {
  const dir = folder(t, { 'ca.pem': 'x' })
  const step = (host: string, file: string) => `driver: redfish, host: ${host}, ca_file: ${file}`
  const gone = `${dir}/gone.pem`
  assert.deepEqual(await warningsFor(t, [step('h', gone), step('i', gone)]), [
    `ca_file ${gone} of a/1/1, b/1/1: there is no such file. Until then none of them works.`,
  ])
  assert.deepEqual(
    await warningsFor(t, [step('h', `${dir}/ca.pem`), 'driver: redfish, host: i']),
    [],
  )
})

test('a secret that no log can hide is a warning that does not tell it', async (t) => {
  const config = `cluster:
  name: shop
  nodes:
    - { name: a, fence: { driver: redfish, host: 192.0.2.7 } }
    - { name: b, fence: { driver: redfish, host: 192.0.2.8 } }
    - { name: c, fence: { driver: redfish, host: 192.0.2.9 } }
`
  const kept = 'c: { password: hunter2-canary }'
  const own = (password: string) => `redfish: { user: u, password: ${password}, ${kept} }\n`
  for (const password of ['y', 'calvin', 'power', 'a1-!']) {
    const { warnings } = await load(t, { config, secrets: own(password) })
    assert.deepEqual(warnings, [
      'The password of a/1/1, b/1/1 is so short or so plain that it cannot be hidden in logs: ' +
        'choose a longer one.',
    ])
  }
  for (const password of ['swordfish', 'Pass1']) {
    assert.deepEqual((await load(t, { config, secrets: own(password) })).warnings, [])
  }
})
