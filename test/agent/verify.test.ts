/** fence_picket_verify, and the levels of a configuration, on real BMCs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { answering, healthy, member, openDesk, proven } from '../cli/daemon.ts'
import { type Site, site } from '../cli/two-bmcs.ts'
import { noBmc } from '../fence/ipmi-sim.ts'
import { notRoot } from '../needs.ts'
import { agent, bmcFor, lines } from './agent.ts'

const skip = noBmc || notRoot

/** It is on this machine, and answers. */
const loud = '127.0.0.77'
function asking({ config, state }: Site) {
  return (values: Readonly<Record<string, string | number>>, env = {}) =>
    agent('fence_picket', { input: lines({ config, state, ...values }), env })
}

test('A1 with a configuration its levels are used, and the order is on record', {
  skip,
}, async (t) => {
  const here = await site(t)
  const [first, second] = here.bmcs
  const ask = asking(here)
  first.setMode('ignore')
  const asked = { plug: 'node-01', nodename: 'node-01' }
  const off = await ask({ ...asked, action: 'off', power_timeout: 1 })
  assert.deepEqual([off.code, off.err], [0, ''])
  assert.match(
    off.out,
    /level 1 did not prove node-01 off: node-01\/1\/1 reads on[\s\S]*Powered OFF\n$/,
  )
  assert.equal(second.power(), 'off')
  const lastOrder = readFileSync(join(here.state, 'orders/node-01/audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line): { kind: string; facts: Record<string, unknown> } => JSON.parse(line))
    .findLast(({ kind }) => kind === 'order')
  assert.match(String(lastOrder?.facts.reason), /fence agent fence_picket: off/)
  // Its two devices contradict each other: that is no status.
  const status = await ask({ ...asked, action: 'status' })
  assert.deepEqual([status.code, status.out], [1, ''])
  const list = await ask({ action: 'list' })
  assert.deepEqual([list.code, list.out], [0, 'node-01,\n'])
  assert.equal((await ask({ action: 'monitor' })).code, 0)
  first.hang()
  assert.equal((await ask({ ...asked, action: 'monitor' })).code, 0)
  first.wake()
  for (const [values, said] of [
    [{ action: 'off', plug: 'n3' }, /there is no node "n3" in .*; there are: node-01, node-02/],
    [{ action: 'off', plug: 'node-02' }, /no fence device is configured for node-02/],
    [{ action: 'off', plug: 'node-01', config: '/nowhere.yaml' }, /nowhere\.yaml: /],
  ] as const) {
    const { code, err } = await ask(values)
    assert.equal(code, 1)
    assert.match(err, said)
    assert.equal(err.split('\n').length, 2)
  }
  assert.equal((await ask({ action: 'validate-all', port: 'node1', nodename: 'node1' })).code, 0)
})

test('A1 a picketd that answers gets the order, and nothing is pressed beside it', {
  skip,
}, async (t) => {
  const here = await site(t)
  const ask = asking(here)
  const asked = { action: 'off', plug: 'node-01' }
  const own = healthy({ cluster: 'test' })
  const desk = await openDesk(t, own, answering('done', 'node-01 is proven off', proven))
  const off = await ask(asked, { PICKET_SOCKET: desk.socket })
  assert.deepEqual([off.code, off.err], [0, ''])
  const [order] = desk.given
  assert.deepEqual([order?.action, order?.target], ['off', 'node-01'])
  assert.equal(order?.reason, 'fence agent fence_picket: off')
  desk.world.refusal = 'this node has no quorum'
  const refused = await ask(asked, { PICKET_SOCKET: desk.socket })
  assert.deepEqual([refused.code, refused.err], [1, 'Failed: this node has no quorum\n'])
  const fenced = { ...own, nodes: [member('node-01', { standing: 'fenced' })] }
  desk.world.status = fenced
  const rebooted = await ask({ ...asked, action: 'reboot' }, { PICKET_SOCKET: desk.socket })
  assert.equal(rebooted.code, 0, 'it is proven off: whether it comes on again, nobody owes')
  // Nodes of two clusters may have one name.
  desk.world.status = { ...own, cluster: 'another' }
  desk.world.refusal = undefined
  const given = desk.given.length
  const stranger = await ask(asked, { PICKET_SOCKET: desk.socket })
  assert.equal(stranger.code, 1)
  assert.match(stranger.err, /is of the cluster another, and the configuration of test/)
  assert.equal(desk.given.length, given)
  assert.deepEqual(here.bmcs[0].commands(), [])
  const alone = await ask(asked, { PICKET_SOCKET: join(here.state, 'nobody.sock') })
  assert.equal(alone.code, 0, alone.err)
  assert.equal(here.bmcs[0].power(), 'off')
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
