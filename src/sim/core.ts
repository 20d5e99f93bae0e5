/**
 * The core as the simulator needs it: three functions and a ledger to look into. The real one is
 * `../core/cluster.ts`; tests of the world bring small wrong ones, to see the promises break.
 */
import type { Effect } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import type { Config, Identity, NodeId } from '../core/model.ts'
import type { State } from '../core/state.ts'

/** What a daemon's life begins with. */
export interface Begin {
  readonly self: NodeId
  readonly config: Config
  readonly identity: Identity
  /** What its disk keeps; `undefined` when there is nothing, or nothing that can be read. */
  readonly ledger: Ledger | undefined
  readonly atMs: number
  readonly passive?: string
}

/** All that the world may see of a daemon's mind. */
export interface Mind {
  readonly ledger: Ledger | undefined
}

/** Is this the mind of a real core? The puppets of tests have a ledger, and no disk under it. */
export function isReal(mind: Mind): mind is State {
  return 'disk' in mind
}

export interface Step {
  readonly state: Mind
  readonly effects: readonly Effect[]
}

export interface Core {
  begin(begin: Begin): Step
  step(state: Mind, event: Event): Step
  deadlineMs(state: Mind): number
}
