/** The two halves of a live move of an OCF agent, on the double and on Pacemaker's Dummy. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ResourceOp } from '../../src/core/effect.ts'
import { advise } from '../../src/resources/ocf-advice.ts'
import type { Resources } from '../../src/resources/runner.ts'
import { missing } from '../needs.ts'
import { agentName, createOcfDouble, ocfMetadata } from './ocf-double.ts'
import { makeRoom } from './room.ts'

const LONG_MS = 10_000
const halves = ['migrate_to', 'migrate_from']
const move = { source: 'node1', target: 'node2' }
const options = { agent: agentName, params: { place: '/srv' }, live: true }

let id = 0
const ask = (resources: Resources, op: ResourceOp) =>
  resources.run(++id, 'vm', op, LONG_MS, op.startsWith('migrate_') ? move : undefined)

async function stand(t: TestContext) {
  const room = makeRoom(t)
  const double = createOcfDouble(t, room.dir)
  double.setMetadata(ocfMetadata('20s', halves))
  const resources = await room.open([{ id: 'vm', type: 'ocf', options }])
  return { room, double, resources }
}

test('H2 both halves are told from where to where, by the names of the standard', async (t) => {
  const { double, resources } = await stand(t)
  await ask(resources, 'start')
  assert.equal((await ask(resources, 'migrate_to')).outcome, 'done')
  assert.equal((await ask(resources, 'migrate_from')).outcome, 'done')
  for (const half of halves) {
    const env = double.env(half)
    assert.equal(env.get('OCF_RESKEY_CRM_meta_migrate_source'), 'node1')
    assert.equal(env.get('OCF_RESKEY_CRM_meta_migrate_target'), 'node2')
    assert.equal(env.get('OCF_RESKEY_CRM_meta_name'), half)
  }
  await ask(resources, 'monitor')
  assert.equal(double.env('monitor').get('OCF_RESKEY_CRM_meta_migrate_source'), undefined)
  assert.equal((await ask(resources, 'probe')).outcome, 'running')
})

test('H2 an agent whose metadata lack one half is not asked for the other', async (t) => {
  const { double, resources } = await stand(t)
  double.setMetadata(ocfMetadata('20s', ['migrate_to']))
  await ask(resources, 'start')
  const ran = await ask(resources, 'migrate_to')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /has no action migrate_from/)
  assert.ok(!double.calls().includes('migrate_to'))
})

test('H2 a half that fails says so; what it may have left is found by a probe', async (t) => {
  const { double, resources } = await stand(t)
  double.on('migrate_from', 'touch "$dir/up"; exit 1')
  const ran = await ask(resources, 'migrate_from')
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /migrate_from exited with 1/)
  assert.equal((await ask(resources, 'probe')).outcome, 'running')
  double.uninstall()
  assert.equal((await ask(resources, 'probe')).outcome, 'unknown', 'it may be up here')
})

test('S10 what a half leaves running: nothing of the first, the service of the second', async (t) => {
  const { room, double, resources } = await stand(t)
  const leave = `sleep ${room.mark} </dev/null >/dev/null 2>&1 &`
  double.on('migrate_to', leave)
  await ask(resources, 'migrate_to')
  assert.deepEqual(room.alive(), [])
  double.on('migrate_from', leave)
  assert.equal((await ask(resources, 'migrate_from')).outcome, 'done')
  assert.equal(room.alive().length, 1)
  await ask(resources, 'stop')
  assert.deepEqual(room.alive(), [])
})

test('H2 it is told before it matters what an agent lacks, and how long it may take', async (t) => {
  const { double } = await stand(t)
  const terms = { startMs: 20_000, stopMs: 20_000, probeMs: 10_000, didYouMean: () => '' }
  const told = (more: object = {}) => {
    const all = { ...options, secret_params: {}, migrate_seconds: 120, ...more }
    return advise({ ...all, agent: agentName }, terms)
  }
  assert.deepEqual(await told(), [])
  assert.match((await told({ migrate_seconds: 5 })).join(), /advises 20 s for half of a live move/)
  double.setMetadata(ocfMetadata())
  assert.match((await told()).join(), /no action migrate_to and no migrate_from, so it is stopped/)
  assert.deepEqual(await told({ live: false }), [])
})

const dummy = '/usr/lib/ocf/resource.d/pacemaker/Dummy'

test("H2 Pacemaker's Dummy is moved by both halves", { skip: missing(dummy) }, async (t) => {
  const room = makeRoom(t)
  const params = { state: join(room.dir, 'dummy.state') }
  const its = { agent: 'ocf:pacemaker:Dummy', params, live: true }
  const resources = await room.open([{ id: 'vm', type: 'ocf', options: its }])
  assert.equal((await ask(resources, 'start')).outcome, 'done')
  const sent = await ask(resources, 'migrate_to')
  assert.equal(sent.outcome, 'done', sent.detail)
  assert.equal((await ask(resources, 'probe')).outcome, 'stopped')
  assert.equal((await ask(resources, 'migrate_from')).outcome, 'done')
  assert.equal((await ask(resources, 'probe')).outcome, 'running')
  assert.equal((await ask(resources, 'stop')).outcome, 'done')
})
