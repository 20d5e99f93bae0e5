/** H3: who starts after whom, who runs beside whom, and what stops first. */
import { awaitedBy, startsAfter, targetsOf } from '../core/clones.ts'
import { maintenanceOf } from '../core/intents.ts'
import type { ResourceConfig, ResourceId } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Invariant, Moments } from './invariants.ts'
import type { Machine, World } from './world.ts'

/** What was up so short a time ago may have failed since, without anybody having noticed. */
const NOTICED_MS = 30_000

export const placementPromises: readonly Invariant[] = [
  {
    id: 'H3',
    says: 'a resource starts only after those that it starts after',
    onStart: early,
  },
  {
    id: 'H3',
    says: 'a resource starts only beside those that it must run beside, and apart from the others',
    onStart: misplaced,
  },
  {
    id: 'H3',
    says: 'a resource stops after those that start after it',
    onRun: hasty,
  },
  {
    id: 'H3',
    says: 'nothing is granted and taken back again and again',
    onMessage: restless,
  },
]

/** So many grants of one thing to one node, in so short a time, bring nothing about. */
const GRANTS_MAX = 6
const RESTLESS_MS = 2_000

/** When a thing was granted to a node, in which session; the newest few. */
const grants = new WeakMap<World, Map<string, readonly number[]>>()

function restless(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  if (message.say !== 'grant') return undefined
  const known = grants.get(world) ?? new Map<string, readonly number[]>()
  grants.set(world, known)
  // Whoever takes the lead over says it anew, and disks that hang may pass it on quickly.
  const by = daemon.machine.id
  const key = `${message.session} ${message.resource} ${message.to} ${by}`
  const newest = [...(known.get(key) ?? []), world.nowMs].slice(-GRANTS_MAX)
  known.set(key, newest)
  if (newest.length < GRANTS_MAX || world.nowMs - newest[0]! > RESTLESS_MS) return undefined
  return `${message.resource} to ${message.to}`
}

function early(
  world: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const { resources } = daemon.config
  const follower = wishesOf(resources, resource)
  if (follower === undefined) return undefined
  const operations = [...machine.operations]
  for (const name of follower.after) {
    const awaited = awaitedBy(resources, follower, name, machine.id)
    const settled = awaited.filter(({ thing }) => {
      return !operations.some((each) => each.op === 'start' && each.thing === thing)
    })
    const up = settled.some(({ thing }) =>
      world.machines.some((each) => hadLately(world, each, thing)),
    )
    if (up) continue
    const coming = settled.length < awaited.length
    if (coming) return `${machine.id} starts ${resource} while ${name} is still starting`
    if (isReal(daemon.mind)) return `${machine.id} starts ${resource}, and ${name} is not up`
  }
  return undefined
}

function misplaced(
  world: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const { resources } = daemon.config
  const wishes = wishesOf(resources, resource)
  if (wishes === undefined || !isReal(daemon.mind)) return undefined
  for (const { to, strength } of wishes.beside) {
    if (strength !== 'must') continue
    const { resources: minds } = daemon.mind
    const there = targetsOf(resources, to).some(({ id, thing }) => {
      const starting = [...machine.operations].some((each) => each.resource === id)
      return minds[id]?.at === 'granted' || starting || hadLately(world, machine, thing)
    })
    if (there) continue
    return `${machine.id} starts ${resource}, which must run beside ${to}`
  }
  for (const other of resources) {
    const foes = [namedBy(wishes, other), namedBy(other, wishes)]
    if (!foes.some((pull) => pull?.strength === 'must')) continue
    const found = machine.things.get(world.thingOf(machine, other.id))
    if (found === undefined || found.foreign) continue
    return `${machine.id} starts ${resource}, which must be apart from ${other.id}`
  }
  return undefined
}

const namedBy = ({ apart }: ResourceConfig, { id, clone }: ResourceConfig) =>
  apart.find(({ to }) => to === id || to === clone?.id)

/** Whose own first stop has failed is not waited for, also while it is stopped once more. */
function hasty(
  world: World,
  { daemon, machine, resource, op }: Moments['onRun'],
): string | undefined {
  if (op !== 'stop' || !isReal(daemon.mind)) return undefined
  const { resources } = daemon.config
  const leader = wishesOf(resources, resource)
  for (const follower of resources) {
    if (leader === undefined || !startsAfter(follower, leader)) continue
    if (anotherWillDo(world, machine, { resources, follower, leader })) continue
    const { id, thing } = follower
    const found = machine.things.get(thing)
    if (found === undefined || found.foreign) continue
    // What is left alone is not ended for it.
    if (maintenanceOf(daemon.mind.ledger.intents, id, machine.id) !== undefined) continue
    // Whose first stop has failed is not waited for.
    if ((daemon.mind.resources[id]?.attempts ?? 0) > 0) continue
    const going = [...machine.operations].some((each) => each.op === 'stop' && each.thing === thing)
    if (going && daemon.mind.resources[id]?.attempts === 0)
      return `${machine.id} stops ${resource} while ${id} is still stopping`
    const stoppedMs = world.witness.stops.get(`${machine.id}/${thing}`) ?? -1
    const { at, op } = daemon.mind.resources[id] ?? {}
    // It has come up since this daemon last looked; or nothing ends it any more but a fencing.
    if (stoppedMs >= found.sinceMs || at === 'stopped' || at === 'stuck' || op?.lost) continue
    return `${machine.id} stops ${resource} before ${id}`
  }
  return undefined
}

/** What need not run beside an instance may go on with another one, if that is up elsewhere. */
function anotherWillDo(
  world: World,
  machine: Machine,
  { resources, follower, leader }: Following,
): boolean {
  const { clone } = leader
  if (clone === undefined || !follower.after.includes(clone.id)) return false
  return awaitedBy(resources, follower, clone.id, machine.id).some(({ id, thing }) => {
    return id !== leader.id && world.machines.some((each) => hadLately(world, each, thing))
  })
}

interface Following {
  readonly resources: readonly ResourceConfig[]
  readonly follower: ResourceConfig
  readonly leader: ResourceConfig
}

function hadLately({ witness, nowMs }: World, machine: Machine, thing: string): boolean {
  if (machine.things.has(thing)) return true
  const downMs = witness.downs.get(`${machine.id}/${thing}`)
  return downMs !== undefined && nowMs - downMs < NOTICED_MS
}

function wishesOf(resources: readonly ResourceConfig[], id: ResourceId) {
  return resources.find((each) => each.id === id)
}
