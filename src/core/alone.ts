/**
 * One order of an operator where there is no cluster: the same rounds, levels and proof, on a
 * person's authority alone.
 *
 * There is nothing else in here: a member that is its own ring, its own majority and its own
 * coordinator, with one node to fence, fed to the same `step` as every other member. Whoever runs
 * it gives its messages back to it, as CPG would.
 */
import { begin } from './cluster.ts'
import { unchecked } from './devices.ts'
import {
  type FencingRecord,
  fingersOf,
  type Ledger,
  type NodeEntry,
  orderedFencing,
  unknownNode,
} from './ledger.ts'
import { blankReport, type Report } from './message.ts'
import type { Config, GroupMember, Identity, NodeId, RingId } from './model.ts'
import type { OrderState, Session, State } from './state.ts'

export interface AloneOrder {
  /** Who gives the order; no node of the config. */
  readonly self: NodeId
  readonly config: Config
  readonly identity: Identity
  readonly id: string
  readonly action: 'off' | 'on' | 'reboot'
  readonly target: NodeId
  readonly requester: string
  readonly reason: string
  /** What the disk kept of the last order for this node; `undefined` where there was none. */
  readonly earlier: Ledger | undefined
  readonly atMs: number
}

const ring: RingId = { rep: 0, seq: 1 }

/** How such a member names itself in messages, to itself. */
export function memberOf(self: NodeId): GroupMember {
  return { node: self, pid: 1 }
}

/** The authority of the one who gives the order, for the hands. */
export const aloneAuthority = { ring, quorate: true } as const

/** The state in which the order is about to be carried out; its first tick begins it. */
export function beginAlone(order: AloneOrder): State {
  const { self, config: whole, identity, target, atMs } = order
  const nodes = whole.nodes.filter(({ id }) => id === target)
  const noDelay = {
    delayMs: 0,
    randomDelayMs: 0,
    priorityDelayMs: 0,
    reprieveMs: 0,
    dumps: undefined,
  }
  const rules = { ...whole.rules, ...noDelay, minIntervalMs: 0, stormMax: 1 }
  const config = { ...whole, nodes, resources: [], checks: [], rules }
  const { state } = begin({ self, config, identity, ledger: undefined, atMs })
  const session = sessionOf(order)
  return {
    ...state,
    quorum: { ring, quorate: true },
    group: { ring, ringMembers: [self], members: [memberOf(self)] },
    session,
    ledger: session.merged!.ledger,
    intact: true,
    chain: true,
    // A round asks each device who it is when its turn comes; nobody else has to.
    devices: Object.fromEntries(
      config.devices.map(({ id }) => [id, { ...unchecked, nextMs: Infinity }]),
    ),
    orders: [taken(order)],
    nextBeatMs: atMs,
  }
}

/** What has become of the order. */
export function orderOf({ orders }: State): OrderState {
  const [order] = orders
  if (order === undefined) throw new Error('the order is forgotten')
  return order
}

function taken({ id, action, target, requester, reason, atMs }: AloneOrder): OrderState {
  const because = 'no cluster is asked'
  const order = { id, action, target, resource: '', requester, reason, boot: '', sinceMs: atMs }
  return { ...order, at: 'fencing', because }
}

function sessionOf(order: AloneOrder): Session {
  const { self, identity, config, atMs } = order
  const report: Report = { ...blankReport, sentMs: atMs, durable: true }
  const known = { configHash: config.hash, ledger: undefined, chain: true, shown: [] }
  return {
    base: `${ring.rep}.${ring.seq}/${self}:${memberOf(self).pid}`,
    round: 0,
    sinceMs: atMs,
    syncs: { [self]: { ...known, identity, report } },
    excluded: [],
    accusers: {},
    merged: { members: [self], ledger: ledgerOf(order) },
    adopted: true,
    readies: {},
    open: true,
    reports: {},
    saved: {},
    heardMs: {},
  }
}

function ledgerOf(order: AloneOrder): Ledger {
  const { self, target, reason: because, action } = order
  const member: NodeEntry = { ...unknownNode, standing: 'member', holds: [], seen: true }
  const standing = action === 'on' ? 'fenced' : 'condemned'
  const fencing = recordOf(order)
  return {
    epoch: { ...ring, step: 1 },
    coordinator: self,
    nodes: { [self]: member, [target]: { ...member, standing, because, fencing } },
    shots: [],
    intents: [],
  }
}

/** An order that was interrupted may have pressed: this one looks before it does (F4). */
function recordOf({ id, action, requester, reason, earlier, target }: AloneOrder): FencingRecord {
  const before = earlier?.nodes[target]?.fencing
  const dangling = before === undefined ? [] : fingersOf(before, 0)
  const staysOff = action === 'off'
  return orderedFencing({ id, action, because: reason, requester, staysOff, dangling })
}
