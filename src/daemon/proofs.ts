/**
 * Which nodes are proven off since they were last there, for others who ask: dlm_controld gives a
 * dead node's locks away on this word (H21).
 *
 * The ledger says `fenced` until a node's daemon is back in our group. That is not enough here: a
 * node may boot, join Corosync, take locks and die again without ever starting picketd. So a proof
 * counts only where this daemon has seen the verdict fall, in quorate rings ever since, and has not
 * seen the node in a ring again. Whatever is in doubt is no proof; it is fenced once more.
 */
import { entryOf } from '../core/ledger.ts'
import type { NodeId } from '../core/model.ts'
import type { State } from '../core/state.ts'

export interface Proof {
  readonly node: NodeId
  /** What proved it, in a sentence. */
  readonly text: string
}

export interface Proofs {
  /** Looked at after every step of the core. */
  follow(state: State): void
  /** How that node is proven off, if it is. */
  of(node: NodeId): Proof | undefined
}

/** `onProof` is told of every node that is proven off and out of the ring, once for each proof. */
export function openProofs(onProof: (proof: Proof) => void = () => {}): Proofs {
  /** Nodes that were not fenced at some moment of the unbroken chain that lasts. */
  const alive = new Set<NodeId>()
  /** `gone`: it has been out of the ring since. Whoever is pressed in the ring leaves it later. */
  const proven = new Map<NodeId, { readonly text: string; gone: boolean }>()
  const followNode = (state: State, node: NodeId) => {
    const { standing, because } = entryOf(state.ledger, node)
    if (standing !== 'fenced') {
      alive.add(node)
      proven.delete(node)
      return
    }
    // Whoever is back without its daemon is proven nothing until another verdict falls.
    if (alive.delete(node)) proven.set(node, { text: because, gone: false })
    const known = proven.get(node)
    if (known === undefined) return
    const inRing = state.group?.ringMembers.includes(node) === true
    if (inRing && known.gone) proven.delete(node)
    if (inRing || known.gone) return
    known.gone = true
    onProof({ node, text: known.text })
  }
  return {
    follow(state) {
      if (!state.chain || state.corosyncLost !== '' || state.group === undefined) {
        alive.clear()
        proven.clear()
        return
      }
      for (const { id } of state.config.nodes) followNode(state, id)
    },
    of(node) {
      const known = proven.get(node)
      return known?.gone ? { node, text: known.text } : undefined
    },
  }
}

/** What the helper of dlm_controld is told of a node that is not proven off. */
export function whatToOrder({ ledger }: State, node: NodeId): 'off' | 'reboot' | '' {
  const { standing, barred, fencing } = entryOf(ledger, node)
  // A lost node is fenced by itself when its delays are over, a condemned one at once.
  if (standing === 'lost' || standing === 'condemned' || fencing?.owner !== undefined) return ''
  // Whom an operator wants off stays off.
  return barred ? 'off' : 'reboot'
}
