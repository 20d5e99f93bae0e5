/** What a configuration may say and should not be said without a warning at every start. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { load } from './files.ts'

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
