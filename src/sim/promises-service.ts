/** P1, P3, P4, H6, S1 and S8: what may be active where, and who may be given anything at all. */
import { maintenanceOf } from '../core/intents.ts'
import { compareEpochs, entryOf, mayHold } from '../core/ledger.ts'
import type { NodeId } from '../core/model.ts'
import { keepersNeeded } from './bounds.ts'
import { isReal } from './core.ts'
import type { Daemon } from './daemons.ts'
import type { Invariant } from './invariants.ts'
import { isOf } from './promises-memory.ts'
import type { Operation } from './resources.ts'
import { levelOf, wasOff } from './witness.ts'
import { isMoveBetween } from './witness-live.ts'
import type { Machine, World } from './world.ts'

/** An off that is on its way for longer than this was lost, as far as its sender can tell. */
const LATE_MS = 3_000

/** The longest start that has to be ended first, and a slow alarm. */
const STOPS_WITHIN_MS = 20_000

export const servicePromises: readonly Invariant[] = [
  {
    id: 'P1',
    says: 'no thing is active on two powered machines',
    onActive: (world, { machine, thing }) => {
      if (machine.things.get(thing)?.foreign !== false) return undefined
      const other = othersWith(world, machine, thing).find(
        // The two sides of one live move are one: its agent sees to that, until either starts it.
        (each) => !isMoveBetween(world, thing, machine, each),
      )
      return other && `${thing} on ${other.id} and on ${machine.id}`
    },
  },
  {
    id: 'P3',
    says: 'a thing starts only where no other machine has it, starts it, or may have it unproven',
    onStart: (world, { machine, thing }) => {
      const [holder] = othersWith(world, machine, thing)
      if (holder) return `${machine.id} starts ${thing}, which is active on ${holder.id}`
      for (const other of world.machines) {
        if (other === machine || !other.powered) continue
        for (const operation of other.operations) {
          if (brings(operation) && operation.thing === thing) {
            return `${machine.id} starts ${thing}, and ${operation.op} of it runs on ${other.id}`
          }
        }
        if (world.witness.unproven.get(other)?.has(thing)) {
          const text = `${machine.id} starts ${thing}, which ${other.id} had when it was separated`
          return `${text}, and it was never off since`
        }
      }
      return undefined
    },
  },
  {
    id: 'P3',
    says: 'what is proven is true: the node was off',
    onMessage: (world, { daemon, message }) => {
      if (message.say !== 'verdict' || !message.verdict.proven) return undefined
      if (message.verdict.newBoot) return undefined
      const target = world.machine(message.node)
      const record = daemon.mind.ledger?.nodes[message.node]?.fencing
      if (record?.id !== message.id || record.action === 'on') return undefined
      const reads = (world.witness.reads.get(daemon) ?? []).filter(
        ({ device }) =>
          device.target === target && levelOf(world, device) === message.verdict.level - 1,
      )
      const sinceMs = Math.min(...reads.slice(-12).map(({ askedMs }) => askedMs))
      const who = `${daemon.machine.id} proved ${target.id} off`
      if (!wasOff(target, sinceMs)) return who
      const together = daemon.machine.corosync?.ring === target.corosync?.ring
      return together && target.daemon?.joined ? `${who}, and it is back in the group` : undefined
    },
  },
  {
    id: 'P3',
    says: 'a person is believed about a node only while nothing speaks against it',
    onMessage: (world, { daemon, message }) => {
      if (message.say !== 'confirm') return undefined
      const target = world.machine(message.node)
      const { ring } = daemon.machine.corosync ?? {}
      const { ledger } = daemon.mind
      // What is said out of an older ring is void in the present one.
      if (!target.powered || !ring || !ledger || !isOf(ledger, ring)) return undefined
      const who = `${daemon.machine.id} takes ${target.id} for dead on a person's word`
      if (target.corosync?.ring === ring) return `${who}, and it is in the ring`
      const held = [...(world.witness.unproven.get(target) ?? [])].join(', ')
      return held === '' ? undefined : `${who}, and it had ${held} when it was separated`
    },
  },
  {
    id: 'S8',
    says: 'a thing starts only when a majority of disks keep the grant',
    onStart: (world, { daemon, machine, thing }) => {
      const keeping = whyUnkept(world, daemon, machine.id, thing)
      return keeping && `${machine.id} starts ${thing}, which ${keeping}`
    },
  },
  {
    id: 'P4',
    says: 'a node that an operator switched off serves nothing before an operator switches it on',
    onStart: ({ witness, nowMs }, { machine, resource }) => {
      const pressedMs = witness.barred.get(machine.id)
      if (witness.forgetful || pressedMs === undefined) return undefined
      // The word that condemns it may reach it a moment after it has reached the presser.
      const knows = wasOff(machine, pressedMs) || nowMs - pressedMs > LATE_MS
      return knows ? `${machine.id} starts ${resource}` : undefined
    },
    onPress: ({ witness }, { press }) => {
      if (witness.forgetful || press.action !== 'on') return undefined
      return witness.barred.has(press.target) ? `${press.target} is switched on` : undefined
    },
  },
  {
    id: 'P4',
    says: 'nothing starts on a node, and it is not switched on, while an off is still under way',
    onStart: (world, { machine, resource }) => {
      const device = offUnderWay(world, machine)
      return device && `${machine.id} starts ${resource}, and ${device} will still carry out an off`
    },
    onPress: (world, { press }) => {
      if (press.action !== 'on') return undefined
      const device = offUnderWay(world, world.machine(press.target))
      return device && `${press.target} is switched on, and ${device} will still carry out an off`
    },
  },
  {
    id: 'H6',
    says: 'without quorum a node stops what it runs',
    onScan: (world) => {
      for (const [machine, sinceMs] of world.witness.inquorateMs) {
        if (world.nowMs - sinceMs < STOPS_WITHIN_MS) continue
        for (const [thing, { foreign, sinceMs: activeMs }] of machine.things) {
          const stoppedMs = world.witness.stops.get(`${machine.id}/${thing}`) ?? 0
          // It may fail to stop; what counts is that it tries.
          if (!foreign && stoppedMs < activeMs && activeMs < sinceMs && stops(machine, thing)) {
            return `${machine.id} runs ${thing}`
          }
        }
      }
      return undefined
    },
  },
  {
    id: 'S1',
    says: 'there is one operation at a time for each thing on a machine',
    onRun: (_, { machine, thing, op }) => {
      for (const other of machine.operations) {
        if (other.thing === thing) return `${machine.id}: ${op} beside ${other.op} of ${thing}`
      }
      return undefined
    },
  },
]

/**
 * Does its daemon's config name the thing at all, and not tell to leave it running (H20), and does
 * no operator want it left alone there?
 */
function stops({ daemon, id: node }: Machine, thing: string): boolean {
  const intents = daemon?.mind.ledger?.intents ?? []
  const named = daemon?.config.resources.filter((resource) => resource.thing === thing) ?? []
  return named.some(({ id, noQuorum }) => {
    return noQuorum !== 'freeze' && maintenanceOf(intents, id, node) === undefined
  })
}

/** May this operation make it active on some machine? */
function brings({ op }: Operation): boolean {
  return op === 'start' || op === 'migrate_to' || op === 'migrate_from'
}

/** Other powered machines on which the thing is active, and not by a stranger's hand. */
export function othersWith(world: World, machine: Machine, thing: string): Machine[] {
  return world.machines.filter(
    (other) => other !== machine && other.powered && other.things.get(thing)?.foreign === false,
  )
}

/**
 * The device that sits on an off of this machine for which nobody has had an answer. One that was
 * accepted while the machine was off already is between the device and whoever switches it on.
 */
function offUnderWay(world: World, machine: Machine): string | undefined {
  for (const { target, wired, pending, id } of world.devices.values()) {
    if (wired !== machine || target !== machine) continue
    for (const { action, accepted, sentMs } of pending) {
      if (action !== 'on' && !accepted && world.nowMs - sentMs > LATE_MS) return id
    }
  }
  return undefined
}

/**
 * Whoever takes over from here must find that this node may have the thing, whichever majority it
 * meets (S8). Says who keeps that where they are too few.
 */
export function whyUnkept(
  world: World,
  daemon: Daemon,
  node: NodeId,
  thing: string,
): string | undefined {
  const { ledger } = daemon.mind
  const holds = ledger?.nodes[node]?.holds
  if (!isReal(daemon.mind) || world.witness.forgetful) return undefined
  if (ledger === undefined || !Array.isArray(holds)) return undefined
  const step = holds.find((hold) => hold.thing === thing)?.step ?? 0
  const granted = { ...ledger.epoch, step }
  const keeping = world.machines.filter(({ disk }) => {
    if (disk.ledger === undefined || compareEpochs(disk.ledger.epoch, granted) < 0) return false
    const { seq, rep } = disk.ledger.epoch
    // A newer ring may have written since; then it must have found the grant.
    const same = seq === granted.seq && rep === granted.rep
    return same || mayHold(entryOf(disk.ledger, node), thing)
  })
  const { config, mind } = daemon
  const members = isReal(mind) ? mind.session?.merged?.members : undefined
  if (keeping.length >= keepersNeeded(config, members ?? [])) return undefined
  return `only ${keeping.map(({ id }) => id).join(', ') || 'nobody'} keep`
}
