/**
 * CPG: messages and changes of the group, in one order for all members of a ring.
 *
 * Members that go together from one ring to the next have been told the same; what was under way
 * when the network broke may reach one side and not the other (S8). While a ring is broken, nothing
 * is ordered: what is said then is said in the next ring.
 */
import type { News } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { RingId } from '../core/model.ts'
import { type Daemon, tell } from './daemons.ts'
import { judge } from './invariants.ts'
import { later } from './machines.ts'
import { throughJson } from './strict.ts'
import type { Machine, Outgoing, World } from './world.ts'

export interface Ring {
  readonly id: RingId
  readonly members: readonly Machine[]
  readonly bornMs: number
  /** votequorum's word for this ring; `undefined` until it has spoken. */
  verdict: boolean | undefined
  /** All its members live and hear each other. */
  intact: boolean
  /** It has to form anew, though nothing seems to be wrong with it. */
  stale: boolean
  length: number
  /** The daemons in the group, as ordered so far. */
  joined: Daemon[]
}

/** One entry of a ring's order, on its way to one daemon. */
export interface Delivery {
  readonly ring: Ring
  readonly index: number
  readonly from: Machine | undefined
  readonly news: News
  /** It comes whatever becomes of the ring. */
  settled: boolean
}

/** A daemon multicasts to its group. */
export function multicast(world: World, daemon: Daemon, message: Message): void {
  const said = world.strict ? throughJson(message) : message
  const saidIn = daemon.machine.corosync?.ring
  submit(world, daemon, { kind: 'message', daemon, message: said, saidIn })
}

/** A daemon asks to be let into the group. */
export function join(world: World, daemon: Daemon): void {
  submit(world, daemon, { kind: 'join', daemon })
}

/** Its process has ended, however it did. */
export function part(world: World, daemon: Daemon): void {
  submit(world, daemon, { kind: 'part', daemon })
}

function submit(world: World, daemon: Daemon, item: Outgoing): void {
  const { machine } = daemon
  const { corosync } = machine
  if (corosync === undefined || !daemon.attached) return
  const dueMs = Math.max(corosync.lastSubmitMs, world.nowMs + world.lots.cpg.int(0, 3))
  corosync.lastSubmitMs = dueMs
  later(world, machine, 'corosync', dueMs - world.nowMs, () => {
    if (machine.corosync !== corosync) return
    if (item.kind === 'message' && !daemon.alive && daemon.mute) return
    corosync.outbox.push(item)
    flush(world, machine)
  })
}

/** Order all that waits at this machine, if its ring can order anything at the moment. */
export function flush(world: World, machine: Machine): void {
  const { corosync } = machine
  if (corosync?.ring === undefined || !corosync.ring.intact) return
  for (const item of corosync.outbox.splice(0)) order(world, corosync.ring, machine, item)
}

function order(world: World, ring: Ring, machine: Machine, item: Outgoing): void {
  const { daemon } = item
  switch (item.kind) {
    case 'join':
      if (!daemon.alive || daemon.joined) return
      daemon.joined = true
      ring.joined.push(daemon)
      return announce(world, ring, machine)
    case 'part':
      if (!ring.joined.includes(daemon)) return
      ring.joined = ring.joined.filter((each) => each !== daemon)
      return announce(world, ring, machine)
    case 'message': {
      if (!ring.joined.includes(daemon)) return
      const { message } = item
      const news: News = { kind: 'message', from: machine.id, pid: daemon.pid, message }
      if (world.verbose) world.say(`  ${machine.id} says ${message.say}`)
      if (item.saidIn === ring) judge(world, 'onMessage', { daemon, message })
      return spread(world, ring, machine, news)
    }
  }
}

/** Tell the group of its new composition. */
export function announce(world: World, ring: Ring, from: Machine | undefined): void {
  spread(world, ring, from, groupNews(ring, ring.joined), from === undefined)
  judge(world, 'onRegroup', ring)
}

export function groupNews(ring: Ring, joined: readonly Daemon[]): News {
  return {
    kind: 'group',
    ring: ring.id,
    ringMembers: ring.members.map(({ id }) => id),
    members: joined.map(({ machine, pid }) => ({ node: machine.id, pid })),
  }
}

function spread(
  world: World,
  ring: Ring,
  from: Machine | undefined,
  news: News,
  settled = false,
): void {
  const index = ring.length++
  for (const daemon of ring.joined) {
    enqueue(world, daemon, { ring, index, from, news: asHeard(ring, news, daemon), settled })
  }
}

/** Who speaks another protocol understands only what every version of it does. */
function asHeard(ring: Ring, news: News, { protocol: ours }: Daemon): News {
  if (news.kind !== 'message') return news
  const { say, session } = news.message
  const speaker = ring.joined.find((each) => each.machine.id === news.from && each.pid === news.pid)
  const theirs = speaker?.protocol ?? ours
  if (theirs === ours || say === 'again' || say === 'accuse') return news
  return { ...news, message: { session, say: 'foreign', theirs, ours } }
}

export function enqueue(world: World, daemon: Daemon, delivery: Delivery): void {
  daemon.queue.push(delivery)
  pump(world, daemon)
}

/** See to it that the next of its queue is delivered before long. */
export function pump(world: World, daemon: Daemon): void {
  const lot = world.lots.cpg
  const delayMs = lot.chance(world.faults.messageLatePercent) ? lot.int(50, 500) : lot.int(1, 12)
  const dueMs = Math.max(daemon.lastDeliveryMs, world.nowMs + delayMs)
  daemon.lastDeliveryMs = dueMs
  later(world, daemon.machine, 'corosync', dueMs - world.nowMs, () => deliver(world, daemon))
}

function deliver(world: World, daemon: Daemon): void {
  const next = daemon.queue[0]
  if (next === undefined || !daemon.alive || !daemon.attached) return
  // What was still on the wire when the ring broke waits for the ring's fate.
  if (!next.settled && !next.ring.intact) return
  daemon.queue.shift()
  daemon.deliveredIndex = next.index
  if (next.news.kind === 'group') {
    judge(world, 'onTold', { daemon, members: next.news.members })
  }
  tell(world, daemon, next.news)
}

/** The ring is whole again before anybody noticed: what was held up goes on. */
export function resume(world: World, ring: Ring): void {
  for (const machine of ring.members) {
    const { daemon } = machine
    if (daemon?.attached) for (const _ of daemon.queue) pump(world, daemon)
    flush(world, machine)
  }
}

/**
 * These machines leave one ring together: settle what each of them is still told of it. All get the
 * same first part of what was under way, and what one of them has said itself.
 */
export function settle(world: World, machines: readonly Machine[]): void {
  const daemons = machines.flatMap(({ daemon }) => (daemon?.attached ? [daemon] : []))
  const delivered = Math.max(-1, ...daemons.map(({ deliveredIndex }) => deliveredIndex))
  const end = Math.max(delivered, ...daemons.map(({ queue }) => queue.at(-1)?.index ?? -1))
  const cut = world.lots.cpg.int(delivered, end)
  for (const daemon of daemons) {
    daemon.queue = daemon.queue.filter(
      ({ index, from, settled }) =>
        settled || index <= cut || (from !== undefined && machines.includes(from)),
    )
    for (const delivery of daemon.queue) {
      delivery.settled = true
      pump(world, daemon)
    }
    daemon.deliveredIndex = -1
  }
}
