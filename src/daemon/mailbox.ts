/**
 * Where news goes. Corosync speaks as soon as the group is joined, and the loop cannot run before
 * it knows from Corosync who this node is: what comes in between is kept, in order.
 */
import type { News } from '../core/event.ts'
import type { State } from '../core/state.ts'
import type { Desk } from './control.ts'
import type { Heads } from './heads.ts'
import type { RingStatus } from './ring-status.ts'
import type { RunningNode } from './runner.ts'

export interface Mailbox {
  /** The loop, once it runs. */
  readonly node: RunningNode<State> | undefined
  /** Why the loop does not run yet. */
  waitsFor: string
  /** What goes beside the messages, once the loop runs. */
  heads: Omit<Heads, 'own' | 'settled'> | undefined
  /** What about Corosync's quorum stands in every status. */
  quorumAlarms: () => readonly string[]
  /** How Corosync's ring works, once the loop runs. */
  ring: (() => RingStatus) | undefined
  /** What is proven of a node by its Corosync id, once the loop runs. */
  prove: Desk['prove'] | undefined
  readonly tell: (news: News) => void
  /** Hands over what has come, and everything that will. */
  deliverTo(node: RunningNode<State>): void
}

export function openMailbox(): Mailbox {
  const early: News[] = []
  let node: RunningNode<State> | undefined
  return {
    get node() {
      return node
    },
    heads: undefined,
    quorumAlarms: () => [],
    ring: undefined,
    prove: undefined,
    waitsFor: 'Corosync has not been asked yet',
    tell(news) {
      if (node === undefined) early.push(news)
      else node.tell(news)
    },
    deliverTo(running) {
      node = running
      for (const news of early.splice(0)) node.tell(news)
    },
  }
}
