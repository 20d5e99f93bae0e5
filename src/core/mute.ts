/**
 * A Corosync that forms rings and then delivers nothing in them, not even what this node says
 * itself: it happens under heavy loss, is safe, and does not always end by itself. Nothing is
 * decided on it; it is told to whoever asks, because only a person can mend it.
 */
import { quorateHere, type State } from './state.ts'

/** Since when nothing has come back, in a ring that should carry messages; 0 before it is long. */
export function muteMs({ session, echoMs, config, corosyncLost }: State, nowMs: number): number {
  if (session === undefined || corosyncLost !== '') return 0
  const sinceMs = nowMs - Math.max(session.sinceMs, echoMs)
  return sinceMs > config.timing.silentMs ? sinceMs : 0
}

/** The same as a sentence; empty while Corosync delivers. */
export function muteText(state: State, nowMs: number): string {
  const forMs = muteMs(state, nowMs)
  if (forMs === 0) return ''
  return `Corosync has delivered nothing here for ${Math.round(forMs / 1_000)} s, not even our own`
}

/** What a person can do about it. Where nothing runs any more nothing is lost by the restart. */
export function muteAdvice(state: State, nowMs: number): string[] {
  if (muteMs(state, nowMs) === 0) return []
  const costs = quorateHere(state) ? '; what runs here moves to another node meanwhile' : ''
  const links = 'Corosync delivers nothing: look at its links (corosync-cfgtool -n)'
  return [`${links}; if they are well, systemctl restart corosync on ${state.self}${costs}`]
}
