/** What each failure comes to, in clusters of which it can be said beforehand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureNames } from '../../src/drill/failures.ts'
import { boxesOf, together } from '../../src/drill/plant.ts'
import type { Row, Verdict } from '../../src/drill/summary.ts'
import { bmc, cluster, drilled, plantIn, strip, vip } from './plants.ts'

const bmcs = { a: bmc(1), b: bmc(2), c: bmc(3) }
/** A BMC, then an outlet that does not hang on the node; nobody is believed who answers. */
const both = (n: number) =>
  `, addresses: { lan: 10.0.0.${n} }, ` +
  `fence: [{ driver: ipmi, host: 10.1.0.${n} }, ${strip(n)}]`

const verdictsOf = (rows: readonly Row[]) =>
  Object.fromEntries(
    failureNames.map((name): [string, readonly Verdict[]] => [
      name,
      [...new Set(rows.filter((row) => row.failure === name).map(({ verdict }) => verdict))],
    ]),
  )

test('one BMC for each node: what dies with the node, or lies, is not made good', async (t) => {
  const { rows } = await drilled(t, cluster(bmcs))
  assert.deepEqual(verdictsOf(rows), {
    crash: ['back'],
    freeze: ['back'],
    cut: ['back'],
    'fence-api-down': ['person'],
    'lying-device': ['broken'],
    'power-loss': ['person'],
    'power-outage': ['person'],
    'flapping-link': ['back'],
    'slow-stop': ['back'],
    // Nothing there moves live.
    'cut-live-move': [],
    'start-fails': ['back'],
  })
  const waits = rows.find(({ failure, victim }) => failure === 'power-loss' && victim.node === 'b')
  assert.equal(waits?.text, 'vip waits for a person: nothing proves b dead')
  assert.deepEqual(waits.commands, ['picket confirm b'])
  const lied = rows.find(({ failure }) => failure === 'lying-device')
  assert.match(lied?.text ?? '', /^a and b run vip at the same time, for 5\d s$/)
  assert.match(lied?.broken.join('\n') ?? '', /^at .* P1, no thing is active on two powered/m)
})

test('two levels of different kinds, and addresses: every failure ends well', async (t) => {
  const { rows, advice } = await drilled(t, cluster({ a: both(1), b: both(2), c: both(3) }))
  for (const { failure, verdict, text } of rows) {
    assert.ok(verdict === 'back' || verdict === 'kept', `${failure}: ${text}`)
  }
  assert.deepEqual(
    advice.map(({ place }) => place),
    ['fence.drivers.ipmi.timeout_seconds'],
  )
})

test('H19 a witness fails without anybody noticing, and takes nothing over', async (t) => {
  const witness = { ...bmcs, c: `${bmc(3)}, role: witness` }
  const { rows } = await drilled(t, cluster(witness), { names: ['crash', 'power-outage'] })
  const crashes = rows.filter(({ failure }) => failure === 'crash')
  assert.deepEqual(
    crashes.map(({ victim, outcomes, verdict }) => [victim.node, outcomes[0]?.had, verdict]),
    [
      ['a', ['vip'], 'back'],
      ['b', ['vip'], 'back'],
      ['c', [], 'kept'],
    ],
  )
  const homes = rows.flatMap(({ outcomes }) =>
    outcomes.flatMap(({ services }) => services.map(({ home }) => home)),
  )
  assert.ok(!homes.includes('c'), String(homes))
  assert.deepEqual(
    rows.flatMap(({ broken }) => broken),
    [],
  )
})

test('H19 beside one witness nobody takes over', async (t) => {
  const two = { a: bmc(1), b: `${bmc(2)}, role: witness` }
  const { rows } = await drilled(t, cluster(two), { names: ['crash'] })
  assert.deepEqual(
    rows.map(({ victim, verdict }) => [victim.node, verdict]),
    [
      ['a', 'down'],
      ['b', 'kept'],
    ],
  )
  assert.match(rows[0]?.text ?? '', /it may run on a alone/)
})

test('a node on which nothing runs gets what may run there, before it fails', async (t) => {
  const { rows } = await drilled(t, cluster(bmcs), { names: ['crash'] })
  assert.deepEqual(
    rows.map(({ victim, outcomes }) => [victim.node, outcomes[0]?.had]),
    [
      ['a', ['vip']],
      ['b', ['vip']],
      ['c', ['vip']],
    ],
  )
})

test('a node that loses its services to a cut is down for clients from the cut on', async (t) => {
  const { rows } = await drilled(t, cluster(bmcs), { names: ['cut'] })
  for (const { outcomes } of rows) {
    const [{ services = [], detectedMs = 0, provenMs = 0 } = {}] = outcomes
    const [service] = services
    assert.equal(service?.gaps[0]?.fromMs, 0)
    assert.ok(detectedMs > 1_500 && detectedMs < 2_500, `${detectedMs}`)
    assert.ok(provenMs > detectedMs && service.downMs > provenMs)
  }
})

test('the guests of one host lose their current together', async (t) => {
  const on = (host: string, name: string) =>
    `, fence: { driver: libvirt, uri: 'qemu+ssh://root@${host}/system', domain: ${name} }`
  const text = cluster({ a: on('kvm1', 'a'), b: on('kvm1', 'b'), c: on('kvm2', 'c') })
  const plant = await plantIn(t, text)
  assert.deepEqual(together(plant, 'a'), ['a', 'b'])
  assert.deepEqual(together(plant, 'c'), ['c'])
  const { rows } = await drilled(t, text, { names: ['power-loss'] })
  assert.match(rows[0]?.text ?? '', /^vip stays down: no quorum: 1 of 3 nodes/)
})

test('what stands behind one host is one box, whatever its ports and drivers', async (t) => {
  const plant = await plantIn(
    t,
    cluster({
      a: ', fence: [{ driver: ipmi, host: 10.1.0.9, port: 6230 }, { driver: redfish, url: https://10.1.0.9 }]',
      b: ', fence: { driver: ipmi, host: 10.1.0.9, port: 6231 }',
      c: ', fence: { driver: proxmox, api_url: https://pve:8006, vmid: 103 }',
    }),
  )
  const names = boxesOf(plant, 'a').map(({ name, devices }) => [name, devices])
  assert.deepEqual(names, [['ipmi and redfish at 10.1.0.9', ['a/1/1', 'a/2/1', 'b/1/1']]])
  assert.deepEqual(
    boxesOf(plant, 'c').map(({ name }) => name),
    ['proxmox at pve'],
  )
})

test('S18 two nodes: the one that is left takes over, and nothing is broken by that', async (t) => {
  const { rows } = await drilled(t, cluster({ a: bmc(1), b: bmc(2) }), {
    names: ['crash', 'freeze', 'cut', 'power-loss'],
  })
  assert.deepEqual(
    [...new Set(rows.map(({ failure, verdict }) => `${failure} ${verdict}`))],
    ['crash back', 'freeze back', 'cut down', 'power-loss person'],
  )
  const cut = rows.find(({ failure }) => failure === 'cut')
  assert.equal(cut?.text, 'vip stays down: it runs where no client reaches it')
})

test('S18 two nodes: clients reach the one whose cables are in, where that one wins', async (t) => {
  const { rows } = await drilled(t, cluster({ a: `${bmc(1)}, priority: 1`, b: bmc(2) }), {
    names: ['cut'],
  })
  assert.deepEqual(
    rows.map(({ victim, verdict, outcomes }) => [
      victim.node,
      verdict,
      outcomes[0]?.services[0]?.home,
    ]),
    [
      ['a', 'down', undefined],
      ['b', 'back', 'a'],
    ],
  )
})

const web = (more: string) =>
  cluster(bmcs, `resources: [{ id: web, type: systemd, unit: w, ${more} }]`)

test('a clone is one service, which serves as long as one of its instances does', async (t) => {
  const names = ['crash', 'power-outage', 'slow-stop', 'start-fails'] as const
  const { rows, advice } = await drilled(t, web('clone: true'), { names })
  assert.deepEqual(
    rows.map(({ failure, victim, verdict }) => `${failure} of ${victim.node}: ${verdict}`),
    [
      ...['a', 'b', 'c'].map((node) => `crash of ${node}: kept`),
      ...['a', 'b', 'c'].map((node) => `power-outage of ${node}: back`),
      'slow-stop of a: kept',
      'start-fails of a: kept',
    ],
  )
  for (const { services, outcomes } of rows) {
    assert.deepEqual(
      services.map(({ id }) => id),
      ['web'],
    )
    assert.deepEqual(outcomes[0]?.had, ['web'])
  }
  assert.deepEqual(rows[0]?.services[0]?.instances, { usual: 3, least: 2 })
  assert.deepEqual(rows[3]?.services[0]?.instances, { usual: 3, least: 0 })
  assert.deepEqual(advice, [])
})

test('of a clone with less instances than nodes one is hit that runs', async (t) => {
  const { rows } = await drilled(t, web('clone: 2'), { names: ['crash', 'start-fails'] })
  for (const { verdict, text } of rows) assert.equal(verdict, 'kept', text)
  const fails = rows.at(-1)
  assert.ok(fails?.outcomes[0]?.had.includes('web'))
  assert.deepEqual(fails?.services[0]?.instances, { usual: 2, least: 1 })
})

test('an instance that its cluster has stopped waits for a person, while others serve', async (t) => {
  const { rows } = await drilled(t, web('clone: true, on_fail: stop'), { names: ['start-fails'] })
  const [row] = rows
  assert.equal(row?.verdict, 'kept')
  assert.match(row.text, /^no service is down at any moment; web stays on fewer nodes until a pers/)
  assert.deepEqual(row.commands, ['picket cleanup web'])
})

test('beside a clone there is still something that is moved to the victim', async (t) => {
  const clone = '{ id: web, type: systemd, unit: w, clone: true }'
  const { rows } = await drilled(t, cluster(bmcs, vip.replace('[', `[${clone}, `)), {
    names: ['crash'],
  })
  for (const { outcomes, verdict } of rows) {
    assert.deepEqual(outcomes[0]?.had, ['web', 'vip'])
    assert.equal(verdict, 'back')
  }
})

test('H3 on_fail: what has failed is stopped, and waits for a person', async (t) => {
  const { rows } = await drilled(t, web('on_fail: stop'), { names: ['crash', 'start-fails'] })
  assert.deepEqual(
    rows.map(({ verdict }) => verdict),
    ['back', 'back', 'back', 'person'],
  )
  assert.equal(
    rows.at(-1)?.text,
    'web stays stopped until a person has looked: on a it failed: inactive, and its on_fail is stop',
  )
  assert.deepEqual(rows.at(-1)?.commands, ['picket cleanup web'])
})

test('H3 on_fail: where a failure is fenced, a stop and a start that fail end with that', async (t) => {
  const { rows } = await drilled(t, web('on_fail: fence'), { names: ['slow-stop', 'start-fails'] })
  for (const { verdict, provenMs, text } of rows) {
    assert.equal(verdict, 'back', text)
    assert.ok(provenMs !== undefined)
  }
})

test('H20 what is left running without quorum is taken over when its node is dead', async (t) => {
  const { rows } = await drilled(t, web('no_quorum: freeze'), { names: ['cut', 'power-loss'] })
  assert.deepEqual(
    [...new Set(rows.map(({ failure, verdict }) => `${failure} ${verdict}`))],
    ['cut back', 'power-loss person'],
  )
})

test('a service that finds no room when all is well is no consequence of a failure', async (t) => {
  const text = cluster(
    { a: `${bmc(1)}, capacity: { mb: 10 }`, b: bmc(2), c: bmc(3) },
    `resources:
  - { id: one, type: systemd, unit: x.service, nodes: [a], needs: { mb: 8 }, priority: 1 }
  - { id: big, type: systemd, unit: y.service, nodes: [a], needs: { mb: 8 } }`,
  )
  const { rows } = await drilled(t, text, { names: ['crash'] })
  assert.deepEqual(
    rows.map(({ verdict }) => verdict),
    ['down', 'kept', 'kept'],
  )
  assert.equal(rows[0]?.outcomes[0]?.never[0]?.resource, 'big')
  assert.equal(rows[0]?.text, 'one stays down: it may run on a alone')
})

test('the same seed is the same life', async (t) => {
  const one = await drilled(t, cluster(bmcs), { names: ['flapping-link'] })
  const other = await drilled(t, cluster(bmcs), { names: ['flapping-link'] })
  assert.deepEqual(one.rows, other.rows)
})
