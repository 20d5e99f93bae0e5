/** What the agents say of themselves: by the schema that Debian ships, and by the drivers. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeDrivers } from '../../src/agent/describe.ts'
import { driverFacts } from '../../src/agent/facts.ts'
import { metadataOf } from '../../src/agent/metadata.ts'
import { agentOf, agents, anyAgent, driverIn, verifyAgent } from '../../src/agent/names.ts'
import { namesOf } from '../../src/agent/parameter.ts'
import { parametersOf } from '../../src/agent/parameters.ts'
import { driverNames, loadDriver } from '../../src/fence/drivers/index.ts'
import { readMetadata } from '../../src/foreign/metadata.ts'
import { run } from '../../src/lab/run.ts'
import { missing } from '../needs.ts'
import { agent } from './agent.ts'

const schema = '/usr/share/cluster/relaxng/metadata.rng'
const noSchema = missing('xmllint', schema)
const own = agents.filter(({ program }) => program === 'agent/main').map(({ name }) => name)

test('A1 drivers.json is what the drivers say; UPDATE=1 writes it', async () => {
  const file = join(import.meta.dirname, '../../src/agent/drivers.json')
  const facts = await describeDrivers()
  if (process.env.UPDATE) writeFileSync(file, `${JSON.stringify(facts, null, 2)}\n`)
  else {
    const kept = JSON.parse(readFileSync(file, 'utf8'))
    assert.deepEqual(kept, facts, 'UPDATE=1 bin/node --test test/agent/metadata.test.ts')
  }
})

test('A2 every driver that can prove an off has an agent', async () => {
  for (const name of driverNames) {
    const { hardOff, statusAuthoritative } = (await loadDriver(name)).capabilities
    // What that one would speak to is an agent that Pacemaker can ask itself.
    const proves = hardOff && statusAuthoritative && name !== 'recorder'
    assert.equal(own.includes(agentOf(name)), proves, name)
    if (proves) assert.equal(driverIn(agentOf(name)), name)
  }
})

for (const name of own) {
  test(`A1 the metadata of ${name} is valid by Debian's schema`, { skip: noSchema }, async () => {
    const input = metadataOf(name)
    const args = ['xmllint', '--noout', '--relaxng', schema, '-']
    const { status, stderr } = await run(args, { input })
    assert.equal(status, 0, stderr)
    assert.match(stderr, /validates/)
  })
}

test('A1 the manual page is made of it', { skip: missing('xsltproc', schema) }, async () => {
  const sheet = '/usr/share/cluster/relaxng/fence2man.xsl'
  const input = metadataOf('fence_picket_ipmi')
  const { status, stdout } = await run(['xsltproc', sheet, '-'], { input })
  assert.equal(status, 0)
  assert.match(stdout, /^\.TH FENCE_AGENT 8/m)
  assert.match(stdout, /fence_picket_ipmi/)
})

test('A1 old names are deprecated by new ones, and no name stands there twice', () => {
  for (const name of own) {
    const xml = metadataOf(name)
    const names = readMetadata(name, xml).parameters.map((each) => each.name)
    assert.deepEqual(names, [...new Set(names)], name)
    assert.match(xml, /<parameter name="plug" unique="0" required="[01]" obsoletes="port">/)
    assert.match(xml, /<parameter name="port" unique="0" required="[01]" deprecated="1"/)
  }
  const ipmi = metadataOf('fence_picket_ipmi')
  for (const [now, before] of [
    ['ip', 'ipaddr'],
    ['username', 'login'],
    ['password', 'passwd'],
    ['password_script', 'passwd_script'],
    ['debug_file', 'debug'],
  ]) {
    assert.match(ipmi, new RegExp(`name="${now}" unique="0" required="[01]" obsoletes="${before}"`))
    assert.match(ipmi, new RegExp(`name="${before}" unique="0" required="[01]" deprecated="1"`))
  }
})

test('A1 every agent has the common parameters, and their defaults', () => {
  const common: Readonly<Record<string, string | undefined>> = {
    ...{ action: undefined, delay: '0', login_timeout: '5', shell_timeout: '3' },
    ...{ power_timeout: '20', power_wait: '0', retry_on: '1', plug_separator: ',' },
    ...{ separator: ',', disable_timeout: undefined, quiet: undefined, verbose: undefined },
    ...{ verbose_level: undefined, debug_file: undefined, version: undefined, help: undefined },
    ...{ plug: undefined, stonith_status_sleep: '0.1', password_script: undefined },
  }
  const found = new Map(parametersOf('fence_picket_ipmi').map((each) => [each.name, each.standard]))
  for (const [name, standard] of Object.entries(common)) {
    assert.ok(found.has(name), name)
    assert.equal(found.get(name), standard, name)
  }
})

test('A2 each agent takes every option of its driver', async () => {
  for (const driver of Object.keys(driverFacts)) {
    const all = parametersOf(agentOf(driver)).flatMap(namesOf)
    const options = Object.keys((await loadDriver(driver)).options.shape)
    const hidden = options.filter((name) => !all.includes(name) && name !== 'port')
    assert.deepEqual(hidden, [], driver)
    assert.equal(all.includes('ipport'), options.includes('port') || driver === 'proxmox', driver)
    const letters = parametersOf(agentOf(driver)).flatMap(({ letter }) => letter ?? [])
    assert.deepEqual(letters, [...new Set(letters)], driver)
  }
})

test('A1 actions: no reboot of a verification, a list where there is one, no unfencing', () => {
  const actions = (name: string) => readMetadata(name, metadataOf(name)).actions.map((a) => a.name)
  assert.ok(!actions(verifyAgent).includes('reboot'))
  assert.ok(actions(anyAgent).includes('list'))
  assert.ok(actions('fence_picket_proxmox').includes('list'))
  assert.ok(!actions('fence_picket_ipmi').includes('list'))
  for (const name of own) {
    assert.equal(readMetadata(name, metadataOf(name)).fabric, false)
    for (const action of ['on', 'off', 'status', 'monitor', 'metadata', 'validate-all']) {
      assert.ok(actions(name).includes(action), `${name} ${action}`)
    }
  }
})

test('A1 item 13: metadata needs no environment, no parameters, and no driver', async () => {
  for (const name of [anyAgent, 'fence_picket_ipmi', verifyAgent]) {
    const expected = { code: 0, out: `${metadataOf(name)}\n`, err: '' }
    const env = { NODE_COMPILE_CACHE: '' }
    for (const start of [
      { input: 'action=metadata\n' },
      { input: 'action=meta-data' },
      { args: ['-o', 'metadata'] },
      { args: ['--action=manpage'] },
    ]) {
      const { tookMs, ...said } = await agent(name, { ...start, env })
      assert.deepEqual(said, expected, name)
      assert.ok(tookMs < 10_000)
    }
  }
})
