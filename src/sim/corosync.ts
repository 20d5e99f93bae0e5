/**
 * One machine's Corosync: it starts alone, dies, and is what a daemon is connected to. What it says
 * of quorum comes beside what CPG says of the group, in either order.
 */
import { join, type Ring } from './cpg.ts'
import { type Daemon, tell, tellAfter } from './daemons.ts'
import { judge } from './invariants.ts'
import { later } from './machines.ts'
import { networkChanged, requestFormation } from './rings.ts'
import type { Machine, World } from './world.ts'

export function startCorosync(world: World, machine: Machine): void {
  if (machine.corosync !== undefined) return
  machine.corosync = { ring: undefined, outbox: [], lastSubmitMs: 0, seenAll: false }
  requestFormation(world, world.lots.ring.int(50, 300))
}

/** The process is killed: its clients notice at once, the other machines after a token's time. */
export function killCorosync(world: World, machine: Machine): void {
  if (machine.corosync === undefined) return
  world.say(`${machine.id} corosync is killed`)
  machine.corosync = undefined
  machine.waiting.corosync = []
  const { daemon } = machine
  if (daemon?.attached) {
    daemon.attached = false
    daemon.orphanMs = world.nowMs
    daemon.joined = false
    daemon.queue = []
    judge(world, 'onDaemonGone', daemon)
    tellAfter(world, daemon, world.lots.ring.int(0, 25), {
      kind: 'corosyncLost',
      because: 'the connection to Corosync is broken',
    })
  }
  networkChanged(world)
  later(world, machine, 'scripts', world.lots.ring.int(1_000, 20_000), () => {
    startCorosync(world, machine)
  })
}

/** The daemon opens its connection, as soon as there is a ring to be in. */
export function attach(world: World, daemon: Daemon): void {
  later(world, daemon.machine, 'scripts', world.lots.ring.int(10, 200), () => {
    if (!daemon.alive || daemon.attached) return
    const { corosync } = daemon.machine
    if (corosync?.ring === undefined) return attach(world, daemon)
    daemon.attached = true
    join(world, daemon)
    if (corosync.ring.verdict !== undefined) tellQuorum(world, daemon, corosync.ring)
  })
}

/** votequorum's verdict for this ring is another one now. */
export function setVerdict(world: World, ring: Ring, quorate: boolean): void {
  if (ring.verdict === quorate) return
  const first = ring.verdict === undefined
  ring.verdict = quorate
  // The ring's own line says it where votequorum speaks at once.
  if (!(first && ring.bornMs === world.nowMs) && ring.members.every((m) => inRing(m, ring))) {
    world.say(`ring ${nameOf(ring)} ${quorate ? 'is quorate' : 'has no quorum'}`)
  }
  for (const { daemon, corosync } of ring.members) {
    if (corosync?.ring === ring && daemon?.attached) tellQuorum(world, daemon, ring)
  }
  judge(world, 'onRegroup', ring)
}

function inRing({ corosync }: Machine, ring: Ring): boolean {
  return corosync?.ring === ring
}

function tellQuorum(world: World, daemon: Daemon, ring: Ring): void {
  const quorate = ring.verdict === true
  const dueMs = Math.max(daemon.lastQuorumMs, world.nowMs + world.lots.ring.int(0, 50))
  daemon.lastQuorumMs = dueMs
  later(world, daemon.machine, 'corosync', dueMs - world.nowMs, () => {
    if (daemon.attached) tell(world, daemon, { kind: 'quorum', ring: ring.id, quorate })
  })
}

/** For the trace: `2.12 [b,c]`. */
export function nameOf(ring: Ring): string {
  return `${ring.id.rep}.${ring.id.seq} [${ring.members.map(({ id }) => id)}]`
}
