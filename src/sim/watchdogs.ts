/**
 * Watchdogs: a device that resets its machine when nobody has fed it for its timeout, and the
 * thread that feeds it. The thread is not the daemon's loop: it goes on while the loop is blocked,
 * until the lease is over, and ends with the process. A machine that is frozen as a whole feeds
 * nothing. No device keeps exact time.
 */
import type { Effect } from '../core/effect.ts'
import type { News } from '../core/event.ts'
import { maintenanceOf } from '../core/intents.ts'
import { type NodeId, type RingId, sameRing } from '../core/model.ts'
import { strangeThings } from '../core/strange.ts'
import { driftMs, feedMs } from '../core/watchdog.ts'
import { isReal } from './core.ts'
import { type Daemon, tellAfter } from './daemons.ts'
import { judge } from './invariants.ts'
import { clockMs, resetMachine } from './machines.ts'
import type { Rng } from './rng.ts'
import type { Active, Machine, Site, World } from './world.ts'

export interface Dog {
  /** Who feeds it; a dead one feeds nothing. */
  daemon: Daemon
  /** On the machine's own clock. */
  untilMs: number
  fedMs: number
  readonly timeoutMs: number
  /** What its clock makes of a millisecond. */
  readonly pace: number
  /** Until when it may be fed, as the world sees it: see `allowedMs`. */
  limitMs: number
  /** Its daemon has left it to the next one: it counts, and nobody feeds it. */
  readonly handed?: boolean
  /** When its machine last had anything, or its daemon was not itself. */
  busyMs: number
}

/** What a daemon has been told by Corosync, in world time: enough to say what it may conclude. */
export interface Contact {
  readonly group?: RingId
  readonly quorum?: { readonly ring: RingId; readonly quorate: boolean }
  /** The newest of its own words that came back. */
  readonly heard?: { readonly ring: RingId; readonly sentMs: number }
}

const GAP_MS = 500

/** The device is opened: from now on it counts. */
export function armWatchdog(
  world: World,
  daemon: Daemon,
  { id, untilMs }: Extract<Effect, { do: 'arm' }>,
): void {
  const { machine } = daemon
  const { timeoutMs } = daemon.config.watchdog!
  const delayMs = world.lots.machine.int(1, 30)
  if (world.site.undogged?.includes(machine.id)) {
    const detail = 'there is no watchdog'
    return tellAfter(world, daemon, delayMs, { kind: 'armed', id, ok: false, timeoutMs, detail })
  }
  judge(world, 'onArm', daemon)
  judge(world, 'onLease', { daemon, untilMs })
  const running = machine.dog
  const pace = 1 + world.lots.machine.int(-20, 20) / 1_000
  const limitMs = Math.max(allowedMs(world, daemon), running?.limitMs ?? 0)
  const { nowMs } = world
  const dog: Dog = { daemon, untilMs, fedMs: nowMs, timeoutMs, pace, limitMs, busyMs: nowMs }
  machine.dog = dog
  feed(world, machine, dog)
  tellAfter(world, daemon, delayMs, { kind: 'armed', id, ok: true, timeoutMs, detail: 'a dog' })
}

export function feedUntil(world: World, daemon: Daemon, untilMs: number): void {
  const { dog } = daemon.machine
  if (dog?.daemon !== daemon) return
  judge(world, 'onLease', { daemon, untilMs })
  // The ring that allows it may be gone before the next look.
  dog.limitMs = Math.max(dog.limitMs, allowedMs(world, daemon))
  dog.untilMs = untilMs
}

/** The magic close. */
export function disarmWatchdog(world: World, { machine }: Daemon): void {
  judge(world, 'onDisarm', machine)
  machine.dog = undefined
}

/** It is told to wait until then, and its daemon ends; what keeps it open feeds nothing. */
export function handOverWatchdog(world: World, daemon: Daemon, untilMs: number): void {
  judge(world, 'onHandOver', { daemon, untilMs })
  const { machine } = daemon
  const { dog } = machine
  if (dog === undefined) return
  const { nowMs } = world
  const spanMs = untilMs - clockMs(world, machine)
  // As long as it waits anyway: it counts from when it was last fed.
  const longer = spanMs > dog.timeoutMs
  const timeoutMs = longer ? spanMs : dog.timeoutMs
  const fedMs = longer ? nowMs : dog.fedMs
  const since = { fedMs, limitMs: fedMs, busyMs: nowMs }
  const handed: Dog = { ...dog, ...since, daemon, timeoutMs, handed: true }
  machine.dog = handed
  feed(world, machine, handed)
}

/** What the next daemon finds. */
export function heirloomOf({ site }: World, { id, dog, config }: Machine) {
  if (config.watchdog?.modes[id] === undefined || site.keeper !== true) return {}
  return { heirloom: { keeper: true, inherited: dog?.handed === true } }
}

function feed(world: World, machine: Machine, dog: Dog): void {
  if (machine.dog !== dog) return
  const awake = !dog.handed && dog.daemon.alive && machine.frozen.scripts === 0
  if (awake && clockMs(world, machine) < dog.untilMs) dog.fedMs = world.nowMs
  if (!dog.handed) dog.limitMs = Math.max(dog.limitMs, allowedMs(world, dog.daemon))
  if (!isIdle(machine, dog)) dog.busyMs = world.nowMs
  if (world.nowMs - dog.fedMs >= dog.timeoutMs * dog.pace) {
    judge(world, 'onBite', machine)
    return resetMachine(world, machine, 'nobody has fed its watchdog')
  }
  world.after(GAP_MS, () => feed(world, machine, dog))
}

/** Is its daemon awake, with nothing left that it might have to stop? */
function isIdle(machine: Machine, dog: Dog): boolean {
  const { frozen } = machine
  const daemon = dog.handed ? machine.daemon : dog.daemon
  if (daemon === undefined) return false
  if (!daemon.alive || frozen.daemon + frozen.scripts > 0 || held(machine).length > 0) return false
  const { mind } = daemon
  if (!isReal(mind)) return true
  const stopped = Object.values(mind.resources).every(({ at }) => at === 'stopped')
  return stopped && strangeThings(mind).length === 0
}

/** A daemon is told something. */
export function noteContact({ nowMs }: World, daemon: Daemon, news: News): void {
  const { contact, machine, pid } = daemon
  if (news.kind === 'quorum') {
    daemon.contact = { ...contact, quorum: { ring: news.ring, quorate: news.quorate } }
  } else if (news.kind === 'group') {
    daemon.contact = { ...contact, group: news.ring }
  } else if (news.kind === 'corosyncLost') {
    daemon.contact = {}
  } else if (news.kind === 'message' && news.from === machine.id && news.pid === pid) {
    const { message } = news
    const { group } = contact
    const report = message.say === 'sync' ? message.sync.report : undefined
    const own = message.say === 'report' || message.say === 'goodbye' ? message.report : report
    if (group === undefined || own === undefined) return
    // What was said in an older ring says nothing of this one.
    if (!message.session.startsWith(`${group.rep}.${group.seq}/`)) return
    const sentMs = Math.min(nowMs, own.sentMs + machine.clockZeroMs)
    const known = contact.heard
    if (known && sameRing(known.ring, group) && known.sentMs >= sentMs) return
    daemon.contact = { ...contact, heard: { ring: group, sentMs } }
  }
}

/** Has it heard itself in the ring that it knows to be quorate? */
export function belongs({ contact }: Daemon): boolean {
  const { group, quorum, heard } = contact
  if (group === undefined || quorum?.quorate !== true || heard === undefined) return false
  return sameRing(quorum.ring, group) && sameRing(heard.ring, group)
}

/** Until when a machine may be fed for what its daemon knows, in world time. */
export function allowedMs(world: World, daemon: Daemon): number {
  const { leaseMs, timeoutMs } = daemon.config.watchdog!
  const spanMs = feedMs(leaseMs, timeoutMs)
  if (held(daemon.machine, daemon).length === 0) return world.nowMs + spanMs
  return daemon.alive && belongs(daemon) ? daemon.contact.heard!.sentMs + spanMs : -Infinity
}

/** What a machine has or is starting, and its daemon looks after, and does not leave alone. */
export function held(
  machine: Machine,
  daemon: Daemon | undefined = machine.dog?.daemon ?? machine.daemon,
): readonly string[] {
  const { resources } = daemon?.config ?? machine.config
  const intents = daemon?.mind.ledger?.intents ?? []
  const minded = resources.filter(({ id }) => !maintenanceOf(intents, id, machine.id))
  const known = new Set(minded.map(({ thing }) => thing))
  const active = [...machine.things].filter(isItsOwn).map(([thing]) => thing)
  const starting = [...machine.operations].filter(({ op }) => op === 'start')
  return [...active, ...starting.map(({ thing }) => thing)].filter((thing) => known.has(thing))
}

/** How late a reset may be: the device's clock, and the gap at which this world looks. */
export const LATE_MS = driftMs + GAP_MS

/** Some clusters have watchdogs, and some of those no other way to end a node. */
export function withWatchdogs(site: Site, lot: Rng, always: boolean): Site {
  if (!always && !lot.chance(30)) return site
  // The config refuses both together: what freezes holds on, and would be reset.
  if (site.config.resources.some(({ noQuorum }) => noQuorum === 'freeze')) return site
  const ids = site.config.nodes.map(({ id }) => id)
  const mode = lot.chance(30) ? ('required' as const) : ('automatic' as const)
  const timeoutMs = lot.int(4, 10) * 1_000
  const leaseMs = timeoutMs + driftMs + lot.int(6, 40) * 1_000
  const modes = Object.fromEntries(ids.map((id): [NodeId, typeof mode] => [id, mode]))
  const undogged = lot.chance(20) ? [lot.pick(ids)] : []
  const alone = always && lot.chance(50)
  const keeper = site.keeper ?? lot.chance(70)
  const nodes = site.config.nodes.map((node) => (alone ? { ...node, levels: [] } : node))
  const devices = alone ? [] : site.config.devices
  const watchdog = { modes, timeoutMs, leaseMs }
  return { ...site, undogged, keeper, config: { ...site.config, nodes, devices, watchdog } }
}

/** Nobody there knows yet of what is being sent to it: it holds that when it takes it over. */
function isItsOwn([, { foreign, half }]: [string, Active]): boolean {
  return !foreign && half !== true
}
