/**
 * Fence devices: BMCs and outlets of power strips. They lose requests and replies, ignore, delay,
 * hang, cache, lie, and may be wired to another machine than the config says. Some cannot switch
 * off: they reset, and tell a mark of each boot (F15).
 */
import type { Effect, Press } from '../core/effect.ts'
import { mayPress } from '../core/effect.ts'
import type { PressOutcome } from '../core/event.ts'
import type { DeviceConfig, NodeId, Power } from '../core/model.ts'
import { isAwaited } from '../core/round.ts'
import type { State } from '../core/state.ts'
import { type Daemon, doAfter, tellAfter } from './daemons.ts'
import { judge } from './invariants.ts'
import { applyPower, clockMs, fed, resetMachine, setOutlet } from './machines.ts'
import { answersProbe } from './network.ts'
import { drawn } from './pace.ts'
import type { Machine, World } from './world.ts'

/** What a scenario has told a device to do; storms draw for each deed instead. */
export type Manner =
  | 'ok'
  | 'ignore'
  | 'hang'
  | 'slow'
  | 'late'
  | 'lie'
  | 'unknown'
  | 'refuse'
  | 'vouch'
  /** It accepts an off, does nothing, and says off, also where nothing contradicts it. */
  | 'deceive'
  /** It resets, and tells the old mark all the same; it tells no mark at all. */
  | 'stuck'
  | 'markless'

/**
 * A BMC has its current from the machine that it switches; an outlet is what that current comes
 * from; a remote one, the API of a hypervisor or a cloud, lives and dies elsewhere.
 */
export type DeviceKind = 'bmc' | 'outlet' | 'remote'

export interface Device {
  readonly id: string
  readonly kind: DeviceKind
  readonly config: DeviceConfig
  /** Whom the config means. */
  readonly target: Machine
  /** Whose power it really switches. */
  wired: Machine
  /** Of an outlet: is it on? */
  on: boolean
  readonly history: { readonly atMs: number; readonly on: boolean }[]
  /** Nodes that cannot reach it. */
  readonly cutFrom: Set<NodeId>
  hangsUntilMs: number
  manner: Manner
  slowMs: number
  /** It says off whatever is true, since it accepted an off that it did not carry out. */
  lying: boolean
  /** Who has been lied to: what the node's addresses say to them must contradict it. */
  readonly deceived: Set<NodeId>
  /** What it last said to whom: the trace tells only what is new. */
  readonly said: Map<NodeId, Power>
  /** Of one that resets: the mark that it goes on telling, since a reset that did not move it. */
  stuckMark: string
  /** Commands that will be carried out late. */
  readonly pending: Set<Pending>
}

interface Pending {
  readonly action: Press['action']
  /** It has been answered for. */
  readonly accepted: boolean
  readonly sentMs: number
  readonly dueMs: number
}

type Read = Extract<Effect, { do: 'read' }>
type Identify = Extract<Effect, { do: 'identify' }>

export function makeDevices(world: World): Map<string, Device> {
  const { config } = world.site
  const devices = new Map<string, Device>()
  for (const node of config.nodes) {
    const target = world.machines.find(({ id }) => id === node.id)!
    for (const id of node.levels.flatMap((level) => level.devices)) {
      const found = config.devices.find((device) => device.id === id)
      if (found === undefined) throw new RangeError(`device ${id} is in no list of devices`)
      devices.set(id, makeDevice(found, target, world.site.kinds?.get(id)))
    }
  }
  return devices
}

function makeDevice(config: DeviceConfig, target: Machine, kind?: DeviceKind): Device {
  return {
    id: config.id,
    kind: kind ?? (config.driver === 'pdu' ? 'outlet' : 'bmc'),
    config,
    target,
    wired: target,
    on: true,
    history: [],
    cutFrom: new Set(),
    hangsUntilMs: 0,
    manner: 'ok',
    slowMs: 0,
    lying: false,
    deceived: new Set(),
    said: new Map(),
    stuckMark: '',
    pending: new Set(),
  }
}

/**
 * The hands press, if at the moment of sending the local Corosync still says that they may (S14).
 */
export function press(world: World, daemon: Daemon, effect: Press): void {
  const lot = world.lots.device
  const { stallPercent, stallMaxMs } = world.faults
  const stallMs = lot.chance(stallPercent) ? lot.int(500, stallMaxMs) : lot.int(0, 20)
  doAfter(world, daemon, stallMs, () => {
    const ring = daemon.attached ? daemon.machine.corosync?.ring : undefined
    const now = { quorate: ring?.verdict === true, nowMs: clockMs(world, daemon.machine) }
    const allowed = ring !== undefined && mayPress(effect, { ring: ring.id, ...now })
    if (!allowed || !awaited(daemon, effect)) {
      if (world.verbose) world.say(`  ${daemon.machine.id} may not press ${effect.device} any more`)
      return answer(world, daemon, effect, 0, 'refused', 'the ring or the time has passed')
    }
    send(world, daemon, effect)
  })
}

/** Puppets of tests keep no fencings, and mean what they say. */
function awaited(daemon: Daemon, effect: Press): boolean {
  const { fencings } = daemon.mind as Partial<Pick<State, 'fencings'>>
  return fencings === undefined || isAwaited({ fencings }, effect)
}

function send(world: World, daemon: Daemon, effect: Press): void {
  const { lots, faults } = world
  const lot = lots.device
  const device = world.device(effect.device)
  const { action, timeoutMs } = effect
  world.presses++
  device.said.clear()
  world.say(`${daemon.machine.id} presses ${action} of ${effect.target} via ${device.id}`)
  judge(world, 'onPress', { daemon, device, press: effect })
  const outcome = (delayMs: number, outcome: PressOutcome, detail: string) =>
    answer(world, daemon, effect, delayMs, outcome, detail)
  const manner = device.manner === 'ok' ? drawManner(world) : device.manner

  if (!reaches(world, daemon.machine, device)) {
    return lot.next() < 0.5
      ? outcome(lot.int(10, 500), 'refused', 'connection refused')
      : outcome(timeoutMs, 'unknown', 'no answer')
  }
  if (manner === 'hang' || lot.chance(faults.pressLostPercent)) {
    return outcome(timeoutMs, 'unknown', 'no answer')
  }
  if (manner === 'refuse') return outcome(lot.int(20, 500), 'refused', 'the device says no')
  if (manner === 'lie' && action === 'off' && canLie(world, daemon.machine, device)) {
    device.lying = true
    return outcome(lot.int(20, 500), 'accepted', 'completed')
  }
  if (manner === 'deceive' && action !== 'on') {
    device.lying = true
    return outcome(lot.int(20, 500), 'accepted', 'completed')
  }
  const late = manner === 'late' || manner === 'slow'
  const usualMs = drawn(lot, world.site.pace?.press(device.id) ?? [20, 1_000], Infinity)
  const tookMs = manner === 'slow' ? device.slowMs : usualMs
  const answers = !(lot.chance(faults.replyLostPercent) || (late && lot.next() < 0.7))
  const { lateMs, settleMs } = device.config
  // A device that says "accepted" is at it: it shows the effect before it is given up as ignored.
  const boundMs = answers ? Math.min(lateMs, settleMs) : lateMs
  const carriedMs = manner === 'late' ? lot.int(Math.min(1_000, boundMs), boundMs) : tookMs
  if (manner !== 'ignore') carryOut(world, device, action, carriedMs, daemon.machine, answers)
  if (!answers) return outcome(timeoutMs, 'unknown', 'no answer')
  if (lot.chance(faults.replyLatePercent)) {
    return outcome(lot.int(1_000, 40_000), 'accepted', 'completed')
  }
  outcome(Math.min(tookMs + lot.int(1, 50), timeoutMs), 'accepted', 'completed')
}

function drawManner(world: World): Manner {
  const { faults } = world
  const lot = world.lots.device
  if (lot.chance(faults.pressIgnoredPercent)) return 'ignore'
  if (lot.chance(faults.pressRefusedPercent)) return 'refuse'
  if (lot.chance(faults.pressLatePercent)) return 'late'
  if (lot.chance(faults.liePercent)) return 'lie'
  return 'ok'
}

/** A lie that nothing contradicts is outside the promise: the node must still be heard. */
function canLie(world: World, liar: Machine, device: Device): boolean {
  const node = world.site.config.nodes.find(({ id }) => id === device.target.id)!
  const verified = node.levels.every((level) => !level.devices.includes(device.id) || level.verify)
  return (
    verified &&
    device.kind === 'bmc' &&
    device.wired === device.target &&
    node.addresses.length > 0 &&
    answersProbe(world, device.target, liar)
  )
}

function answer(
  world: World,
  daemon: Daemon,
  press: Press,
  delayMs: number,
  outcome: PressOutcome,
  detail: string,
): void {
  const { id, device, action } = press
  if (world.verbose) world.say(`  ${device} ${action}: ${outcome} in ${delayMs} ms`)
  if (outcome === 'refused') judge(world, 'onRefusal', { daemon, press })
  tellAfter(world, daemon, delayMs, { kind: 'pressed', id, outcome, detail })
}

function carryOut(
  world: World,
  device: Device,
  action: Press['action'],
  delayMs: number,
  by: Machine,
  accepted: boolean,
): void {
  const entry = { action, accepted, sentMs: world.nowMs, dueMs: world.nowMs + delayMs }
  device.pending.add(entry)
  world.after(delayMs, () => {
    device.pending.delete(entry)
    const { wired } = device
    const why = `${action} via ${device.id} by ${by.id}`
    if (device.kind !== 'outlet') {
      if (device.kind === 'bmc' && !fed(world, wired)) return
      if (action === 'reset') return reset(world, device, why)
      wired.switchedOn = action === 'on'
    } else {
      if (!wired.wall) return
      setOutlet(world, device.id, action === 'on')
    }
    applyPower(world, wired, why)
  })
}

/** The machine boots anew. Some firmware does not note it. */
function reset(world: World, device: Device, why: string): void {
  const { manner, wired } = device
  const sticks = manner === 'stuck' || world.lots.device.chance(world.faults.markStuckPercent)
  device.stuckMark = sticks ? markAt(world, device, 0) : ''
  resetMachine(world, wired, why)
}

function tellsMark({ lots, faults }: World, { config, manner }: Device): boolean {
  if (config.isolation !== 'new-boot' || manner === 'markless') return false
  return !lots.device.chance(faults.markMissingPercent)
}

/** What it calls the boot of its machine: how often that has been given current or been reset. */
function markAt(world: World, { wired, stuckMark }: Device, staleMs: number): string {
  if (stuckMark !== '') return stuckMark
  const boots = wired.history.filter(({ atMs, on }) => on && atMs <= world.nowMs - staleMs)
  return `${wired.id}#${boots.length}`
}

/** Ask it for the power of its node. */
export function read(world: World, daemon: Daemon, effect: Read): void {
  const { lots, faults } = world
  const lot = lots.device
  const device = world.device(effect.device)
  judge(world, 'onRead', { daemon, device, read: effect })
  if (device.manner === 'hang' || !reaches(world, daemon.machine, device)) {
    const delayMs = lot.next() < 0.5 ? lot.int(10, 500) : effect.timeoutMs
    return say('unknown', delayMs, 'no answer')
  }
  if (device.manner === 'unknown' || lot.chance(faults.readUnknownPercent)) {
    return say('unknown', lot.int(20, 500), 'garbled answer')
  }
  const span = world.site.pace?.read(device.id)
  const arrivesMs = span === undefined ? lot.int(5, 200) : drawn(lot, span, effect.timeoutMs)
  world.after(arrivesMs, () => {
    const { readGapMs } = device.config
    const staleMs = lot.chance(faults.readStalePercent) ? lot.int(0, readGapMs - 1) : 0
    const power = deceives(world, daemon.machine, device) ? 'off' : powerAt(world, device, staleMs)
    const late = lot.chance(faults.replyLatePercent)
    const boot = tellsMark(world, device) ? markAt(world, device, staleMs) : undefined
    const backMs = late ? lot.int(1_000, 40_000) : lot.int(5, span === undefined ? 300 : 10)
    say(power, backMs, `chassis power is ${power}`, boot)
  })

  function say(power: Power, delayMs: number, raw: string, boot?: string): void {
    world.after(delayMs, () => {
      judge(world, 'onReadAnswer', { daemon, device, read: effect, power, boot })
      const reader = daemon.machine.id
      if (device.said.get(reader) !== power || world.verbose) {
        world.say(`${reader} reads ${device.id}: ${power}${boot ? `, boot ${boot}` : ''}`)
      }
      device.said.set(reader, power)
    })
    const identity =
      world.site.identifies && power !== 'unknown' ? device.wired.hardware : undefined
    tellAfter(world, daemon, delayMs, {
      kind: 'power',
      id: effect.id,
      power,
      raw,
      ...(identity === undefined ? {} : { identity }),
      ...(power === 'on' && vouches(world, device) && { spare: 'it is being migrated' }),
      ...(boot === undefined ? {} : { boot }),
    })
  }
}

/** Does it speak for its node? What it says may well be wrong. */
function vouches({ site, faults, lots }: World, { config, manner }: Device): boolean {
  if (!config.vouches || site.config.rules.reprieveMs === 0) return false
  return manner === 'vouch' || lots.device.chance(faults.vouchPercent)
}

/** Ask it who it is. */
export function identify(world: World, daemon: Daemon, effect: Identify): void {
  const lot = world.lots.device
  const device = world.device(effect.device)
  const { id } = effect
  judge(world, 'onIdentify', { daemon, device })
  const deaf = device.manner === 'hang' || !reaches(world, daemon.machine, device)
  if (deaf || lot.chance(world.faults.readUnknownPercent)) {
    const delayMs = deaf && lot.next() < 0.5 ? effect.timeoutMs : lot.int(20, 500)
    tellAfter(world, daemon, delayMs, { kind: 'identified', id, ok: false, detail: 'no answer' })
    return
  }
  const identity = world.site.identifies ? device.wired.hardware : undefined
  tellAfter(world, daemon, lot.int(20, 500), {
    kind: 'identified',
    id,
    ok: true,
    detail: 'it answers',
    ...(identity === undefined ? {} : { identity }),
  })
}

/** Can this node speak to this device at all, at this moment? */
function reaches(world: World, from: Machine, device: Device): boolean {
  if (device.cutFrom.has(from.id) || world.nowMs < device.hangsUntilMs) return false
  if (device.kind === 'remote') return true
  return device.kind === 'bmc' ? fed(world, device.wired) : device.wired.wall
}

/** Does it lie to this reader? Only while the reader could hear the node for itself. */
function deceives(world: World, reader: Machine, device: Device): boolean {
  if (!device.wired.powered) device.lying = false
  if (device.manner === 'deceive') return device.lying
  if (!device.lying || !canLie(world, reader, device)) return false
  device.deceived.add(reader.id)
  return true
}

function powerAt(world: World, device: Device, staleMs: number): Power {
  const history = device.kind === 'outlet' ? device.history : device.wired.history
  let on = device.kind === 'outlet'
  for (const change of history) if (change.atMs <= world.nowMs - staleMs) on = change.on
  return on ? 'on' : 'off'
}
