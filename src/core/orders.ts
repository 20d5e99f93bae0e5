/**
 * What operators order: from the node that was asked, over CPG, to the coordinator and back.
 *
 * An order that the coordinator has not taken up within a bound is refused; one that it has taken
 * up is in the ledger, and outlives everybody.
 */

import { beginDetach } from './detach.ts'
import type { Order } from './event.ts'
import { isHalf, keepersOf } from './halves.ts'
import { isIntentAction, whyMeaningless } from './intents.ts'
import { entryOf, type Standing } from './ledger.ts'
import type { Body, Verdict } from './message.ts'
import type { Config, NodeId } from './model.ts'
import { beginRecovery } from './recovery.ts'
import { authority, leading, type OrderState, type State, send, set, type Turn } from './state.ts'
import { whyNotWanted } from './wants.ts'

const TAKEN_UP_WITHIN_MS = 10_000
const KEPT_MS = 600_000
const KEPT_MAX = 50

type Request = Extract<Body, { say: 'request' }>

/** An operator has asked this node for something. */
export function onOrder(turn: Turn, order: Order): void {
  const { id, action, target, resource = '', requester, reason, boot = '' } = order
  const accepted: OrderState = {
    id,
    action,
    target,
    resource,
    requester,
    reason,
    boot,
    sinceMs: turn.nowMs,
    at: 'waiting',
    because: 'on its way to the coordinator',
  }
  set(turn, { orders: [...turn.state.orders.filter((each) => each.id !== id), accepted] })
  if (action === 'detach') return beginDetach(turn, id, order.sure === true)
  if (action === 'recover') return beginRecovery(turn, order)
  const why = refusalHere(turn.state, accepted)
  if (why !== undefined) return onOrderStep(turn, id, 'refused', why)
  request(turn, accepted)
}

/** Once a beat: ask again what nobody has taken up, and forget what is long over. */
export function keepOrders(turn: Turn): void {
  if (turn.state.orders.length === 0) return
  for (const order of turn.state.orders) {
    const { at } = order
    if (!isIntentAction(order.action) && (at === 'fencing' || at === 'failed')) {
      forgotten(turn, order)
    }
    if (order.at !== 'waiting' || order.action === 'detach') continue
    if (turn.nowMs - order.sinceMs > TAKEN_UP_WITHIN_MS) {
      const late =
        order.action === 'recover'
          ? 'the nodes that are left did not agree in time, or Corosync has no quorum: see the log'
          : 'no coordinator took it up in time'
      onOrderStep(turn, order.id, 'refused', late)
    } else {
      request(turn, order)
    }
  }
  const { orders } = turn.state
  const kept = orders.filter((order) => turn.nowMs - order.sinceMs < KEPT_MS).slice(-KEPT_MAX)
  if (kept.length < orders.length) set(turn, { orders: kept })
}

/** An order whose fencing is in no ledger any more is over without a verdict. */
function forgotten(turn: Turn, order: OrderState): void {
  const { ledger, session } = turn.state
  const { standing, fencing } = entryOf(ledger, order.target)
  if (!session?.open || fencing?.id === order.id) return
  onOrderStep(
    turn,
    order.id,
    'refused',
    `it ended without a verdict: ${order.target} is ${standing}`,
  )
}

/** What has become of an order, at the node that was asked. */
export function onOrderStep(
  turn: Turn,
  id: string,
  at: OrderState['at'],
  because: string,
  verdict?: Verdict,
): void {
  const order = turn.state.orders.find((each) => each.id === id)
  if (order === undefined || order.at === 'done' || order.at === 'refused') return
  const next: OrderState = { ...order, at, because, verdict: verdict ?? order.verdict }
  set(turn, { orders: turn.state.orders.map((each) => (each.id === id ? next : each)) })
}

/** The coordinator judges a request; everybody else lets it pass. */
export function onRequest(turn: Turn, message: Request): void {
  if (leading(turn.state, turn.nowMs) === undefined) return
  const { id, action, target, resource, requester, reason } = message
  if (isIntentAction(action)) {
    const order = { id, action, resource, node: target, requester, reason }
    const wanted = { say: 'want', ...order } as const
    const because = whyNotWanted(turn.state, wanted) ?? whyNotKept(turn.state)
    return send(turn, because === undefined ? wanted : { say: 'refuse', id, because })
  }
  const entry = entryOf(turn.state.ledger, target)
  if (entry.fencing?.id === id) return
  const why = refusal(turn.state, message)
  if (why !== undefined) return send(turn, { say: 'refuse', id, because: why })
  if (action === 'confirm') {
    const because = `confirmed dead by ${requester}${reason && `: ${reason}`}`
    return send(turn, { say: 'confirm', node: target, id, boot: message.boot, because })
  }
  if (action === 'unfence') return send(turn, { say: 'unfence', node: target, id })
  if (action !== 'on') {
    send(turn, {
      say: 'condemn',
      node: target,
      id,
      action,
      because: reason || `ordered by ${requester}`,
      requester,
      barred: action === 'off',
    })
    return
  }
  if (entry.standing === 'member') return send(turn, { say: 'unbar', node: target, id })
  send(turn, {
    say: 'fence',
    node: target,
    id,
    action: 'on',
    because: reason || `ordered by ${requester}`,
    requester,
    owner: turn.state.self,
    round: 0,
    confirmFirst: false,
    heldBack: '',
  })
}

function request(turn: Turn, order: OrderState): void {
  const { id, action, target, resource, requester, reason, boot } = order
  if (action === 'detach' || action === 'recover') return
  if (authority(turn.state, turn.nowMs) === undefined) return
  send(turn, { say: 'request', id, action, target, resource, requester, reason, boot })
}

function refusalHere(
  { config, ledger, quorum }: State,
  { action, target, resource }: OrderState,
): string | undefined {
  if (isIntentAction(action)) {
    const order = { action, resource, node: target }
    const meaningless = whyMeaningless(config, ledger.intents, order)
    if (meaningless !== undefined) return meaningless
    if (quorum?.quorate === true) return undefined
    return 'this node has no quorum; without it nobody could keep the order'
  }
  if (!config.nodes.some((node) => node.id === target)) {
    const names = config.nodes.map((node) => node.id).join(', ')
    return `there is no node ${target}; the nodes are ${names}`
  }
  if (quorum?.quorate !== true) return 'this node has no quorum; without it nobody is fenced'
  return undefined
}

function refusal(state: State, { action, target, boot }: Request): string | undefined {
  const node = state.config.nodes.find((each) => each.id === target)
  if (node === undefined) return `there is no node ${target}`
  if (action === 'confirm') return whyNotConfirmed(state, target, boot) ?? whyNotKept(state)
  if (action === 'unfence') {
    const { quarantined } = entryOf(state.ledger, target)
    return quarantined ? undefined : `nothing keeps ${target} out of service for being fenced`
  }
  if (node.levels.length === 0) return `no fence device is configured for ${target}`
  const entry = entryOf(state.ledger, target)
  if (entry.fencing?.owner !== undefined) {
    return `a fencing of ${target} is under way already, by ${entry.fencing.owner}`
  }
  if (action === 'reboot' && entry.barred) return `${target} was ordered off; order it on instead`
  if (action === 'off' && onlyResets(state.config, target)) {
    return resetsOnly(target)
  }
  if (action !== 'on') {
    const unkept = whyNotKept(state) ?? whyHalfKept(state, action)
    if (unkept !== undefined) return unkept
    const others = state.session?.merged?.members.some((id) => id !== target)
    return others ? undefined : `no other member is there to fence ${target}`
  }
  switch (entry.standing) {
    case 'member':
      return entry.barred ? undefined : `${target} is on, and a member`
    case 'lost':
    case 'condemned':
      return entry.barred
        ? `${target} is not proven off yet, and its off goes on; order it on when it is`
        : `${target} is not proven off; order it off first`
    case 'fenced':
    case 'left':
      if (state.ledger.recovery?.nodes.includes(target)) {
        return `${target} is written off: wipe it, and switch it on by hand`
      }
      return entry.late
        ? `a command to ${target} may still be carried out; try again in a moment`
        : undefined
  }
}

/**
 * Why a person's word that this boot of a node is dead counts for nothing (F14); else `undefined`.
 *
 * It is about the boot that the person was shown: a node that has come back since, and was lost
 * once more, is another matter. And it is never taken against a node that can be heard.
 */
export function whyNotConfirmed(state: State, node: NodeId, boot: string): string | undefined {
  const { ledger, group } = state
  const entry = entryOf(ledger, node)
  const daemon = group?.members.some((member) => member.node === node) === true
  const inRing = daemon || group?.ringMembers.includes(node) === true
  const text = nothingToConfirm(node, entry.standing, inRing)
  if (text !== undefined || entry.boot === boot) return text
  return `${node} has been back since the status was shown: look again whether it is dead`
}

/** Why there is nothing that a person could confirm of this node. */
export function nothingToConfirm(
  node: NodeId,
  standing: Standing,
  inRing: boolean,
): string | undefined {
  switch (standing) {
    case 'member':
      return `${node} is a member: its picketd answers, so it runs`
    case 'left':
      return `${node} has left with everything stopped; there is nothing to confirm`
    case 'fenced':
      return `${node} is fenced already; there is nothing to confirm`
    case 'lost':
    case 'condemned':
      return inRing ? `${node} is in the ring: its Corosync answers, so it runs` : undefined
  }
}

/** Why nothing can leave this node off. */
export function resetsOnly(node: NodeId): string {
  return `${node} can only be reset, which does not leave it off; order a reboot`
}

/** Is there no device that could leave this node off? */
export function onlyResets({ nodes, devices }: Config, node: NodeId): boolean {
  const levels = nodes.find(({ id }) => id === node)?.levels ?? []
  const resets = (name: string) =>
    devices.some(({ id, isolation }) => id === name && isolation === 'new-boot')
  return levels.length > 0 && levels.every((level) => level.devices.some(resets))
}

/** Nobody but the half that keeps it would know that a node has to stay off (P4). */
function whyHalfKept({ session, config }: State, action: string): string | undefined {
  if (action !== 'off' || !isHalf(config, session?.merged?.members ?? [])) return undefined
  return 'only half of the nodes are here to keep the order; a lost node is fenced without one'
}

/** An order must outlive whoever carries it out (F4). */
function whyNotKept({ session, config }: State): string | undefined {
  const reports = Object.values(session?.reports ?? {})
  const needed = keepersOf(config, session?.merged?.members)
  return reports.filter((report) => report.durable).length < needed
    ? 'too few disks can keep the order: look at the disks of the nodes'
    : undefined
}
