/**
 * The nouns of the cluster. Pure data: no classes, no clocks, no sockets.
 *
 * All spans are milliseconds, all instants (`atMs`) are milliseconds on one machine's monotonic
 * clock. An instant never leaves the machine that read it (safety.md, S12).
 */
import type { Role } from './roles.ts'

/** A node's name, as in the config and in Corosync's nodelist. */
export type NodeId = string
/** A resource's name in the config. */
export type ResourceId = string
/** A fence device's name: `node/level/step`, for example `web-02/1/1`. */
export type DeviceId = string

/** A health check's name in the config. */
export type CheckId = string

/** What a fence device says about a node's power. `unknown` never counts as off. */
export type Power = 'on' | 'off' | 'unknown'

/**
 * What is taken from a node by a device that says that it is done, the strongest first (F15): its
 * current; its storage or network; its system, for another one; all that ran on it, by a reset that
 * is proven by a new boot; or nothing, where the node itself is only asked.
 */
export const isolations = ['power', 'fabric', 'rescue-boot', 'new-boot', 'cooperative'] as const
export type Isolation = (typeof isolations)[number]

/** A Totem ring: its representative's node id and a sequence number that grows with every ring. */
export interface RingId {
  readonly rep: number
  readonly seq: number
}

/** One process that has joined our CPG group. A restarted daemon has another `pid`. */
export interface GroupMember {
  readonly node: NodeId
  readonly pid: number
}

/** One way to cut a node's power, and what is known about that way. */
export interface DeviceConfig {
  readonly id: DeviceId
  /** The driver that speaks to it, for the log. */
  readonly driver: string
  /** What its word proves. By `new-boot` it is reset, and is never switched off. */
  readonly isolation: Isolation
  /** Expected hardware identity (BMC GUID, VM uuid); `undefined` when the config names none. */
  readonly identity?: string | undefined
  /** Gap between the two reads that prove an off. The driver states it. */
  readonly readGapMs: number
  /** How long a command whose outcome is unknown may still take effect (F3). */
  readonly lateMs: number
  /** How long after an off something else may switch it on again (F16); 0 where nothing does. */
  readonly returnsMs: number
  /** May a read say why a node that is lost from the ring should be waited for (F18)? */
  readonly vouches: boolean
  /** How long one command, read or identification may take. */
  readonly timeoutMs: number
  /**
   * How long after an accepted `off` the power may still read as on before the step has failed; by
   * `new-boot`, how long after an accepted reset no new boot may be told.
   */
  readonly settleMs: number
}

/** One rung of a fencing topology: every step of it must be proven. */
export interface Level {
  readonly devices: readonly DeviceId[]
  /** Also require that no listed address of the node answers after power was read as off (F8). */
  readonly verify: boolean
}

export interface NodeConfig {
  readonly id: NodeId
  /** Levels, tried in order. An empty list means that only a person can prove this node dead. */
  readonly levels: readonly Level[]
  /** Addresses that must be silent before a level with `verify` counts. */
  readonly addresses: readonly string[]
  /** How much it matters: where two sides may fence each other, the more important one survives. */
  readonly priority: number
  /** What its resources may take together; what is not named here is not bounded. */
  readonly capacity: Readonly<Record<string, number>>
  /** What it is there for; left out, it hosts resources (roles.ts). */
  readonly role?: Role | undefined
}

/** How much a wish counts: points beside other wishes, or `must`, which nothing outweighs. */
export type Strength = number | 'must'

/** A wish to be, or not to be, where another resource is. */
export interface Pull {
  readonly to: ResourceId
  readonly strength: Strength
}

/** What decides where a resource goes, beside who is able to take it. */
export interface Wishes {
  /** Resources beside which it runs. It follows them; they do not follow it. */
  readonly beside: readonly Pull[]
  /** Resources from which it stays apart. */
  readonly apart: readonly Pull[]
  /** Resources that have to run, here or elsewhere, before it starts and until it has stopped. */
  readonly after: readonly ResourceId[]
  /** Points for nodes. */
  readonly prefers: Readonly<Record<NodeId, number>>
  /** Points for where it runs already; `must`: it never moves without need. */
  readonly stays: Strength
  /** Where not all can run, the more important ones do. */
  readonly priority: number
  /** What it takes of the capacity of its node. */
  readonly needs: Readonly<Record<string, number>>
  /** Checks that are asked where it runs: when one falls, it has failed. */
  readonly health: readonly CheckId[]
  /** Checks of nodes: one on which any of them fails attracts it no more. */
  readonly onlyWhere: readonly CheckId[]
}

/** A resource that runs on several nodes at once; each of them has an instance for itself. */
export interface CloneOf {
  readonly id: ResourceId
  /** At most so many instances at once. */
  readonly max: number
}

export interface ResourceConfig extends Wishes {
  readonly id: ResourceId
  /** The group that its wishes come from, for people: nothing is decided by its name. */
  readonly group?: string | undefined
  /** Set where it is an instance of a clone (clones.ts): then it is bound to its only node. */
  readonly clone?: CloneOf | undefined
  /**
   * What it really is: an address, a unit, a program. Two ids for one thing are one thing (S16),
   * so holds are kept by thing and promise P1 is about things.
   */
  readonly thing: string
  /** Nodes that may run it, the preferred one first. */
  readonly nodes: readonly NodeId[]
  readonly startMs: number
  readonly stopMs: number
  /** Bound of one probe or monitor. */
  readonly probeMs: number
  /** Gap between two monitors of a running resource. */
  readonly monitorEveryMs: number
  /** What its failures come to; left out, it is mended in place once (failures.ts). */
  readonly failing?: Failing | undefined
  /** Set where it is moved live, if it can be (live.ts): how long each half of it may take. */
  readonly live?: { readonly boundMs: number } | undefined
  /** What a node does with it that has lost quorum; left out, it stops it (freeze.ts). */
  readonly noQuorum?: NoQuorum | undefined
}

/** A question to a node or to what runs there, asked again and again (H4). */
export interface CheckConfig {
  readonly id: CheckId
  readonly everyMs: number
  readonly timeoutMs: number
  /** Good answers in a row that make it healthy again, and bad ones that make it fail. */
  readonly rise: number
  readonly fall: number
}

/**
 * What a failure comes to: it is started again in place, or elsewhere at once, or nowhere before an
 * operator has seen to it, or its node is condemned.
 */
export const failureActions = ['restart', 'move', 'stop', 'fence'] as const
export type FailureAction = (typeof failureActions)[number]

export interface Failing {
  readonly action: FailureAction
  /** So many failures that a monitor finds within `timeoutMs` keep it away from a node. */
  readonly monitorsMax: number
  /** The same where the last one of them is a start. */
  readonly startsMax: number
  /** How long a failure counts, and how long it is kept away. */
  readonly timeoutMs: number
}

/** It is stopped, or left running as it is. */
export const noQuorumActions = ['stop', 'freeze'] as const
export type NoQuorum = (typeof noQuorumActions)[number]

export interface Timing {
  /** Gap between two reports of a node; also how fast a lost message is made good. */
  readonly beatMs: number
  /**
   * A member acts on its own authority only while a beat of its own, younger than this, came back.
   */
  readonly echoMs: number
  /** A member that has said nothing for this long is accused, then condemned (H16). */
  readonly silentMs: number
  /** A member with another config is left this long before it is condemned. */
  readonly strangerMs: number
  /** Nodes that never showed up since the cluster began are fenced after this grace. */
  readonly startGraceMs: number
  /** First gap between two rounds through all levels; doubles up to `retryMaxMs`. */
  readonly retryMs: number
  readonly retryMaxMs: number
  /** Gap between two verifications of every device. */
  readonly checkEveryMs: number
  /** How long a failed start or a lost resource keeps a node unattractive for that resource. */
  readonly coolDownMs: number
  /** Attempts to stop a resource before its node says that it is stuck, and is condemned. */
  readonly stopAttemptsMax: number
  /** How long a leaving daemon waits for the others before it leaves without a goodbye. */
  readonly leaveMs: number
  /** How long a node may be without a daemon that has said that another one follows. */
  readonly detachMs: number
}

/**
 * What holds a fencing back (F5). It is told, and the fencing is deferred, never dropped.
 */
export interface FencingRules {
  /** Wait before a lost node is fenced; one that comes back meanwhile is left alone (F6). */
  readonly delayMs: number
  /** Up to so much more, another amount for every life of a daemon and every fencing. */
  readonly randomDelayMs: number
  /** So much more where the lost node matters more than every member that is left. */
  readonly priorityDelayMs: number
  /** How long a lost node that still answers on one of its addresses is left alone (F18). */
  readonly reprieveMs: number
  /** Left out: nobody listens for crash kernels (dumps.ts). */
  readonly dumps?: DumpRules | undefined
  /** Least gap between the end of a node's fencing and the first command of its next one. */
  readonly minIntervalMs: number
  /** How many fencings may send a command within `stormWindowMs` (P9). */
  readonly stormMax: number
  readonly stormWindowMs: number
  /** `manual`: who was fenced and is back serves nothing before `picket unfence` (H14). */
  readonly rejoin: 'automatic' | 'manual'
}

/** How long a lost node may write a crash dump (H22); all of it counts from its loss. */
export interface DumpRules {
  /** How long it is given at most. */
  readonly boundMs: number
  /** How long its first message is waited for. */
  readonly firstMs: number
  /** How long after its last message it counts as writing. */
  readonly freshMs: number
}

/** A resource that goes to the first of its nodes that is able to take it, and stays there. */
export const plainWishes: Wishes = {
  beside: [],
  apart: [],
  after: [],
  prefers: {},
  stays: 'must',
  priority: 0,
  needs: {},
  health: [],
  onlyWhere: [],
}

/**
 * The watchdogs of the nodes: what resets one that holds something it has no right to, or that
 * hangs (H6, H7). Where there is none, a node that cannot stop is safe only because of the others.
 */
export interface WatchdogConfig {
  /** The nodes that use theirs: if it is there, or as a condition for running anything. */
  readonly modes: Readonly<Record<NodeId, 'automatic' | 'required'>>
  /** How long the device waits to be fed, as it is asked to; a device may round it up. */
  readonly timeoutMs: number
  /** A node that holds something is off so long after it was last known to belong to a quorum. */
  readonly leaseMs: number
}

/** One cluster, as every node must see it. `hash` differs as soon as anything else here differs. */
export interface Config {
  readonly cluster: string
  readonly hash: string
  /** The union of the config's nodes and of Corosync's nodelist (S16). */
  readonly nodes: readonly NodeConfig[]
  readonly resources: readonly ResourceConfig[]
  readonly checks: readonly CheckConfig[]
  readonly devices: readonly DeviceConfig[]
  readonly timing: Timing
  readonly rules: FencingRules
  /** `undefined`: no node uses a watchdog. */
  readonly watchdog?: WatchdogConfig
  /** May Corosync call exactly half of the nodes quorate (halves.ts)? All nodes say the same. */
  readonly halves: boolean
}

/** What tells one life of a node from the next, and the hardware it lives on. */
export interface Identity {
  /** Unique to one life of the daemon. */
  readonly incarnation: string
  /** Unique to one boot of the machine. */
  readonly boot: string
  /** The hardware's own uuid where the node can read it (DMI); matched against devices (S15). */
  readonly hardware?: string | undefined
}

/** What a device proves, in two or three words; empty where it is that the power is off. */
export function strengthText(isolation: Isolation): string {
  if (isolation === 'power') return ''
  return isolation === 'cooperative' ? 'proves nothing' : `proves ${isolation} only`
}

/** True when both name the same ring. */
export function sameRing(a: RingId, b: RingId): boolean {
  return a.rep === b.rep && a.seq === b.seq
}

/** How many nodes are more than half of all configured ones. */
export function majorityOf(config: Config): number {
  return Math.floor(config.nodes.length / 2) + 1
}

/**
 * Do two hardware uuids name the same machine? BMCs and firmware disagree on the byte order of the
 * first three fields (SMBIOS is mixed-endian, RFC 4122 is not), so both readings count.
 *
 * @source SMBIOS Reference Specification (DSP0134), System Information, UUID.
 */
export function sameHardware(a: string, b: string): boolean {
  const one = hexOf(a)
  const other = hexOf(b)
  return one === other || (one.length === 32 && swapped(one) === other)
}

function hexOf(uuid: string): string {
  return uuid.toLowerCase().replace(/[^0-9a-z]/g, '')
}

function swapped(hex: string): string {
  const byte = (i: number) => hex.slice(2 * i, 2 * i + 2)
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
  return order.map(byte).join('')
}
