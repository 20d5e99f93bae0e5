/**
 * The decision core of one cluster node: `step(state, event) -> { state, effects }`.
 *
 * It reads no clock, draws no lot and awaits nothing. Time arrives in `event.atMs`; the only way to
 * act is to return an effect. The daemon and the simulator run this same function. This file routes
 * an event to the machine that it concerns, and then looks at the whole once more.
 */
import { isElsewhere } from './clones.ts'
import { decide } from './coordinator.ts'
import { onMessage } from './deliver.ts'
import { detach, isPaused } from './detach.ts'
import { checkDevices, deviceDeadlineMs, onChecked } from './devices.ts'
import { keepDisk, onSaved, save } from './disk.ts'
import { forgetDumps, noDumps, onDump } from './dumps.ts'
import type { Effect } from './effect.ts'
import { dropFencing, voidProof } from './ending.ts'
import type { Event } from './event.ts'
import { advance, fencingDeadlineMs, onHeard, onIdentified, onPower, onPressed } from './fencing.ts'
import { isFrozen } from './freeze.ts'
import { firstLease, type Heirloom, releaseInherited } from './handover.ts'
import { followHealth, healthDeadlineMs, onAnswer, onStirred, tickHealth } from './health.ts'
import { leave } from './leaving.ts'
import { blankLedger, entryOf, fromDisk, type Ledger } from './ledger.ts'
import { leaveAlone } from './maintenance.ts'
import { followMoves } from './migrate.ts'
import type { Config, Identity, NodeId } from './model.ts'
import { keepOrders, onOrder } from './orders.ts'
import { onHint, onRan } from './outcomes.ts'
import { prepare } from './placement.ts'
import { followRecovery } from './recovery.ts'
import { sameNews, sendReport } from './report.ts'
import { listenForLost, onAsked, onVouched } from './reprieve.ts'
import {
  boundElsewhere,
  followOrder,
  resourceDeadlineMs,
  settleFailures,
  stopResource,
  tickResource,
  untried,
} from './resource.ts'
import { keepSession, onGroup, onQuorum } from './session.ts'
import { startGranted } from './starting.ts'
import { type State, say, set, type Turn } from './state.ts'
import { endKept } from './wants.ts'
import { dropWatches, onWatched } from './watch.ts'
import { keepLease, noLease, onArmed } from './watchdog.ts'

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
  /** What was kept of a watchdog, and is to be kept. */
  readonly heirloom?: Heirloom
}

/** Of what is bound to other nodes there is nothing here to look for. */
function instancesElsewhere({ resources }: Config, self: NodeId): State['resources'] {
  const elsewhere = resources.filter((resource) => isElsewhere(resource, self))
  return Object.fromEntries(elsewhere.map(({ id }) => [id, boundElsewhere]))
}

/** Begins a life: nothing is known of the resources until they have been probed. */
export function begin(beginning: Begin): Step {
  const { self, config, identity, ledger, atMs, passive = '', heirloom } = beginning
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
    loads: {},
    disk: { pending: undefined, saved: -1, wanted: false, ok: true, retryMs: Infinity, beats: 0 },
    health: {},
    resources: {
      ...Object.fromEntries(config.resources.map(({ id }) => [id, untried])),
      ...instancesElsewhere(config, self),
    },
    fencings: {},
    aftermath: {},
    devices: {},
    ears: {},
    dumps: noDumps,
    watches: {},
    duty: { sinceMs: {}, sent: [], prepared: [] },
    orders: [],
    nextBeatMs: atMs,
    reportSeq: 0,
    echoMs: -Infinity,
    leaving: undefined,
    detaching: undefined,
    lease: heirloom === undefined ? noLease : firstLease(heirloom),
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
  earliestMs = Math.min(earliestMs, healthDeadlineMs(state))
  for (const id in state.resources) {
    const local = state.resources[id]!
    if (!isPaused(state, local)) earliestMs = Math.min(earliestMs, resourceDeadlineMs(local))
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
    case 'armed':
      return onArmed(turn, event)
    case 'hint': {
      const resource = turn.state.config.resources.find(({ id }) => id === event.resource)
      if (resource !== undefined) onHint(turn, resource)
      return
    }
    case 'checked':
      if (onAnswer(turn, event)) sendReport(turn)
      return
    case 'dumping':
      if (onDump(turn, event.node)) sendReport(turn)
      return
    case 'stirred':
      return onStirred(turn, event.check)
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

function onTick(turn: Turn): void {
  for (const resource of turn.state.config.resources) tickResource(turn, resource)
  for (const target of Object.keys(turn.state.fencings)) advance(turn, target)
  checkDevices(turn)
  if (tickHealth(turn)) sendReport(turn)
  if (turn.nowMs < turn.state.nextBeatMs) return
  set(turn, { nextBeatMs: turn.nowMs + turn.state.config.timing.beatMs })
  listenForLost(turn)
  forgetDumps(turn)
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
  leaveAlone(turn)
  stopWithoutRight(turn)
  followOrder(turn)
  followMoves(turn)
  followHealth(turn)
  settleFailures(turn)
  const adopted = turn.state.session?.adopted === true && before.session?.adopted !== true
  if (adopted || turn.state.session !== before.session) reviewFencings(turn, before, adopted)
  startGranted(turn)
  endKept(turn)
  followRecovery(turn, before)
  decide(turn)
  const { ledger, fencings } = turn.state
  if (ledger !== before.ledger || fencings !== before.fencings) prepare(turn)
  if (ledger !== before.ledger) {
    dropWatches(turn)
    listenForLost(turn)
  }
  save(turn, before)
  keepLease(turn)
  releaseInherited(turn)
  const guarded = turn.state.lease.at === before.lease.at
  if (!guarded || !sameNews(before.resources, turn.state.resources)) sendReport(turn)
  detach(turn)
  leave(turn)
}

/**
 * Without quorum, or on its way out, a node runs nothing (H6) but what is to freeze (H20) and what
 * is in maintenance.
 */
function stopWithoutRight(turn: Turn): void {
  const because = rightLost(turn.state)
  if (because === '') return
  // Those that follow come later in most configs: then each is told the reason, not the next one's.
  for (const resource of turn.state.config.resources.toReversed()) {
    if (isFrozen(turn.state, resource)) continue
    stopResource(turn, resource, because)
  }
}

function rightLost(state: State): string {
  if (state.corosyncLost !== '') return 'the local Corosync is gone'
  if (state.quorum?.quorate === false) return 'quorum is lost'
  if (state.leaving !== undefined) return 'this node leaves'
  if (!state.chain) return ''
  const { standing, barred, quarantined } = entryOf(state.ledger, state.self)
  if (standing === 'condemned') return 'this node is condemned'
  if (quarantined) return 'this node was fenced, and nobody has let it serve again'
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
