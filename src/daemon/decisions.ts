/** What the audit log keeps of a message of the group and of an operator's order: plain facts. */
import type { Facts } from '../audit/chain.ts'
import type { Message, Verdict } from '../core/message.ts'
import type { NodeId, ResourceId } from '../core/model.ts'
import type { OrderState } from '../core/state.ts'

/** A message that decides something, as a line of the audit log. */
export interface Decision {
  readonly kind: string
  /** The node whose entry in the ledger changes where the message counts; for some, none does. */
  readonly node?: NodeId
  readonly facts: Facts
}

/** The decision in a message; `undefined` where it decides nothing that is kept. */
export function decisionIn(by: NodeId, message: Message): Decision | undefined {
  switch (message.say) {
    case 'condemn': {
      const { node: target, id, action, because, requester, barred } = message
      const facts = { target, by, id, action, because, requester, barred }
      return { kind: 'condemn', node: target, facts }
    }
    case 'fence': {
      const { node: target, id, action, because, requester, owner, round, heldBack } = message
      const facts = { target, by, id, action, because, requester, owner, round, heldBack }
      return { kind: 'fence', node: target, facts }
    }
    case 'verdict': {
      const { node: target, id, round, verdict } = message
      return { kind: 'verdict', node: target, facts: { target, by, id, round, ...found(verdict) } }
    }
    case 'settle':
      return { kind: 'settle', node: message.node, facts: { target: message.node, by } }
    case 'defer': {
      const { node: target, because } = message
      return { kind: 'defer', node: target, facts: { target, by, because } }
    }
    case 'confirm': {
      const { node: target, id, boot, because } = message
      return { kind: 'confirm', node: target, facts: { target, by, id, boot, because } }
    }
    case 'want': {
      const { id, action, resource, node, requester, reason } = message
      const facts = { ...named(node, resource), by, id, action, requester, reason }
      return { kind: 'want', facts }
    }
    case 'unbar': {
      const { node: target, id } = message
      return { kind: 'unbar', node: target, facts: { target, by, id } }
    }
    case 'goodbye':
      return { kind: 'left', node: by, facts: { target: by } }
    case 'unfence': {
      const { node: target, id } = message
      return { kind: 'unfence', node: target, facts: { target, by, id } }
    }
    case 'detach':
      return { kind: 'detach', node: by, facts: { target: by } }
    case 'grant': {
      const { to: target, resource, thing } = message
      return { kind: 'grant', node: target, facts: { target, by, resource, thing } }
    }
    case 'migrate': {
      const { from, to: target, resource, thing } = message
      return { kind: 'migrate', node: target, facts: { target, by, from, resource, thing } }
    }
    case 'unlink':
      return {
        kind: 'unlink',
        node: message.node,
        facts: { target: message.node, by, thing: message.thing },
      }
    case 'release': {
      const { node: target, resource, because } = message
      return { kind: 'release', facts: { target, by, resource, because } }
    }
    case 'request': {
      const { id, action, target, resource, requester, reason } = message
      const facts = { ...named(target, resource), by, id, action, requester, reason }
      return { kind: 'request', facts }
    }
    case 'refuse':
      return { kind: 'refuse', facts: { by, id: message.id, because: message.because } }
    case 'resign':
      return { kind: 'resign', facts: { by, because: message.because } }
    case 'sync':
    case 'foreign':
    case 'again':
    case 'ready':
    case 'report':
    case 'ack':
    case 'accuse':
    case 'forget':
    case 'rested':
    case 'unwatch':
      return undefined
  }
}

function found({ proven, level, text, tookMs, late, commanded, evidence }: Verdict): Facts {
  const readings = evidence.map(({ device, raw, askedMs, tookMs: readMs }) => {
    return { device, raw, askedMs, tookMs: readMs }
  })
  return { proven, level, text, tookMs, late, commanded, evidence: readings }
}

/** An operator's order, as this node was given it. */
export function orderFacts(order: OrderState): Facts {
  const { id, action, target, resource, requester, reason } = order
  return { ...named(target, resource), id, action, requester, reason }
}

/** What an order is about: a node, a resource, or both. */
function named(target: NodeId, resource: ResourceId): Facts {
  return { ...(target !== '' && { target }), ...(resource !== '' && { resource }) }
}
