/**
 * A live move, as its two nodes carry it out (H2). What may be where meanwhile stands in live.ts.
 *
 *     source  running -> sending -> sent -> stopping -> confirming -> stopped
 *     target  stopped -> receiving -> running
 *
 * The source begins when a majority keeps that the target may have it (S8). The target takes it
 * over (`migrate_from`) when the source says that all is sent, and the source stops when the target
 * says that it runs. Whatever else happens ends it on both: either it has arrived, or it is
 * stopped here and there and then started where it belongs, like anything that runs nowhere. What
 * a node finds of a move that it has not brought to its end itself never counts as running.
 */
import { delivered } from './duty.ts'
import { keepersOf } from './halves.ts'
import { maintenanceOf } from './intents.ts'
import { entryOf, mayHold, withEntry } from './ledger.ts'
import { isSent, type LiveMove, moveOf } from './live.ts'
import { isLeftAlone } from './maintenance.ts'
import type { Body, ResourceState } from './message.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'
import { endResource, monitorAtMs, put, run, stopResource } from './resource.ts'
import { authority, type Session, type State, say, set, type Turn } from './state.ts'
import { unguarded } from './watchdog.ts'

type Of<Say extends Body['say']> = Extract<Body, { say: Say }>

/** A resource is to move live: from now on both nodes hold it. */
export function onMigrate(turn: Turn, sender: NodeId, migrate: Of<'migrate'>): void {
  const { resource, thing, from, to } = migrate
  delivered(turn, `migrate:${thing}`)
  const { ledger, self, config, resources } = turn.state
  if (sender !== ledger.coordinator || from === to) return
  const others = Object.keys(ledger.nodes).filter((id) => id !== from)
  // Reports or an operator's word may have come in between.
  if (others.some((id) => mayHold(entryOf(ledger, id), thing))) return
  if (!mayHold(entryOf(ledger, from), thing)) return
  const [source, target] = [entryOf(ledger, from), entryOf(ledger, to)]
  if (source.standing !== 'member' || target.standing !== 'member') return
  if (source.holds === 'anything' || target.holds === 'anything') return
  if ([from, to].some((id) => maintenanceOf(ledger.intents, resource, id) !== undefined)) return
  const step = ledger.epoch.step + 1
  const holds = [...target.holds, { thing, step, from }]
  set(turn, { ledger: withEntry(ledger, to, { holds }) })
  const local = resources[resource]
  if (!config.resources.some(({ id }) => id === resource) || local === undefined) return
  if (self === from) {
    say(turn, 'info', `${resource} is to move live to ${to}`, { resource, node: to })
    if (local.at === 'running' && local.mustStop === '') put(turn, resource, { at: 'sending' })
  }
  if (self === to && local.at === 'stopped') {
    put(turn, resource, { at: 'receiving', grantStep: step, mustStop: '' })
  }
}

/** Nothing more can come from the source. What the target says from now on counts. */
export function onUnlink(turn: Turn, sender: NodeId, { thing, node }: Of<'unlink'>): void {
  delivered(turn, `unlink:${node}:${thing}`)
  const { ledger, self, config } = turn.state
  const move = moveOf(ledger, thing)
  if (sender !== ledger.coordinator || move?.to !== node || !isSent(ledger, move)) return
  const entry = entryOf(ledger, node)
  if (entry.holds === 'anything') return
  const step = ledger.epoch.step + 1
  const others = entry.holds.filter((hold) => hold.thing !== thing)
  set(turn, { ledger: withEntry(ledger, node, { holds: [...others, { thing, step, from: '' }] }) })
  if (node !== self) return
  for (const resource of config.resources) {
    if (resource.thing === thing) lookAnew(turn, resource)
  }
}

/** What was looked at before may have come in since: only a probe begun now tells. */
function lookAnew(turn: Turn, config: ResourceConfig): void {
  const local = turn.state.resources[config.id]!
  const { at, op } = local
  // It has arrived, or is about to; and after a stop a probe follows by itself.
  if (at === 'running' || at === 'receiving' || at === 'stopping' || at === 'stuck') return
  const mustStop = isLeftAlone(turn.state, config.id) ? '' : 'its live move has failed'
  put(turn, config.id, { at: 'unknown', mustStop, attempts: 0, misses: 0, nextMs: turn.nowMs })
  if (op === undefined) return run(turn, config, 'probe')
  put(turn, config.id, { op: { ...op, aborted: true } })
  turn.effects.push({ do: 'abort', id: op.id, resource: config.id })
}

/** After every event: each side of a live move does what the other one has waited for. */
export function followMoves(turn: Turn): void {
  for (const config of turn.state.config.resources) {
    const { at, mustStop } = turn.state.resources[config.id]!
    if (mustStop !== '') continue
    if (at === 'sending' || at === 'sent') followSource(turn, config)
    else if (at === 'receiving') followTarget(turn, config)
    else if (at === 'running') endForgotten(turn, config)
  }
}

/** The ledger that counts, or none while the members still agree on it. */
function agreed({ session }: State): Session | undefined {
  return session?.open && session.adopted ? session : undefined
}

function followSource(turn: Turn, config: ResourceConfig): void {
  const { state } = turn
  const session = agreed(state)
  if (session === undefined) return
  const { at, op } = state.resources[config.id]!
  const move = moveOf(state.ledger, config.thing)
  if (move?.from !== state.self) {
    if (at === 'sent' || op?.op === 'migrate_to') {
      return stopResource(turn, config, 'nobody is to get it any more')
    }
    // Its order was lost with its ring: nothing was begun.
    return put(turn, config.id, { at: 'running', nextMs: monitorAtMs(turn, config) })
  }
  const there = stateAt(state, session, config.id, move.to, move)
  if (there === 'gone') {
    return stopResource(turn, config, `${move.to}, to which it moves live, is lost`)
  }
  if (there === 'unheard') return
  if (there === 'running' && at === 'sent') {
    return stopResource(turn, config, `it runs on ${move.to} now`)
  }
  if (there !== 'receiving') {
    return stopResource(turn, config, `${move.to} does not take it over: it is ${there} there`)
  }
  if (at === 'sending' && op === undefined && mayBegin(turn, session, move)) {
    say(turn, 'info', `${config.id} moves live to ${move.to}`, { resource: config.id })
    run(turn, config, 'migrate_to', { source: state.self, target: move.to })
  }
}

/** It begins when as many disks as have to keep that the target may have it, as a start does. */
function mayBegin(turn: Turn, session: Session, { thing, step }: LiveMove): boolean {
  const { state, nowMs } = turn
  if (authority(state, nowMs) === undefined) return false
  if (!mayHold(entryOf(state.ledger, state.self), thing)) return false
  const kept = Object.values(session.saved).filter((saved) => saved >= step).length
  return kept >= keepersOf(state.config, session.merged?.members)
}

function followTarget(turn: Turn, config: ResourceConfig): void {
  const { state, nowMs } = turn
  const session = agreed(state)
  const { op } = state.resources[config.id]!
  // What has begun to take it over comes to its end first.
  if (session === undefined || op?.op === 'migrate_from') return
  const move = moveOf(state.ledger, config.thing)
  if (move?.to !== state.self || move.from === '' || move.from === state.self) {
    return stopResource(turn, config, 'nobody sends it any more')
  }
  const there = stateAt(state, session, config.id, move.from, move)
  if (there === 'gone') return stopResource(turn, config, `${move.from}, which sends it, is lost`)
  if (there === 'unheard' || there === 'sending') return
  if (there !== 'sent') {
    return stopResource(turn, config, `its live move has failed: it is ${there} on ${move.from}`)
  }
  if (unguarded(state)) return stopResource(turn, config, 'this node has no watchdog')
  if (op !== undefined || authority(state, nowMs) === undefined) return
  run(turn, config, 'migrate_from', { source: move.from, target: state.self })
}

/** A source that does not know of its move any more, because its daemon is another one. */
function endForgotten(turn: Turn, config: ResourceConfig): void {
  const { state } = turn
  if (agreed(state) === undefined) return
  const move = moveOf(state.ledger, config.thing)
  if (move?.from !== state.self) return
  stopResource(turn, config, `its live move to ${move.to} was cut short`)
}

/** What the other side says of it; `unheard` while it may not know of the move yet. */
function stateAt(
  { ledger }: State,
  session: Session,
  id: ResourceId,
  node: NodeId,
  { step }: LiveMove,
): ResourceState | 'gone' | 'unheard' {
  const present = session.merged?.members.includes(node) === true
  if (!present || entryOf(ledger, node).standing !== 'member') return 'gone'
  const report = session.reports[node]
  if (report === undefined || report.step < step) return 'unheard'
  return report.resources[id]?.state ?? 'gone'
}

/** `migrate_to` is over. */
export function onSent(turn: Turn, config: ResourceConfig, ran: Ended): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return endResource(turn, config, local.mustStop)
  if (ran.outcome === 'done') return put(turn, config.id, { at: 'sent' })
  fail(turn, config, `it could not be sent: ${ran.detail}`)
}

/** `migrate_from` is over. */
export function onReceived(turn: Turn, config: ResourceConfig, ran: Ended): void {
  const local = turn.state.resources[config.id]!
  if (local.mustStop !== '') return endResource(turn, config, local.mustStop)
  if (ran.outcome !== 'done') return fail(turn, config, `it has not arrived: ${ran.detail}`)
  say(turn, 'info', `${config.id} has moved here live`, { resource: config.id })
  const nextMs = monitorAtMs(turn, config)
  put(turn, config.id, { at: 'running', attempts: 0, misses: 0, nextMs })
}

interface Ended {
  readonly outcome: string
  readonly detail: string
}

/** Which of the two is to blame nobody can tell, so it counts as a failure of neither. */
function fail(turn: Turn, config: ResourceConfig, because: string): void {
  const text = `the live move of ${config.id} has failed, so it stops and starts: ${because}`
  say(turn, 'warn', text, { resource: config.id })
  endHalfMoved(turn, config, `its live move has failed: ${because}`)
}

/** Nobody knows how much of it is here. In maintenance it is left as it is, and looked for. */
export function endHalfMoved(turn: Turn, config: ResourceConfig, because: string): void {
  put(turn, config.id, { at: 'unknown', nextMs: monitorAtMs(turn, config) })
  stopResource(turn, config, because)
}

/** Why what a probe has found here does not count as running; empty where it does. */
export function whyHalfMoved({ ledger, self }: State, { thing }: ResourceConfig): string {
  const move = moveOf(ledger, thing)
  return move?.to === self ? 'its live move to here was cut short' : ''
}
