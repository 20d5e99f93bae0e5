/**
 * A daemon's life: it sweeps the scopes of its predecessor, reads its disk, begins, is told news
 * one at a time, and dies. While it is frozen its news queue up; resources go on without it.
 */
import type { Event, News } from '../core/event.ts'
import type { Config } from '../core/model.ts'
import type { Mind } from './core.ts'
import { attach } from './corosync.ts'
import type { Delivery } from './cpg.ts'
import { part } from './cpg.ts'
import { dropWrites } from './disks.ts'
import { perform } from './hands.ts'
import { judge } from './invariants.ts'
import { clockMs, later } from './machines.ts'
import { sweep } from './resources.ts'
import { freezeDeep } from './strict.ts'
import { type Contact, heirloomOf, noteContact } from './watchdogs.ts'
import { type Machine, Violation, type World } from './world.ts'

export interface Daemon {
  readonly machine: Machine
  readonly pid: number
  readonly config: Config
  readonly protocol: number
  mind: Mind
  alive: boolean
  /** What was to be told or done while it was frozen, in order. */
  readonly inbox: (News | (() => void))[]
  alarmMs: number
  alarm: number
  // ---- its connection to Corosync ----
  attached: boolean
  /** When its Corosync died under it; 0 while it lives. */
  orphanMs: number
  joined: boolean
  queue: Delivery[]
  deliveredIndex: number
  lastDeliveryMs: number
  lastQuorumMs: number
  /** The process died with words on its lips: whatever was not multicast yet is lost. */
  mute: boolean
  /** What it has been told of its ring, and of itself there. */
  contact: Contact
  /** P8: news, ticks, messages and operations in the present second. */
  second: number
  news: number
  ticks: number
  sends: number
  runs: number
}

/** Sweep, then begin; unless one runs already. */
export function startDaemon(world: World, machine: Machine): void {
  if (machine.daemon !== undefined || machine.starting || machine.resting) return
  if (machine.corosync === undefined) {
    later(world, machine, 'scripts', 1_000, () => startDaemon(world, machine))
    return
  }
  machine.starting = true
  sweep(world, machine, () => begin(world, machine))
}

function begin(world: World, machine: Machine): void {
  machine.starting = false
  machine.lives++
  const { announces } = world.site
  const { state, effects } = world.core.begin({
    self: machine.id,
    config: machine.config,
    identity: {
      incarnation: `${machine.id}-${machine.lives}`,
      boot: `${machine.id}-boot-${machine.boot}`,
      hardware: announces ? machine.hardware : undefined,
    },
    ledger: machine.disk.ledger,
    atMs: clockMs(world, machine),
    ...heirloomOf(world, machine),
  })
  const daemon: Daemon = {
    machine,
    pid: 1_000 * machine.boot + machine.lives,
    config: machine.config,
    protocol: machine.protocol,
    mind: state,
    alive: true,
    inbox: [],
    alarmMs: Infinity,
    alarm: 0,
    attached: false,
    orphanMs: 0,
    joined: false,
    queue: [],
    deliveredIndex: -1,
    lastDeliveryMs: 0,
    lastQuorumMs: 0,
    mute: false,
    contact: {},
    second: 0,
    news: 0,
    ticks: 0,
    sends: 0,
    runs: 0,
  }
  machine.daemon = daemon
  world.say(`${machine.id} daemon up`)
  for (const effect of effects) perform(world, daemon, effect)
  attach(world, daemon)
  arm(world, daemon)
}

/** Tell it something; what it hears while frozen it hears when it thaws. */
export function tell(world: World, daemon: Daemon, news: News): void {
  if (!daemon.alive) return
  if (daemon.machine.frozen.daemon > 0) daemon.inbox.push(news)
  else handle(world, daemon, news)
}

/** Tell it later. */
export function tellAfter(world: World, daemon: Daemon, delayMs: number, news: News): void {
  world.after(delayMs, () => tell(world, daemon, news))
}

/** Something that the process itself does later, if it still can. */
export function doAfter(world: World, daemon: Daemon, delayMs: number, run: () => void): void {
  world.after(delayMs, () => {
    if (!daemon.alive) return
    if (daemon.machine.frozen.daemon > 0) daemon.inbox.push(run)
    else run()
  })
}

function handle(world: World, daemon: Daemon, news: News): void {
  world.events++
  noteContact(world, daemon, news)
  const event = { ...news, atMs: clockMs(world, daemon.machine) } as Event
  if (news.kind === 'ran') judge(world, 'onOutcome', { daemon, news })
  let step: ReturnType<typeof world.core.step>
  try {
    step = world.core.step(daemon.mind, event)
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    throw new Violation('S20', `the core of ${daemon.machine.id} threw on ${news.kind}: ${text}`)
  }
  const before = daemon.mind
  daemon.mind = step.state
  if (news.kind === 'checked') judge(world, 'onChecked', { daemon, before, ...news })
  if (world.strict) freezeDeep(step)
  if (news.kind === 'tick') {
    daemon.ticks++
    judge(world, 'onBusy', daemon)
  } else {
    daemon.news++
  }
  const { crashMidStepPercent } = world.faults
  for (const effect of step.effects) {
    if (crashMidStepPercent > 0 && world.lots.daemon.chance(crashMidStepPercent)) {
      return crash(world, daemon.machine, 'in the middle of a step')
    }
    perform(world, daemon, effect)
    if (!daemon.alive) return
  }
  arm(world, daemon)
}

/** So late may an alarm be where alarms are late. */
export const alarmLateMaxMs = 1_500

/** One alarm, at the deadline that the core asks for. */
function arm(world: World, daemon: Daemon): void {
  const { machine } = daemon
  const dueMs = world.core.deadlineMs(daemon.mind) + machine.clockZeroMs
  // An alarm that comes too early looks again; only a nearer deadline needs another one.
  if (dueMs === Infinity || daemon.alarmMs <= dueMs) return
  const { alarmLatePercent } = world.faults
  const lot = world.lots.daemon
  const jitterMs = lot.chance(alarmLatePercent) ? lot.int(50, alarmLateMaxMs) : lot.int(0, 2)
  const atMs = Math.max(world.nowMs, dueMs) + jitterMs
  // News do not make an alarm later that is late already.
  if (atMs >= daemon.alarmMs) return
  daemon.alarmMs = atMs
  const alarm = ++daemon.alarm
  world.after(daemon.alarmMs - world.nowMs, () => {
    if (daemon.alive && daemon.alarm === alarm && machine.frozen.daemon === 0) ring(world, daemon)
  })
}

function ring(world: World, daemon: Daemon): void {
  daemon.alarmMs = Infinity
  const dueMs = world.core.deadlineMs(daemon.mind) + daemon.machine.clockZeroMs
  if (dueMs > world.nowMs) arm(world, daemon)
  else handle(world, daemon, { kind: 'tick' })
}

/** It goes on with whatever is first: an overdue alarm, or the news that have queued up. */
export function thawDaemon(world: World, machine: Machine, newsFirst?: boolean): void {
  const { daemon } = machine
  if (daemon === undefined) return
  const overdue = daemon.alarmMs <= world.nowMs
  if (overdue) daemon.alarmMs = Infinity
  if (overdue && !(newsFirst ?? world.lots.daemon.next() >= 0.5)) ring(world, daemon)
  const items = daemon.inbox.splice(0)
  for (const item of items) {
    if (!daemon.alive) return
    if (typeof item === 'function') item()
    else handle(world, daemon, item)
  }
  if (daemon.alive) arm(world, daemon)
}

/** The process dies where it stands; its ring and its resources' processes live on. */
export function crash(world: World, machine: Machine, how = ''): void {
  const { daemon } = machine
  if (daemon === undefined) return
  world.say(`${machine.id} daemon crashes${how && ` ${how}`}`)
  end(world, daemon)
  restart(world, machine)
}

/** It ends by its own decision. */
export function exit(world: World, daemon: Daemon, code: number, because: string): void {
  const { machine } = daemon
  world.say(`${machine.id} daemon exits with ${code}: ${because}`)
  end(world, daemon)
  if (!machine.resting) restart(world, machine)
}

function restart(world: World, machine: Machine): void {
  later(world, machine, 'scripts', world.lots.daemon.int(100, 20_000), () =>
    startDaemon(world, machine),
  )
}

function end(world: World, daemon: Daemon): void {
  daemon.mute = world.lots.daemon.next() < 0.5
  buryDaemon(world, daemon)
  dropWrites(world, daemon.machine)
  part(world, daemon)
}

/** It is gone; nothing reaches it any more. */
export function buryDaemon(world: World, daemon: Daemon): void {
  daemon.alive = false
  daemon.machine.daemon = undefined
  judge(world, 'onDaemonGone', daemon)
}
