/** The `ocf` type on Debian's own agents (a file, an address, mounts), and our double on trial. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ResourceOp } from '../../src/core/effect.ts'
import { readMetadata } from '../../src/foreign/metadata.ts'
import { faultOf } from '../../src/foreign/parameters.ts'
import { ocf } from '../../src/resources/ocf.ts'
import { missing, notRoot } from '../needs.ts'
import { createOcfDouble, ocfMetadata } from './ocf-double.ts'
import { makeRoom } from './room.ts'
import { layWire, noWire } from './wire.ts'

const LONG_MS = 20_000
const folder = '/usr/lib/ocf/resource.d/heartbeat'
const noAgents = missing('/usr/lib/ocf/resource.d/heartbeat/IPaddr2')

/** A life as every resource has it; gives what the operations said. */
async function live(t: TestContext, options: unknown, between: () => void): Promise<string[]> {
  const room = makeRoom(t)
  const resources = await room.open([{ id: 'db', type: 'ocf', options }])
  const told: string[] = []
  const expect = async (op: ResourceOp, outcome: string) => {
    const ran = await resources.run(told.length, 'db', op, LONG_MS)
    assert.equal(ran.outcome, outcome, `${op}: ${ran.detail}`)
    told.push(`${op}: ${ran.detail}`)
  }
  await expect('probe', 'stopped')
  await expect('stop', 'done')
  await expect('start', 'done')
  await expect('start', 'done')
  await expect('monitor', 'running')
  await expect('probe', 'running')
  between()
  await expect('stop', 'done')
  await expect('probe', 'stopped')
  assert.deepEqual(room.said, [])
  return told
}

test('Dummy of Debian is a file', { skip: noAgents || notRoot }, async (t) => {
  const room = makeRoom(t)
  mkdirSync(room.dir, { recursive: true })
  const state = join(room.dir, 'dummy')
  await live(t, { agent: 'ocf:heartbeat:Dummy', params: { state } }, () => {
    assert.ok(existsSync(state))
  })
  assert.equal(existsSync(state), false)
})

const noMount = (() => {
  const needed = notRoot || missing('modprobe')
  if (needed !== false) return needed
  const probe = 'mount -t tmpfs tmpfs /mnt && umount /mnt'
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', probe])
  return status === 0 ? false : 'this machine lets nobody mount; run it on one that does'
})()

const mounts = () => readFileSync('/proc/self/mounts', 'utf8')

test('Filesystem of Debian mounts and unmounts', { skip: noAgents || noMount }, async (t) => {
  const room = makeRoom(t)
  const directory = join(room.dir, 'srv')
  const source = join(room.dir, 'source')
  mkdirSync(directory)
  mkdirSync(source)
  writeFileSync(join(source, 'data'), 'here')
  t.after(() => spawnSync('umount', ['-l', directory]))
  const agent = 'ocf:heartbeat:Filesystem'
  const bind = { device: source, directory, fstype: 'none', options: 'bind' }
  await live(t, { agent, params: bind }, () => {
    assert.equal(readFileSync(join(directory, 'data'), 'utf8'), 'here')
  })
  assert.equal(mounts().includes(directory), false)
  const tmpfs = { device: 'tmpfs', directory, fstype: 'tmpfs' }
  await live(t, { agent, params: tmpfs }, () => {
    assert.match(mounts(), new RegExp(`^tmpfs ${directory} tmpfs`, 'm'))
  })
  assert.equal(mounts().includes(directory), false)
})

test('a start that Filesystem refuses leaves its node unharmed', { skip: noAgents }, async (t) => {
  const room = makeRoom(t)
  const params = { device: '/dev/nonexistent', directory: join(room.dir, 'x'), fstype: 'ext4' }
  const options = { agent: 'ocf:heartbeat:Filesystem', params }
  const resources = await room.open([{ id: 'fs', type: 'ocf', options }])
  assert.equal((await resources.run(1, 'fs', 'probe', LONG_MS)).outcome, 'stopped')
  const ran = await resources.run(2, 'fs', 'start', LONG_MS)
  assert.equal(ran.outcome, 'failed')
  assert.match(ran.detail, /exited with \d/)
  assert.equal((await resources.run(3, 'fs', 'stop', LONG_MS)).outcome, 'done')
  assert.equal((await resources.run(4, 'fs', 'probe', LONG_MS)).outcome, 'stopped')
})

test('IPaddr2 of Debian holds an address on a wire', { skip: noAgents || noWire }, async (t) => {
  const wire = layWire(t)
  const params = { ip: '10.99.0.100', cidr_netmask: 24, nic: 'eth0', arp_count: 1 }
  const options = { agent: 'ocf:heartbeat:IPaddr2', params }
  const node = wire.node('a', options, 'ocf')
  const outcome = async (op: ResourceOp) => {
    const ran = await node.do(op)
    return `${ran.outcome}${ran.outcome === 'failed' ? `: ${ran.detail}` : ''}`
  }
  assert.equal(await outcome('probe'), 'stopped')
  assert.equal(await outcome('start'), 'done')
  assert.match(wire.on('a', 'ip addr show dev eth0'), /10\.99\.0\.100\/24/)
  assert.match(wire.on('client', 'ping -c 1 -W 2 10.99.0.100'), /1 received/)
  assert.equal(await outcome('monitor'), 'running')
  wire.on('a', 'ip addr del 10.99.0.100/24 dev eth0')
  assert.equal(await outcome('monitor'), 'stopped')
  assert.equal(await outcome('stop'), 'done')
  assert.equal(await outcome('start'), 'done')
  assert.equal(await outcome('stop'), 'done')
  assert.doesNotMatch(wire.on('a', 'ip addr show dev eth0'), /10\.99\.0\.100/)
  assert.equal(await outcome('probe'), 'stopped')
})

test('the metadata of all installed agents is understood', { skip: noAgents }, () => {
  const names = readdirSync(folder)
  assert.ok(names.length > 50)
  const faults: string[] = []
  for (const name of names) {
    const { stdout, status } = spawnSync(join(folder, name), ['meta-data'], {
      env: { OCF_ROOT: '/usr/lib/ocf', PATH: process.env.PATH },
      encoding: 'utf8',
      timeout: 10_000,
    })
    // Some need a Python package that is only recommended.
    if (status !== 0) continue
    const { parameters, actions } = readMetadata(name, stdout)
    assert.ok(
      actions.some((action) => action.name === 'start' && (action.adviceMs ?? 0) > 0),
      name,
    )
    for (const parameter of parameters) {
      const { standard } = parameter
      if (standard === undefined || standard === '') continue
      const fault = faultOf(parameter, standard)
      if (fault !== undefined) faults.push(`${name} ${parameter.name}: ${standard} ${fault}`)
    }
  }
  // What it declares and what it takes by default differ in a few agents; see `wrongParameters`.
  assert.ok(faults.length < 12, faults.join('\n'))
})

test("Debian's agents have something to say of wrong parameters", { skip: noAgents }, async () => {
  const terms = { startMs: 20_000, stopMs: 20_000, probeMs: 10_000, didYouMean: () => ' HINT' }
  const advice = (name: string, params: object) =>
    ocf.open({ agent: `ocf:heartbeat:${name}`, params }).advise?.(terms)
  assert.deepEqual(await advice('Filesystem', { device: '/dev/x', directoy: '/srv' }), [
    'ocf:heartbeat:Filesystem has no parameter directoy. HINT',
    'ocf:heartbeat:Filesystem needs directory, fstype.',
    'ocf:heartbeat:Filesystem advises 60 s for its start; timeouts.start_seconds is 20.',
    'ocf:heartbeat:Filesystem advises 60 s for its stop; timeouts.stop_seconds is 20.',
    'ocf:heartbeat:Filesystem advises 40 s for its monitor; timeouts.monitor_seconds is 10.',
  ])
})

const noTester = notRoot || missing('ocf-tester', 'xmllint')

test("the double of these tests keeps the standard, says Debian's", { skip: noTester }, (t) => {
  const room = makeRoom(t)
  const double = createOcfDouble(t, room.dir)
  // The DTD of 1.0, by which the tester judges, knows three types and wants every attribute.
  const old = ocfMetadata()
    .replace(/<content type="(time|select)"/g, '<content type="string"')
    .replace(/<option [^>]*>/g, '')
  double.setMetadata(old)
  // The tester asks for the metadata as nobody, too.
  for (const dir of [room.dir, join(room.dir, 'double')]) chmodSync(dir, 0o777)
  for (const file of readdirSync(join(room.dir, 'double'))) {
    chmodSync(join(room.dir, 'double', file), 0o666)
  }
  const { status, stdout, stderr } = spawnSync(
    'ocf-tester',
    ['-n', 'db', '-o', 'place=/srv', double.file],
    { encoding: 'utf8', timeout: 30_000, env: { PATH: process.env.PATH, OCF_ROOT: room.dir } },
  )
  assert.equal(status, 0, `${stdout}${stderr}`)
})
