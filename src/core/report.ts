/**
 * What a member tells the others about itself, once a beat and at every change, and what the ledger
 * makes of it. A node's word counts for the session it was said in, and for no grant that it had
 * not yet processed (S9, S10).
 */
import { isElsewhere, otherForm } from './clones.ts'
import { dumpsHere } from './dumps.ts'
import { countOf, failingOf, keepsAway } from './failures.ts'
import { advance } from './fencing.ts'
import { healthReport } from './health.ts'
import { entryOf, type Hold, type Ledger, withEntry } from './ledger.ts'
import { withArrived } from './live.ts'
import type { Report, ResourceReport } from './message.ts'
import type { NodeId, ResourceId } from './model.ts'
import { heardHere } from './reprieve.ts'
import { type Local, reportedState } from './resource.ts'
import { type State, send, set, setSession, type Turn } from './state.ts'
import { strangeThings } from './strange.ts'
import { guardReport, unguarded } from './watchdog.ts'

/** A report of this node as it is now. */
export function reportOf(turn: Turn): Report {
  const { state, nowMs } = turn
  const seq = state.reportSeq + 1
  set(turn, { reportSeq: seq })
  const resources: Record<ResourceId, ResourceReport> = {}
  for (const resource of state.config.resources) {
    // What is bound to another node is that node's to tell.
    if (isElsewhere(resource, state.self)) continue
    const { id, thing } = resource
    const local = state.resources[id]!
    const { last, grave } = local.failures
    const refuses = keepsAway(local.failures, nowMs) || state.passive !== '' || unguarded(state)
    const failures = countOf(local.failures, failingOf(state.config, resource), nowMs)
    const mends = failures > 0 && !refuses && local.at === 'stopped'
    const told = { failures, last: failures > 0 ? last : '', grave }
    resources[id] = { thing, state: reportedState(local), refuses, mends, ...told }
  }
  for (const thing of strangeThings(state)) {
    const never = { failures: 0, last: '', grave: '' }
    resources[thing] = { thing, state: 'unknown', refuses: true, mends: false, ...never }
  }
  return {
    seq,
    sentMs: nowMs,
    step: state.ledger.epoch.step,
    saved: state.disk.saved,
    resources,
    checks: healthReport(state, nowMs),
    pressing: [...new Set([...Object.keys(state.fencings), ...lingering(state, nowMs)])],
    hears: heardHere(state),
    dumps: dumpsHere(state, nowMs),
    leaving: state.leaving !== undefined,
    detaching: state.detaching !== undefined,
    passive: state.passive !== '',
    durable: state.disk.ok,
    ...guardReport(state),
  }
}

/** Nodes to which a command may still be carried out, though their fencing is over here. */
function lingering(state: State, nowMs: number): string[] {
  return Object.keys(state.aftermath).filter((id) => nowMs < state.aftermath[id]!)
}

/** Tells the others how this node is. */
export function sendReport(turn: Turn): void {
  send(turn, { say: 'report', report: reportOf(turn) })
}

/** Everything here is stopped, and this node goes. */
export function sendGoodbye(turn: Turn): void {
  send(turn, { say: 'goodbye', report: reportOf(turn) })
}

/** Has anything changed that the others should hear of before the next beat? */
export function sameNews(
  before: Readonly<Record<ResourceId, Local>>,
  after: Readonly<Record<ResourceId, Local>>,
): boolean {
  if (before === after) return true
  for (const id in after) {
    const one = before[id]
    const other = after[id]!
    if (one === other) continue
    if (one === undefined || reportedState(one) !== reportedState(other)) return false
    if (one.failures !== other.failures) return false
  }
  return true
}

export function onReport(turn: Turn, from: NodeId, report: Report): void {
  const session = turn.state.session!
  const known = session.reports[from]
  if (known !== undefined && report.seq <= known.seq) return
  // What says the same stays the same, so that nothing is worked out anew because of it.
  const same = known !== undefined && sameResources(known.resources, report.resources)
  const news = same ? { ...report, resources: known.resources } : report
  setSession(turn, { reports: { ...session.reports, [from]: news } })
  if (session.merged === undefined || !session.merged.members.includes(from)) return
  noteSaved(turn, from, report.saved)
  if (!session.open || !session.adopted) return
  const ledger = heard(turn.state.ledger, from, report)
  if (ledger !== turn.state.ledger) set(turn, { ledger })
}

function sameResources(before: Report['resources'], after: Report['resources']): boolean {
  const ids = Object.keys(after)
  if (ids.length !== Object.keys(before).length) return false
  return ids.every((id) => {
    const one = before[id]
    const other = after[id]!
    if (one === undefined || one.thing !== other.thing || one.state !== other.state) return false
    if (one.failures !== other.failures || one.last !== other.last) return false
    return one.refuses === other.refuses && one.mends === other.mends && one.grave === other.grave
  })
}

/** A member's disk keeps the ledger up to this step. */
export function noteSaved(turn: Turn, from: NodeId, step: number): void {
  const session = turn.state.session!
  if (step <= (session.saved[from] ?? -1)) return
  setSession(turn, { saved: { ...session.saved, [from]: step } })
  for (const target of Object.keys(turn.state.fencings)) advance(turn, target)
}

/** The ledger after a member has said what it runs. The very same one if that is no news. */
export function heard(ledger: Ledger, node: NodeId, report: Report): Ledger {
  const entry = entryOf(ledger, node)
  if (entry.standing !== 'member' && entry.standing !== 'condemned') return ledger
  const before = entry.holds === 'anything' ? [] : entry.holds
  const stopped = new Set<string>()
  const held = new Set<string>()
  for (const { thing, state } of Object.values(report.resources)) {
    if (state === 'stopped') stopped.add(thing).add(otherForm(thing, node))
    else held.add(thing)
  }
  const kept = before.filter(({ thing, step, from }) => {
    // What another node may be sending has perhaps not arrived yet.
    if (from) return true
    // A grant that the report does not know of yet stays, whatever the report says.
    return held.has(thing) || step > report.step || !stopped.has(thing)
  })
  const settled = withArrived(kept, report)
  const known = new Set(kept.map((hold) => hold.thing))
  const found: Hold[] = [...held]
    .filter((thing) => !known.has(thing))
    .map((thing) => ({ thing, step: 0 }))
  const same = settled === kept && found.length === 0 && kept.length === before.length
  if (same && entry.holds !== 'anything') return ledger
  return withEntry(ledger, node, { holds: [...settled, ...found] })
}
