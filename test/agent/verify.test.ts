/** fence_picket_verify, and the levels of a configuration, on real BMCs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folder } from '../config/files.ts'
import { admin, noBmc, startBmc } from '../fence/ipmi-sim.ts'
import { notRoot } from '../needs.ts'
import { agent, bmcFor, lines } from './agent.ts'

const skip = noBmc || notRoot

/** It is on this machine, and answers. */
const loud = '127.0.0.77'
async function site(t: TestContext) {
  const bmcs = await Promise.all([startBmc(), startBmc()])
  t.after(() => Promise.all(bmcs.map((bmc) => bmc.stop())))
  const [one, other] = bmcs.map(({ port }) => `{driver: ipmi, host: 127.0.0.1, port: ${port}}`)
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: n1, fence: [${one}, ${other}] }
    - { name: n2 }
fence: { drivers: { ipmi: { cipher: 3, timeout_seconds: 2 } } }
`,
    'fence-secrets.yaml': `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`,
  })
  const [first, second] = bmcs
  const config = join(dir, 'config.yaml')
  const ask = (values: Readonly<Record<string, string | number>>) =>
    agent('fence_picket', { input: lines({ config, state: join(dir, 'state'), ...values }) })
  return { dir, ask, first: first!, second: second! }
}

test('A1 with a configuration its levels are used, and the order is on record', {
  skip,
}, async (t) => {
  const { dir, ask, first, second } = await site(t)
  first.setMode('ignore')
  const asked = { plug: 'n1', nodename: 'n1' }
  const off = await ask({ ...asked, action: 'off', power_timeout: 1 })
  assert.deepEqual([off.code, off.err], [0, ''])
  assert.match(off.out, /level 1 did not prove n1 off: n1\/1\/1 reads on[\s\S]*Powered OFF\n$/)
  assert.equal(second.power(), 'off')
  const lastOrder = readFileSync(join(dir, 'state/orders/n1/audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line): { kind: string; facts: Record<string, unknown> } => JSON.parse(line))
    .findLast(({ kind }) => kind === 'order')
  assert.match(String(lastOrder?.facts.reason), /fence agent fence_picket: off/)
  // Its two devices contradict each other: that is no status.
  const status = await ask({ ...asked, action: 'status' })
  assert.deepEqual([status.code, status.out], [1, ''])
  const list = await ask({ action: 'list' })
  assert.deepEqual([list.code, list.out], [0, 'n1,\n'])
  assert.equal((await ask({ action: 'monitor' })).code, 0)
  first.hang()
  assert.equal((await ask({ ...asked, action: 'monitor' })).code, 0)
  first.wake()
  for (const [values, said] of [
    [{ action: 'off', plug: 'n3' }, /there is no node "n3" in .*; there are: n1, n2/],
    [{ action: 'off', plug: 'n2' }, /no fence device is configured for n2/],
    [{ action: 'off', plug: 'n1', config: '/nowhere.yaml' }, /nowhere\.yaml: /],
  ] as const) {
    const { code, err } = await ask(values)
    assert.equal(code, 1)
    assert.match(err, said)
    assert.equal(err.split('\n').length, 2)
  }
  assert.equal((await ask({ action: 'validate-all', port: 'node1', nodename: 'node1' })).code, 0)
})

test('A3 a verification presses nothing, and needs power and silence', { skip }, async (t) => {
  const { bmc, device } = await bmcFor(t)
  const ask = (values: Readonly<Record<string, string | number>>) => {
    const input = lines({ ...device, driver: 'ipmi', plug: 'n1', ...values })
    return agent('fence_picket_verify', { input })
  }
  const on = await ask({ action: 'off', addresses: '192.0.2.1', power_timeout: 1 })
  assert.equal(on.code, 1)
  assert.match(on.err, /^Failed: n1\/1\/1 reads on .*\n$/)
  bmc.setPower('off')
  const answers = await ask({ action: 'off', addresses: loud, power_timeout: 1 })
  assert.equal(answers.code, 1)
  assert.match(answers.err, /127\.0\.0\.77 still answers/)
  assert.deepEqual(bmc.commands(), [])
  const bare = await ask({ action: 'off' })
  assert.match(bare.err, /^Failed: n1 has no addresses that could be silent/)
  const given = await ask({ action: 'on', addresses: loud })
  assert.deepEqual([given.code, bmc.power(), bmc.commands()], [0, 'off', []])
  assert.match((await ask({ action: 'reboot', addresses: loud })).err, /Unrecognised action/)
  const status = await ask({ action: 'status', addresses: loud })
  assert.equal(status.code, 2)
  assert.match(status.out, /^n1: power off .*\n {2}network network, 127\.0\.0\.77: answers\n/)
  const monitor = await ask({ action: 'monitor', addresses: loud })
  assert.deepEqual([monitor.code, monitor.err], [0, ''])
  assert.equal((await ask({ action: 'monitor', addresses: loud, password: 'x' })).code, 1)
})
