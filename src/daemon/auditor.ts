/**
 * Writes the audit log: stands between the loop and the journal, sees every event and what the core
 * made of it, and notes the decisions that took effect and the attempts that this node made.
 *
 * A decision is a message of the group, and counts where it is delivered. Some are void there, such
 * as the order of a coordinator that no longer is one: what changed nothing is not noted.
 */
import type { Facts } from '../audit/chain.ts'
import type { Audit } from '../audit/log.ts'
import type { Begin, State } from '../core/cluster.ts'
import type { Effect } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import { entryOf } from '../core/ledger.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import { sessionId } from '../core/state.ts'
import { decisionIn, orderFacts } from './decisions.ts'
import type { Say } from './log.ts'
import type { LoopJournal } from './runner.ts'

export interface Auditor extends LoopJournal {
  begin(version: string, beginning: Begin): void
  end(code: number, because: string): void
}

export interface AuditorOptions {
  readonly audit: Pick<Audit, 'note'>
  readonly journal: LoopJournal
  readonly say: Say
  /** The core's state: before the step when an event is appended, after it when it is answered. */
  readonly state: () => State
}

export function openAuditor({ audit, journal, say, state }: AuditorOptions): Auditor {
  const decisions = decisionsFor(audit)
  const attempts = attemptsFor(audit)
  let before = state()
  let event: Event | undefined

  return {
    begin(version, { config, identity, passive = '' }) {
      const { hash, cluster } = config
      const { incarnation, boot } = identity
      const life = { incarnation, boot, pid: process.pid, ...(passive && { passive }) }
      audit.note('start', { version, cluster, config: hash, ...life })
    },
    end: (code, because) => audit.note('stop', { code, because }),
    append(next) {
      journal.append(next)
      before = state()
      event = next
    },
    did(effects) {
      journal.did(effects)
      try {
        const after = state()
        if (event !== undefined) {
          attempts.answered(event)
          decisions.look(event, before, after)
        }
        for (const effect of effects) attempts.asked(effect, after)
      } catch (error) {
        // What a member makes of a message must not depend on who writes down what it was.
        const because = error instanceof Error ? error.message : String(error)
        say('alarm', `Something is missing in the audit log: ${because}.`)
      }
      event = undefined
    },
  }
}

type Noting = AuditorOptions['audit']

/** So many requests and refusals are remembered, which are repeated until they are answered. */
const toldMax = 64

/** Notes what the cluster has decided, and what operators asked for. */
function decisionsFor(audit: Noting) {
  const told = new Set<string>()

  /** Is it the first time? Only the newest are remembered. */
  const isNew = (key: string): boolean => {
    if (told.has(key)) return false
    told.add(key)
    for (const oldest of told) {
      if (told.size <= toldMax) break
      told.delete(oldest)
    }
    return true
  }

  /** Notes the decision in a message, if there is one and it counts; was there one? */
  const noteMessage = (from: NodeId, message: Message, before: State, after: State): boolean => {
    const decision = decisionIn(from, message)
    if (decision === undefined) return false
    const { kind, node, facts } = decision
    const counts =
      node === undefined
        ? isSaid(before, from, message)
        : entryOf(before.ledger, node) !== entryOf(after.ledger, node)
    const repeated = message.say === 'request' || message.say === 'refuse'
    if (counts && (!repeated || isNew(`${kind} ${message.id}`))) audit.note(kind, facts)
    return true
  }

  const noteStandings = (before: State, after: State): void => {
    for (const [target, { standing, because }] of Object.entries(after.ledger.nodes)) {
      const was = before.ledger.nodes[target]?.standing ?? 'not known'
      if (standing !== was) audit.note('standing', { target, was, standing, because })
    }
  }

  const noteOrders = (before: State, after: State): void => {
    for (const order of after.orders) {
      const was = before.orders.find(({ id }) => id === order.id)
      if (was === undefined) audit.note('order', orderFacts(order))
      if (order.at === 'refused' && was?.at !== 'refused' && isNew(`refuse ${order.id}`)) {
        audit.note('refuse', { id: order.id, target: order.target, because: order.because })
      }
    }
  }

  return {
    look(event: Event, before: State, after: State): void {
      const decided =
        event.kind === 'message' && noteMessage(event.from, event.message, before, after)
      if (!decided && after.ledger !== before.ledger) noteStandings(before, after)
      if (after.orders !== before.orders) noteOrders(before, after)
    },
  }
}

type Asked = Extract<Effect, { do: 'press' | 'read' | 'identify' | 'listen' }>

/** Notes what this node asks of fence devices for a fencing, and what they answer. */
function attemptsFor(audit: Noting) {
  /** The questions that have not been answered yet, by the id of their effect. */
  const open = new Map<number, Facts>()

  return {
    asked(effect: Effect, { fencings }: State): void {
      if (!isAsked(effect)) return
      const { target } = effect
      const fencing = fencings[target]
      const device = 'device' in effect ? { device: effect.device } : {}
      if (effect.do === 'press') {
        const facts = { target, ...device, fencing: effect.fencing }
        audit.note('press', { ...facts, action: effect.action })
        open.set(effect.id, facts)
        return
      }
      // Devices are also looked at in quiet times; what they say then belongs to no fencing.
      const own = fencing?.asked?.id === effect.id || fencing?.hush?.id === effect.id
      if (own && fencing) open.set(effect.id, { target, ...device, fencing: fencing.id })
    },
    answered(event: Event): void {
      const common = 'id' in event ? open.get(event.id) : undefined
      if (common === undefined || !('id' in event)) return
      open.delete(event.id)
      switch (event.kind) {
        case 'pressed':
          return audit.note('pressed', { ...common, outcome: event.outcome, detail: event.detail })
        case 'power': {
          const { power, raw, identity = '', boot, detail = '' } = event
          const told = { power, raw, identity, ...(boot !== undefined && { boot }), detail }
          return audit.note('read', { ...common, ...told })
        }
        case 'identified': {
          const { ok, identity = '', detail } = event
          return audit.note('identified', { ...common, ok, identity, detail })
        }
        case 'heard':
          return audit.note('heard', { ...common, silent: event.silent, answered: event.answered })
        case 'saved':
        case 'ran':
      }
    },
  }
}

function isAsked(effect: Effect): effect is Asked {
  switch (effect.do) {
    case 'press':
    case 'read':
    case 'identify':
    case 'listen':
      return true
    default:
      return false
  }
}

/** Is it said in the session that is open here, by one of those who decide in it? */
function isSaid({ session, ledger }: State, from: NodeId, message: Message): boolean {
  if (session === undefined || !session.open || !session.adopted) return false
  if (sessionId(session) !== message.session) return false
  if (message.say === 'release' && from !== ledger.coordinator) return false
  return session.merged?.members.includes(from) === true
}
