/** `picket maintenance`, `detach` and `unfence`: what they ask for, and how they end. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Desk, healthy, member, openDesk } from './daemon.ts'
import { picket } from './picket.ts'

/** A picketd that does what it is told. */
function openDone(t: TestContext, change: Parameters<typeof healthy>[0] = {}): Promise<Desk> {
  return openDesk(t, healthy(change), (desk, { id }) => {
    desk.orders.push({ id, at: 'done', because: 'as you wish' })
    desk.control.changed()
  })
}

const orderIn = ({ given }: Desk, at: number) => {
  const { action, resource, target, reason } = given.at(at) ?? {}
  return [action, resource, target, reason]
}

test('H8 maintenance of a node, a resource, the cluster, and what follows from it', async (t) => {
  const desk = await openDone(t)
  desk.world.cautions = ['web-02 is not fenced: when it goes down, its services wait.']
  const call = async (...words: string[]) => {
    const { code, err } = await picket(['maintenance', ...words, '--socket', desk.socket])
    assert.equal(code, 0, err)
    return err
  }
  const err = await call('on', 'web-02', '--reason', 'a new disk')
  assert.match(err, /Nothing moves\.\nweb-02 is not fenced: when it goes down/)
  assert.deepEqual(orderIn(desk, -1), ['maintain', '', 'web-02', 'a new disk'])
  await call('on', '--resource', 'vip')
  assert.deepEqual(orderIn(desk, -1), ['maintain', 'vip', '', ''])
  await call('off', '--cluster')
  assert.deepEqual(orderIn(desk, -1), ['unmaintain', '', '', ''])
})

test('H8 a wrong call of maintenance is told, and orders nothing', async (t) => {
  const desk = await openDone(t)
  for (const [words, because] of [
    [[], /on.off is missing/],
    [['web-02'], /Say `on` or `off` first/],
    [['on'], /Name a node, or give --resource RESOURCE, or --cluster/],
    [['on', 'web-02', '--cluster'], /Name a node, or/],
    [['off', 'web-02', '--drain'], /--drain is for `picket maintenance on NODE`/],
    [['on', '--cluster', '--drain'], /--drain is for/],
  ] as const) {
    const { code, err } = await picket(['maintenance', ...words, '--socket', desk.socket])
    assert.equal(code, 2)
    assert.match(err, because)
  }
  assert.equal(desk.given.length, 0)
})

test('H8 a drain is a standby first, and a maintenance when nothing is left there', async (t) => {
  const nodes = [member('web-01'), member('web-02', { holds: [] }), member('web-03')]
  const desk = await openDone(t, { nodes })
  const words = ['maintenance', 'on', 'web-02', '--drain', '--socket', desk.socket]
  const { code, err } = await picket(words)
  assert.equal(code, 0, err)
  assert.deepEqual(
    desk.given.map(({ action }) => action),
    ['standby', 'maintain'],
  )
})

test('H8 the end of a maintenance names the standby that stands', async (t) => {
  const text = 'web-02 is on standby (by root@web-01)'
  const standby = { kind: 'standby', resource: '', node: 'web-02', by: 'root@web-01' } as const
  const desk = await openDone(t, { intents: [{ ...standby, reason: '', text }] })
  const { err } = await picket(['maintenance', 'off', 'web-02', '--socket', desk.socket])
  assert.match(err, /web-02 is on standby.*picket unstandby web-02/)
})

test('H8 detach ends when another picketd is a member', async (t) => {
  const status = healthy()
  const desk = await openDesk(
    t,
    { ...status, daemon: { pid: 1 } } as typeof status,
    (desk, { id }) => {
      desk.orders.push({ id, at: 'done', because: 'detached: what runs here runs on' })
      desk.control.changed()
      desk.world.status = { ...status, daemon: { pid: 2 } } as typeof status
    },
  )
  const { code, out, err } = await picket(['detach', '--socket', desk.socket])
  assert.equal(code, 0, err)
  assert.equal(out, 'Done: detached: what runs here runs on\nAnother picketd is a member now.\n')
  assert.match(err, /The next picketd is waited for, at most 60 s/)
  assert.deepEqual([desk.given[0]?.action, desk.given[0]?.sure], ['detach', false])
})

test('H8 the secrets that picketd alone was given are there for the next one, too', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'picket-detach-'))
  const env = { BMC_PASSWORD: 'secret' }
  const running = spawn('sleep', ['60'], { env })
  t.after(() => {
    running.kill()
    return rm(directory, { recursive: true })
  })
  const configFile = join(directory, 'config.yaml')
  const ipmi = '{ driver: ipmi, host: 192.0.2.11, user: admin, password_env: BMC_PASSWORD }'
  const nodes = `[{ name: web-01, fence: [${ipmi}] }]`
  await writeFile(configFile, `cluster: { name: web, nodes: ${nodes} }\n`)
  const status = { ...healthy(), daemon: { pid: running.pid, configFile } }
  const desk = await openDesk(t, status as ReturnType<typeof healthy>, (desk, { id }) => {
    desk.orders.push({ id, at: 'refused', because: 'enough' })
    desk.control.changed()
  })
  const { code, err } = await picket(['detach', '--socket', desk.socket])
  assert.deepEqual([code, err], [3, 'Refused: enough\n'])
  assert.equal(desk.given.length, 1)
})

test('H8 nobody makes way for a picketd that could not start with its config', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'picket-detach-'))
  t.after(() => rm(directory, { recursive: true }))
  const configFile = join(directory, 'config.yaml')
  await writeFile(configFile, 'cluster: web\nnodes: {}\n')
  const status = { ...healthy(), daemon: { pid: 1, configFile } }
  const desk = await openDesk(t, status as ReturnType<typeof healthy>, () => {})
  const { code, err } = await picket(['detach', '--socket', desk.socket])
  assert.equal(code, 3, err)
  assert.match(err, /config\.yaml:2:.*nodes/)
  assert.match(err, /Refused: the next picketd could not start with it\. This one goes on\.$/m)
  const { out } = await picket(['detach', '--json', '--socket', desk.socket])
  assert.equal(JSON.parse(out).refused, true)
  assert.deepEqual(desk.given, [])
})

test('H8 a detach that is refused leaves picketd as it is', async (t) => {
  const desk = await openDesk(t, healthy(), (desk, { id }) => {
    desk.orders.push({ id, at: 'refused', because: 'vip is start here' })
    desk.control.changed()
  })
  const { code, err } = await picket(['detach', '--socket', desk.socket])
  assert.deepEqual([code, err], [3, 'Refused: vip is start here\n'])
  assert.equal((await picket(['detach', 'web-01', '--socket', desk.socket])).code, 2)
})

test('H14 unfence names the node, and says who asks', async (t) => {
  const desk = await openDone(t)
  const words = ['unfence', 'web-02', '--reason', 'new memory', '--socket', desk.socket]
  const { code, err } = await picket(words)
  assert.equal(code, 0, err)
  assert.deepEqual(orderIn(desk, -1), ['unfence', undefined, 'web-02', 'new memory'])
  assert.equal((await picket(['unfence', '--socket', desk.socket])).code, 2)
})
