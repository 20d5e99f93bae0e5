/** A person: walks from machine to machine and switches them on, gives orders, restarts daemons. */
import type { Order } from '../core/event.ts'
import { type IntentAction, intentActions, meanings, OURSELVES } from '../core/intents.ts'
import type { OrderAction } from '../core/ledger.ts'
import type { NodeId, ResourceId } from '../core/model.ts'
import { isReal } from './core.ts'
import { startDaemon, tell } from './daemons.ts'
import { judge } from './invariants.ts'
import { applyPower, switchOn } from './machines.ts'
import type { Machine, World } from './world.ts'
import { reinstall } from './write-offs.ts'

/**
 * Give an order to one daemon, as `picket fence` and `picket confirm` do. False where there is none
 * to take it.
 */
export function order(
  world: World,
  via: Machine,
  action: OrderAction | 'detach',
  target: NodeId,
  resource: ResourceId = '',
): boolean {
  const { daemon } = via
  if (daemon === undefined) return false
  const boot = daemon.mind.ledger?.nodes[target]?.boot ?? ''
  const id = `order-${world.witness.orders.size + 1}`
  const order: Order = {
    id,
    action,
    target,
    resource,
    requester: `operator-${world.witness.orders.size + 1}`,
    reason: action === 'confirm' ? 'seen by an operator' : 'an operator wants it',
    ...(action === 'confirm' && { boot }),
  }
  const about = [resource, target].filter((name) => name !== '').join(' ') || 'everything'
  world.say(`operator: ${action} ${about}, to ${via.id}`)
  judge(world, 'onOrder', order)
  tell(world, daemon, { kind: 'order', order })
  return true
}

/** Wants something of a node or a resource, as `picket standby` and its like do. */
export function want(world: World, via: Machine): void {
  const lot = world.lots.fate
  const action = lot.pick(intentActions.filter((each) => !each.endsWith('maintain')))
  const { names } = meanings[action]
  const resource = lot.pick(world.site.config.resources)
  const node = lot.pick(resource.nodes)
  order(world, via, action, names.node ? node : '', names.resource ? resource.id : '')
}

/** Takes a node, a resource or everything into maintenance, or ends what stands of it. */
export function maintain(world: World, via: Machine): void {
  const lot = world.lots.fate
  const standing = (world.ledgerOf(via)?.intents ?? []).filter(({ kind }) => kind === 'maintenance')
  if (standing.length > 0 && lot.chance(60)) {
    const { node, resource } = lot.pick(standing)
    order(world, via, 'unmaintain', node, resource)
    return
  }
  const form = lot.int(0, 3)
  const resource = form === 0 ? lot.pick(world.site.config.resources).id : ''
  const node = form > 1 ? lot.pick(world.machines).id : ''
  order(world, via, 'maintain', node, resource)
}

const opposites = {
  standby: 'unstandby',
  disabled: 'enable',
  moved: 'unmove',
  banned: 'unban',
  maintenance: 'unmaintain',
} as const satisfies Readonly<Record<string, IntentAction>>

/** Takes back everything that operators have wanted. */
function wantNothing(world: World, helpers: readonly Machine[]): void {
  const via = helpers.find((each) => {
    const mind = each.daemon?.mind
    return mind !== undefined && isReal(mind) && mind.session?.open
  })
  if (via === undefined) return
  for (const { kind, resource, node, by } of world.ledgerOf(via)?.intents ?? []) {
    // What the cluster has stopped by itself is what `cleanup` is for.
    if (kind === 'disabled' && by === OURSELVES) order(world, via, 'cleanup', '', resource)
    else order(world, via, opposites[kind], kind === 'moved' ? '' : node, resource)
  }
}

/** SIGTERM: the daemon is asked to go, and stays away until a person starts it again. */
export function leave(world: World, machine: Machine): void {
  const { daemon } = machine
  if (daemon === undefined) return
  world.say(`operator: picketd on ${machine.id} is to leave`)
  machine.resting = true
  tell(world, daemon, { kind: 'leave' })
}

/** `systemctl start picketd`. */
export function comeBack(world: World, machine: Machine): void {
  machine.resting = false
  if (machine.powered && machine.up) startDaemon(world, machine)
}

/**
 * The next machine's turn: current, power button, daemon, an `on` where one was ordered off, and no
 * wishes that anybody would have to remember.
 */
export function tend(world: World, machine: Machine): void {
  reinstall(world, machine)
  if (needsHand(world, machine)) {
    machine.switchedOn = false
    applyPower(world, machine, 'operator, by hand')
  }
  const helpers = world.machines.filter((other) => other.daemon !== undefined)
  const entries = helpers.flatMap((other) => world.ledgerOf(other)?.nodes[machine.id] ?? [])
  // By hand it would be taken for what must not switch it on (F16).
  const watched = entries.some(({ watch }) => watch > 0)
  if (!machine.powered && !watched) switchOn(world, machine, 'operator')
  comeBack(world, machine)
  wantNothing(world, helpers)
  const asked = entries.some(({ barred }) => barred) || (watched && !machine.powered)
  if (entries.some(({ quarantined }) => quarantined)) {
    order(world, world.lots.operator.pick(helpers), 'unfence', machine.id)
  }
  if (asked) order(world, world.lots.operator.pick(helpers), 'on', machine.id)
}

/** What only a person can mend: a node that no device reaches, or a daemon cut off for good. */
function needsHand(world: World, machine: Machine): boolean {
  const { daemon } = machine
  // Its Corosync died, and something of its own can never be stopped: it waits to be fenced.
  if (daemon !== undefined && daemon.orphanMs > 0 && world.nowMs - daemon.orphanMs > 60_000) {
    return true
  }
  const node = world.site.config.nodes.find(({ id }) => id === machine.id)
  if (node === undefined || node.levels.length > 0) return false
  return world.machines.some(
    (other) => world.ledgerOf(other)?.nodes[machine.id]?.standing === 'condemned',
  )
}
