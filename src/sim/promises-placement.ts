/** H3: who starts after whom, who runs beside whom, and what stops first. */
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
]

function early(
  world: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const { after = [] } = wishesOf(daemon.config.resources, resource) ?? {}
  for (const id of after) {
    const thing = world.thingOf(machine, id)
    const up = world.machines.some((each) => hadLately(world, each, thing))
    const operations = [...machine.operations]
    const coming = operations.some((each) => each.op === 'start' && each.thing === thing)
    if (coming) return `${machine.id} starts ${resource} while ${id} is still starting`
    if (!up && isReal(daemon.mind)) return `${machine.id} starts ${resource}, and ${id} is not up`
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
    const thing = world.thingOf(machine, to)
    const starting = [...machine.operations].some((each) => each.resource === to)
    const granted = daemon.mind.resources[to]?.at === 'granted'
    if (granted || starting || hadLately(world, machine, thing)) continue
    return `${machine.id} starts ${resource}, which must run beside ${to}`
  }
  for (const other of resources) {
    const foes = [wishes.apart.find(({ to }) => to === other.id), namedBy(other, resource)]
    if (!foes.some((pull) => pull?.strength === 'must')) continue
    const found = machine.things.get(world.thingOf(machine, other.id))
    if (found === undefined || found.foreign) continue
    return `${machine.id} starts ${resource}, which must be apart from ${other.id}`
  }
  return undefined
}

const namedBy = ({ apart }: ResourceConfig, id: ResourceId) => apart.find(({ to }) => to === id)

/** Whose own first stop has failed is not waited for, also while it is stopped once more. */
function hasty(
  world: World,
  { daemon, machine, resource, op }: Moments['onRun'],
): string | undefined {
  if (op !== 'stop' || !isReal(daemon.mind)) return undefined
  for (const { id, after } of daemon.config.resources) {
    if (!after.includes(resource)) continue
    const thing = world.thingOf(machine, id)
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
    const known = daemon.mind.resources[id]?.at
    // It has come up since this daemon last looked; or nothing ends it any more but a fencing.
    if (stoppedMs >= found.sinceMs || known === 'stopped' || known === 'stuck') continue
    return `${machine.id} stops ${resource} before ${id}`
  }
  return undefined
}

function hadLately({ witness, nowMs }: World, machine: Machine, thing: string): boolean {
  if (machine.things.has(thing)) return true
  const downMs = witness.downs.get(`${machine.id}/${thing}`)
  return downMs !== undefined && nowMs - downMs < NOTICED_MS
}

function wishesOf(resources: readonly ResourceConfig[], id: ResourceId) {
  return resources.find((each) => each.id === id)
}
