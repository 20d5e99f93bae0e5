/**
 * Misfortune: at every tick, each fault that this life knows gets its chance. And the end of it:
 * the day when every cable is in its place again and a person looks after the machines.
 */
import type { Config } from '../core/model.ts'
import { heal as healChecks, sicken } from './checks.ts'
import { asOn } from './clones.ts'
import { killCorosync, setVerdict } from './corosync.ts'
import { crash } from './daemons.ts'
import { decidingRing } from './deciding.ts'
import type { Device } from './devices.ts'
import { corrupt, hang, mendDisk } from './disks.ts'
import { crashDump, endDump, forgeDump } from './dumps.ts'
import { calm } from './faults.ts'
import { applyPower, freeze, later, switchOn, thaw } from './machines.ts'
import { setLink } from './network.ts'
import { comeBack, leave, maintain, order, tend, want } from './operator.ts'
import { activate, die } from './resources.ts'
import { networkChanged, reform, ringsOf } from './rings.ts'
import { variantOf } from './swarm.ts'
import type { Machine, World } from './world.ts'
import { giveUpSome } from './write-offs.ts'

/** One tick; the next one follows by itself until the faults end. */
export function misfortune(world: World): void {
  const { faults } = world
  if (faults === calm) return
  network(world)
  machines(world)
  disks(world)
  devices(world)
  services(world)
  sicken(world)
  world.after(faults.everyMs, () => misfortune(world))
}

function network(world: World): void {
  const { faults, machines } = world
  const lot = world.lots.fate
  if (lot.chance(faults.splitPercent)) {
    const side = machines.map(() => lot.next() < 0.5)
    cut(world, (a, b) => side[a.nodeid - 1] !== side[b.nodeid - 1])
    world.say(
      `the network splits: ${machines.filter((_, i) => side[i]).map(({ id }) => id)} | rest`,
    )
  }
  if (lot.chance(faults.deafPercent)) {
    const victim = lot.pick(machines)
    const hears = lot.next() < 0.5
    cut(world, (from, to) => (hears ? from === victim : to === victim))
    world.say(`${victim.id} ${hears ? 'is heard by nobody' : 'hears nobody'}`)
  }
  if (lot.chance(faults.linkPercent)) {
    const [from, to] = lot.shuffle(machines)
    cut(world, (a, b) => a === from && b === to)
    world.say(`nothing goes from ${from!.id} to ${to!.id}`)
  }
  if (lot.chance(faults.healPercent)) heal(world)
  const rings = [...ringsOf(world)]
  if (rings.length === 0) return
  if (lot.chance(faults.reformPercent)) reform(world, lot.pick(rings))
  if (lot.chance(faults.verdictPercent)) waver(world)
}

/** votequorum takes its word back for a while, in the same ring. */
function waver(world: World): void {
  const ring = decidingRing(world)
  if (ring === undefined) return
  setVerdict(world, ring, false)
  world.after(world.lots.fate.int(50, 20_000), () => setVerdict(world, ring, true))
}

/** Break every directed link that the test names. */
export function cut(world: World, test: (from: Machine, to: Machine) => boolean): void {
  for (const a of world.machines) {
    for (const b of world.machines) if (a !== b && test(a, b)) setLink(world, a, b, false)
  }
  networkChanged(world)
}

export function heal(world: World): void {
  for (const a of world.machines) for (const b of world.machines) setLink(world, a, b, true)
  world.say('the network heals')
  networkChanged(world)
}

function machines(world: World): void {
  const { faults } = world
  const lot = world.lots.fate
  const machine = lot.pick(world.machines)
  const forMs = lot.int(200, faults.freezeMaxMs)
  if (lot.chance(faults.freezePercent)) {
    freeze(world, machine, ['corosync', 'daemon', 'scripts'], forMs)
  }
  if (lot.chance(faults.freezeDaemonPercent)) freeze(world, machine, ['daemon'], forMs)
  if (lot.chance(faults.freezeCorosyncPercent)) freeze(world, machine, ['corosync'], forMs)
  if (lot.chance(faults.crashPercent)) crash(world, machine)
  if (lot.chance(faults.corosyncKillPercent)) killCorosync(world, machine)
  if (lot.chance(faults.leavePercent)) {
    leave(world, machine)
    later(world, machine, 'scripts', lot.int(10_000, 60_000), () => comeBack(world, machine))
  }
  if (faults.detachPercent > 0 && lot.chance(faults.detachPercent)) {
    order(world, machine, 'detach', machine.id)
  }
  if (lot.chance(faults.powerLossPercent)) {
    machine.switchedOn = false
    applyPower(world, machine, 'power loss')
  }
  if (lot.chance(faults.wallLossPercent)) {
    machine.wall = false
    applyPower(world, machine, 'no current')
  }
  const { dumpPercent = 0 } = faults
  if (dumpPercent > 0 && lot.chance(dumpPercent)) {
    const deed = lot.chance(60) ? crashDump : forgeDump
    deed(world, machine, lot.int(2_000, 40_000))
  }
  if (lot.chance(faults.powerOnPercent)) switchOn(world, machine, 'somebody')
  if (lot.chance(faults.strangerPercent)) becomeStranger(world, machine)
}

/** Somebody edits its config and restarts the daemon, and notices the mistake later. */
export function becomeStranger(world: World, machine: Machine, forMs?: number): void {
  world.say(`${machine.id} gets another config`)
  machine.config = variantOf(world.site.config, machine.id, world.lots.fate)
  crash(world, machine, 'to read it')
  world.after(forMs ?? world.lots.fate.int(5_000, 60_000), () => reconcile(world, machine))
}

/** A version of Picket is installed whose protocol is another one, and the daemon restarts. */
export function upgrade(world: World, machine: Machine): void {
  world.say(`${machine.id} gets another version`)
  machine.protocol++
  const { config } = world.site
  machine.config = { ...config, hash: `${config.hash}, version ${machine.protocol}` }
  if (machine.daemon === undefined) return
  if (!order(world, machine, 'detach', machine.id)) crash(world, machine, 'to be replaced')
}

function reconcile(world: World, machine: Machine): void {
  if (isCommon(world, machine.config) && isCommon(world, machine.daemon?.config)) return
  world.say(`${machine.id} gets the common config back`)
  machine.config = world.site.config
  machine.protocol = 1
  crash(world, machine, 'to read it')
}

function isCommon(world: World, config: Config | undefined): boolean {
  return config === undefined || config.hash === world.site.config.hash
}

function disks(world: World): void {
  const { faults } = world
  const lot = world.lots.fate
  const machine = lot.pick(world.machines)
  if (lot.chance(faults.diskFullPercent)) {
    machine.disk.full = true
    world.say(`${machine.id} disk is full`)
    world.after(lot.int(1_000, 60_000), () => {
      machine.disk.full = false
    })
  }
  if (lot.chance(faults.diskSlowPercent)) {
    machine.disk.slow = true
    if (lot.chance(20)) {
      world.say(`${machine.id} disk hangs`)
      hang(machine)
    }
    world.after(lot.int(1_000, 30_000), () => mendDisk(world, machine))
  }
  if (lot.chance(faults.diskCorruptPercent)) corrupt(world, machine)
}

function devices(world: World): void {
  const { faults } = world
  if (world.devices.size === 0) return
  const lot = world.lots.fate
  const device = lot.pick([...world.devices.values()])
  if (lot.chance(faults.deviceHangPercent)) {
    device.hangsUntilMs = world.nowMs + lot.int(1_000, 60_000)
    world.say(`${device.id} hangs`)
  }
  if (lot.chance(faults.deviceCutPercent)) {
    const machine = lot.pick(world.machines)
    device.cutFrom.add(machine.id)
    world.say(`${machine.id} cannot reach ${device.id}`)
    world.after(lot.int(1_000, 60_000), () => device.cutFrom.delete(machine.id))
  }
  if (lot.chance(faults.swapPercent)) swap(world)
}

/** Two BMCs change places. Only where a device can tell whose it is may this go unnoticed. */
function swap(world: World): void {
  if (!world.site.identifies) return
  const known = [...world.devices.values()].filter(
    ({ kind, config }) => kind === 'bmc' && config.identity !== undefined,
  )
  const [one, other] = world.lots.fate.shuffle(known)
  if (one === undefined || other === undefined) return
  swapCables(world, one, other)
}

export function swapCables(world: World, one: Device, other: Device): void {
  const { wired } = one
  one.wired = other.wired
  other.wired = wired
  world.witness.swapped = true
  world.say(`the cables of ${one.id} and ${other.id} are swapped`)
}

function services(world: World): void {
  const { faults } = world
  const lot = world.lots.fate
  const machine = lot.pick(world.machines)
  const { resources } = world.site.config
  const picked = lot.pick(resources)
  const { thing } = asOn(resources, picked, machine.id) ?? picked
  if (lot.chance(faults.dyingPercent)) die(world, machine, thing, lot.chance(50))
  if (lot.chance(faults.foreignPercent) && machine.up) activate(world, machine, thing, true)
  if (lot.chance(faults.stuckPercent) && machine.powered) {
    machine.stuck.add(thing)
    world.say(`${machine.id} can no longer stop ${thing}`)
  }
  if (lot.chance(faults.orderPercent)) {
    order(world, machine, lot.pick(['off', 'reboot', 'on']), lot.pick(world.machines).id)
  }
  if (faults.failingPercent > 0 && lot.chance(faults.failingPercent)) spoil(world, machine)
  if (faults.intentPercent > 0 && lot.chance(faults.intentPercent)) want(world, machine)
  if (faults.movePercent > 0 && lot.chance(faults.movePercent)) {
    order(world, machine, 'move', lot.pick(picked.nodes), picked.id)
  }
  if (faults.maintenancePercent > 0 && lot.chance(faults.maintenancePercent))
    maintain(world, machine)
  if (faults.confirmPercent > 0 && lot.chance(faults.confirmPercent)) {
    // Somebody has gone and looked.
    const dead = world.machines.filter(({ powered }) => !powered)
    if (dead.length > 0) order(world, machine, 'confirm', lot.pick(dead).id)
  }
  const { giveUpPercent = 0 } = faults
  if (giveUpPercent > 0 && lot.chance(giveUpPercent)) giveUpSome(world)
}

/** A resource is broken for some time: here, or wherever it is. */
function spoil(world: World, machine: Machine): void {
  const lot = world.lots.fate
  const { id } = lot.pick(world.site.config.resources)
  const where = lot.chance(60) ? [machine] : world.machines
  const habit = lot.pick(['start-fails', 'monitor-fails'] as const)
  const times = lot.int(1, 6)
  world.say(`${where.map((each) => each.id).join(' ')} ${id} is broken (${habit})`)
  for (const each of where) world.habits.set(`${each.id}/${id}`, { habit, times })
}

/** The faults end, everything is mended, and an operator goes round until all is well. */
export function mend(world: World, roundMs: number, rounds: number): void {
  world.faults = calm
  world.say('--- calm ---')
  world.habits.clear()
  for (const device of world.devices.values()) {
    device.wired = device.target
    device.cutFrom.clear()
    device.hangsUntilMs = 0
    device.lying = false
  }
  heal(world)
  healChecks(world)
  for (const ring of ringsOf(world)) {
    if (ring.members.length * 2 > world.machines.length) setVerdict(world, ring, true)
  }
  for (const machine of world.machines) {
    mendDisk(world, machine)
    endDump(world, machine)
    const { frozen } = machine
    for (const part of ['corosync', 'daemon', 'scripts'] as const) {
      while (frozen[part] > 0) thaw(world, machine, [part])
    }
    reconcile(world, machine)
  }
  const gapMs = Math.floor(roundMs / world.machines.length)
  for (let round = 0; round < rounds; round++) {
    world.machines.forEach((machine, i) => {
      world.after(round * roundMs + (i + 1) * gapMs, () => tend(world, machine))
    })
  }
}
