/**
 * The decision core of one cluster node: `step(state, event) -> { state, effects }`.
 *
 * It reads no clock, draws no lot and awaits nothing. Time arrives in `event.atMs`; the only way to
 * act is to return an effect. The daemon and the simulator run this same function. This file routes
 * an event to the machine that it concerns, and then looks at the whole once more.
 */
import { decide } from './coordinator.ts'
import { checkDevices, deviceDeadlineMs, onChecked } from './devices.ts'
import { keepDisk, onSaved, save } from './disk.ts'
import type { Effect } from './effect.ts'
import { dropFencing, voidProof } from './ending.ts'
import type { Event } from './event.ts'
import { advance, fencingDeadlineMs, onHeard, onIdentified, onPower, onPressed } from './fencing.ts'
import { leave } from './leaving.ts'
import { blankLedger, entryOf, fromDisk, type Ledger } from './ledger.ts'
import type { Message } from './message.ts'
import type { Config, Identity, NodeId } from './model.ts'
import { keepOrders, onOrder, onOrderStep, onRequest } from './orders.ts'
import { prepare } from './placement.ts'
import { noteSaved, onReport, sameNews, sendReport } from './report.ts'
import { listenForLost, onAsked, onVouched } from './reprieve.ts'
import {
  followOrder,
  onHint,
  onRan,
  resourceDeadlineMs,
  stopResource,
  tickResource,
  untried,
} from './resource.ts'
import { admits, keepSession, onAccuse, onGroup, onQuorum, onReady, onSync } from './session.ts'
import { startGranted } from './starting.ts'
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
  onUnwatch,
  onVerdict,
  reelect,
} from './verdicts.ts'
import { endKept, onWant } from './wants.ts'
import { dropWatches, onWatched } from './watch.ts'

export type { State } from './state.ts'

export interface Step {
  readonly state: State
  readonly effects: readonly Effect[]
}

/** With what a life of the daemon begins. */
export interface Begin {
  readonly self: NodeId
  readonly config: Config
  readonly identity: Identity
  /** The ledger on disk; `undefined` when there is none that can be trusted. */
  readonly ledger: Ledger | undefined
  readonly atMs: number
  /** Why this daemon may only look on, for example after too many crashes. */
  readonly passive?: string
}

/** Begins a life: nothing is known of the resources until they have been probed. */
export function begin({ self, config, identity, ledger, atMs, passive = '' }: Begin): Step {
  const state: State = {
    self,
    config,
    identity,
    passive,
    nextId: 1,
    quorum: undefined,
    group: undefined,
    session: undefined,
    ledger: ledger === undefined ? blankLedger : fromDisk(ledger),
    intact: ledger !== undefined,
    chain: false,
    shown: [],
    disk: { pending: undefined, saved: -1, wanted: false, ok: true, retryMs: Infinity },
    resources: Object.fromEntries(config.resources.map(({ id }) => [id, untried])),
    fencings: {},
    aftermath: {},
    devices: {},
    ears: {},
    watches: {},
    duty: { sinceMs: {}, sent: [], prepared: [] },
    orders: [],
    nextBeatMs: atMs,
    reportSeq: 0,
    echoMs: -Infinity,
    leaving: undefined,
    corosyncLost: '',
    exited: false,
  }
  return step(state, { kind: 'tick', atMs })
}

/**
 * One event: what this node becomes, and what it does. Total, synchronous, without side effects.
 */
export function step(state: State, event: Event): Step {
  if (state.exited) return { state, effects: [] }
  const turn: Turn = { state, effects: [], nowMs: event.atMs }
  route(turn, event)
  follow(turn, state)
  return { state: turn.state, effects: turn.effects }
}

/** The next instant at which a `tick` can change anything. The caller sleeps until then. */
export function deadlineMs(state: State): number {
  if (state.exited) return Infinity
  let earliestMs = Math.min(state.nextBeatMs, deviceDeadlineMs(state))
  for (const id in state.resources) {
    earliestMs = Math.min(earliestMs, resourceDeadlineMs(state.resources[id]!))
  }
  for (const id in state.fencings) {
    earliestMs = Math.min(earliestMs, fencingDeadlineMs(state.fencings[id]!))
  }
  return earliestMs
}

function route(turn: Turn, event: Event): void {
  switch (event.kind) {
    case 'quorum':
      onQuorum(turn, event.ring, event.quorate)
      if (!event.quorate) abandonFencings(turn)
      return
    case 'group':
      return onGroup(turn, event.ring, event.ringMembers, event.members)
    case 'message':
      return onMessage(turn, event.from, event.pid, event.message)
    case 'corosyncLost':
      say(turn, 'alarm', `Corosync is gone: ${event.because}; everything here stops`)
      set(turn, { corosyncLost: event.because, chain: false, session: undefined, group: undefined })
      return abandonFencings(turn)
    case 'saved':
      return onSaved(turn, event.id, event.ok, event.detail ?? '')
    case 'pressed':
      return onPressed(turn, event.id, event.outcome, event.detail)
    case 'power':
      if (onVouched(turn, event.id, event)) sendReport(turn)
      if (!onWatched(turn, event.id, event)) onPower(turn, event.id, event)
      return
    case 'identified':
      onChecked(turn, event)
      return onIdentified(turn, event.id, event.ok, event.detail)
    case 'heard':
      // News of a lost node are told at once: its fencing may be waiting for them.
      if (onAsked(turn, event.id, event.answered)) sendReport(turn)
      return onHeard(turn, event.id, event.silent, event.answered)
    case 'ran': {
      const resource = turn.state.config.resources.find(({ id }) => id === event.resource)
      if (resource !== undefined) onRan(turn, resource, event)
      return
    }
    case 'hint': {
      const resource = turn.state.config.resources.find(({ id }) => id === event.resource)
      if (resource !== undefined) onHint(turn, resource)
      return
    }
    case 'order':
      return onOrder(turn, event.order)
    case 'leave':
      if (turn.state.leaving !== undefined) return
      say(turn, 'info', 'this node leaves: its resources stop first')
      return set(turn, { leaving: { sinceMs: turn.nowMs, goodbye: false } })
    case 'tick':
      return onTick(turn)
  }
}

function onMessage(turn: Turn, from: NodeId, pid: number, message: Message): void {
  if (!admits(turn, from, pid, message)) return
  hearSelf(turn, from, message)
  switch (message.say) {
    case 'sync':
      return onSync(turn, from, message.sync)
    case 'again':
      // It has begun its round by being admitted.
      return
    case 'ready':
      return onReady(turn, from, message.digest, message.durable)
    case 'accuse':
      return onAccuse(turn, from, message.node)
    case 'report':
      onReport(turn, from, message.report)
      if (takesPart(turn.state, from)) reelect(turn, undefined)
      return
    case 'ack':
    case 'grant':
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
    case 'want':
    case 'resign':
    case 'goodbye':
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
    case 'want':
      return onWant(turn, from, message)
    case 'request':
      return onRequest(turn, message)
    case 'refuse':
      return onOrderStep(turn, message.id, 'refused', message.because)
    case 'goodbye':
      return onGoodbye(turn, from, message.report)
    case 'resign':
      say(turn, 'warn', `${from} does not coordinate any more: ${message.because}`, { node: from })
      return
    case 'sync':
    case 'again':
    case 'ready':
    case 'report':
    case 'accuse':
      throw new Error(`${message.say} is not a decision`)
  }
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
  if (report === undefined || report.sentMs <= turn.state.echoMs) return
  set(turn, { echoMs: report.sentMs })
}

function onTick(turn: Turn): void {
  for (const resource of turn.state.config.resources) tickResource(turn, resource)
  for (const target of Object.keys(turn.state.fencings)) advance(turn, target)
  checkDevices(turn)
  if (turn.nowMs < turn.state.nextBeatMs) return
  set(turn, { nextBeatMs: turn.nowMs + turn.state.config.timing.beatMs })
  listenForLost(turn)
  sendReport(turn)
  keepSession(turn)
  keepOrders(turn)
  for (const target of Object.keys(turn.state.fencings)) advance(turn, target)
  forgetAftermath(turn)
  keepDisk(turn)
}

/** What can no longer be carried out is not worth remembering. */
function forgetAftermath(turn: Turn): void {
  const open = Object.entries(turn.state.aftermath).filter(([, untilMs]) => turn.nowMs < untilMs)
  if (open.length < Object.keys(turn.state.aftermath).length) {
    set(turn, { aftermath: Object.fromEntries(open) })
  }
}

/** After every event: what follows for the whole node, in the order of its urgency. */
function follow(turn: Turn, before: State): void {
  if (turn.state.exited) return
  stopWithoutRight(turn)
  followOrder(turn)
  const adopted = turn.state.session?.adopted === true && before.session?.adopted !== true
  if (adopted || turn.state.session !== before.session) reviewFencings(turn, before, adopted)
  startGranted(turn)
  endKept(turn)
  decide(turn)
  const { ledger, fencings } = turn.state
  if (ledger !== before.ledger || fencings !== before.fencings) prepare(turn)
  if (ledger !== before.ledger) {
    dropWatches(turn)
    listenForLost(turn)
  }
  save(turn, before)
  if (!sameNews(before.resources, turn.state.resources)) sendReport(turn)
  leave(turn)
}

/** Without quorum, or on its way out, a node runs nothing (H6). */
function stopWithoutRight(turn: Turn): void {
  const because = rightLost(turn.state)
  if (because === '') return
  // Those that follow come later in most configs: then each is told the reason, not the next one's.
  for (const resource of turn.state.config.resources.toReversed()) {
    stopResource(turn, resource, because)
  }
}

function rightLost(state: State): string {
  if (state.corosyncLost !== '') return 'the local Corosync is gone'
  if (state.quorum?.quorate === false) return 'quorum is lost'
  if (state.leaving !== undefined) return 'this node leaves'
  if (!state.chain) return ''
  const { standing, barred } = entryOf(state.ledger, state.self)
  if (standing === 'condemned') return 'this node is condemned'
  return barred ? 'an operator has switched this node off' : ''
}

/** A new session: our rounds go on where they are still ours and still mean something. */
function reviewFencings(turn: Turn, before: State, adopted: boolean): void {
  const { ledger, fencings, session } = turn.state
  if (!session?.adopted) return
  for (const [target, fencing] of Object.entries(fencings)) {
    const { standing, fencing: record } = entryOf(ledger, target)
    const wanted = record?.id === fencing.id
    const over = standing !== 'lost' && standing !== 'condemned' && fencing.action !== 'on'
    if (!wanted || over) dropFencing(turn, target)
    else if (adopted && othersVanished(before.ledger, ledger, target)) voidProof(turn, target)
  }
}

function othersVanished(before: Ledger, after: Ledger, target: NodeId): boolean {
  return Object.keys(after.nodes).some((id) => {
    if (id === target || entryOf(after, id).standing !== 'lost') return false
    return entryOf(before, id).standing === 'member'
  })
}

function abandonFencings(turn: Turn): void {
  for (const target of Object.keys(turn.state.fencings)) dropFencing(turn, target)
}
