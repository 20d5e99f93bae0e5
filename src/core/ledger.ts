/** What the cluster has agreed on: who is proven what, who may hold what, which fencings are open. */
import type { NodeId } from './model.ts'

/** Orders ledgers: the quorate ring it was written in, then the step within that ring (S17). */
export interface Epoch {
  readonly seq: number
  readonly rep: number
  readonly step: number
}

/**
 * `member` takes part. `left` said goodbye with everything stopped. `lost` is unproven. `condemned`
 * is a member, or was one, that must be fenced. `fenced` is proven off.
 */
export type Standing = 'member' | 'left' | 'lost' | 'condemned' | 'fenced'

/** A thing that a node may hold, and the grant (`seq.step`) that gave it; `''` when it was found. */
export interface Hold {
  readonly thing: string
  readonly grant: string
}

/** One fencing: durable before the first command, kept until there is a verdict (F4). */
export interface FencingRecord {
  readonly id: string
  readonly action: 'off' | 'on' | 'reboot'
  readonly because: string
  readonly requester: string
  /** The member that presses the buttons in this round; nobody between two rounds. */
  readonly owner: NodeId | undefined
  readonly round: number
  /** Owners of former rounds that never handed over: their commands may still be under way. */
  readonly dangling: readonly NodeId[]
  /** What the last round ended with, in a sentence; empty before the first verdict. */
  readonly last: string
}

export interface NodeEntry {
  readonly standing: Standing
  readonly because: string
  /** `anything` where no ledger can be trusted to be complete (S7, S8). */
  readonly holds: 'anything' | readonly Hold[]
  /** Was it ever a member in this chain of rings? If not, start-up grace applies. */
  readonly seen: boolean
  /** An operator switched it off: it stays out of service until an operator's `on` (P4). */
  readonly barred: boolean
  /** A command to it may still be carried out late: not admitted, not switched on (F3). */
  readonly late: boolean
  /** The boot that was proven dead, so that its return from the dead is noticed. */
  readonly deadBoot: string
  readonly fencing: FencingRecord | undefined
}

export interface Ledger {
  readonly epoch: Epoch
  readonly coordinator: NodeId | undefined
  readonly nodes: Readonly<Record<NodeId, NodeEntry>>
}
