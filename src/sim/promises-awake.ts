/**
 * H16: a daemon counts as silent only where it says nothing. One that is awake in a quiet ring may
 * have a disk that hangs, or hands that are late: its node is not fenced for that.
 */

import type { Ring } from './cpg.ts'
import { alarmLateMaxMs, type Daemon } from './daemons.ts'
import type { Invariant, Moments } from './invariants.ts'
import { connected } from './network.ts'
import type { Machine, World } from './world.ts'

export const awakePromises: readonly Invariant[] = [
  {
    id: 'H16',
    says: 'a daemon that is awake while its ring lives on is not taken for a silent one',
    onScan: looked,
    onMessage: slandered,
  },
]

interface Note {
  readonly daemon: Daemon
  readonly ring: Ring
  readonly sinceMs: number
}

const awake = new WeakMap<World, Map<Machine, Note>>()

/** Remembers since when each daemon has been awake in the ring in which it is. */
function looked(world: World): undefined {
  const known = awake.get(world) ?? new Map<Machine, Note>()
  awake.set(world, known)
  for (const machine of world.machines) {
    const { daemon, corosync, frozen } = machine
    const ring = corosync?.ring
    const isAwake = daemon?.joined && frozen.corosync + frozen.daemon + frozen.scripts === 0
    // A cut that is over before Corosync minds it delays what is said.
    const isWell = isAwake && ring?.members.every((other) => connected(world, machine, other))
    const before = known.get(machine)
    if (daemon === undefined || !isWell || ring === undefined) known.delete(machine)
    else if (before?.daemon !== daemon || before.ring !== ring) {
      known.set(machine, { daemon, ring, sinceMs: world.nowMs })
    }
  }
}

/** By one that is awake in the same ring. */
function slandered(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  if (message.say !== 'accuse') return undefined
  const known = awake.get(world)
  const notes = [known?.get(world.machine(message.node)), known?.get(daemon.machine)]
  const { silentMs, beatMs, echoMs } = world.site.config.timing
  // A beat may be so late that its node is silent, for all that the others know.
  if (world.faults.alarmLatePercent > 0 && silentMs <= 2 * beatMs + alarmLateMaxMs) return undefined
  const boundMs = silentMs + echoMs + 4 * beatMs
  const isAwake = notes.every((note) => {
    return note?.ring === daemon.machine.corosync?.ring && world.nowMs - note!.sinceMs > boundMs
  })
  return isAwake ? `${message.node} is accused of silence by ${daemon.machine.id}` : undefined
}
