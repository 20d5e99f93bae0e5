/** The `proxmox` driver and the traps of Proxmox VE, as docs/drivers/proxmox.md numbers them. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import { token } from './proxmox-double.ts'
import {
  ask,
  asRoot,
  between,
  commands,
  deviceOf,
  plain,
  readUntil,
  start,
  uuid,
} from './proxmox-stand.ts'

test('trap 1: the task of a guest of the HA manager ends before the guest does', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1', ha: 'started' })
  double.mood.secondMs = 60
  const device = deviceOf(double)
  const pressed = await device.off(ask)
  assert.equal(pressed.outcome, 'accepted', pressed.detail)
  assert.equal(guest.power, 'on')
  assert.equal((await device.read(ask)).power, 'on')
  const read = await readUntil(device, 'off')
  assert.deepEqual([read.power, guest.power, guest.ha], ['off', 'off', 'stopped'])
  assert.match(read.raw, /stopped, qmpstatus stopped, HA stopped on pve1/)
  assert.ok(!commands(double).some((line) => line.includes('overrule-shutdown')))
  assert.equal((await device.on(ask)).outcome, 'accepted')
  assert.equal((await readUntil(device, 'on')).power, 'on')
  assert.deepEqual([guest.power, guest.ha], ['on', 'started'])
})

test('trap 1: a guest that died is not off while the HA manager may start it elsewhere', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1', ha: 'started' })
  double.mood.secondMs = 3
  const device = deviceOf(double)
  double.die(guest)
  assert.equal(guest.power, 'off')
  const read = await device.read(ask)
  assert.equal(read.power, 'unknown')
  assert.match(read.raw, /HA started/)
  while (guest.power === 'off') await device.read(ask)
  assert.equal(guest.node, 'pve2')
  double.refresh()
  assert.equal((await device.read(ask)).power, 'on')
  assert.equal((await device.off(ask)).outcome, 'accepted')
  assert.equal((await readUntil(device, 'off')).power, 'off')
  assert.equal(guest.power, 'off')
})

test('trap 2: a task that ends well is not off, and `quit` gets five seconds', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { process: 'cannot be killed' })
  const device = deviceOf(double)
  assert.equal((await device.off(ask)).outcome, 'accepted')
  assert.equal(guest.power, 'on')
  assert.equal((await device.read(ask)).power, 'on')
  assert.deepEqual(commands(double), ['pve1 POST /nodes/pve1/qemu/100/status/stop timeout=5'])
  guest.process = 'ignores quit'
  double.mood.secondMs = 20
  assert.equal((await device.off(ask)).outcome, 'accepted')
  const startedMs = performance.now()
  assert.equal((await readUntil(device, 'off')).power, 'off')
  assert.ok(performance.now() - startedMs < 60 * 20, 'the default of 60 s was waited for')
  assert.equal(guest.power, 'off')
})

test('trap 3: a lock keeps a token from stopping a guest, by its name; root passes', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { lock: 'backup' })
  const device = deviceOf(double)
  const pressed = await device.off(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /the target is locked .*VM is locked \(backup\).*next level/)
  assert.equal(guest.power, 'on')
  const { ok, detail } = await device.identify(ask)
  assert.deepEqual([ok, /lock: backup/.test(detail)], [false, true])
  assert.equal((await deviceOf(double, asRoot).off(ask)).outcome, 'accepted')
  assert.equal((await readUntil(device, 'off')).power, 'off')
  assert.equal(guest.power, 'off')
  assert.match(commands(double).at(-1) ?? '', /timeout=5&skiplock=1/)
  // What is locked is not started over the head of whoever locked it, by nobody.
  assert.equal((await deviceOf(double, asRoot).on(ask)).outcome, 'refused')
  assert.equal(guest.power, 'off')
})

test('trap 3: a hook that hangs holds nobody up, and proves nothing', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { hookHangs: true })
  const device = deviceOf(double)
  const startedMs = performance.now()
  assert.equal((await device.off(ask)).outcome, 'accepted')
  assert.ok(performance.now() - startedMs < 2_500)
  assert.equal(guest.power, 'on')
  assert.equal((await device.read(ask)).power, 'on')
})

test('trap 4: the list of guests is old, and says nothing of the power', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { power: 'off' })
  const device = deviceOf(double)
  double.put(guest, 'on')
  assert.equal((await device.read(ask)).power, 'on')
  double.refresh()
  double.put(guest, 'off')
  assert.equal((await device.read(ask)).power, 'off')
})

test('trap 4: what we may not see is not missing, and not off', async (t) => {
  const blind = { ...token, privileges: { 100: {}, all: token.privileges.all } }
  const double = await start(t, [blind])
  const guest = double.add(100, 'qemu', 'pve1')
  const device = deviceOf(double)
  const read = await device.read(ask)
  assert.equal(read.power, 'unknown')
  const lacking = /may not do this .*list of guests is empty: we lack VM.PowerMgmt and VM.Audit/
  assert.match(read.detail ?? '', lacking)
  assert.match(
    (await device.identify(ask)).detail,
    /fence@pve!picket lacks VM.PowerMgmt and VM.Audit/,
  )
  double.add(101, 'qemu', 'pve1')
  assert.match(
    (await deviceOf(double, { vmid: 103 }).read(ask)).detail ?? '',
    /none of the 1 we may see/,
  )
  assert.equal((await device.off(ask)).outcome, 'refused')
  assert.equal(guest.power, 'on')
})

test('trap 4: who may see and not stop is told so, before and when it matters', async (t) => {
  const reader = { ...token, privileges: { all: { 'VM.Audit': 1 as const } } }
  const double = await start(t, [reader])
  const guest = double.add(100, 'qemu', 'pve1')
  const device = deviceOf(double)
  assert.equal((await device.read(ask)).power, 'on')
  const { ok, detail } = await device.identify(ask)
  assert.equal(ok, false)
  assert.match(detail, /lacks VM.PowerMgmt on \/vms\/100\)/)
  for (const oldVersion of [false, true]) {
    double.quirks.oldVersion = oldVersion
    const pressed = await device.off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /Permission check failed \(\/vms\/100, VM.PowerMgmt\)/)
  }
  assert.equal(guest.power, 'on')
})

test('trap 5: a guest that has migrated is followed, and is never off at its old place', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1')
  const hinted = deviceOf(double, { node: 'pve1', type: 'qemu' })
  const device = deviceOf(double)
  guest.node = 'pve2'
  for (const oldVersion of [false, true]) {
    double.quirks.oldVersion = oldVersion
    const stale = await device.read(ask)
    assert.equal(stale.power, 'unknown')
    assert.match(stale.detail ?? '', /100.conf' does not exist/)
  }
  double.refresh()
  assert.match((await device.read(ask)).raw, /running on pve2/)
  assert.equal((await hinted.off(ask)).outcome, 'accepted')
  assert.equal((await readUntil(hinted, 'off')).power, 'off')
  assert.equal(guest.power, 'off')
})

test('trap 5: a node that cannot be reached is not off', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve2')
  double.lose('pve2')
  double.refresh()
  const read = await deviceOf(double).read(ask)
  assert.equal(read.power, 'unknown')
  assert.match(read.detail ?? '', /cannot reach the node: HTTP 595 No route to host/)
  assert.equal((await deviceOf(double).off(ask)).outcome, 'refused')
  assert.equal(guest.power, 'on')
})

test('trap 6: nothing but stopped is off, and only plainly running is on', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1' })
  const device = deviceOf(double)
  for (const [name, changes] of Object.entries(between)) {
    Object.assign(guest, { power: 'on' }, plain, changes)
    assert.equal((await device.read(ask)).power, 'unknown', name)
  }
  Object.assign(guest, { power: 'off' }, plain, { lock: 'backup' })
  assert.equal((await device.read(ask)).power, 'off')
})

test('F18 a guest that Proxmox VE is at work on is spoken for while it runs', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1', lock: 'migrate' })
  const device = deviceOf(double)
  const { power, spare } = await device.read(ask)
  assert.deepEqual([power, spare], ['on', 'Proxmox VE is at work on it: lock migrate'])
  for (const changes of [{ lock: 'suspended' }, { lock: undefined }, { power: 'off' } as const]) {
    Object.assign(guest, { power: 'on', lock: 'migrate' }, changes)
    assert.equal((await device.read(ask)).spare, undefined, JSON.stringify(changes))
  }
  // What another one's guest is at says nothing of ours.
  Object.assign(guest, { power: 'on', lock: 'migrate' })
  const other = deviceOf(double, {}, 'some other machine')
  assert.equal((await other.read(ask)).spare, undefined)
})

test('trap 8: another API host answers for one that refuses, hangs or is an impostor', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1')
  const [one, two] = ['pve1', 'pve2'].map((name) => double.hosts.get(name))
  assert.ok(one && two)
  // Takes connections, and never says a word.
  const mute = createServer((socket) => socket.resume().on('error', () => undefined))
  await new Promise<void>((done) => mute.listen(0, '127.0.0.1', done))
  t.after(() => mute.close())
  const { port } = mute.address() as { port: number }
  for (const first of ['https://127.0.0.1:1', `https://127.0.0.1:${port}`, one.url]) {
    double.put(guest, 'on')
    one.fail('impostor certificate', 0)
    const device = deviceOf(double, { api_url: [first, two.url] })
    const pressed = await device.off(ask)
    assert.equal(pressed.outcome, 'accepted', pressed.detail)
    assert.equal((await readUntil(device, 'off')).power, 'off')
    assert.equal(guest.power, 'off')
  }
  assert.ok(commands(double).every((line) => line.startsWith('pve2 ')))
  assert.equal(commands(double).length, 3)
  const lost = { api_url: ['https://127.0.0.1:1', one.url] }
  const read = await deviceOf(double, lost).read(ask)
  assert.match(read.detail ?? '', /no API host: 127.0.0.1:1 unreachable, 127.0.0.1:\d+ certificate/)
  one.mend()
  assert.match((await deviceOf(double).identify(ask)).detail, /there is no other API host/)
})

test('trap 8: without quorum the HA manager and every start fail, and say why', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { power: 'off' })
  double.quirks.quorate = false
  const pressed = await deviceOf(double).on(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /no quorum\?\): the Proxmox cluster has no quorum/)
  assert.equal(guest.power, 'off')
  Object.assign(guest, { power: 'on', ha: 'started' })
  const checked = await deviceOf(double, asRoot).identify(ask)
  assert.equal(checked.ok, false)
  assert.match(checked.detail, /has no quorum, its HA manager waits/)
  const stopped = await deviceOf(double).off(ask)
  assert.equal(stopped.outcome, 'unknown')
  assert.match(stopped.detail, /crm-command stop vm:100 0' failed/)
  assert.equal(guest.power, 'on')
})

test('trap 8: an off from a host without quorum is not believed', async (t) => {
  const auditor = { ...token, audits: true }
  const double = await start(t, [auditor])
  const guest = double.add(100, 'qemu', 'pve1', { power: 'off' })
  const device = deviceOf(double)
  assert.equal((await device.read(ask)).power, 'off')
  double.quirks.quorate = false
  const read = await device.read(ask)
  assert.equal(read.power, 'unknown')
  assert.match(read.raw, /qmpstatus stopped on pve1, says an API host without quorum/)
  double.put(guest, 'on')
  assert.equal((await device.read(ask)).power, 'on')
})

test('trap 9: each API host has a certificate of its own, and each is pinned', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1')
  const [one, two] = ['pve1', 'pve2'].map((name) => double.hosts.get(name))
  assert.ok(one && two)
  const api_url = [one.url, two.url]
  const wrong = one.fingerprint.replace(/^../, '00')
  const fits = deviceOf(double, { api_url, fingerprint: [wrong, two.fingerprint] })
  assert.equal((await fits.off(ask)).outcome, 'accepted')
  assert.equal((await readUntil(fits, 'off')).power, 'off')
  assert.equal(one.requests(), 0)
  double.put(guest, 'on')
  const refused = await deviceOf(double, { fingerprint: wrong }).off(ask)
  assert.equal(refused.outcome, 'refused')
  assert.match(refused.detail, /shows the certificate [0-9a-f]{64}/)
  // Without any check it works, and whoever says `verify_ssl: false` has been warned.
  const unchecked = deviceOf(double, { fingerprint: undefined, verify_ssl: false })
  assert.equal((await unchecked.read(ask)).power, 'on')
  assert.equal((await deviceOf(double, { fingerprint: undefined }).read(ask)).power, 'unknown')
  assert.equal(guest.power, 'on')
})

test('trap 10: a number that another guest has now is neither pressed nor believed', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1', uuid })
  double.add(200, 'lxc', 'pve2', { name: 'web1' })
  const upper = uuid.toUpperCase()
  for (const fits of [{ name: 'db1' }, { uuid: upper }, { name: 'db1', uuid }]) {
    assert.equal((await deviceOf(double, fits).identify(ask)).ok, true)
  }
  assert.equal((await deviceOf(double).read(ask)).identity, canonicalIdentity(uuid))
  const container = deviceOf(double, { vmid: 200 }, 'lxc/200 web1')
  assert.equal((await container.read(ask)).identity, 'lxc/200 web1')
  Object.assign(guest, { name: 'other', uuid: '11111111-1111-4111-8111-111111111112' })
  for (const strange of [{ name: 'db1' }, { uuid }, { type: 'lxc' }, { vmid: 200, uuid }]) {
    const device = deviceOf(double, strange)
    const pressed = await device.off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /this is not the device that the config names/)
    assert.equal((await device.read(ask)).power, 'unknown')
    assert.equal((await device.identify(ask)).ok, false)
  }
  assert.equal((await deviceOf(double, {}, uuid).off(ask)).outcome, 'refused')
  assert.deepEqual([guest.power, double.guests.get(200)?.power], ['on', 'on'])
  assert.deepEqual(commands(double), [])
})
