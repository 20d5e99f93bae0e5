/**
 * The lease: until when this node's watchdog is fed (H6, H7). Whoever holds something is fed only
 * while it belongs to a quorum, and a while longer, in which everything has to stop; a node that
 * cannot stop, or whose loop hangs, is reset. Whoever holds nothing is fed in any case, or every
 * node of a minority would be reset again and again.
 *
 * The lease begins when a beat was sent that came back in the present ring, of which votequorum has
 * said that it is quorate (S3). It is not extended any more from the moment at which the ring
 * changes, whatever a verdict says later (S4), and what was given is not taken back. It is a net
 * and no proof: nobody starts anything because somebody else's lease is over.
 */
import { entryOf } from './ledger.ts'
import { isLeftAlone } from './maintenance.ts'
import type { WatchdogReport } from './message.ts'
import { type NodeId, type RingId, sameRing } from './model.ts'
import { freshId, quorateHere, type State, say, set, type Turn } from './state.ts'
import { strangeThings } from './strange.ts'

export interface Lease {
  /** `inherited`: a former daemon has armed it, and this one does not feed it yet. */
  readonly at: 'unarmed' | 'inherited' | 'arming' | 'armed'
  /** The effect that has armed it, or is about to. */
  readonly id: number
  /** How long the device waits to be fed, as it says itself. */
  readonly timeoutMs: number
  /** It is fed until then. */
  readonly untilMs: number
  /** The newest of our own beats that came back: in which ring, and when it was sent. */
  readonly heard: { readonly ring: RingId; readonly sentMs: number } | undefined
  /** What the device calls itself, or why there is none. */
  readonly detail: string
  readonly retryMs: number
  /** Does a service manager keep it open from this daemon to the next one? */
  readonly keeper: boolean
}

/** With what a life begins: a watchdog is not touched before the node has joined. */
export const noLease: Lease = {
  at: 'unarmed',
  id: 0,
  timeoutMs: 0,
  untilMs: -Infinity,
  heard: undefined,
  detail: '',
  retryMs: -Infinity,
  keeper: false,
}

/**
 * Between the end of the feeding and the reset lie the device's timeout, and so much for what it
 * counts late and rounds: drivers count in seconds, and their clocks drift.
 */
export const driftMs = 1_000
/** A device that could not be had is tried again after this; one that failed, at once. */
const RETRY_MS = 60_000

/** For how long after a proof of belonging to a quorum the watchdog is fed. */
export function feedMs(leaseMs: number, timeoutMs: number): number {
  return leaseMs - timeoutMs - driftMs
}

/** Must this node have a watchdog, and has none? Then it takes nothing. */
export function unguarded({ config, self, lease }: State): boolean {
  return config.watchdog?.modes[self] === 'required' && lease.at !== 'armed'
}

/** What the others are told of it; nothing where it is off. */
export function guardReport(state: State): { readonly watchdog?: WatchdogReport } {
  const { config, self, lease } = state
  if (config.watchdog?.modes[self] === undefined) return {}
  const { at, timeoutMs, detail } = lease
  return { watchdog: { armed: at === 'armed', timeoutMs, detail } }
}

export interface WatchdogStatus extends WatchdogReport {
  readonly mode: 'automatic' | 'required'
  readonly leaseMs: number
  /** For how much longer it is fed as things are; on this node only. */
  readonly fedForMs?: number
  /** Does it go on counting while this daemon is replaced? On this node only. */
  readonly keeper?: boolean
}

/** The watchdog of one node, as this one knows it. */
export function watchdogStatus(
  state: State,
  node: NodeId,
  nowMs: number,
): { readonly watchdog?: WatchdogStatus } {
  const { config, self, session, lease } = state
  const mode = config.watchdog?.modes[node]
  if (config.watchdog === undefined || mode === undefined) return {}
  const { leaseMs } = config.watchdog
  const unheard: WatchdogReport = { armed: false, timeoutMs: 0, detail: '' }
  if (node !== self) {
    return { watchdog: { ...(session?.reports[node]?.watchdog ?? unheard), mode, leaseMs } }
  }
  const own = guardReport(state).watchdog ?? unheard
  const fedForMs = Math.max(0, lease.untilMs - nowMs)
  const { keeper } = lease
  return { watchdog: { ...own, mode, leaseMs, ...(own.armed && { fedForMs, keeper }) } }
}

/** A beat of ours has come back in the present session, and so in the present ring. */
export function proveLease(turn: Turn, sentMs: number): void {
  const { lease, group, config } = turn.state
  if (config.watchdog === undefined || group === undefined) return
  const { heard } = lease
  if (heard !== undefined && sameRing(heard.ring, group.ring) && sentMs <= heard.sentMs) return
  set(turn, { lease: { ...lease, heard: { ring: group.ring, sentMs } } })
}

/** After every event: arm it once this node has joined, then feed it for as long as it may be. */
export function keepLease(turn: Turn): void {
  const { config, self, lease } = turn.state
  if (config.watchdog?.modes[self] === undefined) return
  const idle = lease.at === 'unarmed' || lease.at === 'inherited'
  if (idle && turn.nowMs >= lease.retryMs && hasJoined(turn.state)) {
    return arm(turn, config.watchdog.timeoutMs)
  }
  if (lease.at !== 'armed') return
  const untilMs = renewedMs(turn, lease.timeoutMs)
  // Less than half a beat is not worth telling.
  const isNews = untilMs >= lease.untilMs + config.timing.beatMs / 2
  if (!isNews || !Number.isFinite(untilMs)) return
  set(turn, { lease: { ...lease, untilMs } })
  turn.effects.push({ do: 'lease', untilMs })
}

/** What became of the device. */
export function onArmed(
  turn: Turn,
  { id, ok, timeoutMs, detail }: { id: number; ok: boolean; timeoutMs: number; detail: string },
): void {
  const { lease } = turn.state
  if (lease.id !== id || lease.at === 'unarmed') return
  if (ok) {
    const text = `the watchdog is armed: ${detail}, ${timeoutMs / 1_000} s`
    say(turn, 'info', text, { timeoutMs })
    // What it was armed with counted on the timeout that it was asked for: it is told anew.
    const untilMs = -Infinity
    return set(turn, { lease: { ...lease, at: 'armed', timeoutMs, detail, untilMs } })
  }
  const failed = lease.at === 'armed'
  if (failed) say(turn, 'alarm', `the watchdog fails, and may reset this machine: ${detail}`)
  else if (detail !== lease.detail) say(turn, ...missingText(turn.state, detail))
  const retryMs = turn.nowMs + (failed ? 0 : RETRY_MS)
  set(turn, { lease: { ...lease, at: 'unarmed', untilMs: -Infinity, detail, retryMs } })
}

/** This daemon ends: its watchdog lets this machine be, if everything here is stopped. */
export function disarm(turn: Turn): void {
  if (turn.state.lease.at === 'unarmed') return
  if (!holdsNothing(turn.state)) {
    const things = strangeThings(turn.state).join(', ')
    const because = `${things} may still run here`
    return say(turn, 'alarm', `the watchdog stays armed and will reset this machine: ${because}`)
  }
  set(turn, { lease: { ...turn.state.lease, at: 'unarmed' } })
  turn.effects.push({ do: 'disarm' })
}

/**
 * This daemon makes way for another one, and nobody keeps the watchdog for that one: it lets this
 * machine be until it is armed again. The others wait for that no longer than they said.
 */
export function lookAway(turn: Turn): void {
  if (turn.state.lease.at === 'unarmed') return
  const text = 'the watchdog lets this machine be until another daemon is here'
  say(turn, 'info', text, { node: turn.state.self })
  set(turn, { lease: { ...turn.state.lease, at: 'unarmed' } })
  turn.effects.push({ do: 'disarm' })
}

function missingText({ config, self }: State, detail: string): ['warn' | 'alarm', string] {
  return config.watchdog?.modes[self] === 'required'
    ? ['alarm', `this node takes nothing, because it must have a watchdog: ${detail}`]
    : ['warn', `this node has no watchdog: ${detail}`]
}

function arm(turn: Turn, timeoutMs: number): void {
  const id = freshId(turn)
  const untilMs = renewedMs(turn, timeoutMs)
  set(turn, { lease: { ...turn.state.lease, at: 'arming', id, untilMs } })
  turn.effects.push({ do: 'arm', id, untilMs })
}

/** The config is valid and shared, the ring is quorate, and our own voice has come back (H7). */
function hasJoined(state: State): boolean {
  if (state.session?.adopted !== true || state.leaving !== undefined) return false
  return Number.isFinite(provenMs(state))
}

/** Until when it may be fed, as of now. */
function renewedMs({ state, nowMs }: Turn, timeoutMs: number): number {
  const { leaseMs } = state.config.watchdog!
  const fromMs = holdsNothing(state) ? nowMs : provenMs(state)
  return fromMs + feedMs(leaseMs, timeoutMs)
}

/** When we were last known to belong to a quorum; never, where we have to stop everything. */
export function provenMs(state: State): number {
  const { heard } = state.lease
  const { group, ledger, self } = state
  if (heard === undefined || group === undefined || state.corosyncLost !== '') return -Infinity
  if (!quorateHere(state) || !sameRing(heard.ring, group.ring)) return -Infinity
  const { standing, barred } = entryOf(ledger, self)
  return state.chain && (standing === 'condemned' || barred) ? -Infinity : heard.sentMs
}

/**
 * Is everything here stopped, as a probe has found, and nothing left that nobody can look at? What
 * is in maintenance has not to be: it runs on also without quorum, and no reset may end that.
 */
export function holdsNothing(state: State): boolean {
  for (const id in state.resources) {
    if (state.resources[id]!.at !== 'stopped' && !isLeftAlone(state, id)) return false
  }
  return strangeThings(state).length === 0
}
