/**
 * Other paths are asked before a lost node is fenced (F18): every member listens for its addresses,
 * and asks the devices that may know why it is away: it is being migrated, its guest agent answers.
 * As long as something speaks for it the fencing is deferred, for a bounded time. A node that has
 * lost nothing but its ring may find it again. What is heard defers; it decides nothing.
 */
import { expectedIdentity } from './devices.ts'
import { entryOf } from './ledger.ts'
import {
  type DeviceConfig,
  type DeviceId,
  type NodeConfig,
  type NodeId,
  sameHardware,
} from './model.ts'
import { type Ear, freshId, type Session, type State, say, set, type Turn } from './state.ts'

const WINDOW_MS = 150
/** From the loss of a node to the first answers of everybody, with what a slow network adds. */
const FIRST_MS = 1_000
/** Beyond its own bound, before an answer that does not come is not waited for any more. */
const ANSWER_MS = 2_000
/** Gap between two questions to one device: an API counts its calls. */
const DEVICE_EVERY_MS = 1_000

/** How long a fencing waits at least, so that the other paths can be asked at all. */
export function askingMs(state: State, node: NodeId): number {
  return isAsked(state, node) ? FIRST_MS : 0
}

/** Who hears a node that is lost from the ring, or a device that speaks for it; and what. */
export function hearersOf(
  session: Session,
  node: NodeId,
): readonly { readonly by: NodeId; readonly why: string }[] {
  return (session.merged?.members ?? []).flatMap((by) => {
    const why = session.reports[by]?.hears[node]
    return why === undefined ? [] : [{ by, why }]
  })
}

/** What spoke for each lost node when this one last asked. */
export function heardHere({ ears }: State): Readonly<Record<NodeId, string>> {
  const heard = Object.values(ears).filter(({ why }) => why !== '')
  return Object.fromEntries(heard.map(({ node, why }) => [node, why]))
}

/** Asks for every lost node that may still be spared, once a beat; forgets the others. */
export function listenForLost(turn: Turn): void {
  const { state } = turn
  const ears: Record<NodeId | DeviceId, Ear> = {}
  for (const node of state.config.nodes.filter(({ id }) => mayBeSpared(state, id))) {
    for (const device of witnessesFor(state, node)) {
      ears[device.id] = due(turn, device.id, node, () => question(turn, node, device))
    }
    if (node.addresses.length > 0) {
      ears[node.id] = due(turn, node.id, node, () => call(turn, node))
    }
  }
  const some = Object.keys(ears).length > 0 || Object.keys(state.ears).length > 0
  if (some) set(turn, { ears })
}

/** A lost node has been listened for; true where that is news. */
export function onAsked(turn: Turn, id: number, answered: readonly string[]): boolean {
  const [address] = answered
  const { beatMs } = turn.state.config.timing
  return noted(turn, id, address === undefined ? '' : `it answers on ${address}`, beatMs)
}

/** A device has been asked about a lost node; true where that is news. Another one's has no say. */
export function onVouched(
  turn: Turn,
  id: number,
  { spare = '', identity = '' }: { spare?: string; identity?: string },
): boolean {
  const { state } = turn
  const found = Object.entries(state.ears).find(([, { askedId }]) => askedId === id)
  const device = state.config.devices.find((each) => each.id === found?.[0])
  if (found === undefined || device === undefined) return false
  const expected = expectedIdentity(state, device, found[1].node)
  const ours = identity === '' || expected === '' || sameHardware(expected, identity)
  return noted(turn, id, ours ? spare : '', DEVICE_EVERY_MS)
}

function noted(turn: Turn, id: number, why: string, everyMs: number): boolean {
  const found = Object.entries(turn.state.ears).find(([, { askedId }]) => askedId === id)
  if (found === undefined) return false
  const [source, ear] = found
  const heard: Ear = { ...ear, askedId: undefined, why, nextMs: turn.nowMs + everyMs }
  set(turn, { ears: { ...turn.state.ears, [source]: heard } })
  if (ear.why === why) return false
  if (why !== '') {
    say(turn, 'info', `${ear.node} is lost from the ring, and ${why}`, { node: ear.node, source })
  }
  return true
}

/** The ear at a source, with a new question where its time has come. */
function due(
  turn: Turn,
  source: NodeId | DeviceId,
  { id: node }: NodeConfig,
  ask: () => Pick<Ear, 'askedId' | 'nextMs'>,
): Ear {
  const before = turn.state.ears[source] ?? { node, askedId: undefined, why: '', nextMs: -Infinity }
  return turn.nowMs < before.nextMs ? before : { ...before, ...ask() }
}

function call(turn: Turn, { id: target, addresses }: NodeConfig): Pick<Ear, 'askedId' | 'nextMs'> {
  const askedId = freshId(turn)
  turn.effects.push({ do: 'listen', id: askedId, target, addresses, windowMs: WINDOW_MS })
  return { askedId, nextMs: turn.nowMs + WINDOW_MS + ANSWER_MS }
}

function question(
  turn: Turn,
  { id: target }: NodeConfig,
  { id: device, timeoutMs }: DeviceConfig,
): Pick<Ear, 'askedId' | 'nextMs'> {
  const askedId = freshId(turn)
  turn.effects.push({ do: 'read', id: askedId, device, target, timeoutMs })
  return { askedId, nextMs: turn.nowMs + timeoutMs + ANSWER_MS }
}

/** Lost from the ring, and nobody has begun to fence it. */
function mayBeSpared(state: State, node: NodeId): boolean {
  const { standing, seen, fencing } = entryOf(state.ledger, node)
  if (standing !== 'lost' || !seen || fencing !== undefined || node === state.self) return false
  if (state.session?.open !== true || state.group?.ringMembers.includes(node)) return false
  return isAsked(state, node)
}

function isAsked(state: State, id: NodeId): boolean {
  const node = state.config.nodes.find((each) => each.id === id)
  if (node === undefined || state.config.rules.reprieveMs === 0) return false
  return node.addresses.length > 0 || witnessesFor(state, node).length > 0
}

/** Its devices that may know why it is away. */
function witnessesFor({ config }: State, { levels }: NodeConfig): readonly DeviceConfig[] {
  const ids = levels.flatMap(({ devices }) => devices)
  return config.devices.filter(({ id, vouches }) => vouches && ids.includes(id))
}
