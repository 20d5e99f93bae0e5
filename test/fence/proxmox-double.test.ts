/** A foreign client uses the double of Proxmox VE, so that it is not our own misreading. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openWire } from '../../src/fence/wire.ts'
import { searchPath } from '../../src/lab/run.ts'
import { missing } from '../needs.ts'
import { type Double, proxmoxDouble, root } from './proxmox-double.ts'

const skip = missing('fence_pve')

async function start(t: TestContext): Promise<Double> {
  const double = await proxmoxDouble()
  t.after(() => double.close())
  double.add(100, 'qemu', 'pve1', { name: 'db1' })
  double.add(200, 'lxc', 'pve2', { name: 'web1' })
  return double
}

/** Runs `fence_pve` with its options on stdin, as Pacemaker does; gives its exit status. */
async function fencePve(double: Double, options: Record<string, string>): Promise<number | null> {
  const all = {
    ip: '127.0.0.1',
    ipport: String(double.hosts.get('pve1')?.port),
    username: root.id,
    password: root.secret,
    ssl_insecure: '1',
    pve_node_auto: '1',
    power_timeout: '10',
    ...options,
  }
  const child = spawn('fence_pve', {
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout: 30_000,
    env: { PATH: searchPath },
  })
  child.stdin.end(
    Object.entries(all)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  return await new Promise((resolve) => child.on('close', resolve))
}

test('fence_pve reads, stops and starts a virtual machine and a container', { skip }, async (t) => {
  const double = await start(t)
  for (const [plug, vmtype] of [
    ['100', 'qemu'],
    ['200', 'lxc'],
  ] as const) {
    const guest = double.guests.get(Number(plug))
    const ask = (action: string) => fencePve(double, { plug, vmtype, action })
    assert.equal(await ask('status'), 0)
    assert.equal(await ask('off'), 0)
    assert.equal(guest?.power, 'off')
    // An exit status of 2 is off.
    assert.equal(await ask('status'), 2)
    assert.equal(await ask('on'), 0)
    assert.equal(guest?.power, 'on')
  }
  assert.equal(await fencePve(double, { plug: '100', action: 'monitor' }), 0)
})

test('fence_pve resets a virtual machine, and finds one that has migrated', { skip }, async (t) => {
  const double = await start(t)
  const guest = double.guests.get(100)
  assert.ok(guest)
  guest.node = 'pve2'
  const options = { plug: '100', action: 'reboot', method: 'cycle' }
  assert.equal(await fencePve(double, options), 0)
  assert.ok(double.log.some((line) => line.includes('POST /nodes/pve2/qemu/100/status/reset')))
  assert.equal(guest.power, 'on')
})

test('fence_pve is turned away with a wrong password, and cannot stop a locked guest', {
  skip,
}, async (t) => {
  const double = await start(t)
  const options = { plug: '100', action: 'off', power_timeout: '2' }
  assert.notEqual(await fencePve(double, { ...options, password: 'wrong' }), 0)
  const guest = double.guests.get(100)
  assert.ok(guest)
  guest.lock = 'backup'
  assert.notEqual(await fencePve(double, options), 0)
  assert.equal(guest.power, 'on')
})

test('fence_pve takes a guest of the HA manager for off, before and until it is started again', {
  skip,
}, async (t) => {
  const double = await start(t)
  const guest = double.guests.get(100)
  assert.ok(guest)
  guest.ha = 'started'
  double.mood.secondMs = 1
  assert.equal(await fencePve(double, { plug: '100', action: 'off' }), 0)
  assert.deepEqual([guest.power, guest.ha], ['off', 'stopped'])
  // Whoever dies without the manager's knowledge is started elsewhere, and was read as off.
  double.put(guest, 'on')
  guest.ha = 'started'
  double.mood.secondMs = 20
  double.die(guest)
  assert.equal(await fencePve(double, { plug: '100', action: 'status' }), 2)
  for (let waits = 0; waits < 100 && guest.power === 'off'; waits++) await sleep(50)
  assert.deepEqual([guest.power, guest.node], ['on', 'pve2'])
})

test('the double wants the token of a ticket with every command, and no other', async (t) => {
  const double = await start(t)
  const host = double.hosts.get('pve1')
  assert.ok(host)
  const terms = { signal: AbortSignal.timeout(4_000), deadlineMs: performance.now() + 4_000 }
  const { wire } = openWire(terms)
  const tls = { verify: true, fingerprint: host.fingerprint }
  const send = (path: string, headers: Record<string, string>, body: string) =>
    wire.http({ method: 'POST', url: `${host.url}/api2/json${path}`, headers, body, tls })
  const login = new URLSearchParams({ username: root.id, password: root.secret }).toString()
  const { ticket, CSRFPreventionToken: csrf } = JSON.parse(
    (await send('/access/ticket', {}, login)).body,
  ).data
  const cookie = `PVEAuthCookie=${ticket}`
  const stop = '/nodes/pve1/qemu/100/status/stop'
  const tries: readonly [headers: Record<string, string>, status: number][] = [
    [{}, 401],
    [{ cookie }, 401],
    [{ cookie, csrfpreventiontoken: 'x' }, 401],
    [{ cookie: 'PVEAuthCookie=x', csrfpreventiontoken: csrf }, 401],
    [{ cookie, csrfpreventiontoken: csrf }, 200],
  ]
  for (const [headers, status] of tries) {
    assert.equal(double.guests.get(100)?.power, 'on')
    assert.equal((await send(stop, headers, '')).status, status)
  }
  const lxc = '/nodes/pve2/lxc/200/status/stop'
  const unknown = await send(lxc, { cookie, csrfpreventiontoken: csrf }, 'timeout=5')
  assert.deepEqual([unknown.status, unknown.reason], [400, 'Parameter verification failed.'])
})
