/**
 * Machines: power from the wall to the kernel, boot, freeze and thaw. A frozen machine keeps its
 * power and its addresses: it is exactly as dangerous as a running one.
 */

import { isElsewhere } from '../core/clones.ts'
import { startCorosync } from './corosync.ts'
import { buryDaemon, startDaemon, thawDaemon } from './daemons.ts'
import { dropWrites } from './disks.ts'
import { judge } from './invariants.ts'
import { activate } from './resources.ts'
import { networkChanged } from './rings.ts'
import { beingFenced } from './witness.ts'
import type { Machine, Part, World } from './world.ts'

/** Do this on the machine later: never after it has lost power, and only once the part is awake. */
export function later(
  world: World,
  machine: Machine,
  part: 'corosync' | 'scripts',
  delayMs: number,
  run: () => void,
): void {
  const { boot } = machine
  world.after(delayMs, () => {
    if (!machine.powered || machine.boot !== boot) return
    if (machine.frozen[part] > 0) machine.waiting[part].push(run)
    else run()
  })
}

/** Its own monotonic clock. */
export function clockMs(world: World, machine: Machine): number {
  return world.nowMs - machine.clockZeroMs
}

/** Press the button and mend the feeds: what an operator does who stands before it. */
export function switchOn(world: World, machine: Machine, why: string): void {
  machine.wall = true
  machine.switchedOn = true
  // Nobody plugs a feed back in while the other one is being switched off: see `beingFenced`.
  if (beingFenced(world, machine)) return applyPower(world, machine, why)
  for (const device of world.devices.values()) {
    if (device.kind === 'outlet' && device.wired === machine) setOutlet(world, device.id, true)
  }
  applyPower(world, machine, why)
}

/** One outlet of a power strip. */
export function setOutlet(world: World, id: string, on: boolean): void {
  const outlet = world.device(id)
  if (outlet.on === on) return
  outlet.on = on
  outlet.history.push({ atMs: world.nowMs, on })
}

/** Is there current at its power supply? Its BMC lives exactly as long. */
export function fed(world: World, machine: Machine): boolean {
  if (!machine.wall) return false
  let outlets = 0
  for (const device of world.devices.values()) {
    if (device.kind !== 'outlet' || device.wired !== machine) continue
    if (device.on) return true
    outlets++
  }
  return outlets === 0
}

/** Let switch, feeds and wall have their effect. */
export function applyPower(world: World, machine: Machine, why: string): void {
  const on = machine.switchedOn && machine.gone !== true && fed(world, machine)
  if (on === machine.powered) return
  machine.powered = on
  machine.history.push({ atMs: world.nowMs, on })
  world.say(`${machine.id} power ${on ? 'on' : 'off'} (${why})`)
  if (on) boot(world, machine)
  else lose(world, machine)
}

/** All that runs on it is gone at once, and it boots; a machine that is off stays off. */
export function resetMachine(world: World, machine: Machine, why: string): void {
  if (!machine.powered) return
  world.say(`${machine.id} is reset (${why})`)
  machine.powered = false
  machine.history.push({ atMs: world.nowMs, on: false })
  lose(world, machine)
  machine.powered = true
  machine.history.push({ atMs: world.nowMs, on: true })
  boot(world, machine)
}

function boot(world: World, machine: Machine): void {
  const lot = world.lots.machine
  machine.boot++
  machine.clockZeroMs = world.nowMs - lot.int(1_000 * machine.nodeid, 3_600_000)
  later(world, machine, 'scripts', world.site.bootMs, () => {
    machine.up = true
    for (const resource of world.site.config.resources) {
      const there = !isElsewhere(resource, machine.id)
      if (lot.chance(world.faults.enabledPercent) && there) {
        later(world, machine, 'scripts', lot.int(0, 3_000), () => {
          activate(world, machine, resource.thing, true)
        })
      }
    }
    later(world, machine, 'scripts', lot.int(0, 1_000), () => startCorosync(world, machine))
    later(world, machine, 'scripts', lot.int(200, 3_000), () => startDaemon(world, machine))
  })
}

function lose(world: World, machine: Machine): void {
  machine.up = false
  for (const part of ['corosync', 'daemon', 'scripts'] as const) machine.frozen[part] = 0
  machine.waiting.corosync = []
  machine.waiting.scripts = []
  machine.corosync = undefined
  machine.starting = false
  machine.resting = false
  machine.dog = undefined
  if (machine.daemon) buryDaemon(world, machine.daemon)
  dropWrites(world, machine)
  for (const thing of machine.things.keys()) judge(world, 'onInactive', { machine, thing })
  machine.things.clear()
  machine.stuck.clear()
  machine.operations.clear()
  judge(world, 'onPowerOff', machine)
  networkChanged(world)
}

/** Stop some parts of a machine in their tracks for a while. */
export function freeze(
  world: World,
  machine: Machine,
  parts: readonly Part[],
  forMs: number | undefined,
): void {
  if (!machine.powered) return
  for (const part of parts) machine.frozen[part]++
  const what = parts.length === 3 ? machine.id : `${machine.id}'s ${parts.join(' and ')}`
  world.say(`${what} freezes`)
  networkChanged(world)
  if (forMs === undefined) return
  const { boot: life } = machine
  world.after(forMs, () => {
    if (machine.powered && machine.boot === life) thaw(world, machine, parts)
  })
}

/** Its kernel dies: it keeps its current, does nothing and answers nothing, for good. */
export function panic(world: World, machine: Machine): void {
  if (!machine.powered) return
  machine.up = false
  for (const part of ['corosync', 'daemon', 'scripts'] as const) machine.frozen[part]++
  world.say(`the kernel of ${machine.id} panics`)
  networkChanged(world)
}

/** They go on as if nothing had been. */
export function thaw(
  world: World,
  machine: Machine,
  parts: readonly Part[],
  newsFirst?: boolean,
): void {
  let some = false
  for (const part of parts) {
    if (machine.frozen[part] === 0) continue
    machine.frozen[part]--
    some ||= machine.frozen[part] === 0
  }
  if (!some) return
  const what = parts.length === 3 ? machine.id : `${machine.id}'s ${parts.join(' and ')}`
  world.say(`${what} thaws`)
  machine.thawedMs = world.nowMs
  const life = machine.boot
  for (const part of ['corosync', 'scripts'] as const) {
    if (machine.frozen[part] > 0) continue
    const queue = machine.waiting[part]
    machine.waiting[part] = []
    for (const run of queue) {
      if (machine.powered && machine.boot === life) run()
    }
  }
  if (machine.frozen.daemon === 0) thawDaemon(world, machine, newsFirst)
  networkChanged(world)
}
