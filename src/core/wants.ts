/**
 * Operators' intents (intents.ts) on their way: what the coordinator refuses, what a delivered one
 * makes of the ledger, when the operator is told that it is kept, and which one the coordinator
 * takes back by itself.
 */
import { targetsOf } from './clones.ts'
import { delivered, once } from './duty.ts'
import { failureToStop, isDisabled, stopText } from './failures.ts'
import { isHalf, keepersOf } from './halves.ts'
import {
  isFulfilled,
  isIntentAction,
  OURSELVES,
  orderText,
  whyMeaningless,
  withOrder,
} from './intents.ts'
import { withoutOldWaits } from './maintenance.ts'
import type { Wanted } from './message.ts'
import type { NodeId } from './model.ts'
import { sendReport } from './report.ts'
import { forgetFailures } from './resource.ts'
import { type OrderState, type Session, type State, say, set, type Turn } from './state.ts'

/** Why the coordinator does not take up such an order; else `undefined`. */
export function whyNotWanted(
  { config, ledger, session }: State,
  { action, resource, node }: Wanted,
): string | undefined {
  const meaningless = whyMeaningless(config, ledger.intents, { action, resource, node })
  if (meaningless !== undefined) return meaningless
  if (action !== 'move' || !failedOn(session, resource, node)) return undefined
  const mended = `when that is mended, picket cleanup ${resource}`
  return `${resource} failed on ${node} a moment ago; ${mended}`
}

/** It holds from now on, at every member alike. */
export function onWant(turn: Turn, from: NodeId, wanted: Wanted): void {
  const { action, resource, node, requester, reason, id } = wanted
  delivered(turn, `unmove:${resource}`)
  delivered(turn, `disable:${resource}`)
  const { ledger } = turn.state
  if (from !== ledger.coordinator) return
  // An operator has disabled it in between: it is not ours to take back.
  const ours = action === 'disable' && requester === OURSELVES
  if (ours && isDisabled(ledger.intents, resource)) return
  const intents = withOrder(ledger.intents, wanted, requester, reason)
  const why = reason === '' ? '' : `: ${reason}`
  const facts = { ...(node && { node }), ...(resource && { resource }) }
  say(turn, 'info', `${orderText({ action, resource, node })}, by ${requester}${why}`, facts)
  if (action === 'cleanup') {
    for (const { id: each } of targetsOf(turn.state.config.resources, resource)) {
      forgetFailures(turn, each)
    }
    sendReport(turn)
  }
  if (intents !== ledger.intents) {
    const epoch = { ...ledger.epoch, step: ledger.epoch.step + 1 }
    set(turn, { ledger: withoutOldWaits(ledger, { ...ledger, epoch, intents }) })
  }
  const { orders } = turn.state
  const { epoch } = turn.state.ledger
  const keeping = (order: OrderState): OrderState => {
    const because = 'it holds; a majority of disks is to keep it'
    return { ...order, at: 'keeping', because, epoch }
  }
  if (!orders.some((order) => order.id === id && order.at === 'waiting')) return
  set(turn, { orders: orders.map((order) => (order.id === id ? keeping(order) : order)) })
}

/**
 * An order is done when a majority of disks keeps it: then no majority ever forgets it (H9). Half
 * of the nodes can keep it no better than that all of them do, and the operator is told so.
 */
export function endKept(turn: Turn): void {
  const { orders, session, config } = turn.state
  if (!session?.open || !session.adopted || !orders.some(({ at }) => at === 'keeping')) return
  const { epoch, intents } = turn.state.ledger
  const { members } = session.merged!
  const partly = isHalf(config, members)
  const next = orders.map((order): OrderState => {
    if (order.at !== 'keeping' || !isIntentAction(order.action)) return order
    const asked = { action: order.action, resource: order.resource, node: order.target }
    const { seq, rep, step } = order.epoch ?? epoch
    const sameRing = seq === epoch.seq && rep === epoch.rep
    // In another ring, whatever is kept there holds what all have agreed on when it began.
    const awaited = sameRing ? step : 0
    const kept = Object.values(session.saved).filter((saved) => saved >= awaited).length
    if (!sameRing && !isFulfilled(intents, asked)) {
      return { ...order, at: 'refused', because: 'it was lost with its ring; give it once more' }
    }
    if (kept < keepersOf(config, members)) return order
    const only = `only ${members.join(', ')} can keep it before the others are back`
    const because = partly ? `${orderText(asked)}; ${only}` : orderText(asked)
    return { ...order, at: 'done', because, partly }
  })
  if (next.some((order, index) => order !== orders[index])) set(turn, { orders: next })
}

/**
 * A resource that was moved and fails there is not sent there again and again: the move is over,
 * and it runs where it can.
 */
export function endFailedMoves(turn: Turn, session: Session): void {
  for (const { kind, resource, node } of turn.state.ledger.intents) {
    if (kind !== 'moved' || !failedOn(session, resource, node)) continue
    const reason = `it failed on ${node}`
    const back = { id: '', action: 'unmove', resource, node: '' } as const
    once(turn, `unmove:${resource}`, { say: 'want', ...back, requester: OURSELVES, reason })
  }
}

/** Whose `on_fail` is stop stays stopped everywhere once it has failed, until `picket cleanup`. */
export function disableFailed(turn: Turn, session: Session): void {
  for (const resource of turn.state.config.resources) {
    const failed = failureToStop(turn.state, session, resource)
    if (failed === undefined) continue
    const { id } = resource
    const disable = { id: '', action: 'disable', resource: id, node: '' } as const
    const reason = stopText(failed)
    once(turn, `disable:${id}`, { say: 'want', ...disable, requester: OURSELVES, reason })
  }
}

/** Has it failed there, so that the node asks not to be given it again for a while? */
function failedOn(session: Session | undefined, resource: string, node: NodeId): boolean {
  const report = session?.reports[node]
  return report !== undefined && !report.passive && report.resources[resource]?.refuses === true
}
