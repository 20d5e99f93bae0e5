/**
 * What runs where, deed by deed, on the way to the plan (plan.ts). A resource is granted only when
 * no node may hold it: every other node has reported it stopped in this session, or left, or was
 * fenced (H5). It is granted after those that it starts after, and taken away before them (H3).
 */

import { delivered, once } from './duty.ts'
import { entryOf } from './ledger.ts'
import { type Look, lookAt } from './look.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'
import type { Place, Plan } from './plan.ts'
import { type Session, type State, say, set, type Turn } from './state.ts'

/** Grants what provably runs nowhere, and ends what runs where it should not. */
export function place(turn: Turn, session: Session): void {
  const look = lookAt(turn.state, session)
  for (const resource of turn.state.config.resources) {
    const holders = look.holdersOf(resource)
    if (holders.length === 0) {
      forgetReleases(turn, resource)
      grant(turn, look, resource)
    } else withdraw(turn, look, resource, holders)
  }
}

/** Where each resource should be, as a member sees it. */
export function planFor(state: State, session: Session): Plan {
  return lookAt(state, session).plan
}

/** Why a resource that is planned somewhere is not granted yet; empty where nothing is missing. */
export function whyNotGranted(state: State, session: Session, resource: ResourceConfig): string {
  const look = lookAt(state, session)
  const to = look.plan.get(resource.id)?.node
  return to === undefined ? '' : whyNotYet(look, resource, to)
}

// ---- granting ----

function grant(turn: Turn, look: Look, resource: ResourceConfig): void {
  const to = look.plan.get(resource.id)?.node
  if (to === undefined || whyNotYet(look, resource, to) !== '') return
  const { id, thing } = resource
  once(turn, `grant:${thing}`, { say: 'grant', resource: id, thing, to })
}

/** What has to happen before this resource may be granted to this node. */
function whyNotYet(look: Look, resource: ResourceConfig, to: NodeId): string {
  for (const id of resource.after) {
    const at = holderOf(look, id)
    // On the same node the start itself waits: what is granted there comes up before it.
    const up = at === to ? isStaying(look, id, at) : at && stateAt(look, id, at) === 'running'
    if (!up) return `it waits for ${id}, after which it starts`
  }
  for (const { to: id, strength } of resource.beside) {
    if (strength === 'must' && holderOf(look, id) !== to) return `it waits for ${id} to be on ${to}`
  }
  for (const other of look.state.config.resources) {
    if (mustBeApart(resource, other) && look.holdersOf(other).includes(to)) {
      return `it waits for ${other.id} to be gone from ${to}`
    }
  }
  return whyNoRoomYet(look, resource, to)
}

/** What is about to move away still takes its room. */
function whyNoRoomYet(look: Look, { needs }: ResourceConfig, to: NodeId): string {
  const kinds = Object.keys(needs)
  if (kinds.length === 0) return ''
  const { nodes, resources } = look.state.config
  const capacity = nodes.find(({ id }) => id === to)?.capacity ?? {}
  const there = resources.filter((each) => look.holdersOf(each).includes(to))
  const lacking = kinds.find((kind) => {
    const taken = there.reduce((sum, each) => sum + (each.needs[kind] ?? 0), 0)
    return taken + (needs[kind] ?? 0) > (capacity[kind] ?? Infinity)
  })
  return lacking === undefined ? '' : `it waits for ${lacking} to be free on ${to}`
}

function mustBeApart(one: ResourceConfig, other: ResourceConfig): boolean {
  const names = ({ apart }: ResourceConfig, id: ResourceId) =>
    apart.some(({ to, strength }) => to === id && strength === 'must')
  return names(one, other.id) || names(other, one.id)
}

/** The only node that may hold it; `undefined` where there is none, or more than one. */
function holderOf(look: Look, id: ResourceId): NodeId | undefined {
  const resource = look.byId(id)
  const holders = resource === undefined ? [] : look.holdersOf(resource)
  return holders.length === 1 ? holders[0] : undefined
}

function stateAt({ session }: Look, id: ResourceId, node: NodeId): string | undefined {
  return session.reports[node]?.resources[id]?.state
}

function isStaying(look: Look, id: ResourceId, at: NodeId): boolean {
  const state = stateAt(look, id, at)
  return state !== 'stopping' && state !== 'stuck' && look.plan.get(id)?.node === at
}

// ---- taking away ----

/**
 * A member that runs a thing beside another, or that may not run it at all, has to stop (H15); and
 * so has one that should run elsewhere, or whose forerunners are going down.
 */
function withdraw(
  turn: Turn,
  look: Look,
  resource: ResourceConfig,
  holders: readonly NodeId[],
): void {
  const { state, session } = look
  const present = holders.filter((id) => session.merged?.members.includes(id))
  const rightful = present
    .filter((id) => resource.nodes.includes(id))
    .sort((a, b) => grantedStep(state, b, resource) - grantedStep(state, a, resource))
  const keeper = present.length === holders.length ? rightful[0] : undefined
  for (const node of present) {
    const allowed = resource.nodes.includes(node)
    const only = allowed && holders.length === 1
    if (node === keeper && !only) continue
    if (entryOf(state.ledger, node).standing !== 'member') continue
    const doing = stateAt(look, resource.id, node)
    if (doing !== 'running' && doing !== 'starting') {
      delivered(turn, `release:${resource.id}:${node}`)
      continue
    }
    if (!allowed) {
      release(turn, 'alarm', resource, node, 'this node is not among those that may run it')
    } else if (only) {
      move(turn, look, resource, node)
    } else if (keeper !== undefined) {
      release(turn, 'alarm', resource, node, `${keeper} runs it as well`)
    }
  }
}

/** Ends it where it is, if it should not be there; what starts after it ends first. */
function move(turn: Turn, look: Look, resource: ResourceConfig, node: NodeId): void {
  const because = whyNotHere(look, resource, node)
  if (because === '' || followersThere(look, resource, node)) return
  release(turn, 'info', resource, node, because)
}

function whyNotHere(look: Look, resource: ResourceConfig, node: NodeId): string {
  const place = look.plan.get(resource.id)
  if (place === undefined) return ''
  if (place.node !== node) return whyElsewhere(place, node)
  for (const id of resource.after) {
    const at = holderOf(look, id)
    if (at !== undefined && !isKnownDown(look, id, at)) continue
    const leader = look.byId(id)
    // Nobody can say where it is: that is no reason to end what works.
    if (at === undefined && leader !== undefined && look.holdersOf(leader).length > 0) continue
    return `${id}, after which it starts, is not there any more`
  }
  return ''
}

function whyElsewhere({ node, because, elsewhere }: Place, here: NodeId): string {
  return elsewhere[here] ?? (node === undefined ? because : `${node} is to run it`)
}

/** Is it going down, or about to be moved? */
function isKnownDown(look: Look, id: ResourceId, at: NodeId): boolean {
  const state = stateAt(look, id, at)
  if (state === 'stopping' || state === 'stuck') return true
  return entryOf(look.state.ledger, at).standing === 'member' && look.plan.get(id)?.node !== at
}

/** Is anything still held that ends before this one does? */
function followersThere(look: Look, { id }: ResourceConfig, node: NodeId): boolean {
  return look.state.config.resources.some((other) => {
    const holders = look.holdersOf(other)
    if (other.after.includes(id)) return holders.length > 0 && isPresent(look, holders)
    const beside = other.beside.some(({ to, strength }) => to === id && strength === 'must')
    return beside && holders.includes(node)
  })
}

/** Does anybody hold it who can be asked to end it? */
function isPresent({ session }: Look, holders: readonly NodeId[]): boolean {
  return holders.some((id) => session.merged?.members.includes(id))
}

function grantedStep(state: State, node: NodeId, resource: ResourceConfig): number {
  const { holds } = entryOf(state.ledger, node)
  if (holds === 'anything') return 0
  return holds.find((hold) => hold.thing === resource.thing)?.step ?? 0
}

function release(
  turn: Turn,
  level: 'info' | 'alarm',
  resource: ResourceConfig,
  node: NodeId,
  because: string,
): void {
  const key = `release:${resource.id}:${node}`
  if (turn.state.duty.sent.includes(key)) return
  say(turn, level, `${resource.id} has to stop on ${node}: ${because}`, {
    resource: resource.id,
    node,
  })
  once(turn, key, { say: 'release', resource: resource.id, node, because })
}

/** It is down everywhere: what it was told has been done. */
function forgetReleases(turn: Turn, { id }: ResourceConfig): void {
  const { sent } = turn.state.duty
  for (const key of sent) if (key.startsWith(`release:${id}:`)) delivered(turn, key)
}

/**
 * While a lost node is being fenced, the node that will take over its things makes ready: address
 * conflicts are looked for beside the fencing, not after it.
 */
export function prepare(turn: Turn): void {
  const { session, self, ledger, duty } = turn.state
  if (session === undefined || !session.open) return
  const look = lookAt(turn.state, session)
  for (const resource of turn.state.config.resources) {
    const holder = look.holdersOf(resource).find((id) => {
      const { standing } = entryOf(ledger, id)
      return standing === 'lost' || standing === 'condemned'
    })
    if (holder === undefined) continue
    const key = `${resource.id}:${entryOf(ledger, holder).fencing?.id ?? ''}`
    if (duty.prepared.includes(key)) continue
    if (look.plan.get(resource.id)?.node !== self) continue
    // The first command goes out before anything else is begun here.
    const at = turn.state.fencings[holder]?.at
    if (at === 'durable' || at === 'identify') continue
    set(turn, { duty: { ...turn.state.duty, prepared: [...duty.prepared, key].slice(-32) } })
    turn.effects.push({ do: 'prepare', resource: resource.id })
  }
}
