/** R5: requests that the engine of a configuration carries out, on real BMCs and beside picketd. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { verify } from '../../src/audit/verify.ts'
import { engineWork } from '../../src/cli/respond-work.ts'
import { detailedLog } from '../../src/recorder/log.ts'
import { put } from '../../src/recorder/place.ts'
import { type Desk, member, openDesk } from '../cli/daemon.ts'
import { folder } from '../config/files.ts'
import { admin, type Bmc, noBmc, startBmc } from '../fence/ipmi-sim.ts'
import { linesIn, requestOf, type Site, site, until } from '../recorder/site.ts'

interface Cluster extends Site {
  readonly bmc: Bmc
  readonly options: readonly string[]
  readonly state: string
  readonly config: string
}

async function cluster(t: TestContext): Promise<Cluster> {
  const bmc = await startBmc()
  t.after(() => bmc.stop())
  const dir = folder(t, {
    'config.yaml': `cluster:
  name: test
  nodes:
    - { name: node-01, fence: {driver: ipmi, host: 127.0.0.1, port: ${bmc.port}} }
    - { name: node-02 }
fence: { drivers: { ipmi: { cipher: 3, privilege: administrator, timeout_seconds: 5 } } }
`,
    'fence-secrets.yaml': `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`,
  })
  const config = join(dir, 'config.yaml')
  const state = join(dir, 'state')
  return { ...site(t), bmc, state, config, options: ['--config', config, '--state', state] }
}

const acts = /answers the requests in/

test('off, status, on and reboot are proven on the device, with evidence and an audit', {
  skip: noBmc,
}, async (t) => {
  const here = await cluster(t)
  const responder = await here.responder(...here.options)
  await responder.says(acts)
  const run = (action: string, plug = 'node-01') => here.agent({ action, plug })
  assert.equal((await run('list')).out, 'node-01,\nnode-02,\n')
  assert.equal((await run('status')).code, 0)
  const off = await run('off')
  assert.equal(off.code, 0, off.err)
  assert.equal(here.bmc.power(), 'off')
  assert.equal((await run('status')).code, 2)
  assert.equal((await run('on')).code, 0)
  assert.equal(here.bmc.power(), 'on')
  assert.equal((await run('reboot')).code, 0)
  assert.deepEqual(here.bmc.commands(), ['power 0', 'power 1', 'power 0', 'power 1'])
  const lines = linesIn(join(here.logs, detailedLog))
  assert.match(lines.join('\n'), /off confirmed via ipmi \(node-01\/1\/1\)/)
  assert.doesNotMatch(lines.join('\n') + responder.said(), /canary/)
  const orders = await verify(join(here.state, 'orders', 'node-01'))
  assert.deepEqual([orders?.finding, orders !== undefined], [undefined, true])
  const unknown = await run('off', 'node-03')
  assert.deepEqual([unknown.code, /there is no node "node-03"/.test(unknown.err)], [1, true])
  const bare = await run('off', 'node-02')
  assert.match(bare.err, /no fence device is configured for node-02/)
})

test('a BMC that accepts and does nothing is no success', { skip: noBmc }, async (t) => {
  const here = await cluster(t)
  here.bmc.setMode('ignore')
  const responder = await here.responder(...here.options, '--tries', '1')
  await responder.says(acts)
  const { code, err } = await here.agent({ action: 'off', plug: 'node-01' })
  assert.equal(code, 1)
  assert.match(err, /Failed: node-01: node-01\/1\/1 reads on/)
})

test('one that is killed in the middle of an off: the next one looks, and presses no more', {
  skip: noBmc,
}, async (t) => {
  const here = await cluster(t)
  const first = await here.responder(...here.options)
  await first.says(acts)
  const second = await here.responder(...here.options)
  await second.says(/this one waits/)
  const off = here.agent({ action: 'off', plug: 'node-01' })
  await until(() => here.bmc.commands().length === 1)
  await first.end('SIGKILL')
  const { code, err } = await off
  assert.equal(code, 0, err)
  assert.match(second.said(), /was begun by a responder that has ended/)
  assert.deepEqual([here.bmc.power(), here.bmc.commands()], ['off', ['power 0']])
})

test('a reboot whose off was proven before its responder died is not done twice', {
  skip: noBmc,
}, async (t) => {
  const here = await cluster(t)
  const request = requestOf({ action: 'reboot' })
  const id = `request-${request.request_id}`
  const dir = join(here.state, 'orders', 'node-01')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lines = [
    { what: 'begun', id, target: 'node-01', action: 'reboot' },
    { what: 'verdict', id, target: 'node-01', round: 0, proven: true, text: 'off confirmed' },
  ]
  writeFileSync(
    join(dir, 'fencing.jsonl'),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  )
  await put(here.place.claims, request.request_id, JSON.stringify({ ...request, claim: {} }))
  await put(here.place.requests, request.request_id, JSON.stringify(request))
  const responder = await here.responder(...here.options)
  await responder.says(/\(reboot node-01\) is done: node-01 was proven off \(off confirmed\)/)
  assert.deepEqual(here.bmc.commands(), [])
})

test('a configuration that changes is read again, one that breaks is said, and left', {
  skip: noBmc,
}, async (t) => {
  const here = await cluster(t)
  const said: string[] = []
  const work = await engineWork({
    ...{ config: here.config, socket: undefined, stateDir: join(here.state, 'orders') },
    say: (level, text) => void said.push(`${level}: ${text}`),
  })
  const signal = AbortSignal.timeout(10_000)
  const attempt = { number: 1, resumed: false, signal, wanted: () => true }
  const status = requestOf({ action: 'status' })
  assert.equal((await work.carryOut(status, attempt)).power, 'on')
  await sleep(20)
  writeFileSync(here.config, 'cluster: nonsense\n')
  assert.equal((await work.carryOut(status, attempt)).power, 'on')
  assert.match(said.join('\n'), /alarm: It goes on with the configuration as it was/)
  rmSync(here.config)
  assert.equal((await work.carryOut(status, attempt)).power, 'on')
})

/** Everything goes through picketd where there is one. */
async function besidePicketd(
  t: TestContext,
  onOrder: Parameters<typeof openDesk>[2],
): Promise<Cluster & { readonly desk: Desk }> {
  const here = await cluster(t)
  const nodes = [member('node-01'), member('node-02')]
  const desk = await openDesk(t, { cluster: 'test', ready: true, nodes, resources: [] }, onOrder)
  return { ...here, desk, options: [...here.options, '--socket', desk.socket] }
}

test('S21 where picketd runs the order goes through it, and its word counts', {
  skip: noBmc,
}, async (t) => {
  let ok = true
  const here = await besidePicketd(t, (desk, { id }) => {
    desk.orders.push({ id, at: ok ? 'done' : 'refused', because: ok ? 'proven' : 'no quorum' })
    desk.control.changed()
  })
  const responder = await here.responder(...here.options, '--tries', '1')
  await responder.says(acts)
  assert.equal((await here.agent({ action: 'off', plug: 'node-01' })).code, 0)
  assert.deepEqual([here.desk.given[0]?.action, here.desk.given[0]?.target], ['off', 'node-01'])
  assert.match(here.desk.given[0]?.requester ?? '', /^fence_recorder on /)
  assert.deepEqual(here.bmc.commands(), [], 'nothing was sent beside picketd')
  ok = false
  const refused = await here.agent({ action: 'off', plug: 'node-01' })
  assert.equal(refused.code, 1)
  assert.match(refused.err, /no quorum/)
  const given = here.desk.given.length
  const none = { nodes: [], resources: [], orders: [], advice: [] }
  here.desk.world.status = { ...none, cluster: 'another', ready: true }
  const stranger = await here.agent({ action: 'off', plug: 'node-01' })
  assert.equal(stranger.code, 1)
  assert.match(stranger.err, /is of the cluster another, and the configuration of test/)
  assert.deepEqual([here.desk.given.length, here.bmc.commands()], [given, []])
})

test('S21 where picketd should run and does not, nothing is sent', { skip: noBmc }, async (t) => {
  const here = await cluster(t)
  const socket = join(here.root, 'nobody.sock')
  const responder = await here.responder(...here.options, '--socket', socket, '--tries', '1')
  await responder.says(acts)
  const { code, err } = await here.agent({ action: 'off', plug: 'node-01' })
  assert.equal(code, 1)
  assert.match(err, /picketd is not running here/)
  assert.deepEqual(here.bmc.commands(), [])
})
