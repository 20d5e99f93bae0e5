/** H8: a daemon that makes way for another one costs nothing, for as long as it has asked for. */
import { maintenanceOf } from '../core/intents.ts'
import { isReal } from './core.ts'
import type { Invariant, Moments } from './invariants.ts'
import { hasDetached } from './witness-wants.ts'
import type { World } from './world.ts'

/** What is up for longer than that has not just been started in vain. */
const SETTLED_MS = 15_000

export const detachPromises: readonly Invariant[] = [
  {
    id: 'H8',
    says: 'a detached node is not condemned before its time, while its ring lives on',
    onMessage: hasty,
  },
  {
    id: 'H8',
    says: 'nothing is stopped because a daemon detaches',
    onMessage: released,
    onRun: stopped,
  },
  {
    id: 'H8',
    says: 'daemons are replaced one after the other, and a majority of them stays',
    onDaemonGone: gone,
  },
]

/** Only in the very ring in which it was said: in another one it may have been away. */
function hasty(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  if (message.say !== 'condemn' || !message.requester.startsWith('picketd')) return undefined
  const note = world.witness.detached.get(message.node)
  const machine = world.machine(message.node)
  const spentMs = world.nowMs - (note?.atMs ?? 0)
  if (note === undefined || spentMs >= world.site.config.timing.detachMs) return undefined
  const { ring } = machine.corosync ?? {}
  const same = ring !== undefined && ring === note.ring && ring === daemon.machine.corosync?.ring
  if (!same || machine.daemon !== undefined || machine.lives !== note.lives) return undefined
  return `${message.node} is condemned after ${Math.round(spentMs)} ms`
}

/** What it knew when it went. Nobody here is sure that it may cost the majority. */
function gone(world: World, daemon: Moments['onDaemonGone']): string | undefined {
  const { mind, machine } = daemon
  if (!hasDetached(daemon) || !isReal(mind)) return undefined
  const others = Object.entries(mind.ledger.nodes).filter(([id]) => id !== machine.id)
  const isSpared = (id: string) => maintenanceOf(mind.ledger.intents, '', id) !== undefined
  const away = others.find(([id, { detached }]) => detached && !isSpared(id))
  if (away !== undefined) return `${machine.id} goes while ${away[0]} is without its daemon`
  const left = (mind.group?.members.length ?? 0) - 1
  const { halves, nodes } = world.site.config
  const half = halves && nodes.length % 2 === 0
  const enough = half ? left * 2 >= nodes.length : left * 2 > nodes.length
  return left < 1 || enough ? undefined : `${machine.id} goes, and ${left} are left`
}

const releases = new WeakMap<World, Map<string, number>>()

/** Remembers who was told by the coordinator to stop what; nothing is wrong about that. */
function released(world: World, { message }: Moments['onMessage']): undefined {
  if (message.say !== 'release') return undefined
  const known = releases.get(world) ?? new Map<string, number>()
  known.set(`${message.node}/${message.resource}`, world.nowMs)
  releases.set(world, known)
}

/** What has a reason of its own goes on as ever: a release, a failure, a leader's end, no right. */
function stopped(world: World, seen: Moments['onRun']): string | undefined {
  const { daemon, machine, resource, op, thing } = seen
  if (op !== 'stop' || !isReal(daemon.mind) || world.faults.probeFailsPercent > 0) return undefined
  const { detaching, resources, ledger, leaving, quorum, corosyncLost } = daemon.mind
  const { standing, barred } = ledger.nodes[machine.id] ?? {}
  const rightful = standing === 'member' && !barred && leaving === undefined && corosyncLost === ''
  if (detaching === undefined || !rightful || quorum?.quorate !== true) return undefined
  const found = machine.things.get(thing)
  if (found === undefined || found.foreign || resources[resource]!.attempts > 0) return undefined
  if (world.nowMs - found.sinceMs < SETTLED_MS) return undefined
  const failed = world.witness.failures.notes.get(`${machine.id}/${resource}`)
  const failedMs = failed?.daemon === daemon ? (failed.list.at(-1)?.atMs ?? -1) : -1
  if (failedMs > found.sinceMs) return undefined
  // Quorum was lost for a moment: what starts after others stops first, and they after it.
  if (resources[resource]!.mustStop === 'quorum is lost') return undefined
  const toldMs = releases.get(world)?.get(`${machine.id}/${resource}`) ?? -1
  const { after = [] } = daemon.config.resources.find(({ id }) => id === resource) ?? {}
  const led = after.some((id) => resources[id]?.at !== 'running' || resources[id].mustStop !== '')
  return toldMs > found.sinceMs || led ? undefined : `${machine.id} stops ${resource}`
}
