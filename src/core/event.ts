/** All that can happen to a node. Every event carries the instant at which this node learned it. */
import type { OrderAction } from './ledger.ts'
import type { Message } from './message.ts'
import type { CheckId, GroupMember, NodeId, Power, ResourceId, RingId } from './model.ts'

export type Event = Readonly<{ atMs: number } & News>

/** An event before the loop has stamped it. */
export type News = Readonly<
  // ---- Corosync ----
  /** votequorum's verdict for one ring. Any difference is news, also within the same ring (S11). */
  | { kind: 'quorum'; ring: RingId; quorate: boolean }
  /**
   * CPG: who is in the ring, and which daemons have joined our group there. Ordered with messages.
   */
  | {
      kind: 'group'
      ring: RingId
      ringMembers: readonly NodeId[]
      members: readonly GroupMember[]
    }
  /** A message of the group, in the same order at every member; our own come back too. */
  | { kind: 'message'; from: NodeId; pid: number; message: Message }
  /** The local Corosync is gone. Nothing can be learned or said any more. */
  | { kind: 'corosyncLost'; because: string }
  // ---- answers to effects; `id` echoes the effect's ----
  | { kind: 'saved'; id: number; ok: boolean; detail?: string }
  | { kind: 'pressed'; id: number; outcome: PressOutcome; detail: string }
  | ({ kind: 'power'; id: number } & Reading)
  | { kind: 'identified'; id: number; ok: boolean; identity?: string; detail: string }
  | { kind: 'heard'; id: number; silent: boolean; answered: readonly string[] }
  | { kind: 'ran'; id: number; resource: ResourceId; outcome: RunOutcome; detail: string }
  | { kind: 'checked'; id: number; check: CheckId; ok: boolean; detail: string }
  /**
   * What became of `arm`; and, with the same id, of a watchdog that was armed and works no more.
   */
  | { kind: 'armed'; id: number; ok: boolean; timeoutMs: number; detail: string }
  /** A crash kernel has been heard in the name of a node. Anybody can forge that (H22). */
  | { kind: 'dumping'; node: NodeId }
  // ---- this node ----
  /** What a check is about may have changed. As little proof as a hint: a reason to ask now. */
  | { kind: 'stirred'; check: CheckId; because: string }
  /** A resource may have ended by itself. Proves nothing: it is a reason to look now. */
  | { kind: 'hint'; resource: ResourceId; because: string }
  // ---- people ----
  | { kind: 'order'; order: Order }
  /** SIGTERM: stop our resources, say goodbye, go. */
  | { kind: 'leave' }
  /** An alarm that the core asked for with `deadlineMs`. */
  | { kind: 'tick' }
>

/** What a device says of the power of its node. */
export interface Reading {
  readonly power: Power
  readonly raw: string
  readonly identity?: string
  /** What the hardware calls the present boot: another one after every reset, where it tells. */
  readonly boot?: string
  /** Why the power is unknown. */
  readonly detail?: string
  /** What speaks for a target that is lost from the ring (F18). */
  readonly spare?: string
}

/**
 * What became of a command to a device.
 * `accepted`: the device said yes, which proves nothing. `refused`: nothing was sent, or the device
 * said no. `unknown`: it was sent and no answer came; it may still be carried out (F3).
 */
export type PressOutcome = 'accepted' | 'refused' | 'unknown'

/**
 * What a resource operation found. It is told only after every process of the operation is proven
 * gone (S1, S10). A `start` that failed or was aborted says `failed`; only a `probe` or a `monitor`
 * says `running` or `stopped`, a successful `start` or `stop` says `done`.
 */
export type RunOutcome = 'done' | 'running' | 'stopped' | 'failed' | 'unknown'

/** What an operator wants done to a node's power, says of it, or wants to run where. */
export interface Order {
  readonly id: string
  readonly action: OrderAction | 'detach' | 'recover'
  /** Empty where it is about a resource on all nodes, or about this daemon. */
  readonly target: NodeId
  /** The resource that it is about, if any. */
  readonly resource?: ResourceId
  readonly requester: string
  readonly reason: string
  /** With `confirm`: the boot that was seen dead, as the status named it, and no other. */
  readonly boot?: string
  /** With `detach`: also where the majority goes with it. */
  readonly sure?: boolean
  /** With `recover`: who is dead for good, in the ring as the status named it, and the votes. */
  readonly recovery?: {
    readonly nodes: readonly NodeId[]
    readonly votes: number
    readonly ring: string
  }
}
