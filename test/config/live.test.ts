/** H2: `live: true` of an OCF resource, from the config to the core. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, problemsOf } from './files.ts'

const options = { env: { BMC: 'winding-Secret-7' } }
const ipmi = (host: string) => `{ driver: ipmi, host: ${host}, user: admin, password_env: BMC }`
const configOf = (resource: string) => `
cluster:
  name: shop
  nodes:
    - { name: a, fence: ${ipmi('10.0.0.1')} }
    - { name: b, fence: ${ipmi('10.0.0.2')} }
resources:
  - { id: vm, ${resource} }
`
const ocf = 'type: ocf, agent: ocf:pacemaker:Dummy'

test('H2 without it nothing moves live; with it each half has its bound', async (t) => {
  const liveOf = async (more: string) =>
    (await load(t, { config: configOf(`${ocf}${more}`) }, options)).core.resources[0]?.live
  assert.equal(await liveOf(''), undefined)
  assert.deepEqual(await liveOf(', live: true'), { boundMs: 120_000 })
  assert.deepEqual(await liveOf(', live: true, migrate_seconds: 600'), { boundMs: 600_000 })
})

test('H2 no other type has it, and a bound without it is refused', async (t) => {
  const exec = await problemsOf(t, { config: configOf('type: exec, run: /bin/x, live: true') })
  assert.match(exec.join('\n'), /type exec has no option live/)
  const alone = await problemsOf(t, { config: configOf(`${ocf}, migrate_seconds: 5`) })
  assert.match(alone.join('\n'), /migrate_seconds.*live: true/)
})
