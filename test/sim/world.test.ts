/** Devices, resources and disks as the world plays them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Ledger, unknownNode } from '../../src/core/ledger.ts'
import { crash } from '../../src/sim/daemons.ts'
import { cut } from '../../src/sim/fate.ts'
import { calm } from '../../src/sim/faults.ts'
import { applyPower, freeze, setOutlet, switchOn, thaw } from '../../src/sim/machines.ts'
import { lotsOf } from '../../src/sim/rng.ts'
import { pressOf, running, type Stage } from './puppet.ts'

function read(scene: Stage, by: string, device: string, id = 9): void {
  const target = device[0]!
  scene.make(by, { do: 'read', id, device, target, timeoutMs: 3_000 })
}

const ledgerOf = (step: number): Ledger => ({
  epoch: { seq: 1, rep: 1, step },
  coordinator: 'a',
  shots: [],
  intents: [],
  nodes: { a: unknownNode },
})

test('a BMC that is asked switches its machine off, and says so', () => {
  const scene = running()
  scene.mark('b', 'lost')
  scene.make('a', pressOf(scene, 'a', 'b'))
  scene.world.run(1_000)
  assert.equal(scene.world.machine('b').powered, false)
  assert.equal(scene.of('a', 'pressed')[0]?.outcome, 'accepted')
  read(scene, 'a', 'b/1/1')
  scene.world.run(1_000)
  assert.equal(scene.of('a', 'power')[0]?.power, 'off')
})

test('hands that stall do not press once the ring has changed (S14)', () => {
  const scene = running({ faults: { ...calm, stallPercent: 100 }, lots: lotsOf(4) })
  const { world } = scene
  scene.mark('b', 'lost')
  scene.make('a', pressOf(scene, 'a', 'b', { notAfterMs: Infinity }))
  const target = world.machine('c')
  target.switchedOn = false
  applyPower(world, target, 'test')
  world.run(20_000)
  assert.equal(scene.of('a', 'pressed')[0]?.outcome, 'refused')
  assert.equal(world.machine('b').powered, true)
  assert.equal(world.presses, 0)
})

test('a device that ignores says yes and does nothing; one that hangs says nothing', () => {
  const scene = running()
  const { world } = scene
  scene.mark('b', 'lost')
  world.device('b/1/1').manner = 'ignore'
  scene.make('a', pressOf(scene, 'a', 'b'))
  world.run(5_000)
  assert.equal(scene.of('a', 'pressed')[0]?.outcome, 'accepted')
  world.device('b/1/1').manner = 'hang'
  scene.make('a', pressOf(scene, 'a', 'b', { id: 2 }))
  world.run(5_000)
  assert.equal(scene.of('a', 'pressed')[1]?.outcome, 'unknown')
  assert.equal(world.machine('b').powered, true)
})

test('a late command is carried out within its bound, also on a machine that came back', () => {
  const scene = running({ wishes: { late: '10' } })
  const { world } = scene
  scene.mark('b', 'lost')
  world.device('b/1/1').manner = 'slow'
  world.device('b/1/1').slowMs = 9_000
  scene.make('a', pressOf(scene, 'a', 'b'))
  world.run(4_000)
  assert.equal(scene.of('a', 'pressed')[0]?.outcome, 'unknown')
  assert.equal(world.device('b/1/1').pending.size, 1)
  assert.equal(world.machine('b').powered, true)
  world.run(6_000)
  assert.equal(world.machine('b').powered, false)
})

test('a machine with two feeds is off when both are, and its BMC dies with them', () => {
  const scene = running()
  const { world } = scene
  const b = world.machine('b')
  setOutlet(world, 'b/2/1', false)
  applyPower(world, b, 'test')
  assert.equal(b.powered, true)
  setOutlet(world, 'b/2/2', false)
  applyPower(world, b, 'test')
  assert.equal(b.powered, false)
  read(scene, 'a', 'b/1/1')
  read(scene, 'a', 'b/2/1', 10)
  world.run(4_000)
  const powers = new Map(scene.of('a', 'power').map(({ id, power }) => [id, power]))
  assert.equal(powers.get(9), 'unknown')
  assert.equal(powers.get(10), 'off')
  // Nobody plugs a feed back in while somebody reads it to prove the node off.
  switchOn(world, b, 'test')
  assert.equal(b.powered, false)
  world.run(30_000)
  switchOn(world, b, 'test')
  assert.equal(b.powered, true)
})

test('a stale sensor tells the past, but never two reads of the past a gap apart', () => {
  const scene = running({ faults: { ...calm, readStalePercent: 100 }, lots: lotsOf(2) })
  const { world } = scene
  const b = world.machine('b')
  b.switchedOn = false
  applyPower(world, b, 'test')
  world.run(20_000)
  switchOn(world, b, 'test')
  let stale = 0
  for (let id = 100; id < 112; id++) {
    read(scene, 'a', 'b/1/1', id)
    world.run(50)
  }
  world.run(500)
  for (const { power } of scene.of('a', 'power')) if (power === 'off') stale++
  assert.ok(stale > 0, 'no read was stale')
  read(scene, 'a', 'b/1/1', 200)
  world.run(1_000)
  assert.equal(scene.of('a', 'power').find(({ id }) => id === 200)?.power, 'on')
})

test('a liar says off while its machine is on, and the listener hears the machine', () => {
  const scene = running({ wishes: { verify: 'yes' } })
  const { world } = scene
  scene.mark('b', 'lost')
  world.device('b/1/1').manner = 'lie'
  scene.make('a', pressOf(scene, 'a', 'b'))
  world.run(1_000)
  read(scene, 'a', 'b/1/1')
  world.run(1_000)
  assert.equal(world.machine('b').powered, true)
  assert.equal(scene.of('a', 'power')[0]?.power, 'off')
  // Even when the network breaks afterwards: the lie must stay noticeable.
  cut(world, (from, to) => (from.id === 'b') !== (to.id === 'b'))
  scene.make('a', {
    do: 'listen',
    id: 3,
    target: 'b',
    addresses: ['10.0.0.b'],
    windowMs: 150,
  })
  world.run(1_000)
  assert.equal(scene.of('a', 'heard')[0]?.silent, false)
})

test('a start goes on without its daemon, and its scope is empty before the next one begins', () => {
  const scene = running({ lots: lotsOf(11) })
  const { world } = scene
  const a = world.machine('a')
  world.habits.set('a/vip', { habit: 'start-hangs', times: 1 })
  scene.make('a', { do: 'run', id: 5, resource: 'vip', op: 'start', timeoutMs: 3_000 })
  world.run(10)
  crash(world, a)
  assert.equal([...a.operations].length, 1)
  while (a.daemon === undefined) {
    if (!a.starting) assert.equal([...a.operations].length, 1)
    world.run(10)
  }
  assert.equal([...a.operations].length, 0)
  assert.equal(scene.of('a', 'ran').length, 0)
})

test('an aborted operation is told only when its last process is gone', () => {
  const scene = running({ faults: { ...calm, killSlowPercent: 100 }, lots: lotsOf(5) })
  const { world } = scene
  world.habits.set('a/vip', { habit: 'start-hangs', times: 1 })
  scene.make('a', { do: 'run', id: 5, resource: 'vip', op: 'start', timeoutMs: 60_000 })
  world.run(100)
  scene.make('a', { do: 'abort', id: 5, resource: 'vip' })
  world.run(400)
  assert.equal(scene.of('a', 'ran').length, 0)
  world.run(5_000)
  assert.equal(scene.of('a', 'ran')[0]?.outcome, 'failed')
  assert.equal(world.machine('a').operations.size, 0)
})

test('a frozen machine keeps what it runs, and its kernel still answers', () => {
  const scene = running()
  const { world } = scene
  const a = world.machine('a')
  scene.make('a', { do: 'run', id: 5, resource: 'vip', op: 'start', timeoutMs: 3_000 })
  world.run(1_000)
  freeze(world, a, ['corosync', 'daemon', 'scripts'], undefined)
  scene.make('b', { do: 'listen', id: 3, target: 'a', addresses: ['10.0.0.a'], windowMs: 150 })
  world.run(5_000)
  assert.equal(scene.of('b', 'heard')[0]?.silent, false)
  assert.ok(a.things.has('vip'))
  thaw(world, a, ['corosync', 'daemon', 'scripts'])
  assert.ok(a.things.has('vip'))
})

test('a power cut takes what ran, and the boot after it has another name and another clock', () => {
  const scene = running()
  const { world } = scene
  const a = world.machine('a')
  scene.make('a', { do: 'run', id: 5, resource: 'vip', op: 'start', timeoutMs: 3_000 })
  world.run(1_000)
  const { boot, clockZeroMs } = a
  a.switchedOn = false
  applyPower(world, a, 'test')
  assert.equal(a.things.size, 0)
  assert.equal(a.daemon, undefined)
  switchOn(world, a, 'test')
  world.run(20_000)
  assert.equal(a.boot, boot + 1)
  assert.notEqual(a.clockZeroMs, clockZeroMs)
})

test('a disk keeps the newest ledger that was saved, and tells a writer when it is full', () => {
  const scene = running()
  const { world } = scene
  const a = world.machine('a')
  scene.make('a', { do: 'save', id: 1, ledger: ledgerOf(1) })
  scene.make('a', { do: 'save', id: 2, ledger: ledgerOf(2) })
  world.run(100)
  assert.deepEqual(a.disk.ledger, ledgerOf(2))
  a.disk.full = true
  scene.make('a', { do: 'save', id: 3, ledger: ledgerOf(3) })
  world.run(100)
  assert.deepEqual(
    scene.of('a', 'saved').map(({ id, ok }) => [id, ok]),
    [
      [1, true],
      [2, true],
      [3, false],
    ],
  )
  assert.deepEqual(a.disk.ledger, ledgerOf(2))
})

test('a crash in the middle of a save leaves the old ledger or the new one', () => {
  const found = new Set<number>()
  for (let seed = 1; seed <= 12; seed++) {
    const scene = running({ lots: lotsOf(seed) })
    const a = scene.world.machine('a')
    scene.make('a', { do: 'save', id: 1, ledger: ledgerOf(1) })
    scene.world.run(100)
    scene.make('a', { do: 'save', id: 2, ledger: ledgerOf(2) })
    scene.make('a', { do: 'save', id: 3, ledger: ledgerOf(3) })
    crash(scene.world, a)
    scene.world.run(60_000)
    found.add(a.disk.ledger!.epoch.step)
  }
  assert.deepEqual([...found].sort(), [1, 2])
})
