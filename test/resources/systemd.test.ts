/** What only a systemd can do that hangs, lies or dies; the real one is in test/real. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { parseUnitName, pathOf } from '../../src/resources/systemd/name.ts'
import { seenIn, whyNotLoaded, whyNotOurs } from '../../src/resources/systemd/seen.ts'
import { systemd } from '../../src/resources/systemd.ts'
import { missing } from '../needs.ts'
import { makeRoom, until } from './room.ts'
import { blankUnit, startSystemdDouble, type Unit } from './systemd-double.ts'

const LONG_MS = 5_000
const unit = 'web.service'

async function given(t: TestContext, state: Partial<Unit> = {}) {
  const room = makeRoom(t)
  const double = await startSystemdDouble(t, room.dir)
  double.units.set(unit, { ...blankUnit, ...state })
  process.env.DBUS_SYSTEM_BUS_ADDRESS = double.address
  const resources = await room.open([{ id: 'web', type: 'systemd', options: { unit: 'web' } }])
  let id = 0
  const run = (op: 'probe' | 'start' | 'stop' | 'monitor', timeoutMs = LONG_MS) =>
    resources.run(++id, 'web', op, timeoutMs)
  const orders = () => double.calls.filter((call) => /^(Start|Stop|Kill)Unit/.test(call))
  return { room, double, resources, run, orders, web: double.units.get(unit)! }
}

test('one unit has one name', () => {
  const thing = (name: string) => systemd.open({ unit: name }).thing
  assert.equal(thing('nginx'), 'unit nginx.service')
  assert.equal(thing('nginx.service'), 'unit nginx.service')
  assert.equal(thing('pg@15-main'), 'unit pg@15-main.service')
  assert.equal(thing('php8.2-fpm'), 'unit php8.2-fpm.service')
  assert.equal(thing('srv-my\\x2ddata.mount'), 'unit srv-my\\x2ddata.mount')
})

test('what is no unit, or none whose end can be proven, is refused with a sentence', () => {
  const refused = (name: string, why: RegExp) => assert.throws(() => parseUnitName(name), why)
  refused('getty@.service', /template; name one of its instances, getty@NAME.service/)
  for (const kind of ['target', 'timer', 'socket', 'slice', 'scope', 'device', 'path', 'swap']) {
    refused(`web.${kind}`, new RegExp(`is a ${kind}: `))
  }
  for (const name of ['', 'a b', '../web', 'web;reboot', '/srv/data', "web'", 'x'.repeat(256)]) {
    refused(name, /is no name of a unit/)
  }
  assert.throws(() => systemd.open({ unit: 'a b' }), /a b is no name of a unit/)
})

test('a path on the bus has only letters that may stand there', () => {
  assert.equal(pathOf('dbus.service'), '/org/freedesktop/systemd1/unit/dbus_2eservice')
  assert.equal(pathOf('9p@a-b.service'), '/org/freedesktop/systemd1/unit/_39p_40a_2db_2eservice')
  fc.assert(fc.property(fc.string(), (name) => /^[\w/]+$/.test(pathOf(`x${name}`))))
})

test('what is started, dies and is stopped is told', async (t) => {
  const { run, room, double, orders } = await given(t)
  assert.equal((await run('probe')).outcome, 'stopped')
  assert.equal((await run('start')).outcome, 'done')
  assert.equal((await run('monitor')).outcome, 'running')
  double.dies(unit)
  await until('the death is told', () => room.deaths.length > 0)
  assert.match(room.deaths[0] ?? '', /^web: systemd says failed/)
  assert.match((await run('monitor')).detail, /result: exit-code, its main process ended with 3/)
  assert.equal((await run('start')).outcome, 'done')
  assert.equal((await run('stop')).outcome, 'done')
  const started = `StartUnit ${unit} fail`
  assert.deepEqual(orders(), [started, started, `StopUnit ${unit} replace`])
})

test('reloading is running; a job, a process or a state in between is not stopped', async (t) => {
  const { run, web } = await given(t)
  const outcomes = async () => [(await run('probe')).outcome, (await run('monitor')).outcome]
  Object.assign(web, { activeState: 'reloading' })
  assert.deepEqual(await outcomes(), ['running', 'running'])
  Object.assign(web, { activeState: 'activating', subState: 'auto-restart' })
  assert.deepEqual(await outcomes(), ['unknown', 'unknown'])
  Object.assign(web, { activeState: 'inactive', job: 12 })
  assert.deepEqual(await outcomes(), ['unknown', 'failed'])
  Object.assign(web, { job: 0, pids: [44] })
  assert.deepEqual(await outcomes(), ['unknown', 'failed'])
  Object.assign(web, { pids: [], activeState: 'a state of a later version' })
  assert.deepEqual(await outcomes(), ['unknown', 'failed'])
  Object.assign(web, { activeState: 'failed' })
  assert.deepEqual(await outcomes(), ['stopped', 'stopped'])
})

test('a start that never ends is stopped, killed and proven gone', async (t) => {
  const { run, web, orders } = await given(t, { starts: 'never', stops: 'never' })
  const ran = await run('start', 600)
  assert.equal(ran.outcome, 'failed', ran.detail)
  const [started, ...others] = orders()
  assert.equal(started, `StartUnit ${unit} fail`)
  assert.deepEqual(others, [`StopUnit ${unit} replace`, `KillUnit ${unit} all 9`])
  assert.deepEqual([web.activeState, web.pids], ['failed', []])
})

test('what cannot be killed is told of by no operation before it is gone', async (t) => {
  const { run, web } = await given(t, { starts: 'never', stops: 'never', undying: true })
  const ran = await run('start', 500)
  assert.equal(ran.outcome, 'unknown')
  assert.match(
    ran.detail,
    /not proven gone: it is deactivating.*1 of its processes left: web --serve/,
  )
  const next = await run('probe')
  assert.equal(next.outcome, 'unknown')
  assert.match(next.detail, /an earlier start is not proven gone/)
  web.undying = false
  assert.equal((await run('probe')).outcome, 'stopped')
})

test('what a stop leaves behind is killed; what survives that fails the stop', async (t) => {
  const { run, web } = await given(t, { stops: 'leaves a process' })
  await run('start')
  const ran = await run('stop')
  assert.equal(ran.outcome, 'done')
  assert.match(ran.detail, /had to kill inactive \(dead\), with 1 of its processes left/)
  await run('start')
  web.undying = true
  const stuck = await run('stop', 800)
  assert.equal(stuck.outcome, 'failed')
  assert.match(stuck.detail, /it does not stop: .*pid/)
})

test('a refused start orders nothing and revokes nothing', async (t) => {
  const { run, web, orders } = await given(t, { fileState: 'enabled-runtime' })
  const ran = await run('start')
  assert.match(ran.detail, /run `systemctl disable --runtime web.service`/)
  Object.assign(web, { fileState: 'disabled', loadState: 'masked' })
  assert.match((await run('start')).detail, /is masked on this node; run `systemctl unmask/)
  Object.assign(web, { loadState: 'loaded', type: 'oneshot' })
  assert.match((await run('start')).detail, /RemainAfterExit/)
  Object.assign(web, { type: 'simple', job: 12 })
  assert.match((await run('start')).detail, /it is inactive \(dead\), with a job/)
  assert.deepEqual(orders(), [])
})

test('who else would start it is said once, where it is found', async (t) => {
  const { run, web, room } = await given(t, { fileState: 'enabled' })
  await run('probe')
  await run('probe')
  const warnings = room.said.filter((text) => text.startsWith('web: '))
  assert.equal(warnings.length, 1)
  assert.match(warnings[0] ?? '', /it will not be started here: web.service is enabled/)
  Object.assign(web, { fileState: 'static', pulledInBy: ['shop.target'], needsReload: true })
  await run('probe')
  assert.match(room.said.join('\n'), /shop.target would start web.service by itself/)
  assert.match(room.said.join('\n'), /systemctl daemon-reload/)
})

test('a connection that is lost is told, and the next look has another one', async (t) => {
  const { run, room, double } = await given(t)
  await run('start')
  double.hangUp()
  await until('the loss is told', () => room.deaths.length > 0)
  assert.match(room.deaths[0] ?? '', /the connection to systemd is lost/)
  assert.equal((await run('monitor')).outcome, 'running')
})

test('without a systemd nobody can tell, and the sentence says what was tried', async (t) => {
  const { run, room } = await given(t)
  process.env.DBUS_SYSTEM_BUS_ADDRESS = `unix:path=${room.dir}/nothing;tcp:host=x;unix:path=/dev/null`
  const ran = await run('probe', 500)
  assert.equal(ran.outcome, 'unknown')
  assert.match(
    ran.detail,
    /cannot be asked here \(.*nothing: .*ENOENT.*; \/dev\/null: .*is it running/,
  )
})

test('a systemd that does not answer costs an operation its time and no more', async (t) => {
  const { run, double, orders } = await given(t)
  await run('probe')
  double.deafTo.add('GetAll')
  const beganMs = performance.now()
  const ran = await run('monitor', 700)
  assert.equal(ran.outcome, 'unknown')
  assert.ok(performance.now() - beganMs < 2500)
  double.deafTo.clear()
  assert.equal((await run('probe')).outcome, 'stopped')
  // It was heard, but not answered: the start may have happened, so it is revoked.
  double.deafTo.add('StartUnit')
  assert.equal((await run('start', 700)).outcome, 'failed')
  assert.deepEqual(orders(), [`StartUnit ${unit} fail`])
})

test('bytes that are no D-Bus end the connection, not the daemon', async (t) => {
  const { run, room, double } = await given(t)
  await run('start')
  for (const bytes of ['HTTP/1.1 200 OK\r\n\r\n', `l\x04\x01\x01${'\xff'.repeat(12)}`]) {
    room.deaths.length = 0
    double.blurt(Buffer.from(bytes, 'latin1'))
    await until('the loss is told', () => room.deaths.length > 0)
    assert.match(room.deaths[0] ?? '', /what came is no D-Bus/)
    assert.equal((await run('monitor')).outcome, 'running')
  }
})

test('a forged signal is a reason to look, and nothing else', async (t) => {
  const { run, double, web } = await given(t, { starts: 'never' })
  const forge = () => {
    const body = [0, '/org/freedesktop/systemd1/job/1', unit, 'done']
    double.emit('JobRemoved', '/org/freedesktop/systemd1', 'x.y', 'uoss', body)
    double.emit('PropertiesChanged', pathOf(unit), 'x.y', '', [])
    double.emit('PropertiesChanged', pathOf(unit), 'x.y', 'u', [1])
  }
  const running = run('start', 900)
  await until('it begins', () => web.activeState === 'activating')
  forge()
  assert.equal((await running).outcome, 'failed')
  web.starts = 'at once'
  assert.equal((await run('start')).outcome, 'done')
  forge()
  assert.equal((await run('monitor')).outcome, 'running')
})

test('what systemd does not say counts as the worst', () => {
  const seen = seenIn([], [])
  assert.equal(seen.jobQueued, true)
  assert.match(whyNotLoaded(unit, seen) ?? '', /it says nothing of it/)
  assert.match(whyNotOurs(unit, { ...seen, id: unit, fileState: 'enabled' }) ?? '', /disable web/)
  const fstab = { ...seen, id: 'srv.mount', fileState: 'generated', file: '/etc/fstab' }
  assert.equal(whyNotOurs('srv.mount', { ...fstab, pulledInBy: ['web.service'] }), undefined)
  const because = whyNotOurs('srv.mount', { ...fstab, pulledInBy: ['local-fs.target'] })
  assert.match(because ?? '', /is made of \/etc\/fstab and starts at every boot; .*noauto/)
})

test('a foreign client reads from the double what ours reads', {
  skip: missing('busctl'),
}, async (t) => {
  const { double } = await given(t, { activeState: 'active' })
  const args = [
    'get-property',
    'org.freedesktop.systemd1',
    pathOf(unit),
    'org.freedesktop.systemd1.Unit',
  ]
  const child = spawn('busctl', [`--address=${double.address}`, ...args, 'ActiveState'])
  let out = ''
  child.stdout.on('data', (bytes) => {
    out += bytes
  })
  child.stderr.on('data', (bytes) => {
    out += bytes
  })
  await new Promise((resolve) => child.once('close', resolve))
  assert.equal(out.trim(), 's "active"')
})
