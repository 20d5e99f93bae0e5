/**
 * What the world has seen and the promises need to know: who was separated with what, who pressed
 * and read what when, what operators have ordered. Nothing here comes from what a core believes,
 * but for the names under which it does a thing.
 */
import type { Order } from '../core/event.ts'
import type { NodeId, Power } from '../core/model.ts'
import type { Ring } from './cpg.ts'
import type { Daemon } from './daemons.ts'
import { decidingRing, mainRing } from './deciding.ts'
import type { Device } from './devices.ts'
import type { Moment, Moments } from './invariants.ts'
import { type FailureNotes, makeFailures, noteOutcome } from './witness-failures.ts'
import { healthNotes } from './witness-health.ts'
import type { LiveNote } from './witness-live.ts'
import { type DetachNote, noteDetach, noteWant, type WantNote } from './witness-wants.ts'
import type { Machine, World } from './world.ts'
import type { GivenUp } from './write-offs.ts'

export interface Witness {
  /** A disk has lost what it kept: what only that disk knew may be forgotten. */
  forgetful: boolean
  /** Cables have been swapped in this life. */
  swapped: boolean
  deciding: Ring | undefined
  /** Nodes that were proven off, or said goodbye. */
  readonly proofs: Map<NodeId, Proof>
  /** Machines whose daemon is in the group of the main ring, and since when. */
  readonly inService: Map<Machine, number>
  /** What a machine had, or was starting, when it was separated from the main group. */
  readonly unproven: Map<Machine, Set<string>>
  readonly orders: Map<string, Order>
  readonly words: GivenUp[]
  /** The last order that lets a node serve, by node: its number among all orders. */
  readonly allowed: Map<NodeId, number>
  /** The last off order that the ring has put in order, by node: its number among all orders. */
  readonly offs: Map<NodeId, number>
  /** What operators want, by what it is about: the last that the ring has put in order. */
  readonly wants: Map<string, WantNote>
  /** What failed where, and was not forgiven. */
  readonly failures: FailureNotes
  /** Nodes that were pressed on, or reset, after they were last pressed off. */
  readonly switchedOn: Set<NodeId>
  /** Nodes that were pressed off on an operator's word, and when. */
  readonly barred: Map<NodeId, number>
  /** Every off and every reset that was sent, by target. */
  readonly presses: Map<NodeId, PressNote[]>
  readonly reads: Map<Daemon, ReadNote[]>
  /** When a fencing was first ordered, by its id. */
  readonly fencings: Map<string, number>
  /** A fencing that was renamed by an operator's order, and its first name. */
  readonly renamed: Map<string, string>
  /** Every question and command, also those that only ask for an identity. */
  readonly attempts: Map<Daemon, AttemptNote[]>
  /** When a machine began to stop a thing, by `machine/thing`. */
  readonly stops: Map<string, number>
  /** When a thing went down on a machine, by `machine/thing`. */
  readonly downs: Map<string, number>
  /** Since when a machine's own Corosync has told it that it has no quorum. */
  readonly inquorateMs: Map<Machine, number>
  /** When a node was last read or pressed in a round that has not ended yet. */
  readonly handled: Map<NodeId, number>
  /** When the quorate group last changed, or a machine or disk was not itself. */
  disturbedMs: number
  /** Who is condemned, in which boot it last took part, who keeps that, and is it a majority? */
  readonly condemned: Map<
    Machine,
    { readonly boot: string; readonly kept: boolean; readonly keeping: ReadonlySet<Daemon> }
  >
  /** Machines whose daemon sleeps while the others are awake, and since when in which ring. */
  readonly silent: Map<Machine, { readonly ring: Ring; readonly sinceMs: number }>
  readonly detached: Map<NodeId, DetachNote>
  /** The last live move of each thing, until it is started anew somewhere. */
  readonly moves: Map<string, LiveNote>
  /** P6, P10: since when an entry of the ledger has been as it is. */
  readonly standing: Map<string, number>
}

export interface Proof {
  /** The daemons that know it first-hand. */
  readonly knowing: Set<Daemon>
  /** The daemons that have been told that the node is back. */
  readonly shownTo: Set<Daemon>
  /** By a reset: it runs, and rightly so. */
  readonly newBoot: boolean
}

export interface PressNote {
  readonly daemon: Daemon
  readonly device: Device
  readonly fencing: string
  readonly round: number
  readonly level: number
  readonly sentMs: number
  /** The presser had been left behind by a ring of which it knew nothing yet. */
  readonly outside: boolean
  readonly id: number
  /** In which boot its node had last taken part, as far as the presser knew. */
  readonly boot: string
  /** The device has said no. */
  refused: boolean
  /** The presser has said how its round ended. */
  concluded: boolean
}

export interface AttemptNote {
  readonly device: Device
  readonly askedMs: number
}

export interface ReadNote extends AttemptNote {
  readonly id: number
  power: Power | undefined
  boot: string | undefined
}

export function makeWitness(): Witness {
  return {
    forgetful: false,
    swapped: false,
    deciding: undefined,
    proofs: new Map(),
    inService: new Map(),
    unproven: new Map(),
    orders: new Map(),
    words: [],
    allowed: new Map(),
    offs: new Map(),
    wants: new Map(),
    failures: makeFailures(),
    switchedOn: new Set(),
    barred: new Map(),
    presses: new Map(),
    reads: new Map(),
    fencings: new Map(),
    renamed: new Map(),
    attempts: new Map(),
    stops: new Map(),
    downs: new Map(),
    inquorateMs: new Map(),
    handled: new Map(),
    disturbedMs: 0,
    condemned: new Map(),
    silent: new Map(),
    detached: new Map(),
    moves: new Map(),
    standing: new Map(),
  }
}

/** How each moment is remembered, after the promises have been judged by what was known before. */
export const notes: { readonly [K in Moment]?: (world: World, seen: Moments[K]) => void } = {
  onRegroup: regroup,
  onTold: noteShown,
  onDaemonGone: (world, daemon) => {
    noteDetach(world.witness.detached, daemon, world.nowMs)
    regroup(world)
  },
  onPowerOff: (world, machine) => {
    world.witness.unproven.delete(machine)
    regroup(world)
  },
  onRun: ({ witness, nowMs }, { machine, thing, op, move }) => {
    if (op === 'migrate_to' && move) witness.moves.set(thing, { from: machine.id, to: move.target })
    if (op === 'start') witness.moves.delete(thing)
    if (op === 'stop') witness.stops.set(`${machine.id}/${thing}`, nowMs)
  },
  onInactive: ({ witness, nowMs }, { machine, thing }) => {
    witness.downs.set(`${machine.id}/${thing}`, nowMs)
  },
  onActive: ({ witness }, { machine, thing }) => {
    // Also what is sent to a machine that was separated meanwhile.
    const sent = witness.moves.has(thing) && machine.things.get(thing)?.half === true
    if (sent && !witness.inService.has(machine)) unprovenOf(witness, machine).add(thing)
  },
  onStart: ({ witness }, { machine, thing }) => {
    if (!witness.inService.has(machine)) unprovenOf(witness, machine).add(thing)
  },
  onOrder: ({ witness }, order) => {
    witness.orders.set(order.requester, order)
    if (order.action !== 'on') return
    witness.allowed.set(order.target, witness.orders.size)
    witness.barred.delete(order.target)
  },
  ...healthNotes,
  onOutcome: ({ witness, nowMs }, seen) => noteOutcome(witness.failures, seen, nowMs),
  onPress: notePress,
  onRefusal: ({ witness }, { daemon, press }) => {
    const list = witness.presses.get(press.target) ?? []
    const note = list.findLast((each) => each.daemon === daemon && each.id === press.id)
    if (note !== undefined) note.refused = true
  },
  onIdentify: noteAttempt,
  onRead: (world, { daemon, device, read }) => {
    const { witness, nowMs } = world
    noteAttempt(world, { daemon, device })
    witness.handled.set(device.target.id, nowMs)
    const list = witness.reads.get(daemon) ?? []
    list.push({ id: read.id, device, askedMs: nowMs, power: undefined, boot: undefined })
    witness.reads.set(daemon, list)
  },
  onReadAnswer: ({ witness }, { daemon, read, power, boot }) => {
    const note = witness.reads.get(daemon)?.findLast(({ id }) => id === read.id)
    if (note !== undefined) Object.assign(note, { power, boot })
  },
  onMessage: ({ witness, nowMs }, { daemon, message }) => {
    if (message.say === 'condemn') {
      noteName(witness, daemon, message)
      if (message.barred) witness.offs.set(message.node, numberOf(witness, message.requester))
    }
    if (message.say === 'fence' && !witness.fencings.has(message.id)) {
      witness.fencings.set(message.id, nowMs)
    }
    if (message.say === 'want') noteWant(witness, message, nowMs)
    if (message.say === 'goodbye') noteProof(witness, daemon, daemon.machine.id)
    if (message.say === 'confirm') {
      noteProof(witness, daemon, message.node)
      witness.handled.delete(message.node)
      for (const press of witness.presses.get(message.node) ?? []) press.concluded = true
    }
    if (message.say === 'verdict') {
      const { proven, newBoot } = message.verdict
      if (proven) noteProof(witness, daemon, message.node, newBoot)
      witness.handled.delete(message.node)
      for (const press of witness.presses.get(message.node) ?? []) {
        const own = press.daemon === daemon && press.fencing === message.id
        if (own || proven) press.concluded = true
      }
    }
  },
}

/** Who can be heard now? Whoever drops out takes with it what it has. */
function regroup(world: World): void {
  const { witness, nowMs } = world
  const deciding = decidingRing(world)
  if (witness.deciding !== deciding) witness.disturbedMs = nowMs
  witness.deciding = deciding
  keepProofs(witness, deciding)
  const ring = mainRing(world)
  for (const machine of world.machines) {
    const { daemon } = machine
    const serves = daemon?.joined === true && machine.corosync?.ring === ring && ring !== undefined
    if (serves === witness.inService.has(machine)) continue
    witness.disturbedMs = nowMs
    if (serves) {
      witness.inService.set(machine, nowMs)
      witness.unproven.delete(machine)
      // It is back: what was pressed before was meant for the node that it was then.
      for (const press of witness.presses.get(machine.id) ?? []) press.concluded = true
      continue
    }
    // What was pressed while it served, and is over, has not kept it from serving.
    for (const press of witness.presses.get(machine.id) ?? []) {
      if (nowMs - press.sentMs > overMs(world, press)) press.concluded = true
    }
    witness.inService.delete(machine)
    if (machine.powered) separate(witness, machine)
  }
}

/** For so long after it was sent a command may still be carried out. */
function overMs({ site }: World, { device }: PressNote): number {
  const { lateMs, timeoutMs } = site.config.devices.find(({ id }) => id === device.id)!
  return lateMs + timeoutMs
}

/** A fencing that goes on under the name of an operator's order is still the same. */
function noteName(
  { renamed }: Witness,
  { mind }: Daemon,
  { node, id }: { readonly node: NodeId; readonly id: string },
): void {
  const { standing, fencing } = mind.ledger?.nodes[node] ?? {}
  const open = standing === 'lost' || standing === 'condemned'
  if (!open || fencing === undefined || fencing.action === 'on' || fencing.id === id) return
  renamed.set(id, renamed.get(fencing.id) ?? fencing.id)
}

/** Everybody who hears it knows it. */
function noteProof({ proofs }: Witness, { machine }: Daemon, node: NodeId, newBoot = false): void {
  const knowing = new Set(machine.corosync?.ring?.joined)
  proofs.set(node, { knowing, shownTo: new Set(), newBoot })
}

/** A daemon is told who is in its group: whoever is back has shown itself (S19). */
function noteShown({ witness, machines }: World, { daemon, members }: Moments['onTold']): void {
  for (const { node, pid } of members) {
    const proof = witness.proofs.get(node)
    const back = machines.find(({ id }) => id === node)?.daemon
    if (back?.pid === pid && proof !== undefined && !proof.knowing.has(back)) {
      proof.shownTo.add(daemon)
    }
  }
  keepProofs(witness, witness.deciding)
}

/**
 * A proof holds as long as somebody lives who was told of it, or took part with somebody who was,
 * and its node has not shown itself to anybody in the group (S7, S19).
 */
function keepProofs({ proofs }: Witness, deciding: Ring | undefined): void {
  if (deciding === undefined) return
  const joined = deciding.joined.filter(({ alive }) => alive)
  for (const [node, { knowing, shownTo }] of proofs) {
    const known = joined.some((daemon) => knowing.has(daemon))
    const shown = joined.some((daemon) => shownTo.has(daemon))
    if (shown || ![...knowing].some(({ alive }) => alive)) proofs.delete(node)
    else if (known) for (const daemon of joined) knowing.add(daemon)
  }
}

function separate(witness: Witness, machine: Machine): void {
  const had = unprovenOf(witness, machine)
  for (const [thing, { foreign }] of machine.things) if (!foreign) had.add(thing)
  for (const { op, thing } of machine.operations) if (op === 'start') had.add(thing)
}

function unprovenOf(witness: Witness, machine: Machine): Set<string> {
  const found = witness.unproven.get(machine) ?? new Set()
  witness.unproven.set(machine, found)
  return found
}

function noteAttempt({ witness, nowMs }: World, { daemon, device }: Moments['onIdentify']): void {
  const list = witness.attempts.get(daemon) ?? []
  list.push({ device, askedMs: nowMs })
  witness.attempts.set(daemon, list)
}

/** The how-manieth of all orders this operator's was; 0 where it is nobody's. */
function numberOf({ orders }: Witness, requester: string): number {
  return [...orders.keys()].indexOf(requester) + 1
}

function notePress(world: World, { daemon, device, press }: Moments['onPress']): void {
  noteAttempt(world, { daemon, device })
  const { witness, nowMs } = world
  if (press.action === 'off') witness.switchedOn.delete(press.target)
  else witness.switchedOn.add(press.target)
  if (press.action === 'on') return
  witness.handled.set(press.target, nowMs)
  const { fencing: record, barred, boot = '' } = daemon.mind.ledger?.nodes[press.target] ?? {}
  const number = record === undefined ? 0 : numberOf(witness, record.requester)
  const offNumber = witness.offs.get(press.target) ?? 0
  const carries = number > 0 && witness.orders.get(record!.requester)?.action === 'off'
  // What was ordered before the last `on` is not what operators want now.
  const allowed = witness.allowed.get(press.target) ?? 0
  const wanted = (carries && number > allowed) || (barred === true && offNumber > allowed)
  if (wanted) witness.barred.set(press.target, nowMs)
  const list = witness.presses.get(press.target) ?? []
  list.push({
    daemon,
    device,
    fencing: press.fencing,
    round: record?.round ?? 0,
    level: levelOf(world, device),
    sentMs: nowMs,
    outside: daemon.machine.corosync?.ring !== decidingRing(world),
    id: press.id,
    boot,
    refused: false,
    concluded: false,
  })
  witness.presses.set(press.target, list)
}

/** Which level of its node's topology a device belongs to, counted from 0. */
export function levelOf(world: World, device: Device): number {
  const node = world.site.config.nodes.find(({ id }) => id === device.target.id)!
  return node.levels.findIndex((level) => level.devices.includes(device.id))
}

/**
 * Is somebody in the middle of switching it off? A level of several feeds is proven one feed after
 * the other; a person who undoes the first one meanwhile is outside every promise.
 */
export function beingFenced(world: World, machine: Machine): boolean {
  const atMs = world.witness.handled.get(machine.id)
  return atMs !== undefined && world.nowMs - atMs < 20_000
}

/** Was the machine truly off at some instant since then? */
export function wasOff(machine: Machine, sinceMs: number): boolean {
  if (!machine.powered) return true
  // It is on now: the last time it went on ends the last time it was off.
  const last = machine.history.at(-1)
  return last !== undefined && last.atMs >= sinceMs
}
