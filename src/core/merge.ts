/**
 * How the ledgers that the members bring into a session become one.
 *
 * A pure function of what CPG delivered to everybody, so every member computes the same ledger. The
 * newest one counts, because every decision was acknowledged by a majority and any two majorities
 * share a member (S8). Where too few members can vouch for theirs, absent nodes may hold anything.
 */
import { awaitsJudge } from './failures.ts'
import { isHalf, leastOf } from './halves.ts'
import {
  blankLedger,
  type Epoch,
  entryOf,
  type FencingRecord,
  fingersOf,
  type Hold,
  isOpen,
  isOrdered,
  type Ledger,
  mayHaveStruck,
  type NodeEntry,
  orderedFencing,
  withoutProof,
} from './ledger.ts'
import { withComing } from './live.ts'
import type { Report, Sync } from './message.ts'
import type { Config, FencingRules, NodeId } from './model.ts'
import { hasMixedPast, overRecovery, recoveryIn, writtenOff } from './recovery.ts'
import type { Group } from './state.ts'
import { newest, unite } from './unite.ts'

export interface Merged {
  readonly members: readonly NodeId[]
  readonly ledger: Ledger
}

type Syncs = Readonly<Record<NodeId, Sync>>

/**
 * Merges the ledgers of a session. `undefined` while fewer than a majority of all nodes take part
 * with the same config: such a session cannot decide anything.
 */
export function merge(config: Config, group: Group, syncs: Syncs): Merged | undefined {
  const members = membersOf(config, syncs)
  const recovery = recoveryIn(config, group, members, syncs)
  if (!recovery && members.length < leastOf(config)) return undefined
  // Half of the nodes never go on without others who are here, and only read another config.
  const half = isHalf(config, members)
  const here = config.nodes.filter(({ id }) => syncs[id] !== undefined)
  if (half && members.length < here.length) return undefined
  const best = newest(config, members, syncs)
  const vouches = (id: NodeId) => syncs[id]!.ledger !== undefined
  const vouching = hasMixedPast(members, syncs) ? 0 : members.filter(vouches).length
  const complete = vouching > config.nodes.length - leastOf(config)
  const ledger = best === undefined ? blankLedger : unitedLedger(config, members, syncs, best)
  // What half of the nodes know is complete where they all know it, as to what they have proven.
  const certain = complete || (half && vouching === members.length)
  const chain = certain && best !== undefined && syncs[best]!.chain

  const shown = members.flatMap((id) => syncs[id]!.shown)
  const known = [...config.nodes.map((node) => node.id), ...Object.keys(ledger.nodes)]
  const sameSeq = ledger.epoch.seq === group.ring.seq && ledger.epoch.rep === group.ring.rep
  const step = sameSeq ? ledger.epoch.step + 1 : 1
  const nodes: Record<NodeId, NodeEntry> = {}
  for (const id of [...new Set(known)].sort()) {
    const old = entryOf(ledger, id)
    if (members.includes(id)) {
      nodes[id] = memberEntry(id, old, syncs[id]!, config.rules)
      continue
    }
    const absent = absentEntry(old, {
      complete,
      ...whereabouts(group, id),
      proven: chain && !shown.includes(id),
      nextId: `${id}-${group.ring.seq}.${step}`,
    })
    const dead = recovery?.nodes.includes(id) === true
    nodes[id] = dead ? writtenOff(absent, recovery.because, config.rules) : absent
  }
  const { shots } = ledger
  const epoch: Epoch = { ...group.ring, step, ...(half && { half: members[0] }) }
  const word = recovery ?? overRecovery(ledger)
  const merged: Ledger = {
    epoch,
    coordinator: undefined,
    nodes,
    shots,
    intents: ledger.intents,
    ...(word && { recovery: word }),
  }
  const reports = Object.fromEntries(members.map((id) => [id, syncs[id]!.report]))
  const trusted = members.filter((id) => syncs[id]!.chain)
  const sticky = trusted.find((id) => id === ledger.coordinator)
  const coordinator =
    elect(config, merged, trusted, reports, sticky) ??
    elect(config, merged, members, reports, undefined)
  return { members, ledger: { ...merged, coordinator } }
}

/** In a cluster of halves two members may bring what either half has decided by itself. */
function unitedLedger(
  { halves }: Config,
  members: readonly NodeId[],
  syncs: Syncs,
  best: NodeId,
): Ledger {
  const ledger = syncs[best]!.ledger!
  if (!halves) return ledger
  const others = members.flatMap((id) => (id === best ? [] : (syncs[id]!.ledger ?? [])))
  return unite(ledger, others, members)
}

/**
 * Who leads: the one that led before, if nobody is fitter (S13), else the lowest of the fittest;
 * `undefined` when nobody is able to. A barred, condemned or leaving member leads only where all
 * are, so that an operator's `on` still finds somebody who listens.
 */
export function elect(
  config: Config,
  ledger: Ledger,
  candidates: readonly NodeId[],
  reports: Readonly<Record<NodeId, Report>>,
  sticky: NodeId | undefined,
): NodeId | undefined {
  const unfit = (id: NodeId) => unfitness(config, entryOf(ledger, id), reports[id])
  const able = [...candidates].sort().filter((id) => unfit(id) < Infinity)
  const [best] = able.toSorted((a, b) => unfit(a) - unfit(b))
  if (best === undefined) return undefined
  const keeps = sticky !== undefined && able.includes(sticky) && unfit(sticky) === unfit(best)
  return keeps ? sticky : best
}

/** How unfit a member is to lead or to press a button: 0 fit, Infinity not at all. */
export function unfitness(config: Config, entry: NodeEntry, report: Report | undefined): number {
  if (report === undefined || !report.durable || report.passive) return Infinity
  // Where all are on their way out, one has to see to whoever cannot stop.
  if (report.leaving) return 3
  if (entry.standing === 'condemned') return 2
  if (entry.standing !== 'member') return Infinity
  if (awaitsJudge(config, report)) return 2
  return entry.barred || entry.quarantined ? 1 : 0
}

/**
 * What a report says a node may hold: everything that it does not call stopped. What was granted to
 * it before stays granted, as of the first step, so that a thing found twice stops on the side
 * without the right to it (H15).
 */
function foundHolds(node: NodeId, old: NodeEntry, report: Report): readonly Hold[] {
  const before = old.holds === 'anything' ? [] : old.holds
  const granted = before.filter((hold) => hold.step > 0)
  const found = Object.values(report.resources)
    .filter((resource) => resource.state !== 'stopped')
    .map(({ thing }) => ({ thing, step: granted.some((hold) => hold.thing === thing) ? 1 : 0 }))
  return withComing(node, found, before)
}

/** Those that share the config which most members have; the others count as silent (S16). */
function membersOf(config: Config, syncs: Syncs): NodeId[] {
  const configured = config.nodes.map((node) => node.id).filter((id) => syncs[id] !== undefined)
  const votes = new Map<string, number>()
  for (const id of configured) {
    const hash = syncs[id]!.configHash
    votes.set(hash, (votes.get(hash) ?? 0) + 1)
  }
  const [winner] = [...votes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return configured.filter((id) => syncs[id]!.configHash === winner?.[0]).sort()
}

function memberEntry(
  id: NodeId,
  old: NodeEntry,
  sync: Sync,
  { minIntervalMs, rejoin }: FencingRules,
): NodeEntry {
  const { boot, hardware = old.hardware } = sync.identity
  const rebooted = old.boot !== '' && old.boot !== boot
  const present = {
    boot,
    hardware,
    seen: true,
    deferred: '',
    holds: foundHolds(id, old, sync.report),
  }
  const fencing = old.fencing && interrupted(old.fencing)
  // A condemned node that has rebooted is the cleaned-up node that the fencing was to bring about;
  // one that an operator wants off stays barred.
  if (old.standing === 'condemned' && !rebooted) {
    return { ...old, ...present, fencing }
  }
  const undead = old.standing === 'fenced' && !rebooted
  const unfinished = (fencing?.dangling.length ?? 0) > 0
  // It came back while it was being fenced: that fencing is over as well (F5).
  const struck = mayHaveStruck(fencing)
  const ordered = fencing !== undefined && isOrdered(fencing)
  const late = old.late || unfinished
  return {
    ...old,
    ...present,
    standing: 'member',
    because: undead ? 'it was proven off and yet it never rebooted' : 'it is in the group',
    late,
    rests: old.rests || (minIntervalMs > 0 && struck),
    // Nobody has proven it off, and yet it was.
    quarantined: old.quarantined || (rejoin === 'manual' && rebooted && struck && !ordered),
    detached: false,
    watch: 0,
    fencing: late ? fencing : undefined,
  }
}

interface Circumstances {
  readonly complete: boolean
  /** Does what was proven of it still hold? */
  readonly proven: boolean
  readonly inRing: boolean
  readonly inGroup: boolean
  /** The name of the fencing that begins when it is lost now. */
  readonly nextId: string
}

function whereabouts(group: Group, id: NodeId): { inRing: boolean; inGroup: boolean } {
  return {
    inRing: group.ringMembers.includes(id),
    inGroup: group.members.some((member) => member.node === id),
  }
}

function absentEntry(old: NodeEntry, how: Circumstances): NodeEntry {
  const detached = old.detached && how.inRing && !how.inGroup
  const fencing = old.fencing && interrupted(old.fencing)
  // Joining our group, not Corosync, is what ends `left` and `fenced` (S19).
  const kept = how.proven ? old : withoutProof(old)
  if (kept.standing === 'fenced' || kept.standing === 'left') return { ...kept, fencing }
  const holds = how.complete ? kept.holds : 'anything'
  if (kept.standing === 'condemned') return { ...kept, holds, fencing, detached: false }
  const because =
    old.standing !== 'member' && old.detached === detached
      ? kept.because
      : how.inGroup
        ? 'its daemon is silent, or has another config'
        : detached
          ? 'its daemon is being replaced by another one'
          : how.inRing
            ? 'its daemon is gone while its ring lives on'
            : 'it vanished from the ring without a goodbye'
  const next = isOpen(old) ? fencing : lostAnew(fencing, how.nextId, because)
  return { ...kept, standing: 'lost', because, holds, fencing: next, detached }
}

/**
 * The former fencing is over: of it there is left what may be on its way. What begins now needs
 * leave of the rules like any other (F5, P9).
 */
function lostAnew(
  former: FencingRecord | undefined,
  id: string,
  because: string,
): FencingRecord | undefined {
  if (former === undefined || former.action === 'on') return former
  // Whoever was to stay off is still not to be reset.
  const { dangling, round, staysOff } = former
  const order = { id, because, requester: 'picketd', staysOff, dangling }
  return { ...orderedFencing({ ...order, action: 'off' }), round }
}

/**
 * Nobody owns a round across two sessions; its last owner may still have a finger on the button.
 */
function interrupted(record: FencingRecord): FencingRecord {
  const dangling = fingersOf(record, 0).map((finger) => ({ ...finger, step: 0 }))
  // A round that nobody here has heard of may have been ordered: the next one looks first (P10).
  const round = record.round + 1
  if (record.owner === undefined) return { ...record, round, dangling }
  // It was interrupted, it has not failed: there is no gap to keep before it goes on.
  return { ...record, round, owner: undefined, life: '', last: '', dangling }
}
