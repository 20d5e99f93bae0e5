/** What an order about intents would move, before it is given: the plan with it and without it. */
import { cautionsOf } from './caution.ts'
import { type IntentOrder, whyMeaningless, withOrder } from './intents.ts'
import type { NodeId, ResourceId } from './model.ts'
import { planFor } from './placement.ts'
import type { State } from './state.ts'

/** A resource that would be somewhere else. */
export interface Foreseen {
  readonly resource: ResourceId
  /** Where it belongs now; `undefined`: nowhere. */
  readonly from: NodeId | undefined
  /** Where it would belong; `undefined`: nowhere. */
  readonly to: NodeId | undefined
  /** Why there, or why nowhere, in a clause. */
  readonly because: string
}

/** What an operator is told before an order is given. */
export interface Outlook {
  readonly foreseen: readonly Foreseen[]
  /** What else follows from it, in sentences. */
  readonly cautions: readonly string[]
}

/** What would change; a sentence where that cannot be told. Changes nothing. */
export function foresee(state: State, order: IntentOrder): Outlook | string {
  const { session, ledger, config } = state
  const meaningless = whyMeaningless(config, ledger.intents, order)
  if (meaningless !== undefined) return meaningless
  if (!session?.open) return 'the cluster cannot decide now; see `picket status`'
  const intents = withOrder(ledger.intents, order, 'you', '')
  const before = planFor(state, session)
  const after = planFor({ ...state, ledger: { ...ledger, intents } }, session)
  const foreseen = config.resources.flatMap(({ id }): readonly Foreseen[] => {
    const from = before.get(id)?.node
    const { node: to, because } = after.get(id)!
    return from === to ? [] : [{ resource: id, from, to, because }]
  })
  return { foreseen, cautions: cautionsOf(state, order) }
}
