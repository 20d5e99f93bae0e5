/**
 * A majority that is lost for good (H26). Fewer nodes than a majority decide only by a person's
 * word: that every node that is missing is dead, and comes back wiped or not at all. The missing
 * ones are written off: for the nodes that are left they count as proven off.
 *
 * Any two majorities share a member, and such nodes share none with the majority that was. So what
 * they decide is held by stricter rules. All of them have to be there for every decision, in a ring
 * without anybody else, and all of them keep each step. One that sees a written-off node in its
 * ring takes the word for void. And it is void where all of them have booted since: whoever has
 * fenced them from outside left no other trace (S7).
 */
import type { Order } from './event.ts'
import { leastOf } from './halves.ts'
import { type Ledger, mayHaveStruck, type NodeEntry, type Recovery } from './ledger.ts'
import type { Sync } from './message.ts'
import { type Config, type FencingRules, type NodeId, sameRing } from './model.ts'
import { onOrderStep } from './orders.ts'
import { askForRound } from './session.ts'
import { type Group, quorateHere, type State, say, set, type Turn } from './state.ts'

type Syncs = Readonly<Record<NodeId, Sync>>

/** By which word these members decide, although they are too few; `undefined` where by none. */
export function recoveryIn(
  config: Config,
  group: Group,
  members: readonly NodeId[],
  syncs: Syncs,
): Recovery | undefined {
  if (config.halves || members.length >= leastOf(config)) return undefined
  const [proposed] = members.flatMap((id) => syncs[id]!.recovery ?? [])
  const boots = Object.fromEntries(members.map((id) => [id, syncs[id]!.identity.boot]))
  const recovery = proposed ? { ...proposed, boots } : agreedBefore(members, syncs)
  if (recovery === undefined) return undefined
  const survivors = config.nodes.filter(({ id }) => !recovery.nodes.includes(id))
  // All that are left, in a ring of their own: whoever is missing could be deciding elsewhere.
  if (!survivors.every(({ id }) => members.includes(id))) return undefined
  if (!group.ringMembers.every((id) => members.includes(id))) return undefined
  return votesText(recovery.votes, survivors.length) === undefined ? recovery : undefined
}

/** The word that all of them keep, while one of them has been up ever since. */
function agreedBefore(members: readonly NodeId[], syncs: Syncs): Recovery | undefined {
  const kept = members.map((id) => syncs[id]!.ledger?.recovery)
  const [first] = kept
  if (first === undefined || first.nodes.length === 0) return undefined
  const same = kept.every((each) => each?.id === first.id && each.nodes.length > 0)
  const stayed = members.some((id) => first.boots[id] === syncs[id]!.identity.boot)
  return same && stayed ? first : undefined
}

/**
 * Do these members remember different recoveries? Then none of them can vouch for what another one
 * has acknowledged: in between, fewer than a majority have decided.
 */
export function hasMixedPast(members: readonly NodeId[], syncs: Syncs): boolean {
  const ledgers = members.flatMap((id) => syncs[id]!.ledger ?? [])
  return new Set(ledgers.map(({ recovery }) => recovery?.id ?? '')).size > 1
}

/** What is kept of an earlier word where it counts no more: that there was one. */
export function overRecovery({ recovery }: Ledger): Recovery | undefined {
  return recovery && { ...recovery, nodes: [] }
}

/** The entry of a written-off node: as if a person had confirmed it dead. */
export function writtenOff(entry: NodeEntry, because: string, rules: FencingRules): NodeEntry {
  const { fencing } = entry
  // A command to it may be on its way, and would hit the node that takes its place (F3).
  const late = entry.late || (fencing?.dangling.length ?? 0) > 0
  const over = { action: 'off', owner: undefined, life: '', last: '' } as const
  return {
    ...entry,
    standing: 'fenced',
    because,
    holds: [],
    late,
    deferred: '',
    detached: false,
    watch: 0,
    rests: entry.rests || (rules.minIntervalMs > 0 && mayHaveStruck(fencing)),
    quarantined: entry.quarantined || rules.rejoin === 'manual',
    fencing: late && fencing !== undefined ? { ...fencing, ...over } : undefined,
  }
}

/**
 * Why Corosync must not expect so many votes; `undefined` where it may: a quorum of them is met by
 * these nodes together, and by no half of them.
 */
export function votesText(votes: number, survivors: number): string | undefined {
  if (Number.isSafeInteger(votes) && votes >= survivors && votes < 2 * survivors) return undefined
  const range = survivors === 1 ? '1 vote' : `${survivors} to ${2 * survivors - 1} votes`
  return `with ${survivors} of the nodes left, ${range} may be expected, not ${votes}`
}

/** An operator has said that all missing nodes are dead for good. */
export function beginRecovery(turn: Turn, order: Order): void {
  const { id, requester, reason, recovery } = order
  const { group } = turn.state
  const why = whyNotRecovered(turn.state, recovery)
  if (why !== undefined || recovery === undefined || group === undefined) {
    return onOrderStep(turn, id, 'refused', why ?? 'no node is named')
  }
  const because = `confirmed dead and written off by ${requester}${reason && `: ${reason}`}`
  const { votes } = recovery
  const nodes = [...recovery.nodes].sort()
  set(turn, { proposal: { ring: group.ring, recovery: { id, nodes, votes, boots: {}, because } } })
  askForRound(turn)
}

/** Why a person's word does not help here; `undefined` where it does. */
export function whyNotRecovered(state: State, asked: Order['recovery']): string | undefined {
  const { config, group } = state
  if (asked === undefined || asked.nodes.length === 0) return 'no node is named'
  if (group === undefined) return 'this node has not joined its group yet'
  if (config.halves) {
    return 'half of the nodes may decide here (two_node or a quorum device): picket confirm does it'
  }
  if (`${group.ring.rep}.${group.ring.seq}` !== asked.ring) {
    return 'the ring has changed since the status was shown: look again who is missing'
  }
  const here = group.members.map(({ node }) => node)
  if (here.length >= leastOf(config)) {
    return 'enough nodes are here to decide: picket confirm is for those that are missing'
  }
  if (state.proposal !== undefined) return 'another order of this kind is under way'
  if (state.session?.open === true) return 'the nodes that are left decide already'
  // Also one that has left the config may still hold what it held (S16).
  const known = new Set([...config.nodes.map(({ id }) => id), ...Object.keys(state.ledger.nodes)])
  const strange = asked.nodes.find((id) => !known.has(id))
  if (strange !== undefined) return `there is no node ${strange}`
  const alive = asked.nodes.find((id) => group.ringMembers.includes(id))
  if (alive !== undefined) return `${alive} is in the ring: its Corosync answers, so it runs`
  const idle = group.ringMembers.find((id) => !here.includes(id))
  if (idle !== undefined) return `picketd does not run on ${idle}: start it first`
  const survivors = config.nodes.filter(({ id }) => !asked.nodes.includes(id))
  const missing = survivors.find(({ id }) => !here.includes(id))
  if (missing !== undefined) {
    return `${missing.id} is missing as well: bring it back, or name it too`
  }
  return votesText(asked.votes, survivors.length)
}

/** After every event: what has become of a word that was given here, and what it needs. */
export function followRecovery(turn: Turn, before: State): void {
  const { proposal, session, ledger, group, orders } = turn.state
  const merged = session?.merged
  const { nodes = [], votes = 0 } = merged?.ledger.recovery ?? {}
  // Corosync takes votes at run time only: after each start of it they are set anew.
  if (merged !== undefined && nodes.length > 0 && !quorateHere(turn.state)) {
    const fresh = before.session?.merged !== merged
    const beat = before.nextBeatMs < turn.state.nextBeatMs
    if ((fresh || beat) && merged.members[0] === turn.state.self) {
      turn.effects.push({ do: 'expect', votes })
    }
  }
  const wasOn = (before.ledger.recovery?.nodes.length ?? 0) > 0
  // Enough are back: Corosync counts all of them again, so that too few of them stop (H6).
  if (wasOn && ledger.recovery?.nodes.length === 0) {
    turn.effects.push({ do: 'expect', votes: turn.state.config.nodes.length })
  }
  if (proposal === undefined) return
  const { id } = proposal.recovery
  if (session?.open === true && session.adopted && ledger.recovery?.id === id) {
    set(turn, { proposal: undefined })
    const text = `${nodes.join(', ')}: ${proposal.recovery.because}`
    say(turn, 'alarm', text, { order: id })
    return onOrderStep(turn, id, 'done', `${text}; the others decide without them`)
  }
  const moved = group === undefined || !sameRing(group.ring, proposal.ring)
  if (moved) onOrderStep(turn, id, 'refused', 'the ring has changed meanwhile: look again')
  const waits = orders.some((order) => order.id === id && order.at === 'waiting')
  if (!moved && waits) return
  // What was said too late must not take effect later.
  set(turn, { proposal: undefined })
  askForRound(turn)
}

/** What stands in every status while nodes are written off. */
export function recoveryAlarm({ ledger, config, group }: State): readonly string[] {
  const { nodes = [], votes = 0 } = ledger.recovery ?? {}
  if (nodes.length === 0) return []
  const left = config.nodes.filter(({ id }) => !nodes.includes(id)).map(({ id }) => id)
  const back = nodes.filter((id) => group?.ringMembers.includes(id))
  if (back.length > 0) {
    return [
      `${back.join(', ')} was written off and is in the ring: nothing is decided by that word ` +
        'any more; start picketd there, or give up those that are still missing',
    ]
  }
  const [are, them] = nodes.length === 1 ? ['is', 'it'] : ['are', 'them']
  return [
    `${nodes.join(', ')} ${are} written off (Corosync expects ${counted(votes)}): nothing is ` +
      `decided unless ${left.join(', ')} ${left.length === 1 ? 'is' : 'are all'} there; wipe ` +
      `${them} before switching ${them} on, or take ${them} out of corosync.conf and the config`,
  ]
}

function counted(votes: number): string {
  return votes === 1 ? '1 vote' : `${votes} votes`
}

/** What to do where too few nodes are left, and it may be for good. */
export function recoveryAdvice(state: State): readonly string[] {
  const { group, config, session } = state
  if (group === undefined || config.halves || session?.open === true) return []
  const left = group.ringMembers.length
  if (left >= leastOf(config)) return []
  const missing = config.nodes.filter(({ id }) => !group.ringMembers.includes(id))
  return [
    `${missing.map(({ id }) => id).join(', ')} are missing, and the others are too few: bring ` +
      `them back; if they are dead for good, picket quorum expected ${left}`,
  ]
}
