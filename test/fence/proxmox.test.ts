/** The `proxmox` driver: the contract on a double of Proxmox VE, containers, logins and options. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBox } from '../../src/fence/box.ts'
import { proxmox } from '../../src/fence/drivers/proxmox.ts'
import { contract } from './contract.ts'
import { httpStand } from './http-stand.ts'
import { root, token } from './proxmox-double.ts'
import {
  ask,
  asRoot,
  commands,
  deviceOf,
  optionsOf,
  readUntil,
  stand,
  start,
} from './proxmox-stand.ts'

contract(proxmox, stand)

test('F2 a container is stopped without a timeout; off when off already is no failure', async (t) => {
  const double = await start(t)
  const guest = double.add(200, 'lxc', 'pve2', { name: 'web1' })
  const device = deviceOf(double, { vmid: 200 })
  const { ok, detail } = await device.identify(ask)
  assert.equal(ok, true, detail)
  assert.match(detail, /lets fence@pve!picket stop lxc 200 \(web1\), power is on/)
  for (const oldVersion of [false, true]) {
    double.quirks.oldVersion = oldVersion
    double.put(guest, 'on')
    assert.equal((await device.off(ask)).outcome, 'accepted')
    assert.equal((await readUntil(device, 'off')).power, 'off')
    assert.equal((await device.off(ask)).outcome, 'accepted')
    assert.equal(guest.power, 'off')
    assert.equal((await device.on(ask)).outcome, 'accepted')
    assert.equal((await readUntil(device, 'on')).power, 'on')
    assert.equal((await device.on(ask)).outcome, 'accepted')
    assert.equal(guest.power, 'on')
  }
  assert.ok(commands(double).every((line) => /status\/(stop|start)$/.test(line)))
})

test('a password becomes a ticket, which comes back with every command', async (t) => {
  const double = await start(t)
  const guest = double.add(100, 'qemu', 'pve1')
  const device = deviceOf(double, asRoot)
  const texts = [(await device.identify(ask)).detail]
  for (const power of ['off', 'on'] as const) {
    const pressed = await device[power](ask)
    assert.equal(pressed.outcome, 'accepted', pressed.detail)
    assert.equal((await readUntil(device, power)).power, power)
    assert.equal(guest.power, power)
  }
  double.hosts.get('pve1')?.fail('truncated JSON', 0)
  texts.push((await device.read(ask)).detail ?? '')
  assert.match(texts.join(' '), /are not JSON/)
  for (const secret of [
    root.secret,
    encodeURIComponent(root.secret),
    'PVEAuthCookie',
    'PVE:root',
  ]) {
    assert.ok(!texts.join(' ').includes(secret), texts.join(' '))
  }
})

test('F10 each wrong login is told apart', async (t) => {
  const second = { ...root, id: 'two@pve', secondFactor: true }
  const double = await start(t, [token, root, second])
  const guest = double.add(100, 'qemu', 'pve1')
  const wrong: readonly [changes: object, says: RegExp][] = [
    [{ token_secret: 'wrong' }, /refused our password .*invalid token value.*token_secret/],
    [{ token_id: 'fence@pve!other' }, /does not know our user .*no such token 'other'.*token_id/],
    [{ ...asRoot, password: 'wrong' }, /refused our password .*authentication failure/],
    [{ ...asRoot, user: 'two@pve' }, /second factor\): use an API token/],
    [{ vmid: 103 }, /does not know this plug .*VM.Audit on the guest makes it visible/],
  ]
  for (const [changes, says] of wrong) {
    const device = deviceOf(double, changes)
    const pressed = await device.off(ask)
    assert.equal(pressed.outcome, 'refused', pressed.detail)
    assert.match(pressed.detail, says)
    const { ok, detail } = await device.identify(ask)
    assert.equal(ok, false)
    assert.match(detail, says)
  }
  assert.equal(guest.power, 'on')
})

test('C1 what the options accept, and what they say of the rest', () => {
  const login = { token_id: 'root@pam!picket', token_secret: 'xxxxxxxx-xxxx' }
  const least = { api_url: 'https://192.168.1.100:8006', vmid: 101 }
  const problemsOf = (options: object): string =>
    proxmox.options
      .safeParse(options)
      .error?.issues.map(({ message }) => message)
      .join() ?? ''
  assert.equal(problemsOf({ ...least, ...login, verify_ssl: false }), '')
  assert.equal(problemsOf({ ...least, user: 'fence@pve', password: 'p' }), '')
  assert.match(problemsOf(least), /login of proxmox is set nowhere; write token_id and token/)
  const half = /option (\w+) of proxmox is set nowhere, and (\w+) is/
  const halves = [
    ...[{ token_id: 'a@b!c' }, { token_secret: 's' }],
    ...[{ user: 'a@pve' }, { password: 'p' }],
  ]
  const lacking = halves.map((each) => half.exec(problemsOf({ ...least, ...each }))?.slice(1))
  assert.deepEqual(lacking, [
    ['token_secret', 'token_id'],
    ['token_id', 'token_secret'],
    ['password', 'user'],
    ['user', 'password'],
  ])
  for (const more of [{ user: 'a@pve' }, { password: 'p' }, { user: 'a@pve', password: 'p' }]) {
    assert.match(problemsOf({ ...least, ...login, ...more }), /proxmox has two logins/)
  }
  const all = { ...least, ...login }
  assert.match(problemsOf({ ...all, api_url: 'http://pve1:8006' }), /https/)
  assert.match(problemsOf({ ...all, api_url: ['https://a:b@pve1'] }), /holds a login/)
  assert.match(problemsOf({ ...all, token_id: 'picket' }), /not like user@realm!token/)
  const pin = 'a'.repeat(64)
  assert.match(problemsOf({ ...all, fingerprint: [pin, pin] }), /another number of entries/)
  assert.equal(
    problemsOf({ ...all, api_url: ['https://a', 'https://b'], fingerprint: [pin, pin] }),
    '',
  )
})

test('what is no API of Proxmox VE is told as such, and has refused no command', async (t) => {
  const [other, double] = [await httpStand(() => ({ status: 404, body: 'no' })), await start(t)]
  t.after(other.close)
  for (const login of [{}, asRoot]) {
    const elsewhere = { api_url: other.url, fingerprint: other.fingerprint, ...login }
    const device = deviceOf(double, elsewhere)
    const { vmid: _, ...options } = optionsOf(double, elsewhere)
    const box = openBox({ id: 'web-02/1/1', driver: proxmox, options })
    const list = await box.list(ask)
    const pressed = await device.off(ask)
    assert.deepEqual([list.ok, pressed.outcome], [false, 'refused'])
    const details = [list.detail, (await device.read(ask)).detail, pressed.detail]
    for (const detail of [...details, (await device.identify(ask)).detail]) {
      assert.match(detail ?? '', /\(HTTP 404[^)]*\): is this the address of a Proxmox VE API\?$/)
      assert.doesNotMatch(detail ?? '', /command/)
    }
  }
})
