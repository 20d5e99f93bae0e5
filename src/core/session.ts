/**
 * From a ring to an open session: everybody brings a ledger (`sync`), all merge the same, all keep
 * it on disk and say so (`ready`). Whoever stays silent is accused, and a majority goes on without
 * it.
 *
 * Rounds make a session begin again within the same group: when quorum was lost and came back, when
 * somebody was excluded, and when the excluded one is heard again.
 */
import { whyLeftOut } from './foreign.ts'
import { accusersOf, leastOf, loadsAfter } from './halves.ts'
import { digestOf } from './ledger.ts'
import { merge } from './merge.ts'
import type { Message, Sync } from './message.ts'
import { type GroupMember, type NodeId, type RingId, sameRing } from './model.ts'
import { reportOf } from './report.ts'
import { dropGrants } from './resource.ts'
import {
  echoFresh,
  quorateHere,
  type Session,
  say,
  send,
  sessionId,
  set,
  setSession,
  type Turn,
} from './state.ts'

/** CPG has a new ring or a new set of daemons: whatever was agreed before is agreed anew. */
export function onGroup(
  turn: Turn,
  ring: RingId,
  ringMembers: readonly NodeId[],
  members: readonly GroupMember[],
): void {
  const base = baseOf(ring, members)
  const shown = [...new Set([...turn.state.shown, ...members.map(({ node }) => node)])]
  set(turn, { group: { ring, ringMembers, members }, shown })
  // CPG tells of every ring, votequorum only of the newest: this one may have been too small (S7).
  if (ringMembers.length < leastOf(turn.state.config)) set(turn, { chain: false })
  if (!members.some((member) => member.node === turn.state.self)) {
    set(turn, { session: undefined })
    return
  }
  if (turn.state.session?.base === base) return
  beginSession(turn, base, 0, [])
}

/** Begins a round. Every message of an earlier one is void from here on, at every member alike. */
export function beginSession(
  turn: Turn,
  base: string,
  round: number,
  excluded: readonly NodeId[],
): void {
  const session: Session = {
    base,
    round,
    sinceMs: turn.nowMs,
    syncs: {},
    excluded,
    accusers: {},
    merged: undefined,
    adopted: false,
    readies: {},
    open: false,
    reports: {},
    saved: {},
    heardMs: {},
  }
  // A grant belongs to the session it was given in.
  dropGrants(turn)
  const { disk, duty } = turn.state
  set(turn, { session, disk: { ...disk, saved: -1 }, duty: { ...duty, sent: [] } })
  if (!excluded.includes(turn.state.self)) sendSync(turn)
}

/** True when the message belongs to the present session; the wish for a later round begins it. */
export function admits(turn: Turn, from: NodeId, pid: number, message: Message): boolean {
  const { session, group } = turn.state
  if (session === undefined || group === undefined) return false
  if (!group.members.some((member) => member.node === from && member.pid === pid)) return false
  const cut = message.session.lastIndexOf('#')
  const round = Number(message.session.slice(cut + 1))
  if (message.session.slice(0, cut) !== session.base || !Number.isInteger(round)) return false
  if (message.say === 'again' && round > session.round) {
    const excluded = session.excluded.filter((id) => id !== from)
    beginSession(turn, session.base, round, excluded)
  } else if (round !== session.round) {
    return false
  }
  const { heardMs } = turn.state.session!
  setSession(turn, { heardMs: { ...heardMs, [from]: turn.nowMs } })
  return true
}

/** Brings what we know into the session. */
export function sendSync(turn: Turn): void {
  send(turn, { say: 'sync', sync: syncOf(turn) })
}

/**
 * Asks everybody to begin another round, in the order that CPG gives to all. What we know is not
 * said before the round has begun: until then it may change.
 */
export function askForRound(turn: Turn): void {
  const { session } = turn.state
  if (session === undefined) return
  const next = sessionId({ ...session, round: session.round + 1 })
  turn.effects.push({ do: 'send', message: { session: next, say: 'again' } })
}

function syncOf(turn: Turn): Sync {
  const { identity, config, intact, ledger, chain, shown, proposal, group } = turn.state
  const given = proposal && group && sameRing(proposal.ring, group.ring)
  return {
    identity,
    configHash: config.hash,
    ledger: intact ? ledger : undefined,
    chain,
    shown,
    report: reportOf(turn),
    ...(given && { recovery: proposal.recovery }),
  }
}

export function onSync(turn: Turn, from: NodeId, sync: Sync): void {
  const session = turn.state.session!
  if (session.merged !== undefined) return
  // Its steps are those of a ledger that this session is about to replace.
  const report = { ...sync.report, step: 0 }
  const reports = { ...session.reports, [from]: report }
  setSession(turn, { syncs: { ...session.syncs, [from]: sync }, reports })
  tryMerge(turn)
}

function tryMerge(turn: Turn): void {
  const { session, group, config } = turn.state
  if (session === undefined || group === undefined || session.merged !== undefined) return
  const awaited = group.members.filter(({ node }) => !session.excluded.includes(node))
  if (!awaited.every(({ node }) => session.syncs[node] !== undefined)) return
  const merged = merge(config, group, session.syncs)
  if (merged === undefined) return
  setSession(turn, { merged })
  const { self } = turn.state
  if (!merged.members.includes(self) && !session.excluded.includes(self)) {
    say(turn, 'alarm', whyLeftOut(turn.state.session!), { config: config.hash })
  }
  tryAdopt(turn)
}

/** Takes the merged ledger for our own, once this very ring is known to be quorate (S17). */
export function tryAdopt(turn: Turn): void {
  const { session, self } = turn.state
  if (session?.merged === undefined || session.adopted || !quorateHere(turn.state)) return
  if (!session.merged.members.includes(self)) return
  // Nobody could be ready before, however long there was no quorum.
  setSession(turn, { adopted: true, sinceMs: turn.nowMs })
  const { ledger, loads } = turn.state
  set(turn, { loads: loadsAfter(ledger, loads, session.merged.ledger) })
  set(turn, { ledger: session.merged.ledger, intact: true, chain: true, shown: [] })
  set(turn, { disk: { ...turn.state.disk, wanted: true } })
}

/** Says that we hold the merged ledger; repeated with the beat until the session is open. */
export function sendReady(turn: Turn): void {
  const { session, disk } = turn.state
  if (session?.merged === undefined || !session.adopted || session.open) return
  if (disk.ok && disk.saved < session.merged.ledger.epoch.step) return
  send(turn, { say: 'ready', digest: digestOf(session.merged.ledger), durable: disk.ok })
}

export function onReady(turn: Turn, from: NodeId, digest: string, durable: boolean): void {
  const session = turn.state.session!
  if (session.merged === undefined || session.open) return
  const readies = { ...session.readies, [from]: digest }
  const saved = { ...session.saved, [from]: durable ? session.merged.ledger.epoch.step : -1 }
  setSession(turn, { readies, saved })
  const digests = session.merged.members.map((id) => readies[id])
  if (digests.includes(undefined)) return
  // Nobody decides before all have acknowledged one and the same state (S13).
  if (new Set(digests).size > 1) {
    say(turn, 'alarm', 'the members merged different ledgers; nothing is decided in this session')
    return
  }
  setSession(turn, { open: true })
}

/** A member says that another one is silent. When enough say so, they go on without it. */
export function onAccuse(turn: Turn, from: NodeId, accused: NodeId): void {
  const { session, config } = turn.state
  if (session === undefined || session.excluded.includes(accused)) return
  const before = session.accusers[accused] ?? []
  if (before.includes(from)) return
  const accusers = { ...session.accusers, [accused]: [...before, from] }
  setSession(turn, { accusers })
  if (accusers[accused]!.length < accusersOf(config)) return
  say(turn, 'warn', `${accused} has been silent for too long; the others go on without it`, {
    node: accused,
  })
  beginSession(turn, session.base, session.round + 1, [...session.excluded, accused])
}

/**
 * Once a beat: accuse whoever is silent, and repeat what the session still waits for. Only a node
 * that hears itself may accuse; one that has just thawed would accuse everybody.
 */
export function keepSession(turn: Turn): void {
  const { session, group, self, config } = turn.state
  if (session === undefined || group === undefined) return
  if (session.excluded.includes(self)) {
    if (echoFresh(turn.state, turn.nowMs)) askForRound(turn)
    return
  }
  if (session.merged === undefined) sendSync(turn)
  else sendReady(turn)
  if (!echoFresh(turn.state, turn.nowMs)) return
  for (const { node } of group.members) {
    if (node === self || session.excluded.includes(node)) continue
    const lastMs = blamelessMs(session, node)
    if (turn.nowMs - lastMs > config.timing.silentMs) send(turn, { say: 'accuse', node })
  }
}

/** The last instant at which a member had said all that the session could ask of it. */
function blamelessMs(session: Session, node: NodeId): number {
  const heardMs = session.heardMs[node] ?? session.sinceMs
  if (session.merged === undefined) {
    return session.syncs[node] === undefined ? session.sinceMs : heardMs
  }
  // Without quorum nobody can say that it is ready.
  const awaited = session.adopted && !session.open && session.merged.members.includes(node)
  return awaited && session.readies[node] === undefined ? session.sinceMs : heardMs
}

/** votequorum has spoken. Any difference is news, also within the same ring (S11). */
export function onQuorum(turn: Turn, ring: RingId, quorate: boolean): void {
  const { chain } = turn.state
  set(turn, { quorum: { ring, quorate } })
  if (quorate) return tryAdopt(turn)
  set(turn, { chain: false })
  // What we told this session of our proofs is not true any more: agree anew.
  if (chain) askForRound(turn)
}

function baseOf(ring: RingId, members: readonly GroupMember[]): string {
  const names = members.map(({ node, pid }) => `${node}:${pid}`).sort()
  return `${ring.rep}.${ring.seq}/${names.join(',')}`
}
