/** F12 for resources: their secrets stand apart, and no sentence repeats one. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { effectiveYaml } from '../../src/config/show.ts'
import { folder, load, problemsOf, twoNodes } from './files.ts'

const config = (more = '') => `${twoNodes}resources:
  - id: db
    type: ocf
    agent: ocf:heartbeat:pgsql
    params: { pgdata: /srv/db, start_opt: "-p 5433" }
${more}`
const secrets = 'resources: { db: { secret_params: { repuser_password: canary-7 } } }\n'
const optionsOf = (loaded: Awaited<ReturnType<typeof load>>) => loaded.resources[0]?.options

test('F12 the secrets of a resource stand in the secrets file, and in no picture', async (t) => {
  const loaded = await load(t, { config: config(), secrets })
  assert.deepEqual(optionsOf(loaded)?.secret_params, { repuser_password: 'canary-7' })
  assert.deepEqual(loaded.resources[0]?.secrets, ['canary-7'])
  const shown = effectiveYaml(loaded)
  assert.match(shown, /repuser_password: \(secret\)/)
  assert.doesNotMatch(shown + JSON.stringify(loaded.core), /canary/)
  const other = await load(t, { config: config(), secrets: secrets.replace('canary-7', 'else') })
  assert.equal(other.core.hash, loaded.core.hash, 'a new secret is no new configuration')
  const moved = await load(t, { config: config().replace('/srv/db', '/srv/other') })
  assert.notEqual(moved.core.hash, loaded.core.hash)
})

test('F12 the secret of a resource may come from a variable or a credential', async (t) => {
  const dir = folder(t, {})
  writeFileSync(join(dir, 'pg'), 'from a credential\n', { mode: 0o600 })
  const env = { PG: 'from a variable', CREDENTIALS_DIRECTORY: dir }
  const written = config('    secret_params: { a_env: PG, b_credential: pg }\n')
  const inFile = 'resources: { db: { secret_params: { c_env: PG } } }\n'
  const loaded = await load(t, { config: written, secrets: inFile }, { env })
  assert.deepEqual(optionsOf(loaded)?.secret_params, {
    a: 'from a variable',
    b: 'from a credential',
    c: 'from a variable',
  })
  assert.ok(loaded.secretsFiles.includes(join(dir, 'pg')), 'it is read again when it changes')
})

test('F12 a secret of a resource in the config is refused, and not repeated', async (t) => {
  const refused = await problemsOf(t, {
    config: config('    secret_params: { password: canary-7 }\n'),
  })
  assert.deepEqual(refused, [
    'config.yaml:11:22: password is a secret and may not stand in this file; write it in the ' +
      'secrets file, below resources: db: secret_params:, or password_env with the name of an ' +
      'environment variable, or password_credential with the name of a systemd credential',
  ])
  const among = config().replace('pgdata:', 'monitor_password: canary-7, pgdata:')
  const [problem = ''] = await problemsOf(t, { config: among })
  assert.match(problem, /params: holds a password; write it in secret_params, in the secrets file/)
  assert.doesNotMatch(problem, /canary/)
  const bare = await problemsOf(t, { config: config('    secret_params: canary-7\n') })
  assert.deepEqual(bare, ['config.yaml:11:20: write a map in secret_params: name: value'])
})

test('F12 what is wrong with the secrets of resources is told with its place', async (t) => {
  const told = async (text: string, more = '') =>
    await problemsOf(t, { config: config(more), secrets: text }, { env: { PG: 'canary-7' } })
  assert.deepEqual(await told('resources: { bd: { secret_params: { a: canary-7 } } }\n'), [
    'fence-secrets.yaml:1:14: there is no resource "bd" in the config. Did you mean db?',
  ])
  assert.deepEqual(await told('resources: canary-7\n'), [
    'fence-secrets.yaml:1:1: write a map: the id of a resource, and a map',
  ])
  assert.deepEqual(await told('resources: { db: canary-7 }\n'), [
    'fence-secrets.yaml:1:14: write a map below db: its secret options',
  ])
  assert.deepEqual(await told('resources: { db: { params: { a: canary-7 } } }\n'), [
    'fence-secrets.yaml:1:20: params is no secret of a resource of type ocf: it has secret_params',
  ])
  assert.deepEqual(await told('resources: { db: { secret_params: { "a b": canary-7 } } }\n'), [
    'fence-secrets.yaml:1:37: a name in db.secret_params (secret) is no name of a parameter',
  ])
  assert.deepEqual(await told('resources: { db: { secret_params: { a: [canary-7] } } }\n'), [
    'fence-secrets.yaml:1:37: db.secret_params.a is (secret); write a text, a number or true or false',
  ])
  const twice = await told(
    'resources: { db: { secret_params: { a: x } } }\n',
    '    secret_params: { a_env: PG }\n',
  )
  assert.match(twice.join('\n'), /^fence-secrets\.yaml:1:37: a says again what a_env says at .*:11/)
  const unset = await told('', '    secret_params: { a_env: NOWHERE }\n')
  assert.match(unset.join('\n'), /NOWHERE, which a_env names, is not set for this program/)
})

test('a number that would be passed on as another one is refused', async (t) => {
  const params = 'mode: 0755, wwid: 0x5000c50015ea71aa, port: 5433, ratio: 0.50, zip: "0815"'
  const written = config().replace('pgdata: /srv/db,', `${params},`)
  assert.deepEqual(await problemsOf(t, { config: written }), [
    'config.yaml:10:21: mode is 0755, which as a number is 755; put it in quotes, so that it is ' +
      'passed on as it is written',
    'config.yaml:10:33: wwid is 0x5000c50015ea71aa, which as a number is 5764824127192592000; ' +
      'put it in quotes, so that it is passed on as it is written',
    'config.yaml:10:72: ratio is 0.50, which as a number is 0.5; put it in quotes, so that it is ' +
      'passed on as it is written',
  ])
  const quoted = 'put it in quotes, so that it is passed on as it is written'
  const pin = secrets.replace('canary-7', '0815')
  assert.deepEqual(await problemsOf(t, { config: config(), secrets: pin }), [
    `fence-secrets.yaml:1:55: repuser_password is a number; ${quoted}`,
  ])
  const fenced = twoNodes.replace(
    '{ name: a, unfenced: accepted }',
    '{ name: a, fence: { driver: agent, agent: fence_x, options: { ipport: 07 } } }',
  )
  const outlet = 'agent: { a: { secret_options: { passwd: 0815 } } }\n'
  assert.deepEqual(await problemsOf(t, { config: fenced, secrets: outlet }), [
    `config.yaml:4:77: ipport is 07, which as a number is 7; ${quoted}`,
    `fence-secrets.yaml:1:41: passwd is a number; ${quoted}`,
  ])
})

test('F12 a type without secrets has none in the secrets file', async (t) => {
  const vip = `${twoNodes}resources: [{ id: ip, type: vip, address: 192.0.2.9 }]\n`
  const problems = await problemsOf(t, {
    config: vip,
    secrets: 'resources: { ip: { password: canary-7 } }\n',
  })
  assert.deepEqual(problems, [
    'fence-secrets.yaml:1:20: password is no secret of a resource of type vip: it has none',
  ])
})

test('one thing under two ids is noticed, also by another type or in another spelling', async (t) => {
  const two = (a: string, b: string) =>
    problemsOf(t, { config: `${twoNodes}resources:\n  - { id: x, ${a} }\n  - { id: y, ${b} }\n` })
  const dummy = 'type: ocf, agent:'
  assert.deepEqual(
    await two(
      `${dummy} "ocf:heartbeat:Dummy", params: { state: /x, fake: 1 }`,
      `${dummy} "heartbeat:Dummy", params: { fake: "1", state: /x }`,
    ),
    [
      'config.yaml:8:5: y is the same thing as x (ocf:heartbeat:Dummy fake=1 state=/x); ' +
        'keep one of them',
    ],
  )
  assert.deepEqual(
    await two(
      'type: vip, address: 192.0.2.9/24',
      `${dummy} "heartbeat:IPaddr2", params: { ip: 192.0.2.9, nic: eth0 }`,
    ),
    ['config.yaml:8:5: y is the same thing as x (address 192.0.2.9); keep one of them'],
  )
})

for (const [agent, because] of [
  ['IPaddr2', /ocf:PROVIDER:TYPE/],
  ['ocf:heartbeat:../../../../bin/sh', /ocf:PROVIDER:TYPE/],
  ['systemd:nginx', /an OCF agent/],
] as const) {
  test(`${agent} is no OCF agent`, async (t) => {
    const problems = await problemsOf(t, {
      config: `${twoNodes}resources: [{ id: x, type: ocf, agent: "${agent}" }]\n`,
    })
    assert.match(problems.join('\n'), because)
  })
}
