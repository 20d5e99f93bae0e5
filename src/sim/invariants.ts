/**
 * What must never happen, said once: a sentence that a person can check, and a function that a run
 * can. The checks look at the world as it truly is; where they need a core's word (which fencing is
 * this?), they look at it and not away.
 */
import type { Effect, Press } from '../core/effect.ts'
import type { News, Order } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { CheckId, GroupMember, Power, ResourceId } from '../core/model.ts'
import type { Mind } from './core.ts'
import type { Ring } from './cpg.ts'
import type { Daemon } from './daemons.ts'
import type { Device } from './devices.ts'
import { awakePromises } from './promises-awake.ts'
import { clonePromises } from './promises-clones.ts'
import { detachPromises } from './promises-detach.ts'
import { failurePromises } from './promises-failures.ts'
import { fencingPromises } from './promises-fencing.ts'
import { healthPromises } from './promises-health.ts'
import { intentPromises } from './promises-intents.ts'
import { livePromises } from './promises-live.ts'
import { livenessPromises } from './promises-liveness.ts'
import { memoryPromises } from './promises-memory.ts'
import { placementPromises } from './promises-placement.ts'
import { rejoinPromises } from './promises-rejoin.ts'
import { resetPromises } from './promises-reset.ts'
import { rolePromises } from './promises-roles.ts'
import { servicePromises } from './promises-service.ts'
import { watchPromises } from './promises-watch.ts'
import { watchdogPromises } from './promises-watchdog.ts'
import type { Operation } from './resources.ts'
import { notes } from './witness.ts'
import { type Machine, Violation, type World } from './world.ts'
import { writeOffPromises } from './write-offs.ts'

/** What a promise may be judged at. */
export interface Moments {
  /** A thing has become active. */
  onActive: { readonly machine: Machine; readonly thing: string }
  onInactive: { readonly machine: Machine; readonly thing: string }
  /** An operation begins. */
  onRun: Operation
  /** A start begins; nothing is active yet. */
  onStart: Operation
  /** A command to a device is about to leave. */
  onPress: { readonly daemon: Daemon; readonly device: Device; readonly press: Press }
  /** A device says no to a command. */
  onRefusal: { readonly daemon: Daemon; readonly press: Press }
  onIdentify: { readonly daemon: Daemon; readonly device: Device }
  onRead: {
    readonly daemon: Daemon
    readonly device: Device
    readonly read: Extract<Effect, { do: 'read' }>
  }
  onReadAnswer: {
    readonly daemon: Daemon
    readonly device: Device
    readonly read: Extract<Effect, { do: 'read' }>
    readonly power: Power
    /** The boot that the device tells, if it does. */
    readonly boot: string | undefined
  }
  /** The ring has put a message in order. */
  onMessage: { readonly daemon: Daemon; readonly message: Message }
  onOrder: Order
  /** A daemon is about to be told how an operation of a resource ended. */
  onOutcome: { readonly daemon: Daemon; readonly news: Extract<News, { kind: 'ran' }> }
  onRegroup: Ring
  /** A daemon is told who is in its group. */
  onTold: { readonly daemon: Daemon; readonly members: readonly GroupMember[] }
  onDaemonGone: Daemon
  onPowerOff: Machine
  /** A daemon was woken by its alarm, sends, or runs something. */
  onBusy: Daemon
  /** A health check is asked. */
  onCheck: {
    readonly daemon: Daemon
    readonly check: CheckId
    readonly resource: ResourceId
    readonly id: number
  }
  /** A check has answered; `before`: what the daemon thought then. */
  onChecked: {
    readonly daemon: Daemon
    readonly before: Mind
    readonly check: CheckId
    readonly id: number
    readonly ok: boolean
  }
  /** A watchdog is to be fed until then, on the machine's clock. */
  onLease: { readonly daemon: Daemon; readonly untilMs: number }
  /** A watchdog is to count on until then, on the machine's clock, without a daemon. */
  onHandOver: { readonly daemon: Daemon; readonly untilMs: number }
  onArm: Daemon
  onDisarm: Machine
  /** A daemon ends by its own decision. */
  onExit: Daemon
  /** A watchdog that nobody has fed is about to reset its machine. */
  onBite: Machine
  /** Once a virtual second. */
  onScan: undefined
}

export type Moment = keyof Moments

export type Invariant = {
  readonly id: string
  readonly says: string
} & {
  /** Names the culprit when broken; `undefined` while all is well. */
  readonly [K in Moment]?: (world: World, seen: Moments[K]) => string | undefined
}

/** Every promise that a life is judged by. */
export const invariants: readonly Invariant[] = [
  ...servicePromises,
  ...placementPromises,
  ...clonePromises,
  ...livePromises,
  ...intentPromises,
  ...healthPromises,
  ...failurePromises,
  ...detachPromises,
  ...rejoinPromises,
  ...rolePromises,
  ...fencingPromises,
  ...resetPromises,
  ...memoryPromises,
  ...livenessPromises,
  ...awakePromises,
  ...watchPromises,
  ...watchdogPromises,
  ...writeOffPromises,
]

const moments: readonly Moment[] = [
  'onActive',
  'onInactive',
  'onRun',
  'onStart',
  'onPress',
  'onRefusal',
  'onIdentify',
  'onRead',
  'onReadAnswer',
  'onMessage',
  'onOrder',
  'onOutcome',
  'onRegroup',
  'onTold',
  'onDaemonGone',
  'onPowerOff',
  'onBusy',
  'onCheck',
  'onChecked',
  'onLease',
  'onHandOver',
  'onArm',
  'onDisarm',
  'onExit',
  'onBite',
  'onScan',
]

type Judge = (world: World, seen: never) => string | undefined

let judges: ReadonlyMap<Moment, readonly (readonly [Invariant, Judge])[]> | undefined

/** Which promises look at which moment; worked out once. */
function judgesAt(moment: Moment): readonly (readonly [Invariant, Judge])[] {
  judges ??= new Map(
    moments.map((each) => [
      each,
      invariants.flatMap((invariant) => {
        const check = invariant[each]
        return check === undefined ? [] : [[invariant, check as Judge] as const]
      }),
    ]),
  )
  return judges.get(moment)!
}

/** Judge what has just been seen, then remember it. Throws at the first broken promise. */
export function judge<K extends Moment>(world: World, moment: K, seen: Moments[K]): void {
  for (const [{ id, says }, check] of judgesAt(moment)) {
    const culprit = check(world, seen as never)
    if (culprit === undefined || world.borne.includes(id)) continue
    if (world.broken === undefined) throw new Violation(id, `${says}: ${culprit}`)
    world.broken.push({ promise: id, text: `${says}: ${culprit}`, atMs: world.nowMs })
  }
  const note = notes[moment] as ((world: World, seen: Moments[K]) => void) | undefined
  note?.(world, seen)
}
