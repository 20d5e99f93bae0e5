/**
 * How a daemon is replaced by a newer one while its resources run on: it detaches (H8). What is
 * under way is brought to its end and nothing new is begun; then the others are told, and when that
 * has been delivered the process ends. They hold whatever the node holds, and condemn it when no
 * daemon is back within `detachMs`, each coordinator by its own clock.
 *
 * It is no exemption: a detached node whose ring is lost is fenced like any other, and nothing of
 * it starts elsewhere before that.
 */

import { leastOf } from './halves.ts'
import { handOver } from './handover.ts'
import { entryOf, type Ledger, withEntry } from './ledger.ts'
import { whySpared } from './maintenance.ts'
import { merge } from './merge.ts'
import type { NodeId } from './model.ts'
import { onOrderStep } from './orders.ts'
import { sendReport } from './report.ts'
import { dropGrants, type Local } from './resource.ts'
import {
  authority,
  quorateHere,
  type State,
  say,
  send,
  sessionId,
  set,
  type Turn,
} from './state.ts'
import { lookAway } from './watchdog.ts'

export interface Detaching {
  readonly sinceMs: number
  /** The order that asked for it. */
  readonly order: string
  /** Also where too few are left meanwhile. */
  readonly sure: boolean
  /** The session in which the others were told; empty before. */
  readonly told: string
}

/** An operator wants another daemon here, and is sure of it where it costs the majority. */
export function beginDetach(turn: Turn, order: string, sure: boolean): void {
  const { self, config } = turn.state
  const why = whyNever(turn.state, sure)
  if (why !== '') return onOrderStep(turn, order, 'refused', why)
  const boundS = config.timing.detachMs / 1000
  say(turn, 'info', `this daemon detaches for at most ${boundS} s: what runs here runs on`, {
    node: self,
    order,
  })
  dropGrants(turn)
  set(turn, { detaching: { sinceMs: turn.nowMs, order, sure, told: '' } })
  onOrderStep(turn, order, 'waiting', 'what is under way here is brought to its end')
  sendReport(turn)
}

const undecided = 'the cluster cannot decide now; see `picket status`'

/** Why it may not even begin, in a clause; empty where it may. */
function whyNever(state: State, sure: boolean): string {
  const { leaving, corosyncLost, detaching } = state
  if (corosyncLost !== '' || leaving !== undefined) return 'this daemon is on its way out'
  if (detaching !== undefined) return 'it detaches already'
  if (missedByNobody(state) !== '') return ''
  return quorateHere(state) ? whyNotAlone(state, sure) : undecided
}

/**
 * Why there is nobody to tell, in a clause; empty where there is: those who decide have left us
 * out, or enough are here and nobody can decide, as too few of them share one config and version.
 */
function missedByNobody({ session, group, self, config }: State): string {
  if (session === undefined || group === undefined) return ''
  const { merged, syncs } = session
  if (merged !== undefined) {
    return merged.members.includes(self) ? '' : 'this node takes no part anyway'
  }
  const { members } = group
  const allSaid = members.every(({ node }) => syncs[node] !== undefined)
  if (!allSaid || members.length < leastOf(config)) return ''
  const none = merge(config, group, syncs) === undefined
  return none ? 'too few have the same config and version, so nobody decides anyway' : ''
}

/** Why the others cannot do without this daemon now, in a clause; empty where they can. */
function whyNotAlone({ ledger, session, self, group, config }: State, sure: boolean): string {
  // A ledger of an earlier session does not tell who is away now.
  const away = session?.adopted ? otherAway(ledger, self) : ''
  if (away !== '') return away
  // Also whoever has another config counts: it may be the one that comes here, too.
  const [left, least] = [(group?.members.length ?? 0) - 1, leastOf(config)]
  if (sure || left < 1 || left >= least) return ''
  return (
    `without it ${left} of ${config.nodes.length} picketd are there, fewer than the ${least} ` +
    'needed, and nothing is decided before it is back: what fails meanwhile stays down; --yes ' +
    'does it all the same'
  )
}

/** Daemons are replaced one after the other; empty where all the others are there. */
function otherAway(ledger: Ledger, self: NodeId): string {
  const others = Object.keys(ledger.nodes).filter((id) => id !== self)
  // Nobody waits for one that somebody works on: it is not fenced, and may never come back.
  const away = others.find((id) => entryOf(ledger, id).detached && whySpared(ledger, id) === '')
  if (away === undefined) return ''
  return `${away} is without its picketd just now; detach one node after the other`
}

/** After every event: tell the others as soon as nothing is under way, or give it up. */
export function detach(turn: Turn): void {
  const { state, nowMs } = turn
  const { detaching } = state
  if (detaching === undefined) return
  // Being gone is no worse than that.
  const alone = missedByNobody(state)
  if (alone !== '' && whatEnds(state) === '') {
    lookAway(turn)
    return go(turn, `left without a word: ${alone}`)
  }
  const session = authority(state, nowMs)
  const { standing } = entryOf(state.ledger, state.self)
  const missing =
    session === undefined
      ? undecided
      : standing === 'member'
        ? whatEnds(state) || whyNotAlone(state, detaching.sure)
        : `this node is ${standing}`
  if (missing === '') {
    const told = sessionId(session!)
    if (detaching.told === told) return
    set(turn, { detaching: { ...detaching, told } })
    return send(turn, { say: 'detach' })
  }
  const gone = state.leaving !== undefined || state.corosyncLost !== ''
  const pending = state.session !== undefined && detaching.told === sessionId(state.session)
  const late = nowMs - detaching.sinceMs > state.config.timing.detachMs
  if (!gone && (pending || !late)) return
  stay(turn, gone ? 'this daemon is on its way out' : missing)
}

/** It does not go after all. */
function stay(turn: Turn, because: string): void {
  const { detaching, self } = turn.state
  if (detaching === undefined) return
  set(turn, { detaching: undefined })
  say(turn, 'warn', `this daemon does not detach: ${because}`, { node: self })
  onOrderStep(turn, detaching.order, 'refused', because)
}

/** What is still to come to its end, in a clause; empty where nothing is. */
function whatEnds({ resources, fencings }: State): string {
  const [busy] = Object.entries(resources).filter(([, local]) => !isCalm(local))
  if (busy !== undefined) return `${busy[0]} is ${busy[1].op?.op ?? busy[1].at} here`
  const target = Object.values(fencings).find(({ at }) => at !== 'done')?.target
  return target === undefined ? '' : `${target} is being fenced from here`
}

/** Is nothing done to it, and nothing due but a look? */
function isCalm({ at, op, mustStop }: Local): boolean {
  const still = at === 'unknown' || at === 'stopped' || at === 'running'
  return still && op === undefined && mustStop === ''
}

/** Does it wait for nothing but a look, while this daemon begins nothing new? */
export function isPaused({ detaching }: Pick<State, 'detaching'>, local: Local): boolean {
  return detaching !== undefined && isCalm(local)
}

/** A member is about to be without a daemon for a while. It is over when it is delivered. */
export function onDetach(turn: Turn, from: NodeId): void {
  const { ledger, self } = turn.state
  if (entryOf(ledger, from).standing !== 'member') return
  // Two have said it at once, and all have heard the other one first.
  const away = otherAway(ledger, from)
  if (away !== '') return from === self ? stay(turn, away) : undefined
  say(turn, 'info', `${from} detaches: another picketd is to be there soon`, { node: from })
  set(turn, { ledger: withEntry(ledger, from, { detached: true }) })
  if (from !== self) return
  handOver(turn)
  go(turn, 'detached: what runs here runs on')
}

function go(turn: Turn, because: string): void {
  const { detaching } = turn.state
  if (detaching !== undefined) onOrderStep(turn, detaching.order, 'done', because)
  set(turn, { exited: true })
  turn.effects.push({ do: 'exit', code: 0, because })
}
