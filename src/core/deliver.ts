/**
 * A delivered message on its way to the machine that it concerns. What does not belong to the
 * present session is void; what changes the ledger counts among those that take part.
 */
import { onDetach } from './detach.ts'
import { onForeign } from './foreign.ts'
import type { Message } from './message.ts'
import { onMigrate, onUnlink } from './migrate.ts'
import type { NodeId } from './model.ts'
import { onOrderStep, onRequest } from './orders.ts'
import { noteSaved, onReport } from './report.ts'
import { admits, onAccuse, onReady, onSync } from './session.ts'
import { type State, say, set, type Turn } from './state.ts'
import {
  onCondemn,
  onConfirm,
  onDefer,
  onFence,
  onForget,
  onGoodbye,
  onGrant,
  onRelease,
  onRested,
  onSettle,
  onUnbar,
  onUnfence,
  onUnwatch,
  onVerdict,
  reelect,
} from './verdicts.ts'
import { onWant } from './wants.ts'
import { proveLease } from './watchdog.ts'

/** Takes a message for what it says; its sender and its process number are CPG's word. */
export function onMessage(turn: Turn, from: NodeId, pid: number, message: Message): void {
  if (!admits(turn, from, pid, message)) return
  hearSelf(turn, from, message)
  switch (message.say) {
    case 'sync':
      return onSync(turn, from, message.sync)
    case 'foreign':
      return onForeign(turn, from, message.theirs, message.ours)
    case 'again':
      // It has begun its round by being admitted.
      return
    case 'ready':
      return onReady(turn, from, message.digest, message.durable)
    case 'accuse':
      return onAccuse(turn, from, message.node)
    case 'report':
      onReport(turn, from, message.report)
      keepTime(turn, from)
      if (takesPart(turn.state, from)) reelect(turn, undefined)
      return
    case 'ack':
    case 'grant':
    case 'migrate':
    case 'unlink':
    case 'release':
    case 'condemn':
    case 'fence':
    case 'verdict':
    case 'settle':
    case 'defer':
    case 'forget':
    case 'rested':
    case 'unwatch':
    case 'request':
    case 'refuse':
    case 'confirm':
    case 'unbar':
    case 'unfence':
    case 'want':
    case 'resign':
    case 'goodbye':
    case 'detach':
      if (takesPart(turn.state, from)) {
        onDecision(turn, from, message)
        reelect(turn, message.say === 'resign' ? from : undefined)
      }
  }
}

/**
 * Decisions count among the members of an open session only, and alike at all of them. Whoever was
 * left out holds an older ledger, to which they do not apply.
 */
function takesPart({ session }: State, from: NodeId): boolean {
  return session?.open === true && session.adopted && session.merged!.members.includes(from)
}

function onDecision(turn: Turn, from: NodeId, message: Message): void {
  switch (message.say) {
    case 'ack':
      return noteSaved(turn, from, message.step)
    case 'grant':
      return onGrant(turn, from, message)
    case 'migrate':
      return onMigrate(turn, from, message)
    case 'unlink':
      return onUnlink(turn, from, message)
    case 'release':
      return onRelease(turn, from, message)
    case 'condemn':
      return onCondemn(turn, from, message)
    case 'fence':
      return onFence(turn, from, message)
    case 'verdict':
      return onVerdict(turn, from, message)
    case 'settle':
      return onSettle(turn, from, message.node)
    case 'defer':
      return onDefer(turn, from, message)
    case 'forget':
      return onForget(turn, from, message.id, message.round)
    case 'rested':
      return onRested(turn, from, message.node)
    case 'unwatch':
      return onUnwatch(turn, from, message.node)
    case 'confirm':
      return onConfirm(turn, from, message)
    case 'unbar':
      return onUnbar(turn, from, message.node, message.id)
    case 'unfence':
      return onUnfence(turn, from, message)
    case 'want':
      return onWant(turn, from, message)
    case 'request':
      return onRequest(turn, message)
    case 'refuse':
      return onOrderStep(turn, message.id, 'refused', message.because)
    case 'goodbye':
      return onGoodbye(turn, from, message.report)
    case 'detach':
      return onDetach(turn, from)
    case 'resign':
      say(turn, 'warn', `${from} does not coordinate any more: ${message.because}`, { node: from })
      return
    case 'sync':
    case 'foreign':
    case 'again':
    case 'ready':
    case 'report':
    case 'accuse':
      throw new Error(`${message.say} is not a decision`)
  }
}

/**
 * All come to beat with the first member, a quarter of a beat sooner at a time and never later than
 * they would: each daemon then wakes once a beat instead of once for every member.
 */
function keepTime(turn: Turn, from: NodeId): void {
  const { session, self, nextBeatMs, config } = turn.state
  if (from === self || session?.open !== true || session.merged!.members[0] !== from) return
  const { beatMs } = config.timing
  const earlyMs = nextBeatMs - turn.nowMs
  if (earlyMs <= 0 || earlyMs > 0.9 * beatMs) return
  set(turn, { nextBeatMs: Math.max(turn.nowMs, nextBeatMs - beatMs / 4) })
}

/** A beat of ours has come back: as of its sending, this daemon was in the present ring. */
function hearSelf(turn: Turn, from: NodeId, message: Message): void {
  if (from !== turn.state.self) return
  const report =
    message.say === 'report' || message.say === 'goodbye'
      ? message.report
      : message.say === 'sync'
        ? message.sync.report
        : undefined
  if (report === undefined) return
  proveLease(turn, report.sentMs)
  if (report.sentMs <= turn.state.echoMs) return
  set(turn, { echoMs: report.sentMs })
}
