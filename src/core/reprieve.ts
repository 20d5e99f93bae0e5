/**
 * Other paths are asked before a lost node is fenced (F18): every member listens for its addresses,
 * and as long as one of them is answered there, the fencing is deferred, for a bounded time. A node
 * that has lost nothing but its ring may find it again. What is heard defers; it decides nothing.
 */
import { entryOf } from './ledger.ts'
import type { NodeConfig, NodeId } from './model.ts'
import { type Ear, freshId, type Session, type State, set, type Turn } from './state.ts'

const WINDOW_MS = 150
/** From the loss of a node to the first answers of everybody, with what a slow network adds. */
const FIRST_MS = 1_000
/** Beyond the window, before an answer that does not come is not waited for any more. */
const ANSWER_MS = 2_000

/** How long a fencing waits at least, so that the other paths can be asked at all. */
export function askingMs(state: State, node: NodeId): number {
  return addressesAsked(state, node).length > 0 ? FIRST_MS : 0
}

/** Who hears a node that is lost from the ring. */
export function hearersOf(session: Session, node: NodeId): readonly NodeId[] {
  return (session.merged?.members ?? []).filter((id) => session.reports[id]?.hears.includes(node))
}

/** Lost nodes that answered here when they were last asked. */
export function heardHere({ ears }: State): readonly NodeId[] {
  return Object.keys(ears).filter((node) => ears[node]!.answers)
}

/** Asks every lost node that may still be spared, once a beat; forgets the others. */
export function listenForLost(turn: Turn): void {
  const { state, nowMs } = turn
  const wanted = state.config.nodes.filter(({ id }) => mayBeSpared(state, id))
  const ears: Record<NodeId, Ear> = {}
  for (const node of wanted) {
    const ear = state.ears[node.id] ?? { askedId: undefined, answers: false, nextMs: -Infinity }
    ears[node.id] = nowMs < ear.nextMs ? ear : { ...ear, ...ask(turn, node) }
  }
  if (wanted.length > 0 || Object.keys(state.ears).length > 0) set(turn, { ears })
}

/** It has been listened for a lost node; true where that is news. */
export function onAsked(turn: Turn, id: number, answered: readonly string[]): boolean {
  const found = Object.entries(turn.state.ears).find(([, { askedId }]) => askedId === id)
  if (found === undefined) return false
  const [node, ear] = found
  const nextMs = turn.nowMs + turn.state.config.timing.beatMs
  const heard: Ear = { askedId: undefined, answers: answered.length > 0, nextMs }
  set(turn, { ears: { ...turn.state.ears, [node]: heard } })
  return ear.answers !== heard.answers
}

function ask(turn: Turn, { id: target, addresses }: NodeConfig): Pick<Ear, 'askedId' | 'nextMs'> {
  const askedId = freshId(turn)
  turn.effects.push({ do: 'listen', id: askedId, target, addresses, windowMs: WINDOW_MS })
  return { askedId, nextMs: turn.nowMs + WINDOW_MS + ANSWER_MS }
}

/** Lost from the ring, and nobody has begun to fence it. */
function mayBeSpared(state: State, node: NodeId): boolean {
  const { standing, seen, fencing } = entryOf(state.ledger, node)
  if (standing !== 'lost' || !seen || fencing !== undefined || node === state.self) return false
  if (state.session?.open !== true || state.group?.ringMembers.includes(node)) return false
  return addressesAsked(state, node).length > 0
}

function addressesAsked({ config }: State, node: NodeId): readonly string[] {
  if (config.rules.reprieveMs === 0) return []
  return config.nodes.find(({ id }) => id === node)?.addresses ?? []
}
