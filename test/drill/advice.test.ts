/** Each piece of advice comes from a configuration that needs it, and from no other one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advise } from '../../src/drill/advice.ts'
import type { FailureName } from '../../src/drill/failures.ts'
import { bmc, cluster, drilled, strip, type Trial, vip } from './plants.ts'

const bmcs = { a: bmc(1), b: bmc(2), c: bmc(3) }
const both = (n: number) => `, fence: [{ driver: ipmi, host: 10.1.0.${n} }, ${strip(n)}]`
const heard = (n: number) => `, addresses: { lan: 10.0.0.${n} }`
const well = { a: heard(1) + both(1), b: heard(2) + both(2), c: heard(3) + both(3) }

interface Need extends Trial {
  readonly config: string
  /** The same without the need. */
  readonly better: string
  readonly place: string
  readonly says: RegExp
  readonly names: readonly FailureName[]
}

const needs: Readonly<Record<string, Need>> = {
  'a node without a device': {
    config: cluster({ ...bmcs, b: '' }),
    better: cluster(bmcs),
    names: ['crash'],
    place: 'cluster.nodes[b].fence',
    says: /^b has no fence device; whenever lost, what it holds waits for a person: give a driver/,
  },
  'fencing that is switched off': {
    config: `${cluster(bmcs)}\nfence: { enabled: false }`,
    better: cluster(bmcs),
    names: ['crash'],
    place: 'fence.enabled',
    says: /^no node is ever proven dead/,
  },
  'two nodes': {
    config: cluster({ a: bmc(1), b: bmc(2) }),
    better: cluster(bmcs),
    names: ['crash'],
    place: 'cluster.nodes',
    says: /^10(\.0)? s of the .* that a crash takes are the wait .* with a third node/,
  },
  'one level only': {
    config: cluster({ ...well, c: heard(3) + bmc(3) }),
    better: cluster(well),
    names: ['fence-api-down'],
    place: 'cluster.nodes[c].fence',
    says: /^c has one level only; when ipmi at 10\.1\.0\.3 is down, its services wait for a person/,
  },
  'one box behind many nodes': {
    config: cluster({
      a: ', fence: { driver: proxmox, api_url: https://pve:8006, vmid: 101 }',
      b: ', fence: { driver: proxmox, api_url: https://pve:8006, vmid: 102 }',
      c: both(3),
    }),
    better: cluster({ a: both(1), b: both(2), c: both(3) }),
    names: ['fence-api-down'],
    place: 'cluster.nodes[a, b].fence',
    says: /^a and b have one level only; when proxmox at pve is down, their services wait/,
  },
  'two levels behind one box': {
    config: cluster({
      ...well,
      a: ', fence: [{ driver: ipmi, host: 10.1.0.1 }, { driver: redfish, url: https://10.1.0.1 }]',
    }),
    better: cluster(well),
    names: ['fence-api-down'],
    place: 'cluster.nodes[a].fence',
    says: /^all levels of a stand behind one box; when ipmi and redfish at 10\.1\.0\.1 is down/,
  },
  'devices that die with their node': {
    config: cluster({
      ...well,
      a: ', fence: [{ driver: ipmi, host: 10.1.0.1 }, { driver: ipmi, host: 10.3.0.1 }]',
    }),
    better: cluster(well),
    names: ['power-loss'],
    place: 'cluster.nodes[a].fence',
    says: /^when a loses its current, so does all that could prove it dead \(ipmi\)/,
  },
  'a device that is believed alone': {
    config: cluster({ ...well, a: both(1) }),
    better: cluster(well),
    names: ['lying-device'],
    place: 'cluster.nodes[a].addresses',
    says: /^a device of a that says off and lies is believed, .*: list addresses/,
  },
  'addresses that nobody listens to': {
    config: `${cluster(well)}\nfence: { verify: false }`,
    better: cluster(well),
    names: ['lying-device'],
    place: 'fence.verify',
    says: /^a device of a, b and c that says off and lies .*: set it to true/,
  },
  'guests of one host': {
    config: cluster({ a: guest('kvm1', 'a'), b: guest('kvm1', 'b'), c: guest('kvm2', 'c') }),
    better: cluster({ a: guest('kvm1', 'a'), b: guest('kvm3', 'b'), c: guest('kvm2', 'c') }),
    names: ['power-loss'],
    place: 'cluster.nodes',
    says: /^a and b stand on one host: when that loses its current, no majority is left/,
  },
  'a service with one node': {
    config: cluster(bmcs, 'resources: [{ id: vip, type: vip, address: 10.0.0.9/24, nodes: [b] }]'),
    better: cluster(
      bmcs,
      'resources: [{ id: vip, type: vip, address: 10.0.0.9/24, nodes: [b, c] }]',
    ),
    names: ['crash'],
    place: 'resources[vip].nodes',
    says: /^vip may run on b alone and stays down with it/,
  },
  'no room after a crash': {
    config: roomy(10),
    better: roomy(20),
    names: ['crash'],
    place: 'resources[low]',
    says: /^when a dies, low finds no other node: /,
  },
  'a service that never runs': {
    config: cluster(
      { a: `${bmc(1)}, capacity: { mb: 10 }`, b: bmc(2), c: bmc(3) },
      `resources:
  - { id: one, type: systemd, unit: x.service, nodes: [a], needs: { mb: 8 }, priority: 1 }
  - { id: big, type: systemd, unit: y.service, nodes: [a], needs: { mb: 8 } }`,
    ),
    better: cluster(bmcs),
    names: ['crash'],
    place: 'resources[big]',
    says: /^big runs nowhere even while all is well: /,
  },
  'a delay before every fencing': {
    config: `${cluster(bmcs)}\nfence: { delay_seconds: 20 }`,
    better: `${cluster(bmcs)}\nfence: { delay_seconds: 0.5 }`,
    names: ['crash'],
    place: 'fence.delay_seconds',
    says: /^up to 20 s of the 2\d s that a crash takes are this wait/,
  },
  'a first level that is waited for': {
    config: cluster(well),
    better: `${cluster(well)}\nfence: { drivers: { ipmi: { timeout_seconds: 1 } } }`,
    names: ['crash', 'fence-api-down'],
    place: 'fence.drivers.ipmi.timeout_seconds',
    says: /^a box that answers nobody is waited for before the next level is tried: \d+ s instead/,
  },
  'a stop that may take long': {
    config: cluster(bmcs, vip.replace('}]', ', timeouts: { stop_seconds: 90 } }]')),
    better: cluster(bmcs),
    names: ['slow-stop'],
    place: 'resources[vip].timeouts.stop_seconds',
    says: /^a stop of vip that hangs is tried 3 × 1 min 30 s before its node is fenced: 4 min/,
  },
}

for (const [name, { config, better, names, place, says }] of Object.entries(needs)) {
  test(`advice on ${name}, and none without`, async (t) => {
    const { advice } = await drilled(t, config, { names })
    const found = advice.find((each) => each.place === place)
    assert.match(found?.text ?? JSON.stringify(advice), says)
    const mended = await drilled(t, better, { names })
    assert.deepEqual(
      mended.advice.filter(({ text }) => says.test(text)),
      [],
    )
  })
}

test("advice on Corosync's token, and none where it is short", async (t) => {
  const slow = await drilled(t, cluster(bmcs), { names: ['crash'], tokenMs: 5_000 })
  assert.deepEqual(
    slow.advice.map(({ place }) => place),
    ['corosync.conf: totem.token'],
  )
  assert.match(slow.advice[0]?.text ?? '', /^of the 1\d s that a crash takes, \d+ s pass before/)
  const usual = await drilled(t, cluster(bmcs), { names: ['crash'] })
  assert.deepEqual(usual.advice, [])
})

test('a promise that breaks although no device lies is to be reported', async (t) => {
  const { plant, rows } = await drilled(t, cluster(bmcs), { names: ['crash'] })
  const broken = rows.map((row) => ({ ...row, verdict: 'broken' as const }))
  const [first] = advise(plant, broken, { enabled: true, verify: true })
  assert.equal(first?.place, 'picket')
  assert.match(first.text, /`picket simulate crash --node a --seed 1`/)
})

function guest(host: string, name: string): string {
  return `, fence: { driver: libvirt, uri: 'qemu+ssh://root@${host}/system', domain: ${name} }`
}

/** Three services of 8 on three nodes that take so much. */
function roomy(mb: number): string {
  const services = ['first', 'second', 'low'].map((id, at) => {
    const unit = `unit: ${id}.service, needs: { mb: 8 }, priority: ${10 - at}`
    return `  - { id: ${id}, type: systemd, ${unit} }`
  })
  const node = (n: number) => `${bmc(n)}, capacity: { mb: ${mb} }`
  const rest = `resources:\n${services.join('\n')}`
  return cluster({ a: node(1), b: node(2), c: node(3) }, rest)
}
