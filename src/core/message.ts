/**
 * What members say to each other over CPG. Every message belongs to a session (one ring, one set of
 * daemons, one round) and is void in any other, at every member alike, because CPG delivers the same
 * order everywhere.
 */
import type { Ledger } from './ledger.ts'
import type { Identity, NodeId, ResourceId } from './model.ts'

export type Message = Readonly<
  { session: string } & (
    | { say: 'sync'; sync: Sync }
    /** "I hold the merged ledger, and this is its digest." */
    | { say: 'ready'; digest: string; durable: boolean }
    | { say: 'report'; report: Report }
    /** "This member has been silent for too long." Counts when a majority says so. */
    | { say: 'accuse'; node: NodeId }
    | { say: 'grant'; id: string; resource: ResourceId; thing: string; to: NodeId }
    | { say: 'ack'; id: string }
    /** A member must stop a thing that it has no right to run. */
    | { say: 'release'; resource: ResourceId; node: NodeId; because: string }
    | { say: 'condemn'; node: NodeId; because: string; barred: boolean }
    /** The order to one member to carry out one round of a fencing. */
    | {
        say: 'fence'
        node: NodeId
        id: string
        action: 'off' | 'on' | 'reboot'
        because: string
        requester: string
        owner: NodeId
        round: number
        /** Read before pressing: an earlier round may have done it already (P10). */
        confirmFirst: boolean
      }
    | { say: 'verdict'; node: NodeId; id: string; round: number; verdict: Verdict }
    /** No command to this node can be under way any more, or it may serve again. */
    | { say: 'settle'; node: NodeId }
    /** An operator's order, on its way to the coordinator. */
    | {
        say: 'request'
        id: string
        action: 'off' | 'on' | 'reboot'
        target: NodeId
        requester: string
        reason: string
      }
    /** An order that cannot be carried out, with the reason. */
    | { say: 'refuse'; id: string; because: string }
    /** The coordinator cannot lead any more; the others choose. */
    | { say: 'resign'; because: string }
    /** "Everything here is stopped, I go." Over only when it has come back to the sender. */
    | { say: 'goodbye'; report: Report }
  )
>

/** What a member brings into a session. */
export interface Sync {
  readonly identity: Identity
  readonly configHash: string
  /** `undefined`: this node has no ledger it can trust to be complete. */
  readonly ledger: Ledger | undefined
  readonly report: Report
}

export interface Report {
  /** Grows with every report of one incarnation. */
  readonly seq: number
  /** The sender's own clock. Means something to the sender alone, when it comes back (echo). */
  readonly sentMs: number
  readonly resources: Readonly<Record<ResourceId, ResourceReport>>
  /** The last grant this node has processed: an older report says nothing about a newer grant (S9). */
  readonly lastGrant: string
  /** Fencings whose buttons this node may have a finger on. */
  readonly pressing: readonly string[]
  readonly leaving: boolean
  /** Its disk takes what it is told to keep. */
  readonly durable: boolean
}

export interface ResourceReport {
  readonly thing: string
  /** `stuck`: it cannot be stopped. Everything but `stopped` may be running. */
  readonly state: 'unknown' | 'stopped' | 'starting' | 'running' | 'stopping' | 'stuck'
  /** This node asks not to be given it for now: it failed here a moment ago. */
  readonly refuses: boolean
}

export interface Verdict {
  readonly proven: boolean
  /** Which level and devices, in a sentence. */
  readonly text: string
  readonly level: number
  readonly tookMs: number
  /** A command may still be carried out within the device's bound. */
  readonly late: boolean
  readonly evidence: readonly Evidence[]
}

export interface Evidence {
  readonly device: string
  readonly raw: string
  readonly askedAfterMs: number
  readonly tookMs: number
}
