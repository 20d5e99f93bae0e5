/**
 * What the cluster has agreed on: who is proven what, who may hold what, which fencings are open.
 *
 * Every member holds the same ledger, because all changes are made by messages that CPG delivers in
 * the same order everywhere. It is written in quorate rings only, and kept on disk: from there it
 * may add obligations, but never proof (S7, S17).
 */
import type { Intent, IntentAction } from './intents.ts'
import type { NodeId } from './model.ts'

/** Orders ledgers: the quorate ring it was written in, then the step within that ring (S17). */
export interface Epoch {
  readonly seq: number
  readonly rep: number
  readonly step: number
  /** Written by half of the nodes: the first one of them. Two halves may count the same steps. */
  readonly half?: NodeId | undefined
}

/**
 * `member` takes part. `left` said goodbye with everything stopped. `lost` is unproven. `condemned`
 * is a member, or was one, that must be fenced. `fenced` is proven off, or reset
 * and booted anew.
 */
export type Standing = 'member' | 'left' | 'lost' | 'condemned' | 'fenced'

/** A thing that a node may hold, and the step of the grant that gave it; 0 when it was found. */
export interface Hold {
  readonly thing: string
  readonly step: number
  /** A live move to here is not over: who may still be sending it; empty, where nobody is. */
  readonly from?: NodeId | undefined
}

/**
 * A life of a daemon that may still have a command on its way, and the step at which that was
 * noted, 0 in an earlier ring: what it said before says nothing of it (S9, S13).
 */
export interface Finger {
  readonly node: NodeId
  readonly life: string
  readonly step: number
}

export type FencingAction = 'off' | 'on' | 'reboot'

/**
 * What an operator may order: a change of power, that a person has seen a node dead (F14), that one
 * which was fenced may serve again (H14), or where things should run (H8).
 */
export type OrderAction = FencingAction | 'confirm' | 'unfence' | IntentAction

/**
 * Has a command been sent that was not refused? `perhaps`: the hands were told to, and have not
 * said in time whether they did.
 */
export type Commanded = 'no' | 'perhaps' | 'yes'

/** One fencing: durable before the first command, kept until there is a verdict (F4). */
export interface FencingRecord {
  readonly id: string
  readonly action: FencingAction
  readonly because: string
  readonly requester: string
  /** The member that presses the buttons in this round; nobody between two rounds. */
  readonly owner: NodeId | undefined
  /** The incarnation of the owner's daemon; empty without one. */
  readonly life: string
  readonly round: number
  /** Owners of former rounds whose commands may still be carried out. */
  readonly dangling: readonly Finger[]
  /** What the last round ended with, in a sentence; empty before the first verdict. */
  readonly last: string
  /** An operator wants it off: a reset, after which it runs again, will not do. */
  readonly staysOff: boolean
  /**
   * For certain: then it needs no leave of the storm limit any more. Perhaps is enough for the node
   * to rest when it is back (F5); also where a presser no longer knows what it did.
   */
  readonly commanded: Commanded
}

export interface NodeEntry {
  readonly standing: Standing
  readonly because: string
  /** `anything` where no ledger can be trusted to be complete (S7, S8). */
  readonly holds: 'anything' | readonly Hold[]
  /** Was it a member since the ledger was last read from disk? If not, start-up grace applies. */
  readonly seen: boolean
  /** An operator switched it off: it stays out of service until an operator's `on` (P4). */
  readonly barred: boolean
  /** It was fenced, and serves nothing before an operator's `unfence` (H14, P4). */
  readonly quarantined: boolean
  /** A command to it may still be carried out late: not admitted, not switched on (F3). */
  readonly late: boolean
  /** The last boot it was seen in, so that a return from the dead is noticed. */
  readonly boot: string
  /** The hardware uuid it announced; a device must match it before it counts (S15). */
  readonly hardware: string
  /** Why it is not being fenced just now, in a sentence; empty when nothing holds that back. */
  readonly deferred: string
  /** It was fenced a moment ago: the least interval before its next fencing still runs. */
  readonly rests: boolean
  /** Its daemon has said that another one follows soon; only while its ring lives on. */
  readonly detached: boolean
  /** The level by which its return without an order is still watched for (F16); 0 by none. */
  readonly watch: number
  readonly fencing: FencingRecord | undefined
}

/** A round that may have sent the first command of its fencing, or may be about to. */
export interface Shot {
  readonly id: string
  readonly node: NodeId
  readonly round: number
}

/** A person's word that nodes are dead for good, by which too few nodes decide (recovery.ts). */
export interface Recovery {
  readonly id: string
  /** Those written off; empty where the word counts no more. */
  readonly nodes: readonly NodeId[]
  /** The votes that Corosync is told to expect. */
  readonly votes: number
  /** In which boot each of the others was when it was given. */
  readonly boots: Readonly<Record<NodeId, string>>
  readonly because: string
}

export interface Ledger {
  readonly epoch: Epoch
  readonly coordinator: NodeId | undefined
  readonly nodes: Readonly<Record<NodeId, NodeEntry>>
  /** What counts for the storm limit; without instants, which mean nothing on another machine. */
  readonly shots: readonly Shot[]
  /** What operators want; the newest ledger's word counts (H9). */
  readonly intents: readonly Intent[]
  /** The last word that nodes are dead for good; left out where there was none. */
  readonly recovery?: Recovery | undefined
}

/** A node of which nothing is known: it may be running, and it may hold everything. */
export const unknownNode: NodeEntry = {
  standing: 'lost',
  because: 'it has not been seen since the cluster started',
  holds: 'anything',
  seen: false,
  barred: false,
  quarantined: false,
  late: false,
  boot: '',
  hardware: '',
  deferred: '',
  rests: false,
  detached: false,
  watch: 0,
  fencing: undefined,
}

/** The ledger of a node that has never been in a quorate ring. */
export const blankLedger: Ledger = {
  epoch: { seq: 0, rep: 0, step: 0 },
  coordinator: undefined,
  nodes: {},
  shots: [],
  intents: [],
}

/**
 * Negative when `a` is older than `b`. Within one ring all copies of a step are equal. Of two
 * halves that wrote in one ring nobody can tell which one was first, and any order will do.
 */
export function compareEpochs(a: Epoch, b: Epoch): number {
  const order = a.seq - b.seq || a.rep - b.rep || a.step - b.step
  const [one = '', other = ''] = [a.half, b.half]
  return order || (one === other ? 0 : one < other ? -1 : 1)
}

/** The entry of a node, also of one that the ledger has never heard of. */
export function entryOf(ledger: Ledger, node: NodeId): NodeEntry {
  return ledger.nodes[node] ?? unknownNode
}

/** The next step of the ledger, with some fields of one node replaced. */
export function withEntry(ledger: Ledger, node: NodeId, change: Partial<NodeEntry>): Ledger {
  const entry = { ...entryOf(ledger, node), ...change }
  return {
    ...ledger,
    epoch: { ...ledger.epoch, step: ledger.epoch.step + 1 },
    nodes: { ...ledger.nodes, [node]: entry },
  }
}

/** A fencing that is ordered and that nobody carries out yet. */
export function orderedFencing(
  order: Pick<FencingRecord, 'id' | 'action' | 'because' | 'requester' | 'staysOff' | 'dangling'>,
): FencingRecord {
  return { ...order, owner: undefined, life: '', round: 0, last: '', commanded: 'no' }
}

/** What is known of two rounds, or of one from two sides. */
export function eitherCommanded(one: Commanded, other: Commanded): Commanded {
  return one === 'no' || other === 'yes' ? other : one
}

/** May it have sent a command that ends its node, so that this one rests when it is back (F5)? */
export function mayHaveStruck(record: FencingRecord | undefined): boolean {
  if (record === undefined) return false
  if (record.dangling.length > 0) return true
  return record.action !== 'on' && (record.commanded !== 'no' || record.owner !== undefined)
}

/** The fingers on a button, with one more. */
export function withFinger(dangling: readonly Finger[], more: Finger): readonly Finger[] {
  const { node, life } = more
  const others = dangling.filter((finger) => finger.node !== node || finger.life !== life)
  return [...others, more]
}

/** Everybody who may have a command of this fencing on its way, its present owner included. */
export function fingersOf(
  { dangling, owner, life }: FencingRecord,
  step: number,
): readonly Finger[] {
  return owner === undefined ? dangling : withFinger(dangling, { node: owner, life, step })
}

/** Was it ordered by an operator, and not by what the cluster has found? */
export function isOrdered({ staysOff, action }: FencingRecord): boolean {
  return staysOff || action !== 'off'
}

/** Is this node unproven, so that it has to be fenced or to come back? */
export function isOpen({ standing }: NodeEntry): boolean {
  return standing === 'lost' || standing === 'condemned'
}

/** Is this round under way, so that its first command may be yet to come? */
export function mayStillFire(ledger: Ledger, { id, node, round }: Shot): boolean {
  const { fencing } = entryOf(ledger, node)
  return fencing?.id === id && fencing.round === round && fencing.owner !== undefined
}

/** How many other fencings count for the storm limit. */
export function shotsBeside({ shots }: Ledger, fencing: string | undefined): number {
  return new Set(shots.filter(({ id }) => id !== fencing).map(({ id }) => id)).size
}

/** May this node hold this thing, as far as anybody knows? */
export function mayHold(entry: NodeEntry, thing: string): boolean {
  if (entry.holds === 'anything') return true
  return entry.holds.some((hold) => hold.thing === thing)
}

/**
 * What a ledger read from disk is worth: every obligation, no proof. A node that was off then may
 * have been switched on since by a ring that this disk knows nothing of (S7).
 */
export function fromDisk(ledger: Ledger): Ledger {
  const nodes = Object.entries(ledger.nodes).map(([id, entry]) => [
    id,
    { ...withoutProof(entry), seen: false, detached: false },
  ])
  return { ...ledger, nodes: Object.fromEntries(nodes) }
}

/**
 * The entry with `fenced` and `left` taken back; a node that was proven off gets the start grace.
 */
export function withoutProof(entry: NodeEntry): NodeEntry {
  if (entry.standing !== 'fenced' && entry.standing !== 'left') return entry
  const because = `it was ${entry.standing} in an earlier ring, which proves nothing now`
  return { ...entry, standing: 'lost', because, seen: false, watch: 0 }
}

/** A short fingerprint by which members compare their ledgers. Equal ledgers give equal digests. */
export function digestOf(ledger: Ledger): string {
  const { epoch, coordinator, nodes } = ledger
  const rows = Object.keys(nodes)
    .sort()
    .map((id) => [id, ...fieldsOf(nodes[id]!)])
  const shot = ledger.shots.map(({ id, node, round }) => [id, node, round])
  const wants = ledger.intents.map(({ kind, resource, node, by, reason }) => {
    return [kind, resource, node, by, reason]
  })
  const step = [epoch.seq, epoch.rep, epoch.step, epoch.half ?? '']
  const { recovery } = ledger
  const boots = Object.entries(recovery?.boots ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  const { id = '', nodes: gone = [], votes = 0, because = '' } = recovery ?? {}
  const word = [id, gone, votes, because, boots]
  return hash(JSON.stringify([step, coordinator ?? '', rows, shot, wants, word]))
}

/** Field by field, because a copy that crossed the wire may hold its keys in another order. */
function fieldsOf(entry: NodeEntry): readonly unknown[] {
  const { standing, because, seen, barred, late, boot, hardware, deferred, fencing } = entry
  const holds = entry.holds === 'anything' ? 'anything' : entry.holds.map(holdKey)
  const record = fencing && [
    [fencing.id, fencing.action, fencing.because, fencing.requester],
    [fencing.owner ?? '', fencing.life, fencing.round, fencing.last],
    [fencing.commanded, fencing.staysOff],
    fencing.dangling.map(({ node, life, step }) => [node, life, step]),
  ]
  const { rests, detached, quarantined, watch } = entry
  const flags = [seen, barred, quarantined, late, rests, detached, watch]
  return [standing, because, holds, flags, boot, hardware, deferred, record ?? '']
}

const holdKey = ({ thing, step, from }: Hold) => [
  thing,
  step,
  ...(from === undefined ? [] : [from]),
]

/** Sixty-four bits of FNV-like mixing: enough to notice a difference, not to resist a forger. */
export function hash(text: string): string {
  let low = 0x811c9dc5
  let high = 0x1b873593
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    low = Math.imul(low ^ code, 0x01000193)
    high = Math.imul(high + code, 0x85ebca6b) ^ (high >>> 13)
  }
  return (low >>> 0).toString(16).padStart(8, '0') + (high >>> 0).toString(16).padStart(8, '0')
}
