/**
 * What one node knows, and the small vocabulary in which the machines of the core write their
 * turns.
 *
 * State is immutable: a turn replaces what it changes. A `Turn` collects the new state and the
 * effects of one event, so that the machines can be read from top to bottom.
 */
import type { Detaching } from './detach.ts'
import type { Dumps } from './dumps.ts'
import type { Effect, Say } from './effect.ts'
import { keepersOf, type Loads } from './halves.ts'
import type { Health } from './health.ts'
import type { Epoch, Ledger, OrderAction, Recovery } from './ledger.ts'
import type { Body, Report, Sync, Verdict } from './message.ts'
import type {
  Config,
  DeviceId,
  GroupMember,
  Identity,
  NodeId,
  ResourceId,
  RingId,
} from './model.ts'
import type { Local } from './resource.ts'
import type { Fencing } from './round.ts'
import type { Lease } from './watchdog.ts'

export interface State {
  readonly self: NodeId
  readonly config: Config
  readonly identity: Identity
  /** Why this daemon leads nothing and starts nothing; empty when it is a full member. */
  readonly passive: string
  readonly nextId: number
  /** The newest verdict of votequorum, and how many there were. */
  readonly quorum: { readonly ring: RingId; readonly quorate: boolean } | undefined
  /** The newest word of CPG. */
  readonly group: Group | undefined
  readonly session: Session | undefined
  readonly ledger: Ledger
  /** Can we vouch that our ledger holds everything we have acknowledged? */
  readonly intact: boolean
  /** In quorate rings ever since the ledger's epoch: its proofs hold. */
  readonly chain: boolean
  /** Nodes that have been in our group since then. */
  readonly shown: readonly NodeId[]
  /** How much each node held when it was last agreed on. */
  readonly loads: Loads
  readonly disk: Disk
  readonly resources: Readonly<Record<ResourceId, Local>>
  /** The health checks that are asked here, by what they are about. */
  readonly health: Readonly<Record<string, Health>>
  /** The fencings whose buttons we press, by target. */
  readonly fencings: Readonly<Record<NodeId, Fencing>>
  /** Until when a command to a node may still be carried out, of fencings that are over here. */
  readonly aftermath: Readonly<Record<NodeId, number>>
  readonly devices: Readonly<Record<DeviceId, DeviceHealth>>
  /** What speaks for lost nodes that may be spared for a while, by node and by device asked. */
  readonly ears: Readonly<Record<NodeId | DeviceId, Ear>>
  readonly dumps: Dumps
  /** What the coordinator has read of fenced nodes that may come back by themselves. */
  readonly watches: Readonly<Record<NodeId, Watch>>
  readonly duty: Duty
  readonly orders: readonly OrderState[]
  /** A person's word that was given here, for this ring and no other (recovery.ts). */
  readonly proposal?: { readonly ring: RingId; readonly recovery: Recovery } | undefined
  readonly nextBeatMs: number
  readonly reportSeq: number
  /** When the newest of our own beats that came back was sent; -Infinity before the first. */
  readonly echoMs: number
  readonly leaving: { readonly sinceMs: number; readonly goodbye: boolean } | undefined
  readonly detaching: Detaching | undefined
  /** For how long this node's watchdog is fed. */
  readonly lease: Lease
  /** Set when the local Corosync is gone for good, with the reason. */
  readonly corosyncLost: string
  readonly exited: boolean
}

export interface Group {
  readonly ring: RingId
  readonly ringMembers: readonly NodeId[]
  readonly members: readonly GroupMember[]
}

/**
 * One ring, one set of daemons, one round. It opens when every member has brought its ledger, all
 * have merged them to the same one, and all have said so. Only an open session decides anything.
 */
export interface Session {
  /** Ring and daemons; the round is what tells two attempts in the same group apart. */
  readonly base: string
  readonly round: number
  /** Since when all that it waits for could have come. */
  readonly sinceMs: number
  readonly syncs: Readonly<Record<NodeId, Sync>>
  /** Members that a majority has accused of silence. They take no part until they sync again. */
  readonly excluded: readonly NodeId[]
  /** Who has accused whom. */
  readonly accusers: Readonly<Record<NodeId, readonly NodeId[]>>
  /** Set once everybody's ledger is there: who takes part, and what came out. */
  readonly merged: { readonly members: readonly NodeId[]; readonly ledger: Ledger } | undefined
  /** Has our node taken the merged ledger for its own? */
  readonly adopted: boolean
  readonly readies: Readonly<Record<NodeId, string>>
  readonly open: boolean
  /** The newest report of each member, in this session. */
  readonly reports: Readonly<Record<NodeId, Report>>
  /** The highest step that each member's disk keeps, in this session. */
  readonly saved: Readonly<Record<NodeId, number>>
  /** When we last heard of each member, on our own clock. */
  readonly heardMs: Readonly<Record<NodeId, number>>
}

export interface Disk {
  /** The save under way, if any. One at a time; the newest ledger follows when it is done. */
  readonly pending:
    | { readonly id: number; readonly session: string; readonly step: number }
    | undefined
  /** The step of the present session that the disk keeps; -1 before the first. */
  readonly saved: number
  readonly wanted: boolean
  readonly ok: boolean
  readonly retryMs: number
  /** How many beats a save has gone without an answer, or a session that begins without its own. */
  readonly beats: number
}

export interface DeviceHealth {
  readonly ok: boolean
  /** Since when it has been answering; Infinity while it does not. */
  readonly okSinceMs: number
  readonly checked: boolean
  /** Has it ever answered well here, as the device of that very machine (alarms.ts)? */
  readonly verified: boolean
  readonly identity: string
  readonly detail: string
  /** The question under way. */
  readonly askedId: number | undefined
  readonly nextMs: number
}

/** One path beside the ring on which a lost node is asked for (F18). */
export interface Ear {
  readonly node: NodeId
  readonly askedId: number | undefined
  /** What speaks for the node; empty where nothing does. */
  readonly why: string
  readonly nextMs: number
}

/** The readings of one fenced node that may come back by itself (F16). */
export interface Watch {
  readonly askedId: number | undefined
  /** How often in a row it was read as on. */
  readonly ons: number
  readonly nextMs: number
}

/** What only the coordinator keeps, on its own clock: a new one begins all waits anew (S12). */
export interface Duty {
  /** Since when a condition has been standing, by name. */
  readonly sinceMs: Readonly<Record<string, number>>
  /** What has been sent in this session and is not delivered yet. */
  readonly sent: readonly string[]
  /** Node for which a fencing was prepared here. */
  readonly prepared: readonly string[]
}

/** An operator's order that was given to this node. */
export interface OrderState {
  readonly id: string
  readonly action: OrderAction | 'detach' | 'recover'
  /** Empty where it is about a resource on all nodes. */
  readonly target: NodeId
  /** Empty where it is about a node. */
  readonly resource: ResourceId
  readonly requester: string
  readonly reason: string
  /** What a `confirm` is about; else empty. */
  readonly boot: string
  readonly sinceMs: number
  readonly at: 'waiting' | 'fencing' | 'keeping' | 'done' | 'failed' | 'refused'
  readonly because: string
  readonly verdict?: Verdict | undefined
  /** `keeping`: done as soon as a majority of disks keeps the ledger of this epoch. */
  readonly epoch?: Epoch
  /** Done, and only half of the nodes keep it: it may be lost with them. */
  readonly partly?: boolean
}

/** One event's worth of work: the state as it becomes, the effects as they pile up. */
export interface Turn {
  state: State
  readonly effects: Effect[]
  readonly nowMs: number
}

/** Replaces some fields of the state. */
export function set(turn: Turn, change: Partial<State>): void {
  turn.state = { ...turn.state, ...change }
}

/** Replaces some fields of the session; there must be one. */
export function setSession(turn: Turn, change: Partial<Session>): void {
  const { session } = turn.state
  if (session === undefined) throw new Error('no session to change')
  set(turn, { session: { ...session, ...change } })
}

/** A number that no other effect of this life of the daemon has. */
export function freshId(turn: Turn): number {
  const id = turn.state.nextId
  set(turn, { nextId: id + 1 })
  return id
}

/** The name by which messages of this session know each other. */
export function sessionId(session: Session): string {
  return `${session.base}#${session.round}`
}

/** Multicasts to the session; without one there is nobody to talk to. */
export function send(turn: Turn, body: Body): void {
  const { session } = turn.state
  if (session === undefined) return
  turn.effects.push({ do: 'send', message: { session: sessionId(session), ...body } })
}

/** A sentence for the log. */
export function say(turn: Turn, level: Say['level'], text: string, facts?: Say['facts']): void {
  turn.effects.push(facts ? { do: 'say', level, text, facts } : { do: 'say', level, text })
}

/** Our process number in the group, or `undefined` when we have not joined. */
export function ownMember(state: State): GroupMember | undefined {
  return state.group?.members.find((member) => member.node === state.self)
}

/** Does the newest verdict belong to the newest ring, and is it "quorate"? */
export function quorateHere(state: State): boolean {
  const { quorum, group } = state
  if (quorum === undefined || group === undefined || !quorum.quorate) return false
  return quorum.ring.seq === group.ring.seq && quorum.ring.rep === group.ring.rep
}

/** Has a beat of ours come back lately? A thawed or starved daemon first has to hear itself. */
export function echoFresh(state: State, nowMs: number): boolean {
  return nowMs - state.echoMs <= state.config.timing.echoMs
}

/** The open session, if this node may act in it at this moment. */
export function authority(state: State, nowMs: number): Session | undefined {
  const { session } = state
  // Open for the others is not open for us: whoever was left out holds an old ledger.
  if (session === undefined || !session.open || !session.adopted) return undefined
  if (state.corosyncLost !== '') return undefined
  return quorateHere(state) && echoFresh(state, nowMs) ? session : undefined
}

/** The open session, if this node coordinates it at this moment. */
export function leading(state: State, nowMs: number): Session | undefined {
  if (state.ledger.coordinator !== state.self) return undefined
  return authority(state, nowMs)
}

/** Do as many disks as have to keep the ledger as it is now? Then nobody who decides forgets it. */
export function isKept({ session, ledger, config }: State): boolean {
  if (session === undefined || !session.open || !session.adopted) return false
  const kept = Object.values(session.saved).filter((step) => step >= ledger.epoch.step).length
  return kept >= keepersOf(config, session.merged?.members)
}
