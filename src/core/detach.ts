/**
 * How a daemon is replaced by a newer one while its resources run on: it detaches (H8). What is
 * under way is brought to its end and nothing new is begun; then the others are told, and when that
 * has been delivered the process ends. They hold whatever the node holds, and condemn it when no
 * daemon is back within `detachMs`, each coordinator by its own clock.
 *
 * It is no exemption: a detached node whose ring is lost is fenced like any other, and nothing of
 * it starts elsewhere before that.
 */
import { handOver } from './handover.ts'
import { entryOf, withEntry } from './ledger.ts'
import type { NodeId } from './model.ts'
import { onOrderStep } from './orders.ts'
import { sendReport } from './report.ts'
import { dropGrants, type Local } from './resource.ts'
import { authority, type State, say, send, sessionId, set, type Turn } from './state.ts'
import { lookAway } from './watchdog.ts'

export interface Detaching {
  readonly sinceMs: number
  /** The order that asked for it. */
  readonly order: string
  /** The session in which the others were told; empty before. */
  readonly told: string
}

/** An operator wants another daemon here. */
export function beginDetach(turn: Turn, order: string): void {
  const { leaving, corosyncLost, detaching, self, config } = turn.state
  const why =
    corosyncLost !== '' || leaving !== undefined
      ? 'this daemon is on its way out'
      : detaching !== undefined
        ? 'it detaches already'
        : ''
  if (why !== '') return onOrderStep(turn, order, 'refused', why)
  const boundS = config.timing.detachMs / 1000
  say(turn, 'info', `this daemon detaches for at most ${boundS} s: what runs here runs on`, {
    node: self,
    order,
  })
  dropGrants(turn)
  set(turn, { detaching: { sinceMs: turn.nowMs, order, told: '' } })
  onOrderStep(turn, order, 'waiting', 'what is under way here is brought to its end')
  sendReport(turn)
}

/** After every event: tell the others as soon as nothing is under way, or give it up. */
export function detach(turn: Turn): void {
  const { state, nowMs } = turn
  const { detaching } = state
  if (detaching === undefined) return
  // Who decides here has left us out, so there is nobody to tell: being gone is no worse than that.
  const merged = state.session?.merged
  if (merged !== undefined && !merged.members.includes(state.self) && whatEnds(state) === '') {
    lookAway(turn)
    return go(turn, 'left without a word: this node takes no part anyway')
  }
  const session = authority(state, nowMs)
  const { standing } = entryOf(state.ledger, state.self)
  const missing =
    session === undefined
      ? 'the cluster cannot decide now; see `picket status`'
      : standing === 'member'
        ? whatEnds(state)
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
  set(turn, { detaching: undefined })
  say(turn, 'warn', `this daemon does not detach: ${missing}`, { node: state.self })
  onOrderStep(turn, detaching.order, 'refused', gone ? 'this daemon is on its way out' : missing)
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
