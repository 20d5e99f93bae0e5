/** The resource type `systemd` on a machine with a real systemd, with `systemctl` as its referee. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkOf } from '../health/stand.ts'
import { makeRoom, until } from '../resources/room.ts'
import { noSystemd, type SystemdHost, startSystemdHost } from './systemd-host.ts'

const LONG_MS = 10_000
const skip = noSystemd
let host: SystemdHost
let names = 0

before(async () => {
  if (!skip) host = await startSystemdHost()
})
after(async () => await host?.stop())

const service = (...lines: string[]) => `[Service]\n${lines.join('\n')}\n`
const sleeping = service('ExecStart=/bin/sleep 99999')

/** A unit with a resource for it, over one of the two ways to systemd. */
async function given(t: TestContext, text: string, address = host.systemBus) {
  process.env.DBUS_SYSTEM_BUS_ADDRESS = address
  const unit = `web${++names}.service`
  host.unit(unit, text)
  const room = makeRoom(t)
  const resources = await room.open([{ id: 'web', type: 'systemd', options: { unit } }])
  let id = 0
  const run = (op: 'probe' | 'start' | 'stop' | 'monitor', timeoutMs = LONG_MS) =>
    resources.run(++id, 'web', op, timeoutMs)
  const referee = () => host.run('systemctl', 'is-active', unit).out
  const processes = () =>
    host.run('sh', '-c', `cat /sys/fs/cgroup/system.slice/${unit}/cgroup.procs`).out
  t.after(() => {
    host.run('systemctl', 'kill', '-s', 'KILL', unit)
    host.run('systemctl', 'stop', unit)
  })
  return { unit, room, resources, run, referee, processes, abort: () => resources.abort(id) }
}

for (const way of ['systemBus', 'privateBus'] as const) {
  test(`a service is started, watched and stopped over its ${way}`, { skip }, async (t) => {
    const { run, referee, processes, room, unit } = await given(t, sleeping, host[way])
    assert.equal((await run('probe')).outcome, 'stopped')
    const beganMs = performance.now()
    const started = await run('start')
    t.diagnostic(`start to running: ${Math.round(performance.now() - beganMs)} ms`)
    assert.equal(started.outcome, 'done', started.detail)
    assert.equal(referee(), 'active')
    assert.equal((await run('monitor')).outcome, 'running')
    const killedMs = performance.now()
    host.run('systemctl', 'kill', '-s', 'KILL', unit)
    await until('the death is told', () => room.deaths.length > 0)
    const tookMs = performance.now() - killedMs
    t.diagnostic(`death to hint: ${Math.round(tookMs)} ms, the kill included`)
    assert.ok(tookMs < 1000, `${tookMs} ms`)
    const dead = await run('monitor')
    assert.equal(dead.outcome, 'stopped')
    assert.match(dead.detail, /failed.*result: signal, its main process ended with 9/)
    assert.equal(referee(), 'failed')
    assert.equal((await run('start')).outcome, 'done')
    const stoppedMs = performance.now()
    assert.equal((await run('stop')).outcome, 'done')
    t.diagnostic(`stop: ${Math.round(performance.now() - stoppedMs)} ms`)
    assert.equal(referee(), 'inactive')
    assert.match(processes(), /No such file/)
    assert.equal((await run('probe')).outcome, 'stopped')
  })
}

test('a unit that fails at its start says how', { skip }, async (t) => {
  const { run } = await given(
    t,
    service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/false'),
  )
  const ran = await run('start')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /start job is failed.*result: exit-code, its main process ended with 1/)
  assert.equal((await run('probe')).outcome, 'stopped')
})

test('a program that is not there, or ends at once, has not been started', { skip }, async (t) => {
  const missing = await given(t, service('ExecStart=/nonexistent/web'))
  assert.match((await missing.run('start')).detail, /result: exit-code.*203/)
  const brief = await given(t, service('ExecStart=/bin/sh -c "sleep 0.05; exit 3"'))
  const ran = await brief.run('start')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /ended with 3/)
})

test('a oneshot that remains runs; one that does not is refused', { skip }, async (t) => {
  const stays = await given(
    t,
    service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/true'),
  )
  assert.equal((await stays.run('start')).outcome, 'done')
  assert.equal((await stays.run('monitor')).outcome, 'running')
  assert.equal((await stays.run('stop')).outcome, 'done')
  const over = await given(t, service('Type=oneshot', 'ExecStart=/bin/touch /tmp/was-started'))
  assert.match((await over.run('start')).detail, /oneshot without RemainAfterExit=yes/)
  assert.equal(host.run('test', '-e', '/tmp/was-started').code, 1)
})

test('a start that hangs is revoked, and nothing of it goes on', { skip }, async (t) => {
  const hangs = service(
    'Type=notify',
    'ExecStart=/bin/sh -c "trap : TERM; sleep 99999 & wait; wait; sleep 99999"',
  )
  const { run, referee, processes } = await given(t, hangs)
  const ran = await run('start', 1500)
  assert.equal(ran.outcome, 'failed', ran.detail)
  assert.equal(referee(), 'failed')
  assert.match(processes(), /No such file/)
  assert.equal(host.run('systemctl', 'list-jobs', '--no-legend').out, '')
  assert.equal((await run('probe')).outcome, 'stopped')
})

test('a start that is aborted does not finish later', { skip }, async (t) => {
  const slow = service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/sleep 1')
  const { run, referee, abort } = await given(t, slow)
  const running = run('start')
  await until('systemd starts it', () => referee() === 'activating')
  abort()
  assert.equal((await running).outcome, 'failed')
  assert.notEqual(referee(), 'activating')
  await sleep(1500)
  assert.notEqual(referee(), 'active')
})

test('a start that a daemon left half done is revoked by the next', { skip }, async (t) => {
  const slow = service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/sleep 2')
  const { run, referee, room, unit } = await given(t, slow)
  // The first daemon never answers: its operation stays on record.
  void run('start')
  await until('systemd starts it', () => referee() === 'activating')
  const next = await room.open([{ id: 'web', type: 'systemd', options: { unit } }])
  const ran = await next.run(1, 'web', 'probe', LONG_MS)
  assert.equal(ran.outcome, 'stopped', ran.detail)
  await sleep(2200)
  assert.notEqual(referee(), 'active')
})

test('a stop that hangs is ended by SIGKILL', { skip }, async (t) => {
  const deaf = service('ExecStart=/bin/sh -c "trap \'\' TERM; sleep 99999; sleep 99999"')
  const { run, referee, processes } = await given(t, deaf)
  await run('start')
  const ran = await run('stop', 3500)
  assert.equal(ran.outcome, 'done', ran.detail)
  assert.match(ran.detail, /had to kill deactivating/)
  assert.equal(referee(), 'failed')
  assert.match(processes(), /No such file/)
})

for (const mode of ['process', 'none']) {
  test(`what KillMode=${mode} leaves behind is found and killed`, { skip }, async (t) => {
    const lines = ['Type=forking', `KillMode=${mode}`, 'PIDFile=/run/left.pid']
    const start = 'ExecStart=/bin/sh -c "sleep 99999 & sleep 88888 & echo $! >/run/left.pid"'
    const { run, referee, processes, unit } = await given(t, service(...lines, start))
    const started = await run('start')
    assert.equal(started.outcome, 'done', started.detail)
    host.run('systemctl', 'stop', unit)
    const left = await run('probe')
    assert.equal(left.outcome, 'unknown')
    assert.match(left.detail, /of its processes left: sleep 99999/)
    const ran = await run('stop')
    assert.equal(ran.outcome, 'done', ran.detail)
    assert.match(processes(), /^$|No such file/)
    assert.equal((await run('probe')).outcome, 'stopped')
    assert.notEqual(referee(), 'active')
  })
}

test('forks that leave their session belong to it and end with it', { skip }, async (t) => {
  const forks = service('ExecStart=/bin/sh -c "for i in 1 2 3; do setsid sleep 99999 & done; wait"')
  const { run, processes } = await given(t, forks)
  await run('start')
  await until('all have begun', () => processes().split('\n').length === 4)
  assert.equal((await run('stop')).outcome, 'done')
  assert.match(processes(), /No such file/)
})

test('a unit that is masked, broken, missing or enabled is refused by name', {
  skip,
}, async (t) => {
  const masked = await given(t, sleeping)
  host.run('rm', `/etc/systemd/system/${masked.unit}`)
  host.run('systemctl', 'mask', masked.unit)
  assert.match((await masked.run('start')).detail, /is masked.*systemctl unmask web/)
  assert.equal((await masked.run('probe')).outcome, 'stopped')
  const broken = await given(t, service('Type=nonsense'))
  assert.match((await broken.run('start')).detail, /cannot use web\d+.service.*systemd-analyze/)
  const missing = await given(t, sleeping)
  host.run('rm', `/etc/systemd/system/${missing.unit}`)
  host.run('systemctl', 'daemon-reload')
  assert.match((await missing.run('probe')).detail, /there is no web\d+.service on this node/)
  assert.match((await missing.run('start')).detail, /take this node out of `nodes`/)
  const enabled = await given(t, `${sleeping}[Install]\nWantedBy=multi-user.target\n`)
  host.run('systemctl', 'enable', enabled.unit)
  const ran = await enabled.run('start')
  assert.equal(ran.outcome, 'failed')
  assert.match(
    ran.detail,
    /is enabled, so systemd starts it at every boot; run `systemctl disable web/,
  )
  assert.equal(enabled.referee(), 'inactive')
  host.run('systemctl', 'disable', enabled.unit)
  assert.equal((await enabled.run('start')).outcome, 'done')
})

test('a unit that systemd would stop only after picketd is refused', { skip }, async (t) => {
  const { run } = await given(t, `[Unit]\nBefore=picketd.service\n${sleeping}`)
  assert.match(
    (await run('start')).detail,
    /ordered before picketd.service.*take that `Before=` out/,
  )
})

test('a unit under another name, or with an active trigger, is refused', { skip }, async (t) => {
  const alias = await given(t, `${sleeping}[Install]\nAlias=other-name.service\n`)
  host.run('ln', '-s', alias.unit, '/etc/systemd/system/other-name.service')
  host.run('systemctl', 'daemon-reload')
  const options = { unit: 'other-name' }
  const other = await alias.room.open([{ id: 'other', type: 'systemd', options }])
  const ran = await other.run(1, 'other', 'start', LONG_MS)
  assert.match(ran.detail, /other-name.service is another name of web\d+.service; write `unit: web/)
  const triggered = await given(t, sleeping)
  const trigger = triggered.unit.replace('service', 'socket')
  host.unit(trigger, '[Socket]\nListenStream=/run/trigger.sock\n')
  host.run('systemctl', 'start', trigger)
  assert.match((await triggered.run('start')).detail, /disable --now web\d+.socket/)
  host.run('systemctl', 'stop', trigger)
  assert.equal((await triggered.run('start')).outcome, 'done')
})

test('a service that systemd restarts by itself is left to it, and stays stopped', {
  skip,
}, async (t) => {
  const lines = ['ExecStart=/bin/sleep 99999', 'Restart=always', 'RestartSec=300ms']
  const { run, referee, room, unit } = await given(t, service(...lines))
  await run('start')
  host.run('systemctl', 'kill', '-s', 'KILL', unit)
  await until('the death is told', () => room.deaths.length > 0)
  assert.equal((await run('monitor')).outcome, 'unknown')
  await until('systemd has restarted it', () => referee() === 'active')
  assert.equal((await run('monitor')).outcome, 'running')
  host.run('systemctl', 'kill', '-s', 'KILL', unit)
  await until('it waits', () => referee() === 'activating')
  assert.equal((await run('stop')).outcome, 'done')
  await sleep(600)
  assert.notEqual(referee(), 'active')
})

test('ten starts in a row are not refused by the limit of the unit', { skip }, async (t) => {
  const { run, unit } = await given(t, sleeping)
  // systemd forgets a unit that nobody names, and the count with it.
  host.unit('names-it.service', `[Unit]\nAfter=${unit}\n${sleeping}`)
  host.run('systemctl', 'start', 'names-it')
  for (let turn = 0; turn < 10; turn++) {
    const ran = await run('start')
    assert.equal(ran.outcome, 'done', ran.detail)
    assert.equal((await run('stop')).outcome, 'done')
  }
})

test('ten thousand lines of output and a reload of its files do not disturb it', {
  skip,
}, async (t) => {
  const loud = service('ExecStart=/bin/sh -c "seq 10000; exec sleep 99999"')
  const { run, room, unit } = await given(t, loud)
  assert.equal((await run('start')).outcome, 'done')
  host.unit(unit, `${loud}Environment=NEW=1\n`)
  assert.equal((await run('monitor')).outcome, 'running')
  assert.deepEqual(room.deaths, [])
})

for (const way of ['systemBus', 'privateBus'] as const) {
  test(`systemd may execute itself anew meanwhile (${way})`, { skip }, async (t) => {
    const slow = service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=/bin/sleep 1')
    const { run, referee, room, unit } = await given(t, slow, host[way])
    const running = run('start')
    await until('systemd starts it', () => referee() === 'activating')
    host.run('systemctl', 'daemon-reexec')
    const ran = await running
    assert.equal(ran.outcome, 'done', ran.detail)
    host.run('systemctl', 'daemon-reexec')
    await sleep(100)
    assert.equal((await run('monitor')).outcome, 'running')
    room.deaths.length = 0
    host.run('systemctl', 'stop', unit)
    await until('the end is told', () => room.deaths.length > 0)
    assert.equal((await run('monitor')).outcome, 'stopped')
  })
}

test('where the bus has died, systemd is asked directly', { skip }, async (t) => {
  const both = `${host.systemBus};${host.privateBus}`
  const { run, room } = await given(t, sleeping, both)
  await run('start')
  host.run('systemctl', 'stop', 'dbus.socket', 'dbus.service')
  try {
    await until('the loss is told', () => room.deaths.length > 0)
    assert.match(room.deaths[0] ?? '', /connection to systemd is lost/)
    assert.equal((await run('monitor')).outcome, 'running')
    assert.equal((await run('stop')).outcome, 'done')
  } finally {
    host.run('systemctl', 'start', 'dbus.socket', 'dbus.service')
  }
})

test('a start that fails tells the last lines of its journal', { skip }, (t) => {
  const program = join(import.meta.dirname, 'systemd-log.ts')
  const inside = [process.execPath, program, makeRoom(t).stateDir]
  const own = ['--mount', '--propagation', 'private', ...inside]
  const { stdout, stderr } = spawnSync('unshare', own, { encoding: 'utf8', timeout: 60_000 })
  assert.match(stdout, /its log ends: "97 \| 98 \| 99 \| 100 \| no such table"/, stderr)
})

test('a mount is a resource, too', { skip }, async (t) => {
  const mount = '[Mount]\nWhat=tmpfs\nWhere=/srv/data\nType=tmpfs\n'
  process.env.DBUS_SYSTEM_BUS_ADDRESS = host.systemBus
  host.unit('srv-data.mount', mount)
  const options = { unit: 'srv-data.mount' }
  const resources = await makeRoom(t).open([{ id: 'data', type: 'systemd', options }])
  const run = (id: number, op: 'probe' | 'start' | 'stop', timeoutMs = LONG_MS) =>
    resources.run(id, 'data', op, timeoutMs)
  assert.equal((await run(1, 'probe')).outcome, 'stopped')
  const started = await run(2, 'start')
  assert.equal(started.outcome, 'done', started.detail)
  const mounted = () => readFileSync(`${host.root}/proc/1/mounts`, 'utf8').includes(' /srv/data ')
  assert.ok(mounted())
  host.run('sh', '-c', 'cd /srv/data && exec setsid sleep 99999 >/dev/null 2>&1 &')
  const busy = await run(3, 'stop', 3000)
  assert.equal(busy.outcome, 'failed')
  assert.match(busy.detail, /does not stop: active \(mounted\)/)
  host.run('pkill', '-x', 'sleep')
  assert.equal((await run(4, 'stop')).outcome, 'done')
  assert.ok(!mounted())
})

test('H4 a check of a unit follows it, and is told of its end at once', { skip }, async (t) => {
  process.env.DBUS_SYSTEM_BUS_ADDRESS = host.systemBus
  const unit = `checked${++names}.service`
  host.unit(unit, sleeping)
  t.after(() => host.run('systemctl', 'stop', unit))
  const { ask, stirred } = await checkOf(t, 'systemd', { unit })
  assert.equal(await ask(LONG_MS), `bad: ${unit} is inactive (dead)`)
  host.run('systemctl', 'start', unit)
  assert.equal(await ask(LONG_MS), 'good: active (running)')
  host.run('systemctl', 'kill', '-s', 'KILL', unit)
  await until('its end is told', () => stirred.length > 0)
  assert.match(await ask(LONG_MS), /^bad: .* is failed \(failed\)/)
  const other = await checkOf(t, 'systemd', { unit: 'of-nobody.service' })
  assert.match(await other.ask(LONG_MS), /^bad: there is no of-nobody.service on this node/)
})
