/**
 * What runs where, deed by deed, on the way to the plan (plan.ts). A resource is granted only when
 * no node may hold it: every other node has reported it stopped in this session, or left, or was
 * fenced (H5). It is granted after those that it starts after, and taken away before them (H3).
 *
 * Which deeds are due follows from one look at the cluster alone, so they are worked out once for
 * each, however many events pass by in which nothing of it changes.
 */

import { awaitedBy, mustBeBeside, startsAfter, targetsOf } from './clones.ts'
import { delivered, once } from './duty.ts'
import { maintenanceOf } from './intents.ts'
import { entryOf, isOpen } from './ledger.ts'
import { isSent, type LiveMove, moveOf, movesIn, whyNeverLive } from './live.ts'
import { type Look, lookAt } from './look.ts'
import type { NodeId, ResourceConfig, ResourceId } from './model.ts'
import type { Place, Plan } from './plan.ts'
import { type Session, type State, say, set, type Turn } from './state.ts'
import { tiesOf } from './ties.ts'

type Deed =
  | { readonly do: 'grant'; readonly resource: ResourceConfig; readonly to: NodeId }
  | {
      readonly do: 'migrate'
      readonly resource: ResourceConfig
      readonly from: NodeId
      readonly to: NodeId
    }
  | { readonly do: 'unlink'; readonly move: LiveMove }
  | {
      readonly do: 'release'
      readonly resource: ResourceConfig
      readonly node: NodeId
      readonly because: string
      readonly level: 'info' | 'alarm'
    }

/** Grants what provably runs nowhere, and ends what runs where it should not. */
export function place(turn: Turn, session: Session): void {
  const deeds = deedsOf(lookAt(turn.state, session))
  const due = new Set(deeds.map(keyOf))
  // What was told to stop, and does so, or does not have to any more.
  for (const key of turn.state.duty.sent) {
    if (key.startsWith('release:') && !due.has(key)) delivered(turn, key)
  }
  for (const deed of deeds) act(turn, deed)
}

function keyOf(deed: Deed): string {
  if (deed.do === 'migrate') return `migrate:${deed.resource.thing}`
  if (deed.do === 'unlink') return `unlink:${deed.move.to}:${deed.move.thing}`
  if (deed.do === 'grant') return `grant:${deed.resource.thing}`
  return `release:${deed.resource.id}:${deed.node}`
}

function act(turn: Turn, deed: Deed): void {
  const key = keyOf(deed)
  if (deed.do === 'unlink') {
    return once(turn, key, { say: 'unlink', thing: deed.move.thing, node: deed.move.to })
  }
  const { id, thing } = deed.resource
  if (deed.do === 'migrate') {
    const { from, to } = deed
    return once(turn, key, { say: 'migrate', resource: id, thing, from, to })
  }
  if (deed.do === 'grant')
    return once(turn, key, { say: 'grant', resource: id, thing, to: deed.to })
  if (turn.state.duty.sent.includes(key)) return
  const { node, because, level } = deed
  say(turn, level, `${id} has to stop on ${node}: ${because}`, { resource: id, node })
  once(turn, key, { say: 'release', resource: id, node, because })
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

const known = new WeakMap<Look, readonly Deed[]>()

function deedsOf(look: Look): readonly Deed[] {
  const before = known.get(look)
  if (before !== undefined) return before
  const deeds = look.state.config.resources.flatMap((resource) => {
    const holders = look.holdersOf(resource)
    return holders.length === 0 ? grants(look, resource) : withdrawals(look, resource, holders)
  })
  const due = [...deeds, ...unlinks(look)]
  known.set(look, due)
  return due
}

/** Live moves of which nothing more can come, also of what no config knows any more. */
function unlinks({ state: { ledger } }: Look): readonly Deed[] {
  const over = movesIn(ledger).filter((move) => isSent(ledger, move))
  return over.map((move) => ({ do: 'unlink', move }))
}

// ---- granting ----

function grants(look: Look, resource: ResourceConfig): readonly Deed[] {
  const to = look.plan.get(resource.id)?.node
  if (to === undefined || whyNotYet(look, resource, to) !== '') return []
  return [{ do: 'grant', resource, to }]
}

/** What has to happen before this resource may be granted to this node. */
function whyNotYet(look: Look, resource: ResourceConfig, to: NodeId): string {
  const { resources } = look.state.config
  const { awaits } = look.plan.get(resource.id) ?? {}
  if (awaits !== undefined) return `it waits for the first answer of the checks on ${awaits}`
  for (const name of resource.after) {
    const up = awaitedBy(resources, resource, name, to).some(({ id }) => {
      const at = holderOf(look, id)
      // On the same node the start itself waits: what is granted there comes up before it.
      return at === to ? isStaying(look, id, at) : at !== undefined && runsOn(look, id, at)
    })
    if (!up) return `it waits for ${name}, after which it starts`
  }
  for (const { to: name, strength } of resource.beside) {
    const there = targetsOf(resources, name).some(
      ({ id }) => holderOf(look, id) === to && isStaying(look, id, to),
    )
    if (strength === 'must' && !there) return `it waits for ${name} to be on ${to}`
  }
  return whyNoRoomYet(look, resource, to) || whyTooMany(look, resource)
}

/** Of a clone those that are to go have to be gone before so many others come. */
function whyTooMany(look: Look, { id, clone }: ResourceConfig): string {
  if (clone === undefined) return ''
  const all = targetsOf(look.state.config.resources, clone.id)
  if (all.length <= clone.max) return ''
  const held = all.filter((each) => look.holdersOf(each).length > 0)
  // All that are free are looked at in one moment: those that come first in the list count too.
  const before = all
    .slice(
      0,
      all.findIndex((each) => each.id === id),
    )
    .filter((each) => !held.includes(each) && look.plan.get(each.id)?.node !== undefined)
  if (held.length + before.length < clone.max) return ''
  const leaving = held.filter((each) => look.plan.get(each.id)?.node === undefined)
  return `it waits for ${leaving.map((each) => each.id).join(', ')} to be gone`
}

/** What is about to move away is still in the way, and still takes its room. */
function whyNoRoomYet(look: Look, { id, needs }: ResourceConfig, to: NodeId): string {
  const { nodes, resources } = look.state.config
  for (const { to: foe, strength } of tiesOf(resources).apartOf(id)) {
    const other = look.byId(foe)
    if (strength !== 'must' || other === undefined) continue
    if (look.holdersOf(other).includes(to)) return `it waits for ${foe} to be gone from ${to}`
  }
  const kinds = Object.keys(needs)
  if (kinds.length === 0) return ''
  const capacity = nodes.find((node) => node.id === to)?.capacity ?? {}
  const there = resources.filter((each) => look.holdersOf(each).includes(to))
  const lacking = kinds.find((kind) => {
    const taken = there.reduce((sum, each) => sum + (each.needs[kind] ?? 0), 0)
    return taken + (needs[kind] ?? 0) > (capacity[kind] ?? Infinity)
  })
  return lacking === undefined ? '' : `it waits for ${lacking} to be free on ${to}`
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

/** Does it run there, and is not about to end? */
function runsOn(look: Look, id: ResourceId, at: NodeId): boolean {
  const { standing } = entryOf(look.state.ledger, at)
  if (standing !== 'member' || stateAt(look, id, at) !== 'running') return false
  return !isKnownDown(look, id, at)
}

/** Does it run there, or will it: is it granted, planned to stay, and nothing ends it there? */
function isStaying(look: Look, id: ResourceId, at: NodeId): boolean {
  const state = stateAt(look, id, at)
  const resource = look.byId(id)
  // It may not have heard of its grant yet.
  const comes = state === 'stopped' || state === 'starting' || state === 'running'
  if (!comes || resource === undefined || look.plan.get(id)?.node !== at) return false
  return whyNotHere(look, resource, at) === ''
}

// ---- taking away ----

/**
 * A member that runs a thing beside another, or that may not run it at all, has to stop (H15); and
 * so has one that should run elsewhere, or whose forerunners are going down.
 */
function withdrawals(
  look: Look,
  resource: ResourceConfig,
  holders: readonly NodeId[],
): readonly Deed[] {
  const { state, session } = look
  // Its two nodes end what is to be ended of it.
  if (moveOf(state.ledger, resource.thing) !== undefined) return []
  const present = holders.filter((id) => session.merged?.members.includes(id))
  const rightful = present
    .filter((id) => resource.nodes.includes(id))
    .sort((a, b) => grantedStep(state, b, resource) - grantedStep(state, a, resource))
  const keeper = present.length === holders.length ? rightful[0] : undefined
  return present.flatMap((node): readonly Deed[] => {
    if (entryOf(state.ledger, node).standing !== 'member') return []
    if (maintenanceOf(state.ledger.intents, resource.id, node) !== undefined) return []
    const doing = stateAt(look, resource.id, node)
    if (doing !== 'running' && doing !== 'starting') return []
    const deed = { do: 'release', resource, node, level: 'alarm' } as const
    if (!resource.nodes.includes(node)) {
      return [{ ...deed, because: 'this node is not among those that may run it' }]
    }
    if (holders.length > 1) {
      const other = keeper !== undefined && keeper !== node
      return other ? [{ ...deed, because: `${keeper} runs it as well` }] : []
    }
    const because = whyNotHere(look, resource, node)
    // What starts after it ends first.
    if (because === '' || followersThere(look, resource, node)) return []
    const live = liveMove(look, resource, node)
    if (live !== undefined) return [live]
    return [{ ...deed, level: 'info', because }]
  })
}

const reasons = new WeakMap<Look, Map<string, string>>()

/** Worked out once: of what starts after many, each way up the order would ask it again. */
function whyNotHere(look: Look, resource: ResourceConfig, node: NodeId): string {
  const found = reasons.get(look) ?? new Map<string, string>()
  reasons.set(look, found)
  const key = `${resource.id} ${node}`
  const because = found.get(key) ?? findWhyNotHere(look, resource, node)
  found.set(key, because)
  return because
}

function findWhyNotHere(look: Look, resource: ResourceConfig, node: NodeId): string {
  const place = look.plan.get(resource.id)
  if (place === undefined) return ''
  if (place.node !== node) {
    // What works is not ended before its better place is free.
    const waits = place.node !== undefined && place.canStay
    return waits && whyNoRoomYet(look, resource, place.node) !== '' ? '' : whyElsewhere(place, node)
  }
  for (const name of resource.after) {
    const awaited = awaitedBy(look.state.config.resources, resource, name, node)
    if (awaited.some((leader) => !isDown(look, leader))) continue
    return `${name}, after which it starts, is not there any more`
  }
  return ''
}

/** It works, its better place can take it now, and nothing else has to stop for it. */
function liveMove(look: Look, resource: ResourceConfig, from: NodeId): Deed | undefined {
  const { state } = look
  const to = look.plan.get(resource.id)?.node
  if (to === undefined || to === from) return undefined
  if (whyNeverLive(state.config.resources, resource) !== '') return undefined
  if (stateAt(look, resource.id, from) !== 'running') return undefined
  if (stateAt(look, resource.id, to) !== 'stopped') return undefined
  return whyNotYet(look, resource, to) === '' ? { do: 'migrate', resource, from, to } : undefined
}

/** Is it nowhere, or known to go? Where nobody can say, that is no reason to end what works. */
function isDown(look: Look, leader: ResourceConfig): boolean {
  const at = holderOf(look, leader.id)
  return at === undefined ? look.holdersOf(leader).length === 0 : isKnownDown(look, leader.id, at)
}

function whyElsewhere({ node, because, elsewhere }: Place, here: NodeId): string {
  return elsewhere[here] ?? (node === undefined ? because : `${node} is to run it`)
}

/** Is it going down, or about to be moved? */
function isKnownDown(look: Look, id: ResourceId, at: NodeId): boolean {
  const state = stateAt(look, id, at)
  if (state === 'stopping' || state === 'stuck') return true
  const leader = look.byId(id)
  if (leader === undefined || entryOf(look.state.ledger, at).standing !== 'member') return false
  return whyNotHere(look, leader, at) !== '' && !isHeldUp(look, leader)
}

/** Does it go on, because something that would have to end first is left alone? */
function isHeldUp(look: Look, leader: ResourceConfig): boolean {
  const { config, ledger } = look.state
  if (!ledger.intents.some(({ kind }) => kind === 'maintenance')) return false
  const waiting = [leader]
  for (const first of waiting) {
    for (const other of config.resources) {
      const holders = look.holdersOf(other)
      if (holders.length === 0 || waiting.includes(other) || !startsAfter(other, first)) continue
      const left = (node: NodeId) => maintenanceOf(ledger.intents, other.id, node) !== undefined
      if (holders.some(left)) return true
      waiting.push(other)
    }
  }
  return false
}

/** Is anything still held that ends before this one does? */
function followersThere(look: Look, leader: ResourceConfig, node: NodeId): boolean {
  const { id, clone } = leader
  const { resources } = look.state.config
  return resources.some((other) => {
    const holders = look.holdersOf(other)
    if (other.after.includes(id)) return isPresent(look, holders)
    if (clone !== undefined && other.after.includes(clone.id) && isPresent(look, holders)) {
      // Another instance that stays will do for it, if it need not run beside this one.
      const lost = holders.some((at) => {
        const awaited = awaitedBy(resources, other, clone.id, at)
        return awaited.includes(leader) && awaited.every((each) => isDown(look, each))
      })
      if (lost) return true
    }
    const beside = mustBeBeside(other, id) || (clone && mustBeBeside(other, clone.id))
    return beside === true && holders.includes(node)
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

/**
 * While a lost node is being fenced, or a member stops what an operator moves, the node that will
 * take it over makes ready: address conflicts are looked for beside that, not after it.
 */
export function prepare(turn: Turn): void {
  const { session, self, duty } = turn.state
  if (session === undefined || !session.open) return
  const look = lookAt(turn.state, session)
  const due = new Map<string, ResourceId>()
  for (const resource of turn.state.config.resources) {
    if (look.plan.get(resource.id)?.node !== self) continue
    const from = comesFrom(turn.state, look.holdersOf(resource), resource)
    if (from !== '') due.set(`${resource.id}:${from}`, resource.id)
  }
  const known = new Set(duty.prepared)
  if (due.size === known.size && [...due.keys()].every((key) => known.has(key))) return
  set(turn, { duty: { ...turn.state.duty, prepared: [...due.keys()] } })
  for (const [key, id] of due) {
    if (!known.has(key)) turn.effects.push({ do: 'prepare', resource: id })
  }
}

/** Where it is about to come here from, and since when; empty where it is not, or not yet. */
function comesFrom(
  { ledger, fencings, self, resources }: State,
  holders: readonly NodeId[],
  { id, thing }: ResourceConfig,
): string {
  const lost = holders.find((holder) => isOpen(entryOf(ledger, holder)))
  if (lost !== undefined) {
    // The first command goes out before anything else is begun here.
    const at = fencings[lost]?.at
    if (at === 'durable' || at === 'identify') return ''
    return entryOf(ledger, lost).fencing?.id ?? lost
  }
  const [holder] = holders
  if (holder === undefined || holders.length > 1 || holder === self) return ''
  const { standing, holds } = entryOf(ledger, holder)
  if (standing !== 'member' || holds === 'anything' || resources[id]?.at !== 'stopped') return ''
  return `${holder}.${holds.find((hold) => hold.thing === thing)?.step ?? 0}`
}
