/**
 * Live moves, as the ledger sees them (H2). A resource that moves live is held by two nodes for a
 * while: by its source as ever, and by its target, whose hold names the source. Either may have it
 * then, so either counts: it is granted to nobody before both are proven to have nothing of it.
 *
 * A hold that names its source ends by no report of the target: what has not arrived yet is not
 * there, and may arrive a moment later. When the source has nothing more to send, `unlink` takes
 * that name off. The target looks anew, and from then on it is believed: that it is stopped, or
 * that it runs, which it says only of what it has taken over to the end. Whatever else a daemon
 * finds there came by a move that was cut short.
 */
import { targetsOf } from './clones.ts'
import { entryOf, type Hold, type Ledger, mayHold } from './ledger.ts'
import type { Report, ResourceState } from './message.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'

/** One live move that is not over. */
export interface LiveMove {
  readonly thing: string
  /** Empty where nobody sends it any more. */
  readonly from: NodeId
  readonly to: NodeId
  /** Of the hold that the target was given. */
  readonly step: number
}

/** The live move of a thing, if there is one. */
export function moveOf(ledger: Ledger, thing: string): LiveMove | undefined {
  return movesBy(ledger).get(thing)
}

/** Every live move that is not over. */
export function movesIn(ledger: Ledger): readonly LiveMove[] {
  return [...movesBy(ledger).values()]
}

/** By thing. A ledger never changes, so they are looked for once in each. */
function movesBy(ledger: Ledger): ReadonlyMap<string, LiveMove> {
  const before = known.get(ledger)
  if (before !== undefined) return before
  const moves = new Map<string, LiveMove>()
  for (const to in ledger.nodes) {
    const { holds } = ledger.nodes[to]!
    for (const { thing, step, from } of holds === 'anything' ? [] : holds) {
      if (from !== undefined && !moves.has(thing)) moves.set(thing, { thing, from, to, step })
    }
  }
  known.set(ledger, moves)
  return moves
}

const known = new WeakMap<Ledger, ReadonlyMap<string, LiveMove>>()

/**
 * Is the target to look anew, because its source has nothing more to send: is it stopped there, or
 * off? And is there anybody on the target who can?
 */
export function isSent(ledger: Ledger, { from, to, thing }: LiveMove): boolean {
  if (from === '' || entryOf(ledger, to).standing !== 'member') return false
  return from === to || !mayHold(entryOf(ledger, from), thing)
}

/** May anything still be sent to this node? */
export function awaitsAny(ledger: Ledger, node: NodeId): boolean {
  const { holds } = entryOf(ledger, node)
  return holds !== 'anything' && holds.some(({ from = '' }) => from !== '')
}

/** A resource on its way, for people: how far it has come. */
export function movingOf(
  ledger: Ledger,
  thing: string,
  stateAt: (node: NodeId) => ResourceState,
): { readonly state: 'moving'; readonly node: NodeId; readonly because: string } | undefined {
  const move = moveOf(ledger, thing)
  if (move === undefined || move.from === '') return undefined
  const { from, to } = move
  const [here, there] = [stateAt(from), stateAt(to)]
  const text = (how: string) => {
    return { state: 'moving', node: from, because: `live from ${from} to ${to}: ${how}` } as const
  }
  if (there === 'running') return text(`it runs on ${to}, and ${from} stops what is left of it`)
  if (here === 'sending' && there === 'receiving') return text('it is being sent')
  if (here === 'sent' && there === 'receiving') return text(`${to} takes it over`)
  return text('that has failed, so both stop it, and it starts anew')
}

/**
 * What a member holds by its own word in a new session, and what may be on its way to it. What it
 * has looked at before it does not know any more, so it is to look anew.
 */
export function withComing(
  node: NodeId,
  found: readonly Hold[],
  before: readonly Hold[],
): readonly Hold[] {
  const coming = before
    .filter(({ from }) => from !== undefined)
    .map(({ thing, from }) => ({ thing, step: 1, from: from || node }))
  return [...found.filter(({ thing }) => !coming.some((each) => each.thing === thing)), ...coming]
}

/** The holds after their node has said what runs there: it says so only of what has arrived. */
export function withArrived(
  holds: readonly Hold[],
  { step: known, resources }: Pick<Report, 'step' | 'resources'>,
): readonly Hold[] {
  const arrived = ({ thing, step, from }: Hold) => {
    if (from !== '' || step > known) return false
    return Object.values(resources).some((each) => each.thing === thing && each.state === 'running')
  }
  if (!holds.some(arrived)) return holds
  return holds.map((hold) => (arrived(hold) ? { thing: hold.thing, step: hold.step } : hold))
}

/**
 * Why a resource is never moved live, in a clause; empty where it may be. Who has company moves
 * with it, one stopped and started after the other.
 */
export function whyNeverLive(
  resources: readonly ResourceConfig[],
  { id, live, clone, after, beside }: ResourceConfig,
): string {
  if (live === undefined) return 'it has no `live: true`'
  if (clone !== undefined) return 'it is a clone'
  if (after.length > 0) return `it starts after ${after[0]}`
  const leader = beside.find(({ strength }) => strength === 'must')
  if (leader !== undefined) return `it must run beside ${leader.to}`
  const follower = resources.find((other) => other.id !== id && isBoundTo(resources, other, id))
  return follower === undefined ? '' : `${follower.id} has to stop before it does`
}

function isBoundTo(
  resources: readonly ResourceConfig[],
  { after, beside }: ResourceConfig,
  id: ResourceId,
): boolean {
  const musts = beside.filter(({ strength }) => strength === 'must').map(({ to }) => to)
  return [...after, ...musts].some((name) =>
    targetsOf(resources, name).some((one) => one.id === id),
  )
}
