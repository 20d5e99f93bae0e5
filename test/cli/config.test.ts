/** `picket config`: says what is right with a configuration, or everything that is wrong. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder } from '../config/files.ts'
import { picket } from './picket.ts'

const config = `cluster:
  name: shop
  nodes:
    - name: a
      addresses: { m: 10.0.0.1 }
      fence: [[{driver: ipmi, host: 10.0.1.1}, {driver: ipmi, host: 10.0.1.2}], {driver: ipmi, host: 10.0.1.3}]
    - { name: b, unfenced: accepted }
resources:
  - { id: job, type: exec, run: sleep 1000 }
`
const secrets = 'ipmi: { user: admin, password: canary-7 }\n'

test('C4 check runs no agent unless it is told to', async (t) => {
  const dir = folder(t, {
    'config.yaml': config.replace(
      'id: job, type: exec, run: sleep 1000',
      'id: job, type: ocf, agent: test:ran, params: { a: 1 }',
    ),
    'fence-secrets.yaml': secrets,
    'ocf/resource.d/test/ran': '#!/bin/sh\ntouch "$0.ran"; exit 1\n',
  })
  chmodSync(join(dir, 'ocf/resource.d/test/ran'), 0o755)
  const ran = () => existsSync(join(dir, 'ocf/resource.d/test/ran.ran'))
  const env = { OCF_ROOT: join(dir, 'ocf') }
  const words = ['config', 'check', join(dir, 'config.yaml')]
  const silent = await picket(words, { env })
  assert.equal(silent.code, 0)
  assert.match(silent.out, /\nThe agents of job were not asked; --agents runs them for it\.\n/)
  assert.equal(ran(), false)
  const told = await picket([...words, '--agents'], { env })
  assert.equal(told.code, 0)
  assert.match(told.err, /^warning: job: ocf:test:ran does not tell its parameters, so they/m)
  assert.equal(ran(), true)
  assert.equal((await picket(['config', 'show', ...words.slice(2), '--agents'])).code, 2)
})

test('C4 check prints the levels of every node, the resources and the warnings', async (t) => {
  const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
  const { code, out, err } = await picket(['config', 'check', join(dir, 'config.yaml')])
  assert.equal(code, 0)
  assert.equal(
    out.replaceAll(dir, 'DIR').replace(/Configuration \w{12}/, 'Configuration HASH'),
    `DIR/config.yaml is valid: cluster shop, 2 nodes, 3 fence devices, 1 resource.
Configuration HASH: every node of the cluster has to show the same.

a
  level 1: ipmi at 10.0.1.1:623 (a/1/1) and ipmi at 10.0.1.2:623 (a/1/2), then silence on 10.0.0.1
  level 2: ipmi at 10.0.1.3:623 (a/2/1), then silence on 10.0.0.1

b
  no fencing: only a person can prove it dead

job: program sleep 1000, on a, b

Secrets: DIR/fence-secrets.yaml
`,
  )
  assert.match(err, /^warning: b has no fence device/)
})

test('H19 check says which node is a witness', async (t) => {
  const cast = config.replace('name: b, unfenced: accepted', 'name: b, role: witness')
  const dir = folder(t, { 'config.yaml': cast, 'fence-secrets.yaml': secrets })
  const { code, out } = await picket(['config', 'check', join(dir, 'config.yaml')])
  assert.equal(code, 0)
  assert.match(out, /\nb\n {2}a witness: it votes and fences, and runs nothing\n {2}no fencing/)
  assert.match(out, /\njob: program sleep 1000, on a\n/)
})

test('C4 check prints every problem with its place, and how many there are', async (t) => {
  const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
  chmodSync(join(dir, 'fence-secrets.yaml'), 0o644)
  const { code, out, err } = await picket(['config', 'check', join(dir, 'config.yaml')])
  assert.deepEqual([code, out], [2, ''])
  assert.equal(
    err.replaceAll(dir, 'DIR'),
    `DIR/fence-secrets.yaml: holds secrets and has mode 0644, which is laxer than 0600: chmod 0600 'DIR/fence-secrets.yaml'
DIR/config.yaml is not valid: 1 problem.
`,
  )
})

test('C4 show --effective is a configuration itself, but for its secrets', async (t) => {
  const dir = folder(t, { 'config.yaml': config, 'fence-secrets.yaml': secrets })
  const { code, out } = await picket(['config', 'show', join(dir, 'config.yaml'), '--effective'])
  assert.equal(code, 0)
  assert.doesNotMatch(out, /canary/)
  const again = folder(t, {
    'config.yaml': out.replaceAll(/^ *password: \(secret\)\n/gm, ''),
    'fence-secrets.yaml': secrets,
  })
  const checked = await picket(['config', 'check', join(again, 'config.yaml')])
  assert.equal(checked.code, 0, checked.err)
  const hash = (text: string) => /Configuration (\w{12})/.exec(text)?.[1]
  const first = await picket(['config', 'check', join(dir, 'config.yaml')])
  assert.ok(hash(first.out))
  assert.equal(hash(checked.out), hash(first.out))
})

test('C4 schema prints the schema for editors, as it lies in the repository', async () => {
  const { code, out } = await picket(['config', 'schema'])
  assert.equal(code, 0)
  const copy = new URL('../../docs/config.schema.json', import.meta.url)
  assert.ok(out === readFileSync(copy, 'utf8'), 'it prints another one')

  const wrong = await picket(['config', 'schema', 'config.yaml'])
  assert.deepEqual([wrong.code, wrong.out], [2, ''])
  assert.match(wrong.err, /schema reads no FILE: leave it out\./)
})
