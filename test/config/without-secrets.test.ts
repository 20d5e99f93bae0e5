/** A configuration can be judged by somebody who may read none of its secrets. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { isSecret, isText } from '../../src/config/merge.ts'
import { loadDriver } from '../../src/fence/drivers/index.ts'
import { folder, load, problemsOf } from './files.ts'

const home = join(import.meta.dirname, '..', '..', 'examples')
const configs = globSync('*.yaml', { cwd: home }).filter((name) => !name.includes('.secrets.'))
const blind = { withoutSecrets: true, env: {} }

for (const name of configs) {
  test(`examples/${name} is to the core what it is with its secrets`, async (t) => {
    const config = readFileSync(join(home, name), 'utf8')
    const secrets = readFileSync(join(home, `${basename(name, '.yaml')}.secrets.yaml`), 'utf8')
    const { hash: _, ...seeing } = (await load(t, { config, secrets })).core
    const { hash: __, ...unseeing } = (await load(t, { config }, blind)).core
    assert.deepEqual(unseeing, seeing)
  })
}

const steps = {
  ipmi: 'host: 10.0.0.1',
  redfish: 'url: https://10.0.0.1',
  proxmox: 'api_url: https://10.0.0.1:8006, vmid: 101',
  libvirt: 'uri: qemu:///system, domain: a',
  qemu: 'socket: /run/a.sock',
  http:
    'url: http://10.0.0.1, off: {path: /off}, on: {path: /on}, ' +
    'status: {path: /, on: [on], off: [off]}',
  agent: 'agent: fence_apc, plug: 1, options: {ip: 10.0.0.1}',
}

for (const [driver, options] of Object.entries(steps)) {
  test(`a step of ${driver} needs no secret to be simulated`, async (t) => {
    const config = configOf(`{ driver: ${driver}, ${options} }`)
    const { core, devices } = await load(t, { config }, blind)
    assert.deepEqual(
      core.devices.map(({ id }) => id),
      ['a/1/1'],
    )
    const device = devices.get('a/1/1')
    assert.ok(device)
    assert.match(device.driver.endpoint(device.options), /10\.0\.0\.1|qemu:|a\.sock/)
  })
}

test('whatever secret a driver knows may be named, and is not looked for', async (t) => {
  for (const [driver, options] of Object.entries(steps)) {
    const known = await loadDriver(driver)
    const named = Object.keys(known.options.shape).filter(
      (key) => isSecret(known, key) && isText(known, key),
    )
    for (const key of named) {
      const config = configOf(`{ driver: ${driver}, ${options}, ${key}_env: NOWHERE }`)
      const { core } = await load(t, { config }, blind)
      assert.equal(core.devices.length, 1, `${driver} ${key}`)
    }
  }
})

test('a secret that is only named is not looked for', async (t) => {
  const config = configOf('{ driver: ipmi, host: 10.0.0.1, user: picket, password_env: NOWHERE }')
  const { devices } = await load(t, { config }, blind)
  assert.equal(devices.get('a/1/1')?.options.host, '10.0.0.1')
})

test('a secrets file is not even opened', async (t) => {
  const config = `${configOf('{ driver: ipmi, host: 10.0.0.1 }')}\nfence: { credentials_file: gone.yaml }`
  const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': 'ipmi: [' })
  const result = await loadConfig(join(dir, 'config.yaml'), blind)
  assert.ok(result.ok)
  assert.deepEqual(result.loaded.secretsFiles, [])
})

test('what is wrong without any secret is told all the same', async (t) => {
  const config = configOf('{ driver: ipmi, host: 10.0.0.1, hots: b, user_env: X }')
  assert.deepEqual(await problemsOf(t, { config }, blind), [
    'config.yaml:4:57: ipmi has no option hots. Did you mean host?',
    'config.yaml:4:66: user is no secret; write user itself',
  ])
})

function configOf(step: string): string {
  return `cluster:
  name: t
  nodes:
    - { name: a, fence: ${step} }
    - { name: b }
    - { name: c }`
}
