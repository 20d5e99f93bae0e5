/**
 * The ledger on this node's disk: one save at a time, the newest ledger next, and the others are
 * told what is kept. A disk that takes nothing, or does not answer, is an alarm; its node takes
 * part, but nobody counts on it.
 */
import { advance } from './fencing.ts'
import { sendReport } from './report.ts'
import { sendReady } from './session.ts'
import { freshId, type Session, type State, say, send, sessionId, set, type Turn } from './state.ts'

const SAVE_RETRY_MS = 5_000

/** Saves what has changed since `before`, unless a save is under way. */
export function save(turn: Turn, before: State): void {
  const { ledger, session, disk } = turn.state
  const changed = ledger !== before.ledger
  const wanted = disk.wanted || (changed && session?.open === true)
  if (wanted !== disk.wanted) set(turn, { disk: { ...disk, wanted } })
  if (!wanted || disk.pending !== undefined || session === undefined) return
  const id = freshId(turn)
  // What is left over from an earlier session is worth keeping, but no word for this one: its steps
  // are those of another ring (S8).
  const belongs = session.adopted ? sessionId(session) : ''
  const pending = { id, session: belongs, step: ledger.epoch.step }
  set(turn, { disk: { ...disk, wanted: false, pending } })
  turn.effects.push({ do: 'save', id, ledger })
}

/** A save is over: tell the others, and go on with what waited for it. */
export function onSaved(turn: Turn, id: number, ok: boolean, detail: string): void {
  const { disk, session } = turn.state
  if (disk.pending?.id !== id) return
  const { pending } = disk
  if (ok !== disk.ok) {
    const text = ok ? 'the disk takes the ledger again' : `the ledger cannot be saved: ${detail}`
    say(turn, ok ? 'info' : 'alarm', text)
  }
  if (!ok) {
    set(turn, { disk: { ...disk, pending: undefined, ok, retryMs: turn.nowMs + SAVE_RETRY_MS } })
    return disk.ok ? sendLame(turn) : sendReady(turn)
  }
  const current = session !== undefined && pending.session === sessionId(session)
  const saved = current ? Math.max(disk.saved, pending.step) : disk.saved
  const beats = isOwed(session, saved) ? disk.beats : 0
  set(turn, { disk: { ...disk, pending: undefined, ok, saved, retryMs: Infinity, beats } })
  if (!current || !session.adopted) return
  if (session.open) send(turn, { say: 'ack', step: saved })
  else sendReady(turn)
  for (const target of Object.keys(turn.state.fencings)) advance(turn, target)
}

/** Once a beat: try again what the disk did not take, and wait no longer for one that hangs. */
export function keepDisk(turn: Turn): void {
  countBeat(turn)
  const { disk } = turn.state
  if (turn.nowMs >= disk.retryMs) set(turn, { disk: { ...disk, wanted: true, retryMs: Infinity } })
}

/**
 * Beats are counted, and not the time: whoever slept has not waited. The others would take a member
 * that waits for its disk for a silent one, and fence it.
 */
function countBeat(turn: Turn): void {
  const { disk, config } = turn.state
  if (disk.pending === undefined) return
  const beats = disk.beats + 1
  set(turn, { disk: { ...disk, beats } })
  const { beatMs, silentMs } = config.timing
  if (!disk.ok || beats * beatMs <= silentMs / 2) return
  const seconds = ((beats * beatMs) / 1000).toFixed(1)
  say(turn, 'alarm', `the ledger cannot be saved: the disk has not answered for ${seconds} s`)
  set(turn, { disk: { ...turn.state.disk, ok: false } })
  sendLame(turn)
}

/** That nobody is to count on this disk is told first: what is said next may open a session. */
function sendLame(turn: Turn): void {
  sendReport(turn)
  sendReady(turn)
}

/** Does a session that begins still wait for what this disk is to keep? */
function isOwed(session: Session | undefined, saved: number): boolean {
  if (session?.merged === undefined || session.open || !session.adopted) return false
  return saved < session.merged.ledger.epoch.step
}
