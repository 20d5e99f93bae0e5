/** What the cluster itself says of a world: why a service is down, and what waits for a person. */
import { isDisabled } from '../core/failures.ts'
import { OURSELVES } from '../core/intents.ts'
import type { ResourceId } from '../core/model.ts'
import type { State } from '../core/state.ts'
import { describe, type Status } from '../core/status.ts'
import { isReal } from '../sim/core.ts'
import { decidingRing } from '../sim/deciding.ts'
import { clockMs } from '../sim/machines.ts'
import type { Machine, World } from '../sim/world.ts'
import { isReachable } from './clients.ts'
import { type Served, servicesOf } from './services.ts'

export interface Reason {
  /** As people call it: a clone, not its instance. */
  readonly resource: ResourceId
  readonly because: string
}

/** The minds that can decide something now. */
export function minds(world: World): readonly State[] {
  const members: readonly Machine[] = decidingRing(world)?.members ?? []
  return members.flatMap(({ daemon, frozen }) =>
    daemon !== undefined && frozen.daemon === 0 && isReal(daemon.mind) ? [daemon.mind] : [],
  )
}

/** What `picket status` would say on a node that can decide; on any where none can. */
export function picture(world: World): Status | undefined {
  const awake = world.machines.filter(({ daemon, frozen }) => daemon && frozen.daemon === 0)
  const views = awake.flatMap((machine) => {
    const mind = machine.daemon?.mind
    return mind !== undefined && isReal(mind) ? [describe(mind, clockMs(world, machine))] : []
  })
  return views.find(({ ready }) => ready) ?? views[0]
}

/** Of each of these services why nobody serves it. */
export function reasons(world: World, down: readonly ResourceId[]): readonly Reason[] {
  const status = picture(world)
  const services = servicesOf(world.site.config.resources)
  return down.map((resource) => {
    const service = services.find(({ id }) => id === resource)
    return { resource, because: whyDown(world, status, service) }
  })
}

function whyDown(world: World, status: Status | undefined, service: Served | undefined): string {
  if (status === undefined) return 'no node runs picketd'
  if (!status.ready) return status.because
  const own = status.resources.filter(({ id }) => service?.instances.some((each) => each.id === id))
  const [only, ...more] = service?.nodes ?? []
  const stopped = own.every(({ state }) => state === 'stopped')
  const { intents = [] } = minds(world)[0]?.ledger ?? {}
  const disabled = own.some(({ id }) => isDisabled(intents, id))
  if (more.length === 0 && stopped && !disabled) return `it may run on ${only} alone`
  const found = own.find(({ state }) => state !== 'stopped') ?? own[0]
  const machine = world.machines.find(({ id }) => id === found?.node)
  if (found?.state === 'running' && machine !== undefined && !isReachable(world, machine)) {
    return 'it runs where no client reaches it'
  }
  const at = `it is ${found?.state ?? 'unknown'} on ${found?.node ?? 'no node'}`
  return found?.because || at
}

/** What the cluster has stopped everywhere by itself, until `picket cleanup`. */
export function stoppedIn(world: World): readonly Reason[] {
  const intents = minds(world)[0]?.ledger.intents ?? []
  const ours = intents.filter(({ kind, by }) => kind === 'disabled' && by === OURSELVES)
  return servicesOf(world.site.config.resources).flatMap(({ id, instances }) => {
    const found = ours.find(({ resource }) => instances.some((each) => each.id === resource))
    return found === undefined ? [] : [{ resource: id, because: found.reason }]
  })
}
