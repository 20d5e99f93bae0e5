/** The `ocf` type on a double that keeps the standard, with every way in which an agent fails. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ResourceOp } from '../../src/core/effect.ts'
import type { Resources } from '../../src/resources/runner.ts'
import { agentName, createOcfDouble } from './ocf-double.ts'
import { makeRoom, until } from './room.ts'

const LONG_MS = 10_000
const options = { agent: agentName, params: { place: '/srv', count: 3, loud: true } }

let id = 0
const ask = (resources: Resources, op: ResourceOp, timeoutMs = LONG_MS) =>
  resources.run(++id, 'db', op, timeoutMs)
const outcomeOf = async (resources: Resources, op: ResourceOp) => (await ask(resources, op)).outcome

function stand(t: TestContext) {
  const room = makeRoom(t)
  const double = createOcfDouble(t, room.dir)
  const open = (more: object = {}) =>
    room.open([{ id: 'db', type: 'ocf', options: { ...options, ...more } }])
  return { room, double, open }
}

test('H2 an agent is probed, validated, started, watched and stopped', async (t) => {
  const { double, open } = stand(t)
  const resources = await open()
  assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
  const started = await ask(resources, 'start')
  assert.deepEqual(started, { outcome: 'done', detail: 'started' })
  assert.ok(double.isUp())
  assert.equal(await outcomeOf(resources, 'monitor'), 'running')
  assert.equal(await outcomeOf(resources, 'probe'), 'running')
  assert.equal(await outcomeOf(resources, 'stop'), 'done')
  assert.equal(double.isUp(), false)
  assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
  assert.equal(await outcomeOf(resources, 'start'), 'done')
  const calls = ['monitor', 'validate-all', 'start', 'monitor', 'monitor', 'stop', 'monitor']
  assert.deepEqual(double.calls(), [...calls, 'start'], 'validated once')
})

test('H2 it is told what the standard says, and nothing of the daemon', async (t) => {
  const { room, double } = stand(t)
  process.env.PICKET_TEST_SECRET = 'hunter2'
  t.after(() => delete process.env.PICKET_TEST_SECRET)
  const own = { ...options, agent: 'test:double', check_level: 10 }
  const listed = { id: 'db', type: 'ocf', options: own, monitorEveryMs: 7000 }
  const resources = await room.open([listed])
  await ask(resources, 'probe')
  const probe = double.env('monitor')
  const standard = {
    OCF_ROOT: join(room.dir, 'ocf'),
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '1',
    OCF_RESOURCE_INSTANCE: 'db',
    OCF_RESOURCE_TYPE: 'double',
    OCF_RESOURCE_PROVIDER: 'test',
    OCF_RESKEY_place: '/srv',
    OCF_RESKEY_count: '3',
    OCF_RESKEY_loud: 'true',
    OCF_RESKEY_CRM_meta_interval: '0',
    OCF_RESKEY_CRM_meta_name: 'monitor',
    HA_RSCTMP: '/run/resource-agents',
  }
  for (const [name, value] of Object.entries(standard)) assert.equal(probe.get(name), value, name)
  assert.match(probe.get('PATH') ?? '', /\/usr\/sbin/)
  assert.ok(Number(probe.get('OCF_RESKEY_CRM_meta_timeout')) <= LONG_MS)
  assert.ok(Number(probe.get('OCF_RESKEY_CRM_meta_timeout')) > LONG_MS / 2)
  assert.equal(probe.get('OCF_CHECK_LEVEL'), undefined)
  await ask(resources, 'start')
  await ask(resources, 'monitor')
  const monitor = double.env('monitor')
  assert.equal(monitor.get('OCF_RESKEY_CRM_meta_interval'), '7000')
  assert.equal(monitor.get('OCF_CHECK_LEVEL'), '10')
  for (const env of [probe, monitor, double.env('start'), double.env('validate-all')]) {
    const ours = /^(OCF_|HA_RSCTMP|PATH|LANG|HOME|PWD|SHLVL|OLDPWD|_$|PICKET_(RESOURCE|OP|SCOPE))/
    assert.deepEqual(
      [...env.keys()].filter((name) => !ours.test(name)),
      [],
    )
  }
})

// What the code of an operation comes to where nothing was started, and where it was.
const verdicts: readonly [code: number, Readonly<Partial<Record<ResourceOp, string>>>][] = [
  [0, { probe: 'running', monitor: 'running', start: 'done', stop: 'done' }],
  [1, { probe: 'unknown', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [2, { probe: 'stopped', monitor: 'failed', start: 'failed', stop: 'done' }],
  [3, { probe: 'unknown', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [4, { probe: 'unknown', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [5, { probe: 'stopped', monitor: 'failed', start: 'failed', stop: 'done' }],
  [6, { probe: 'stopped', monitor: 'failed', start: 'failed', stop: 'done' }],
  [7, { probe: 'stopped', monitor: 'stopped', start: 'failed', stop: 'failed' }],
  [8, { probe: 'running', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [9, { probe: 'unknown', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [127, { probe: 'unknown', monitor: 'failed', start: 'failed', stop: 'failed' }],
  [190, { probe: 'running', monitor: 'running', start: 'failed', stop: 'failed' }],
  [191, { probe: 'running', monitor: 'failed', start: 'failed', stop: 'failed' }],
]

for (const [code, expected] of verdicts) {
  test(`H2 exit code ${code} means what the standard says`, async (t) => {
    const { room, double } = stand(t)
    for (const action of ['monitor', 'start', 'stop']) double.on(action, `exit ${code}`)
    for (const op of ['stop', 'monitor', 'start', 'probe'] as const) {
      // A resource of its own for each, of which nothing is remembered.
      const resources = await room.open([{ id: op, type: 'ocf', options }])
      const ran = await resources.run(++id, op, op, LONG_MS)
      assert.equal(ran.outcome, expected[op], `${op}: ${ran.detail}`)
      if (code !== 0) assert.match(ran.detail, new RegExp(`exited with ${code}\\b`))
    }
  })
}

for (const code of [2, 5, 6]) {
  test(`H5 exit code ${code} is no stopped where it was started`, async (t) => {
    const { room, double, open } = stand(t)
    const resources = await open()
    assert.equal(await outcomeOf(resources, 'start'), 'done')
    for (const action of ['monitor', 'stop']) double.on(action, `exit ${code}`)
    const ran = await ask(resources, 'probe')
    assert.equal(ran.outcome, 'unknown')
    assert.match(ran.detail, /it was started here, so nobody can tell/)
    assert.equal(await outcomeOf(resources, 'stop'), 'failed')
    assert.equal(await outcomeOf(resources, 'probe'), 'unknown', 'a failed stop forgets nothing')
    const next = await open()
    assert.equal(await outcomeOf(next, 'probe'), 'unknown', 'the next daemon knows of it')
    // Another boot: whatever was up is gone.
    const file = join(room.stateDir, 'up', 'db.json')
    writeFileSync(file, '{"boot":"another"}')
    assert.equal(await outcomeOf(next, 'probe'), 'stopped')
    writeFileSync(file, 'garbage')
    assert.equal(await outcomeOf(next, 'probe'), 'unknown', 'the worst that it could mean')
  })
}

test('H5 a daemon that lost its disk knows by the scope that it was started', async (t) => {
  const { room, double, open } = stand(t)
  const resources = await open()
  assert.equal(await outcomeOf(resources, 'start'), 'done')
  rmSync(join(room.stateDir, 'up'), { recursive: true })
  double.on('monitor', 'exit 5')
  assert.equal(await outcomeOf(resources, 'probe'), 'unknown')
})

test('H5 what was found running is remembered as well', async (t) => {
  const { double, open } = stand(t)
  const resources = await open()
  double.on('monitor', 'exit 0')
  assert.equal(await outcomeOf(resources, 'probe'), 'running')
  double.uninstall()
  assert.equal(await outcomeOf(resources, 'probe'), 'unknown')
})

test('an agent that is not installed costs no node, and its resource nothing else', async (t) => {
  const { double, open } = stand(t)
  double.uninstall()
  const resources = await open()
  const probe = await ask(resources, 'probe')
  assert.equal(probe.outcome, 'stopped')
  assert.match(probe.detail, /there is no .*resource\.d\/test\/double on this node; it was not/)
  const start = await ask(resources, 'start')
  assert.equal(start.outcome, 'failed')
  assert.match(start.detail, /there is no .*double on this node/)
  assert.equal(await outcomeOf(resources, 'stop'), 'done')
  assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
})

test('an agent that vanishes while its resource runs: nobody can tell', async (t) => {
  const { double, open } = stand(t)
  const resources = await open()
  await ask(resources, 'start')
  double.uninstall()
  assert.equal(await outcomeOf(resources, 'monitor'), 'unknown')
  assert.equal(await outcomeOf(resources, 'probe'), 'unknown')
  assert.equal(await outcomeOf(resources, 'stop'), 'failed')
})

for (const op of ['probe', 'start', 'monitor', 'stop'] as const) {
  test(`a ${op} that hangs is ended with all that it has made`, async (t) => {
    const { room, double, open } = stand(t)
    const action = op === 'probe' ? 'monitor' : op
    double.on(action, `setsid sleep ${room.mark} & sleep ${room.mark}`)
    const resources = await open()
    const ran = await ask(resources, op, 1000)
    assert.equal(ran.outcome, op === 'start' || op === 'stop' ? 'failed' : 'unknown')
    assert.match(ran.detail, /took longer than its 1 s/)
    assert.deepEqual(room.alive(), [])
    double.on(action)
    assert.equal(await outcomeOf(resources, 'stop'), 'done')
    assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
  })
}

test('S10 what a start leaves in the background is the service, and ends with the stop', async (t) => {
  const { room, double, open } = stand(t)
  double.on('start', `setsid sh -c 'setsid sleep ${room.mark} &' </dev/null >/dev/null 2>&1`)
  const resources = await open()
  const ran = await ask(resources, 'start')
  assert.equal(ran.outcome, 'done')
  await until('it is up', () => room.alive().length === 1)
  const next = await open()
  assert.equal(await outcomeOf(next, 'monitor'), 'running')
  assert.equal(room.alive().length, 1)
  const stopped = await ask(next, 'stop')
  assert.equal(stopped.outcome, 'done')
  assert.match(stopped.detail, /sleep \(pid \d+\)/)
  assert.deepEqual(room.alive(), [])
})

test('H5 an agent that has lost its pid file does not make a live service stopped', async (t) => {
  const { room, double, open } = stand(t)
  double.on('start', `setsid sleep ${room.mark} </dev/null >/dev/null 2>&1 &`)
  const resources = await open()
  await ask(resources, 'start')
  await until('it is up', () => room.alive().length === 1)
  double.on('monitor', 'exit 7')
  const ran = await ask(resources, 'probe')
  assert.equal(ran.outcome, 'unknown')
  assert.match(ran.detail, /exited with 7 \(not running\), but sleep \(pid \d+\) of its start is/)
  assert.equal(await outcomeOf(resources, 'stop'), 'done')
  assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
})

test('a start that fails leaves no process', async (t) => {
  const { room, double, open } = stand(t)
  double.on('start', `setsid sleep ${room.mark} </dev/null >/dev/null 2>&1 & exit 1`)
  const resources = await open()
  assert.equal(await outcomeOf(resources, 'start'), 'failed')
  assert.deepEqual(room.alive(), [])
})

test('an agent that is killed, or that talks without end, is told of in a line', async (t) => {
  const { double, open } = stand(t)
  const resources = await open()
  double.on('monitor', 'echo half a wo; kill -9 $$')
  const killed = await ask(resources, 'probe')
  assert.equal(killed.outcome, 'unknown')
  assert.match(killed.detail, /was ended by SIGKILL: "half a wo"/)

  const lines = 'i=0; while [ $i -lt 10000 ]; do i=$((i+1)); echo "line $i"; done'
  for (const action of ['monitor', 'start', 'stop']) double.on(action, `${lines}; exit 1`)
  for (const op of ['monitor', 'start', 'stop'] as const) {
    const ran = await ask(resources, op)
    assert.equal(ran.outcome, 'failed')
    assert.match(ran.detail, /exited with 1 \(it failed\): ".*line 10000"/)
    assert.ok(ran.detail.length < 600, `${ran.detail.length} characters`)
  }

  double.on('monitor', String.raw`printf '\033[31m\000\377\nred\033[0m\n'; exit 1`)
  const garbage = await ask(resources, 'monitor')
  assert.equal(garbage.outcome, 'failed')
  assert.doesNotMatch(garbage.detail, /\p{Cc}/u)

  double.on('monitor', `${lines} >&2; echo 'ocf-exit-reason:no table' >&2; echo more; exit 1`)
  const reason = await ask(resources, 'monitor')
  assert.match(reason.detail, /exited with 1 \(it failed\): "no table"$/)
})

test('parameters that the agent refuses are not started', async (t) => {
  const { double, open } = stand(t)
  const resources = await open()
  double.on('validate-all', 'echo "ocf-exit-reason:no such place" >&2; exit 6')
  const ran = await ask(resources, 'start')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /^not started: its validate-all exited with 6 .*: "no such place"$/)
  assert.deepEqual(double.calls(), ['validate-all'])
  assert.equal(await outcomeOf(resources, 'probe'), 'stopped')
})

test('an agent without validate-all, or with a broken one, is started all the same', async (t) => {
  const { room, double, open } = stand(t)
  double.on('validate-all', 'exit 3')
  assert.equal(await outcomeOf(await open(), 'start'), 'done')
  assert.deepEqual(room.said, [])
  double.on('validate-all', `sleep ${room.mark}`)
  assert.equal((await ask(await open(), 'start', 2000)).outcome, 'done')
  assert.match(room.said.join('\n'), /validate-all exited with 124 \(out of time\); it is started/)
  assert.deepEqual(room.alive(), [])
})

test('a degraded resource runs, and that is said once', async (t) => {
  const { room, double, open } = stand(t)
  const resources = await open()
  await ask(resources, 'start')
  double.on('monitor', 'echo one disk is gone; exit 190')
  for (let turn = 0; turn < 3; turn++) {
    assert.equal(await outcomeOf(resources, 'monitor'), 'running')
  }
  double.on('monitor')
  await ask(resources, 'monitor')
  assert.deepEqual(room.said, [
    'db: monitor exited with 190 (running, but degraded): "one disk is gone"',
    'db: it is not degraded any more',
  ])
})

test('F11 a secret reaches the agent alone, and no word of ours', async (t) => {
  const { room, double, open } = stand(t)
  const canary = 'canary "0815"'
  const resources = await open({ secret_params: { password: canary } })
  double.on('monitor', 'echo "password is $OCF_RESKEY_password"; exit 1')
  const ran = await ask(resources, 'probe')
  assert.match(ran.detail, /password is \*{5}"$/)
  assert.equal(double.env('monitor').get('OCF_RESKEY_password'), canary)
  assert.equal(resources.things.get('db'), 'ocf:test:double count=3 loud=true place=/srv')
  double.on('validate-all', 'echo "$OCF_RESKEY_password"; exit 1')
  await ask(resources, 'start')
  assert.match(room.said.join('\n'), /validate-all/)
  assert.doesNotMatch(room.said.join('\n'), /canary/)
  // Its secrets may change while it runs.
  await resources.renew([
    { id: 'db', type: 'ocf', options: { ...options, secret_params: { password: 'new one' } } },
  ])
  await ask(resources, 'monitor')
  assert.equal(double.env('monitor').get('OCF_RESKEY_password'), 'new one')
})

test('H2 an agent is told that it is a clone, so that one that may not be one refuses', async (t) => {
  const { room, double } = stand(t)
  const listed = { id: 'db@node1', name: 'db', cloneMax: 3, type: 'ocf', options }
  const resources = await room.open([listed])
  await resources.run(++id, 'db@node1', 'probe', LONG_MS)
  const told = double.env('monitor')
  assert.equal(told.get('OCF_RESOURCE_INSTANCE'), 'db')
  assert.equal(told.get('OCF_RESKEY_CRM_meta_clone_max'), '3')
  assert.equal(told.get('OCF_RESKEY_CRM_meta_clone_node_max'), '1')
  assert.equal(told.get('OCF_RESKEY_CRM_meta_globally_unique'), 'false')
})
