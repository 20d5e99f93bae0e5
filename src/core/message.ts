/**
 * What members say to each other over CPG.
 *
 * Every message belongs to a session (one ring, one set of daemons, one round) and is void in any
 * other, at every member alike, because CPG delivers the same order everywhere.
 */
import type { IntentAction } from './intents.ts'
import type { Commanded, FencingAction, Ledger, OrderAction, Recovery } from './ledger.ts'
import type { CheckId, Identity, NodeId, ResourceId } from './model.ts'

export type Message = Readonly<{ session: string } & Body>

/** A message before it is stamped with its session. */
export type Body = Readonly<
  /** What this member brings into the session. */
  | { say: 'sync'; sync: Sync }
  /** What a member says in another protocol than ours, as far as it is understood. */
  | { say: 'foreign'; theirs: number; ours: number }
  /** "Let us agree anew": whoever hears it begins the round that it belongs to. */
  | { say: 'again' }
  /** "I hold the merged ledger, and this is its digest." */
  | { say: 'ready'; digest: string; durable: boolean }
  | { say: 'report'; report: Report }
  /** "My disk keeps the ledger up to this step." */
  | { say: 'ack'; step: number }
  /** "This member has been silent for too long." Counts when a majority says so. */
  | { say: 'accuse'; node: NodeId }
  | { say: 'grant'; resource: ResourceId; thing: string; to: NodeId }
  /** A resource moves live: both nodes hold it from now on (live.ts). */
  | { say: 'migrate'; resource: ResourceId; thing: string; from: NodeId; to: NodeId }
  /** The source of a live move has nothing more to send. */
  | { say: 'unlink'; thing: string; node: NodeId }
  /** A member must stop a thing that it has no right to run. */
  | { say: 'release'; resource: ResourceId; node: NodeId; because: string }
  | Condemnation
  /** The order to one member to carry out one round of a fencing. */
  | FenceOrder
  | { say: 'verdict'; node: NodeId; id: string; round: number; verdict: Verdict }
  /** No command to this node can be under way any more. */
  | { say: 'settle'; node: NodeId }
  /** A rule holds the fencing of this node back (F5), for so long at most; 0: nobody can tell. */
  | { say: 'defer'; node: NodeId; because: string; leftMs: number }
  /** This round of a fencing does not count for the storm limit any more. */
  | { say: 'forget'; id: string; round: number }
  /** The time in which something else may switch this node on again is over (F16). */
  | { say: 'unwatch'; node: NodeId }
  /** The least interval after the last fencing of this node is over. */
  | { say: 'rested'; node: NodeId }
  /** An operator's order, on its way to the coordinator. */
  | {
      say: 'request'
      id: string
      action: OrderAction
      /** The node that it is about; empty where it is about a resource on all of them. */
      target: NodeId
      /** The resource that it is about; else empty. */
      resource: ResourceId
      requester: string
      reason: string
      /** The boot that a `confirm` is about; empty with every other action. */
      boot: string
    }
  /** An order that will not be carried out, with the reason. */
  | { say: 'refuse'; id: string; because: string }
  /** A person has seen this boot of a node dead: proof by hand, where no device can tell (F14). */
  | { say: 'confirm'; node: NodeId; id: string; boot: string; because: string }
  /** An operator's `on` lets a barred node serve again. */
  | { say: 'unbar'; node: NodeId; id: string }
  /** An operator lets a node serve again that was fenced. */
  | { say: 'unfence'; node: NodeId; id: string }
  | Wanted
  /** The coordinator cannot lead any more; another member does. */
  | { say: 'resign'; because: string }
  /** "Everything here is stopped, I go." Over only when it has come back to the sender. */
  | { say: 'goodbye'; report: Report }
  /** "I go, my resources stay, and another daemon follows." Over when it has come back. */
  | { say: 'detach' }
>

export interface Condemnation {
  readonly say: 'condemn'
  readonly node: NodeId
  /** Names the fencing that follows; an operator's order brings its own. */
  readonly id: string
  readonly action: 'off' | 'reboot'
  readonly because: string
  readonly requester: string
  readonly barred: boolean
}

/** What an operator wants of nodes and resources, from now on for everybody (H8). */
export interface Wanted {
  readonly say: 'want'
  readonly id: string
  readonly action: IntentAction
  readonly resource: ResourceId
  readonly node: NodeId
  readonly requester: string
  readonly reason: string
}

export interface FenceOrder {
  readonly say: 'fence'
  readonly node: NodeId
  readonly id: string
  readonly action: FencingAction
  readonly because: string
  readonly requester: string
  readonly owner: NodeId
  readonly round: number
  /** Read before pressing: an earlier round may have done it already (P10). */
  readonly confirmFirst: boolean
  /** Why no button may be pressed in this round, only the power be read; empty when one may. */
  readonly heldBack: string
}

/** What a member brings into a session. */
export interface Sync {
  readonly identity: Identity
  readonly configHash: string
  /** `undefined`: this node has no ledger that it could vouch for. */
  readonly ledger: Ledger | undefined
  /** In memory and in quorate rings ever since the ledger's epoch: its proofs hold (S7). */
  readonly chain: boolean
  /** Who has been in our group since then: no proof of theirs holds (S19). */
  readonly shown: readonly NodeId[]
  readonly report: Report
  /** An operator has given it this word, in this ring (recovery.ts). */
  readonly recovery?: Recovery | undefined
}

export interface Report {
  /** Grows with every report of one incarnation. */
  readonly seq: number
  /** The sender's own clock. Means something to the sender alone, when it comes back (echo). */
  readonly sentMs: number
  /** The ledger's step when this was said: it says nothing about a newer grant (S9). */
  readonly step: number
  /** The step up to which the sender's disk keeps the ledger (S8). */
  readonly saved: number
  readonly resources: Readonly<Record<ResourceId, ResourceReport>>
  /** Its health checks that are not plainly well (H4). */
  readonly checks: readonly CheckReport[]
  /** Nodes on whose buttons this one may have a finger, whatever the fencing is called. */
  readonly pressing: readonly string[]
  /** What speaks for lost nodes: they answer beside the ring, or a device says so (F18). */
  readonly hears: Readonly<Record<NodeId, string>>
  /** Nodes whose crash kernel was heard here a moment ago (H22). */
  readonly dumps: readonly NodeId[]
  readonly leaving: boolean
  /** It is about to be replaced by another daemon, and takes nothing before that. */
  readonly detaching: boolean
  /** It came up after too many crashes: it takes part, but leads nothing and runs nothing new. */
  readonly passive: boolean
  /** Its disk takes what it is told to keep. */
  readonly durable: boolean
  /** Its watchdog, where it is to use one. */
  readonly watchdog?: WatchdogReport | undefined
}

export interface WatchdogReport {
  readonly armed: boolean
  readonly timeoutMs: number
  /** Which device it is, or why there is none. */
  readonly detail: string
}

/** A report of a member of which nothing is known, and which can keep nothing. */
export const blankReport: Report = {
  seq: 0,
  sentMs: 0,
  step: 0,
  saved: -1,
  resources: {},
  checks: [],
  pressing: [],
  hears: {},
  dumps: [],
  leaving: false,
  detaching: false,
  passive: false,
  durable: false,
}

export interface ResourceReport {
  readonly thing: string
  /** `stuck`: it cannot be stopped. Everything but `stopped` may be running. */
  readonly state: ResourceState
  /** This node asks not to be given it for now: it failed here a moment ago. */
  readonly refuses: boolean
  /** It has failed here, has been stopped, and would be started here again. */
  readonly mends: boolean
  /** How many of its failures here still count. */
  readonly failures: number
  /** What the last of those was; empty without one. */
  readonly last: string
  /** A failure that the cluster has to act on, and has not yet; else empty. */
  readonly grave: string
}

export interface CheckReport {
  readonly check: CheckId
  /** Whose health it is about; empty where it is about the node. */
  readonly resource: ResourceId
  /** `healthy`: the last answers were bad, but too few of them. */
  readonly verdict: 'unknown' | 'healthy' | 'failing'
  /**
   * It has failed for so long that others must have noticed by now if it ails them as well; of one
   * that is unknown, that its first answer was a bad one, or is overdue.
   */
  readonly settled: boolean
  /** For how long it has been so. */
  readonly forMs: number
  /** How many answers in a row have spoken against it. */
  readonly against: number
  /** Where it fails: how many good ones in a row it takes. */
  readonly needed: number
  /** The last bad answer. */
  readonly detail: string
}

/** `sending`, `sent` and `receiving`: it moves live from here, or to here. */
export const resourceStates = [
  ...(['unknown', 'stopped', 'starting', 'running', 'stopping', 'stuck'] as const),
  ...(['sending', 'sent', 'receiving'] as const),
] as const
export type ResourceState = (typeof resourceStates)[number]

export interface Verdict {
  readonly proven: boolean
  /** Proven by a reset: all that ran on it is gone, and it runs again. */
  readonly newBoot: boolean
  /** Which level and devices, in a sentence. */
  readonly text: string
  /** The level that proved it, counted from 1; 0 when none did. */
  readonly level: number
  readonly tookMs: number
  /** A command may still be carried out within its device's bound. */
  readonly late: boolean
  readonly commanded: Commanded
  readonly evidence: readonly Evidence[]
}

/** One reading that speaks for a verdict. */
export interface Evidence {
  readonly device: string
  readonly raw: string
  /** When it was asked, after the fencing began. */
  readonly askedMs: number
  readonly tookMs: number
}
