/** S16: which nodes there are, and when two configurations are the same one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withCorosync } from '../../src/config/load.ts'
import { load, twoNodes } from './files.ts'

const secrets = 'ipmi: { user: admin, password: x }\n'

test('S16 nodes that only Corosync knows are added without a way to fence them', async (t) => {
  const { core } = await load(t, { config: twoNodes })
  const united = withCorosync(core, { names: ['d', 'a', 'c', 'c'] })
  assert.deepEqual(
    united.nodes.map(({ id }) => id),
    ['a', 'b', 'c', 'd'],
  )
  assert.deepEqual(united.nodes[3], {
    id: 'd',
    levels: [],
    addresses: [],
    priority: 0,
    capacity: {},
  })
  assert.notEqual(united.hash, core.hash)
  // Whoever sees the same nodes has the same config, in whatever order Corosync tells them.
  assert.equal(withCorosync(core, { names: ['c', 'd', 'a', 'b'] }).hash, united.hash)
})

test('S16 a nodelist that names nobody else changes nothing', async (t) => {
  const { core } = await load(t, { config: twoNodes })
  assert.equal(withCorosync(core, { names: ['b', 'a'] }), core)
  assert.equal(withCorosync(core, { names: [] }), core)
})

test('S18 whether half of the nodes may decide is part of the config that all have to share', async (t) => {
  const { core } = await load(t, { config: twoNodes })
  const names = core.nodes.map(({ id }) => id)
  const halved = withCorosync(core, { names, halves: true })
  assert.equal(halved.halves, true)
  assert.notEqual(halved.hash, core.hash)
})

const base = `cluster:
  name: test
  nodes:
    - { name: a, address: 10.0.0.1, fence: {driver: ipmi, host: 10.0.1.1} }
    - { name: b, address: 10.0.0.2, unfenced: accepted }
resources:
  - { id: r, type: exec, run: sleep 1 }
`

test('S16 the digest is the same for another spelling', async (t) => {
  const one = await load(t, { config: base, secrets })
  const other = base
    .replace('{driver: ipmi, host: 10.0.1.1}', '[[{ host: "10.0.1.1", driver: ipmi, port: 623 }]]')
    .replace('name: test', '# a comment\n  name: "test"')
  const two = await load(t, { config: `${other}timing: { beat_ms: 1000 }\n`, secrets })
  assert.equal(one.core.hash, two.core.hash)
})

const differences: readonly (readonly [what: string, from: string, to: string])[] = [
  ['the name of the cluster', 'name: test', 'name: prod'],
  ['a node', '    - { name: b, address: 10.0.0.2, unfenced: accepted }\n', ''],
  ['the order of the nodes of a resource', 'run: sleep 1', 'run: sleep 1, nodes: [b, a]'],
  ['an address', '10.0.0.2', '10.0.0.3'],
  ['the host of a device', '10.0.1.1', '10.0.1.2'],
  ['an option that only the driver knows', 'host: 10.0.1.1', 'host: 10.0.1.1, cipher: 3'],
  ['an option that only the type knows', 'run: sleep 1', 'run: sleep 1, directory: /tmp'],
  ['a timeout', 'run: sleep 1', 'run: sleep 1, timeouts: { stop_seconds: 9 }'],
  ['a timing', 'resources:', 'timing: { silent_seconds: 9 }\nresources:'],
  ['verify', 'address: 10.0.0.1,', 'address: 10.0.0.1, addresses: { m: 10.0.0.1 },'],
]

for (const [what, from, to] of differences) {
  test(`S16 the digest differs with ${what}`, async (t) => {
    const one = await load(t, { config: base, secrets })
    assert.notEqual(base, base.replace(from, to))
    const two = await load(t, { config: base.replace(from, to), secrets })
    assert.notEqual(one.core.hash, two.core.hash)
  })
}
