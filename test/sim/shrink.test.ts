/** The storm finds; this one explains: fast-check shrinks a failing script of misfortunes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { killCorosync, setVerdict } from '../../src/sim/corosync.ts'
import { crash } from '../../src/sim/daemons.ts'
import { decidingRing } from '../../src/sim/deciding.ts'
import type { Manner } from '../../src/sim/devices.ts'
import { cut, heal, mend } from '../../src/sim/fate.ts'
import { calm } from '../../src/sim/faults.ts'
import { applyPower, freeze, switchOn } from '../../src/sim/machines.ts'
import { leave, order } from '../../src/sim/operator.ts'
import { unsettled } from '../../src/sim/promises-liveness.ts'
import { deactivate } from '../../src/sim/resources.ts'
import { steadyLots } from '../../src/sim/rng.ts'
import { scenarioSite } from '../../src/sim/scenario-site.ts'
import { World } from '../../src/sim/world.ts'
import { realCore } from './real-core.ts'

const node = fc.constantFrom('a', 'b', 'c')
const manner = fc.constantFrom<Manner>('ok', 'ignore', 'hang', 'unknown', 'refuse', 'lie', 'slow')
const one = <const T extends string>(what: T) => fc.constant(what)

const misfortune = fc.oneof(
  fc.record({ do: one('isolate'), node }),
  fc.record({ do: one('freeze'), node, forMs: fc.integer({ min: 1, max: 15_000 }) }),
  fc.record({ do: one('freezeDaemon'), node, forMs: fc.integer({ min: 1, max: 15_000 }) }),
  fc.record({ do: one('powerLoss'), node }),
  fc.record({ do: one('powerOn'), node }),
  fc.record({ do: one('crash'), node }),
  fc.record({ do: one('killCorosync'), node }),
  fc.record({ do: one('leave'), node }),
  fc.record({ do: one('dies'), node }),
  fc.record({ do: one('device'), node, manner }),
  fc.record({ do: one('order'), node, action: fc.constantFrom('off', 'on', 'reboot'), via: node }),
  fc.record({ do: one('waver') }),
  fc.record({ do: one('heal') }),
)
type Misfortune = typeof misfortune extends fc.Arbitrary<infer T> ? T : never

const script = fc.array(fc.tuple(fc.integer({ min: 0, max: 15_000 }), misfortune), {
  maxLength: 12,
})

function suffer(world: World, line: Misfortune): void {
  switch (line.do) {
    case 'isolate':
      return cut(world, (from, to) => (from.id === line.node) !== (to.id === line.node))
    case 'freeze':
      return freeze(world, world.machine(line.node), ['corosync', 'daemon', 'scripts'], line.forMs)
    case 'freezeDaemon':
      return freeze(world, world.machine(line.node), ['daemon'], line.forMs)
    case 'powerLoss':
      world.machine(line.node).switchedOn = false
      return applyPower(world, world.machine(line.node), 'power loss')
    case 'powerOn':
      return switchOn(world, world.machine(line.node), 'somebody')
    case 'crash':
      return crash(world, world.machine(line.node))
    case 'killCorosync':
      return killCorosync(world, world.machine(line.node))
    case 'leave':
      return leave(world, world.machine(line.node))
    case 'dies':
      return deactivate(world, world.machine(line.node), 'vip', 'it died by itself')
    case 'device':
      world.device(`${line.node}/1/1`).manner = line.manner
      world.device(`${line.node}/1/1`).slowMs = 5_000
      return
    case 'order':
      order(world, world.machine(line.via), line.action as 'off', line.node)
      return
    case 'waver': {
      const ring = decidingRing(world)
      if (ring === undefined) return
      setVerdict(world, ring, false)
      return world.after(2_000, () => setVerdict(world, ring, true))
    }
    case 'heal':
      return heal(world)
  }
}

function play(lines: readonly (readonly [number, Misfortune])[]): World {
  const world = new World({
    core: realCore,
    site: scenarioSite({ verify: 'yes', late: '5' }),
    faults: { ...calm },
    lots: steadyLots,
    strict: true,
  })
  for (const machine of world.machines) switchOn(world, machine, 'test')
  world.run(8_000)
  for (const [waitMs, line] of lines) {
    world.run(waitMs)
    suffer(world, line)
  }
  return world
}

const runs = { numRuns: Number(process.env.RUNS ?? 200), seed: 42 }

test('no script of misfortunes breaks a promise', () => {
  fc.assert(
    fc.property(script, (lines) => play(lines).run(60_000)),
    runs,
  )
})

test('after any script of misfortunes, once it is over, everything runs again', () => {
  fc.assert(
    fc.property(script, (lines) => {
      const world = play(lines)
      for (const device of world.devices.values()) device.manner = 'ok'
      mend(world, 10_000, 60)
      for (let second = 0; second < 600; second++) {
        world.run(1_000)
        if (unsettled(world) === undefined) return
      }
      assert.equal(unsettled(world), undefined)
    }),
    { ...runs, numRuns: Math.ceil(runs.numRuns / 4) },
  )
})
