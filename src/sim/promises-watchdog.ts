/**
 * H6 and H7: whoever holds something and has no right to it is reset in time, and nobody else's
 * watchdog lets go of it. What a daemon may conclude is worked out here once more, from what it was
 * told and from when its words were said in the world.
 */
import { strangeThings } from '../core/strange.ts'
import { isReal } from './core.ts'
import type { Invariant } from './invariants.ts'
import { allowedMs, belongs, held, LATE_MS } from './watchdogs.ts'
import { hasDetached } from './witness-wants.ts'
import type { Machine, World } from './world.ts'

/** How late a device may be, and how long it may have been since the proof. */
const GRACE_MS = 1_000

/** Clocks of daemons count whole milliseconds. */
const ROUNDING_MS = 2

export const watchdogPromises: readonly Invariant[] = [
  {
    id: 'H6',
    says: 'a node that cannot stop within its bound does not stay up',
    onScan: (world) => {
      for (const machine of world.machines) {
        const { dog } = machine
        if (dog === undefined) continue
        const things = held(machine)
        const endMs = dog.limitMs + dog.timeoutMs * dog.pace + LATE_MS
        if (things.length > 0 && world.nowMs > endMs) return `${machine.id} still has ${things}`
      }
      return undefined
    },
  },
  {
    id: 'H6',
    says: 'the watchdog of a node that holds something is fed only for what came back to it',
    onLease: (world, { daemon, untilMs }) => {
      const { machine } = daemon
      if (!Number.isFinite(untilMs)) return `${machine.id} is to be fed until no instant at all`
      const overMs = untilMs + machine.clockZeroMs - allowedMs(world, daemon)
      if (overMs <= ROUNDING_MS) return undefined
      return `${machine.id} with ${held(machine)}, ${Math.round(overMs)} ms too long`
    },
  },
  {
    id: 'H6',
    says: 'a node that has stopped everything is not reset',
    onBite: (world, { id, dog }) => {
      const { busyMs, daemon } = dog!
      return world.nowMs - busyMs > daemon.config.watchdog!.leaseMs ? id : undefined
    },
  },
  {
    id: 'H7',
    says: 'a watchdog is armed only by a member of a quorate ring',
    onArm: (_, daemon) => (belongs(daemon) ? undefined : `${daemon.machine.id} arms its own`),
  },
  {
    id: 'H7',
    says:
      'a watchdog lets go of a machine only when everything there is stopped, or its daemon ' +
      'detaches and nobody keeps the watchdog for the next one',
    onDisarm: (world, machine) => {
      const mind = machine.daemon?.mind
      const detaches = mind !== undefined && isReal(mind) && mind.detaching !== undefined
      if (detaches && !isKept(world, machine)) return undefined
      const things = held(machine)
      return things.length > 0 ? `${machine.id} still has ${things}` : undefined
    },
  },
  {
    id: 'H7',
    says: 'a watchdog that is handed over counts no longer than the others wait, and its own time',
    onHandOver: (world, { daemon, untilMs }) => {
      const { machine, config, contact } = daemon
      const { timing, watchdog } = config
      const spanMs = timing.detachMs + watchdog!.timeoutMs + GRACE_MS
      const provenMs = belongs(daemon) ? contact.heard!.sentMs + spanMs : -Infinity
      // Or it would have counted for so long anyway.
      const anywayMs = (machine.dog?.limitMs ?? 0) + watchdog!.timeoutMs
      const boundMs = Math.max(world.nowMs, anywayMs, provenMs)
      const overMs = untilMs + machine.clockZeroMs - boundMs
      if (overMs <= ROUNDING_MS) return undefined
      return `${machine.id} with ${held(machine)}, ${Math.round(overMs)} ms too long`
    },
  },
  {
    id: 'H7',
    says: 'a watchdog that is handed over does not bite before the others may condemn its node',
    onBite: (world, { id, dog, lives, corosync }) => {
      const note = world.witness.detached.get(id)
      if (!dog!.handed || note === undefined || note.lives !== lives) return undefined
      if (note.ring === undefined || note.ring !== corosync?.ring) return undefined
      const spentMs = world.nowMs - note.atMs
      if (spentMs >= world.site.config.timing.detachMs) return undefined
      return `${id} is reset after ${Math.round(spentMs)} ms`
    },
  },
  {
    id: 'H7',
    says: 'a daemon that ends with everything stopped lets its machine be',
    onExit: (_, daemon) => {
      const { machine, mind } = daemon
      // One that a former daemon has left running is not its own to stop.
      const { dog } = machine
      if (dog === undefined || !isReal(mind)) return undefined
      // Handed over, it is the next daemon's.
      const own = dog.handed ? mind.detaching === undefined : dog.daemon === daemon
      if (!own) return undefined
      return strangeThings(mind).length === 0 ? machine.id : undefined
    },
  },
  {
    id: 'H7',
    says: 'a node that must have a watchdog starts nothing without it',
    onStart: (_, { machine, resource }) => {
      const mode = machine.daemon?.config.watchdog?.modes[machine.id]
      if (mode !== 'required' || machine.dog !== undefined) return undefined
      return `${machine.id} starts ${resource}`
    },
  },
]

/**
 * Does its daemon just make way, as a member of a quorate ring in which the others know of it, and
 * is there somebody who keeps the watchdog for the next one?
 */
function isKept({ site }: World, { daemon }: Machine): boolean {
  if (site.keeper !== true || daemon === undefined) return false
  return hasDetached(daemon) && belongs(daemon)
}
