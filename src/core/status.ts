/**
 * What a node can tell about its cluster: plain JSON for `picket status`, with what to do about it.
 */
import { adviceOf } from './advice.ts'
import { holdersOf } from './clones.ts'
import { type Deferral, deferralOf, dumpText } from './dumps.ts'
import { type FailureStatus, failuresOf } from './failures.ts'
import { whyLeftOut } from './foreign.ts'
import { isFrozen } from './freeze.ts'
import { leastOf } from './halves.ts'
import { healthReport } from './health.ts'
import { type Intent, intentText, maintenanceOf } from './intents.ts'
import { entryOf, type Standing } from './ledger.ts'
import { movingOf } from './live.ts'
import type { CheckReport, Verdict } from './message.ts'
import {
  type CloneOf,
  type NodeId,
  type ResourceConfig,
  type ResourceId,
  strengthText,
} from './model.ts'
import { muteAdvice, muteText } from './mute.ts'
import { planFor, whyNotGranted } from './placement.ts'
import { reportedState } from './resource.ts'
import { isWitness } from './roles.ts'
import type { Fencing } from './round.ts'
import { authority, type OrderState, quorateHere, type State } from './state.ts'
import { type WatchdogStatus, watchdogStatus } from './watchdog.ts'

export interface Status {
  readonly cluster: string
  readonly self: NodeId
  readonly quorate: boolean
  /** `representative.sequence` of the present Totem ring; empty outside of any. */
  readonly ring: string
  readonly coordinator: NodeId | undefined
  /** Can the cluster decide anything now, as this node sees it? */
  readonly ready: boolean
  readonly because: string
  readonly passive: string
  readonly nodes: readonly NodeStatus[]
  readonly resources: readonly ResourceStatus[]
  readonly orders: readonly OrderState[]
  /** What operators want, until they take it back. */
  readonly intents: readonly IntentStatus[]
  readonly advice: readonly string[]
}

export interface IntentStatus extends Intent {
  /** The same as a sentence. */
  readonly text: string
}

export interface NodeStatus extends Deferral {
  readonly id: NodeId
  /** Set where it only votes and fences. */
  readonly role?: 'witness'
  readonly standing: Standing
  readonly because: string
  readonly inRing: boolean
  /** Has its daemon joined our group? */
  readonly daemon: boolean
  readonly barred: boolean
  /** It was fenced, and serves nothing before `picket unfence`. */
  readonly quarantined: boolean
  readonly late: boolean
  /** The last boot it was seen in; empty before the first. */
  readonly boot: string
  readonly holds: readonly string[]
  /** Why it is not being fenced just now; empty when nothing holds that back. */
  readonly deferred: string
  readonly fencing: FencingStatus | undefined
  readonly devices: readonly DeviceStatus[]
  /** Its health checks that are not plainly well. */
  readonly checks: readonly CheckReport[]
  /** Where it is to use one. */
  readonly watchdog?: WatchdogStatus
}

export interface FencingStatus {
  readonly id: string
  readonly action: string
  readonly because: string
  readonly requester: string
  readonly owner: NodeId | undefined
  readonly round: number
  /** What is being done, or what the last round ended with. */
  readonly at: string
  readonly verdict: Verdict | undefined
}

export interface DeviceStatus {
  readonly id: string
  readonly driver: string
  /** What it proves, where that is less than a power that is off. */
  readonly proves?: string
  /** As this node sees it; `undefined` before the first check, and for its own devices. */
  readonly ok: boolean | undefined
  readonly detail: string
  /** Who it says that it is; empty where it cannot tell or has not been asked. */
  readonly identity?: string
  /** For how long it has been answering; `undefined` while it does not. */
  readonly okForMs?: number | undefined
  /** When it is asked again; `undefined` where nobody here asks it. */
  readonly nextInMs?: number | undefined
}

export interface ResourceStatus {
  readonly id: ResourceId
  readonly thing: string
  readonly state: string
  readonly node: NodeId | undefined
  readonly because: string
  /** By node: its failures that still count. */
  readonly failures: Readonly<Record<NodeId, FailureStatus>>
  /** Set where it is an instance of a clone. */
  readonly clone?: CloneOf
  /** Set where it is in one. */
  readonly group?: string
}

/** A picture of the cluster from this node. Changes nothing. */
export function describe(state: State, nowMs: number): Status {
  const { config, group, ledger } = state
  const because = whyNotReady(state, nowMs)
  // Also a node that has left the config may still hold what it held (S16).
  const known = [...config.nodes.map((node) => node.id), ...Object.keys(ledger.nodes)]
  const nodes = [...new Set(known)].map((id) => nodeStatus(state, id, nowMs))
  return {
    cluster: config.cluster,
    self: state.self,
    quorate: quorateHere(state),
    ring: group === undefined ? '' : `${group.ring.rep}.${group.ring.seq}`,
    coordinator: ledger.coordinator,
    ready: because === '',
    because,
    passive: state.passive,
    nodes,
    resources: config.resources.map(({ id, clone, group }) => ({
      ...resourceStatus(state, id),
      ...(clone && { clone }),
      ...(group !== undefined && { group }),
    })),
    orders: state.orders,
    intents: ledger.intents.map((intent) => ({ ...intent, text: intentText(intent) })),
    advice: [...muteAdvice(state, nowMs), ...adviceOf(state, nodes)],
  }
}

function whyNotReady(state: State, nowMs: number): string {
  const { session, group, config } = state
  if (state.corosyncLost !== '') return `the local Corosync is gone: ${state.corosyncLost}`
  if (group === undefined) return 'this node has not joined its group yet'
  const mute = muteText(state, nowMs)
  if (mute !== '') return mute
  if (!quorateHere(state)) {
    const [here, all] = [group.ringMembers.length, config.nodes.length]
    if (here >= leastOf(config)) return 'Corosync has not given this ring quorum yet'
    return `no quorum: ${here} of ${all} nodes are in the ring, ${leastOf(config)} are needed`
  }
  if (session === undefined) return 'this node has not joined its group yet'
  if (!session.open) return waitingFor(state)
  if (state.ledger.coordinator === undefined) return 'no member is able to coordinate'
  return authority(state, nowMs) === undefined ? 'this daemon does not hear itself yet' : ''
}

function waitingFor(state: State): string {
  const { group, session } = state
  const members = (group?.members ?? []).map(({ node }) => node)
  const awaited = members.filter((id) => {
    if (session?.excluded.includes(id)) return false
    return session?.merged === undefined
      ? session?.syncs[id] === undefined
      : session.merged.members.includes(id) && session.readies[id] === undefined
  })
  const { config } = state
  if (session?.merged?.members.includes(state.self) === false) return whyLeftOut(session)
  if (awaited.length === 0 && members.length < leastOf(config)) {
    const [here, all] = [members.length, config.nodes.length]
    const needed = leastOf(config)
    return `too few daemons: picketd runs on ${here} of ${all} nodes, ${needed} are needed`
  }
  const missing = awaited.length > 0 ? awaited.join(', ') : 'a majority with the same config'
  return `the members are agreeing on what they know; waiting for ${missing}`
}

function nodeStatus(state: State, id: NodeId, nowMs: number): NodeStatus {
  const { group, ledger, config } = state
  const { standing, because, holds, barred, late, boot, deferred, fencing } = entryOf(ledger, id)
  const { quarantined } = entryOf(ledger, id)
  const node = config.nodes.find((each) => each.id === id)
  const round = state.fencings[id]
  const troubles = [fencing?.last ?? '', ...(round?.troubles ?? [])]
  return {
    id,
    ...(isWitness(config, id) && { role: 'witness' }),
    standing,
    because,
    inRing: group?.ringMembers.includes(id) ?? false,
    daemon: group?.members.some((member) => member.node === id) ?? false,
    barred,
    quarantined,
    late,
    boot,
    holds: holds === 'anything' ? ['anything'] : holds.map((hold) => hold.thing),
    deferred,
    ...deferralOf(state, id, nowMs),
    fencing: fencing && {
      id: fencing.id,
      action: fencing.action,
      because: fencing.because,
      requester: fencing.requester,
      owner: fencing.owner,
      round: fencing.round,
      at: stageOf(state, round) ?? (fencing.last || 'ordered'),
      verdict: round?.verdict,
    },
    devices: (node?.levels ?? [])
      .flatMap((level) => level.devices)
      .map((device) => deviceStatus(state, device, troubles, nowMs)),
    checks: checksOf(state, id, nowMs),
    ...watchdogStatus(state, id, nowMs),
  }
}

/** As we know them here, or as they were when that node last reported. */
function checksOf(state: State, id: NodeId, nowMs: number): readonly CheckReport[] {
  if (id === state.self) return healthReport(state, nowMs)
  const { session } = state
  if (session?.merged?.members.includes(id) !== true) return []
  return session.reports[id]?.checks ?? []
}

function stageOf(state: State, round: Fencing | undefined): string | undefined {
  if (round === undefined) return undefined
  const device = state.config.nodes.find((node) => node.id === round.target)?.levels[round.level]
    ?.devices[round.device]
  const trouble = round.troubles.at(-1)
  const doing = { durable: 'writing it down', identify: 'asking who it is', confirm: 'reading' }
  const words: Record<Fencing['at'], string> = {
    ...doing,
    press: 'pressing',
    read: round.bootBefore === '' ? 'reading the power back' : 'waiting for its new boot',
    hush: 'listening for its addresses',
    done: 'over',
  }
  const via = device && round.at !== 'durable' ? ` via ${device}` : ''
  return `${words[round.at]}${via}${trouble ? `; ${trouble}` : ''}`
}

/** What a fencing has just found counts for more than the last check. */
function deviceStatus(
  state: State,
  id: string,
  troubles: readonly string[],
  nowMs: number,
): DeviceStatus {
  const device = state.config.devices.find((each) => each.id === id)
  const {
    checked = false,
    ok,
    detail = '',
    identity = '',
    okSinceMs = Infinity,
    nextMs = Infinity,
  } = state.devices[id] ?? {}
  const trouble = troubles.flatMap((text) => text.split('; ')).find((text) => isAbout(text, id))
  return {
    id,
    driver: device?.driver ?? '',
    ...(device && device.isolation !== 'power' && { proves: strengthText(device.isolation) }),
    ok: trouble !== undefined ? false : checked ? ok : undefined,
    detail: trouble === undefined ? detail : trouble.slice(id.length).replace(/^:? /, ''),
    identity,
    okForMs: okSinceMs === Infinity ? undefined : nowMs - okSinceMs,
    nextInMs: Number.isFinite(nextMs) ? Math.max(0, nextMs - nowMs) : undefined,
  }
}

/** One resource as this node sees it. The config must know it. */
export function resourceStatus(state: State, id: ResourceId): ResourceStatus {
  return { ...whereabouts(state, id), failures: failuresOf(state.session, id) }
}

function whereabouts(state: State, id: ResourceId): Omit<ResourceStatus, 'failures'> {
  const { session, ledger, config } = state
  const resource = config.resources.find((each) => each.id === id)!
  const { thing } = resource
  const holders = holdersOf(state, resource)
  const stateAt = (node: NodeId) =>
    node === state.self
      ? reportedState(state.resources[id]!)
      : (session?.reports[node]?.resources[id]?.state ?? 'unknown')
  if (holders.length === 0) {
    return { id, thing, state: 'stopped', node: undefined, because: whyNowhere(state, resource) }
  }
  const unproven = holders.filter((each) => entryOf(ledger, each).standing !== 'member')
  if (unproven.length > 0) {
    const because = `${unproven.join(', ')} may hold it and is not proven dead`
    const whole = because + dumpText(state, unproven)
    return { id, thing, state: 'blocked', node: holders[0], because: whole }
  }
  const moving = movingOf(ledger, thing, stateAt)
  if (moving !== undefined) return { id, thing, ...moving }
  // Whoever has just joined may hold everything until it has looked.
  const looking = holders.filter((each) => stateAt(each) === 'unknown')
  const search = `it is still looked for on ${looking.join(', ')}`
  const [holder, ...others] = holders.filter((each) => !looking.includes(each))
  if (holder === undefined)
    return { id, thing, state: 'unknown', node: looking[0], because: search }
  if (others.length > 0) {
    const because = `${[holder, ...others].join(' and ')} both hold it`
    return { id, thing, state: 'blocked', node: holder, because }
  }
  const detail = holder === state.self ? detailHere(state, resource) : ''
  const alone = maintenanceOf(ledger.intents, id, holder)
  const hint = alone === undefined ? '' : `left alone (${intentText(alone)})`
  const told = [hint, looking.length > 0 ? search : detail].filter((each) => each !== '')
  return { id, thing, state: stateAt(holder), node: holder, because: told.join('; ') }
}

function detailHere(state: State, resource: ResourceConfig): string {
  const frozen = state.quorum?.quorate === false && isFrozen(state, resource)
  if (frozen) return 'it is left running without quorum, as it was (no_quorum: freeze)'
  return state.resources[resource.id]!.detail
}

function whyNowhere(state: State, resource: ResourceConfig): string {
  const { session, resources } = state
  const { last } = resources[resource.id]!.failures
  const here = last === '' ? '' : `; here ${last}`
  const place = session && planFor(state, session).get(resource.id)
  if (session === undefined || place === undefined) return `no node is able to take it now${here}`
  if (place.node === undefined) {
    return place.because.includes(last) ? place.because : `${place.because}${here}`
  }
  return whyNotGranted(state, session, resource) || `${place.node} is about to get it`
}

/** `web-02/1/1: no answer`, `web-02/1/1 reads on (…)`: every trouble begins with its device. */
function isAbout(trouble: string, device: string): boolean {
  return trouble.startsWith(`${device}:`) || trouble.startsWith(`${device} `)
}
