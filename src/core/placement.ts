/**
 * What should run where. A resource is granted only when no node may hold it: every other node has
 * reported it stopped in this session, or left, or was fenced (H5). It stays where it is; it goes
 * to the first of its nodes that is able to take it.
 */

import { once } from './duty.ts'
import { entryOf, mayHold } from './ledger.ts'
import type { NodeId, ResourceConfig } from './model.ts'
import { type Session, type State, say, set, type Turn } from './state.ts'

/** Grants what provably runs nowhere, and ends what runs where it has no right to. */
export function place(turn: Turn, session: Session): void {
  for (const resource of turn.state.config.resources) {
    const holders = holdersOf(turn.state, resource.thing)
    if (holders.length === 0) grant(turn, session, resource)
    else withdraw(turn, session, resource, holders)
  }
}

/** Every node that may hold a thing, as far as the ledger knows. */
export function holdersOf(state: State, thing: string): NodeId[] {
  return Object.keys(state.ledger.nodes).filter((id) => mayHold(entryOf(state.ledger, id), thing))
}

/** The node that would get a resource now; `undefined` when none is able to take it. */
export function candidateFor(
  state: State,
  session: Session,
  resource: ResourceConfig,
): NodeId | undefined {
  return resource.nodes.find((id) => {
    const entry = entryOf(state.ledger, id)
    const report = session.reports[id]
    if (entry.standing !== 'member' || entry.barred || entry.late) return false
    if (report === undefined || report.leaving || !session.merged?.members.includes(id))
      return false
    const local = report.resources[resource.id]
    return local?.state === 'stopped' && !local.refuses
  })
}

function grant(turn: Turn, session: Session, resource: ResourceConfig): void {
  const to = candidateFor(turn.state, session, resource)
  if (to === undefined) return
  const { id, thing } = resource
  once(turn, `grant:${thing}`, { say: 'grant', resource: id, thing, to })
}

/** A member that runs a thing beside another, or that may not run it at all, has to stop (H15). */
function withdraw(
  turn: Turn,
  session: Session,
  resource: ResourceConfig,
  holders: readonly NodeId[],
): void {
  const { ledger } = turn.state
  const present = holders.filter((id) => session.merged?.members.includes(id))
  const rightful = present
    .filter((id) => resource.nodes.includes(id))
    .sort((a, b) => grantedStep(turn.state, b, resource) - grantedStep(turn.state, a, resource))
  const keeper = present.length === holders.length ? rightful[0] : undefined
  for (const node of present) {
    const allowed = resource.nodes.includes(node)
    if (node === keeper || (allowed && holders.length === 1)) continue
    if (entryOf(ledger, node).standing !== 'member') continue
    const state = session.reports[node]?.resources[resource.id]?.state
    if (state !== 'running' && state !== 'starting') continue
    if (!allowed) release(turn, resource, node, 'this node is not among those that may run it')
    else if (keeper !== undefined) release(turn, resource, node, `${keeper} runs it as well`)
  }
}

function grantedStep(state: State, node: NodeId, resource: ResourceConfig): number {
  const { holds } = entryOf(state.ledger, node)
  if (holds === 'anything') return 0
  return holds.find((hold) => hold.thing === resource.thing)?.step ?? 0
}

function release(turn: Turn, resource: ResourceConfig, node: NodeId, because: string): void {
  const key = `release:${resource.id}:${node}`
  if (turn.state.duty.sent.includes(key)) return
  say(turn, 'alarm', `${resource.id} has to stop on ${node}: ${because}`, {
    resource: resource.id,
    node,
  })
  once(turn, key, { say: 'release', resource: resource.id, node, because })
}

/**
 * While a lost node is being fenced, the node that will take over its things makes ready: address
 * conflicts are looked for beside the fencing, not after it.
 */
export function prepare(turn: Turn): void {
  const { session, self, ledger, config, duty } = turn.state
  if (session === undefined || !session.open) return
  for (const resource of config.resources) {
    const holder = holdersOf(turn.state, resource.thing).find((id) => {
      const { standing } = entryOf(ledger, id)
      return standing === 'lost' || standing === 'condemned'
    })
    if (holder === undefined) continue
    const key = `${resource.id}:${entryOf(ledger, holder).fencing?.id ?? ''}`
    if (duty.prepared.includes(key)) continue
    if (candidateFor(turn.state, session, resource) !== self) continue
    // The first command goes out before anything else is begun here.
    const at = turn.state.fencings[holder]?.at
    if (at === 'durable' || at === 'identify') continue
    set(turn, { duty: { ...turn.state.duty, prepared: [...duty.prepared, key].slice(-32) } })
    turn.effects.push({ do: 'prepare', resource: resource.id })
  }
}
