/**
 * The named failures: for each what happens, to whom it may happen in a configuration, and what is
 * done to the world. Times are counted from the failure; everything that goes wrong is over within
 * `lastsMs`.
 */
import { whyNeverLive } from '../core/live.ts'
import type { NodeId, ResourceId } from '../core/model.ts'
import { decidingRing } from '../sim/deciding.ts'
import { cut, heal } from '../sim/fate.ts'
import { applyPower, freeze, panic } from '../sim/machines.ts'
import { order } from '../sim/operator.ts'
import { die } from '../sim/resources.ts'
import type { Machine, World } from '../sim/world.ts'
import { noteCut } from './clients.ts'
import { BOOT_MS } from './pace.ts'
import { type Box, boxesOf, type Plant, together } from './plant.ts'
import { resourceAt, servicesOf } from './services.ts'

/** To whom it happens. */
export interface Case {
  readonly node: NodeId
  readonly box?: Box
  readonly resource?: ResourceId
  /** Nodes to whom it happens as well. */
  readonly others?: readonly NodeId[]
}

export interface Failure {
  readonly about: string
  /** It is about a service, and happens where that runs. */
  readonly ofService?: boolean
  /** Nothing is moved to the victim before. */
  readonly asIs?: boolean
  readonly lastsMs: number
  readonly cases: (plant: Plant) => readonly Case[]
  readonly strike: (world: World, victim: Case) => void
}

const FROZEN_MS = 60_000
const OUTAGE_MS = 30_000

const everyNode = ({ config }: Plant): readonly Case[] =>
  config.nodes.map(({ id }) => ({ node: id }))

/** Every service; where it runs is found out when it happens, of a clone on one of its nodes. */
const everyService = ({ config }: Plant): readonly Case[] =>
  servicesOf(config.resources).map(({ id, nodes: [node = ''] }) => ({ node, resource: id }))

const victim = (world: World, { node }: Case): Machine => world.machine(node)

export const failures = {
  crash: {
    about: 'the kernel of a node panics: it keeps its power and answers nothing',
    lastsMs: 0,
    cases: everyNode,
    strike: (world, at) => panic(world, victim(world, at)),
  },
  freeze: {
    about: 'a node hangs for a minute, answers pings, and then goes on as if nothing had been',
    lastsMs: FROZEN_MS,
    cases: everyNode,
    strike: (world, at) => {
      freeze(world, victim(world, at), ['corosync', 'daemon', 'scripts'], FROZEN_MS)
    },
  },
  cut: {
    about: 'all cables of a node to the others are out, while it runs on',
    lastsMs: 0,
    cases: everyNode,
    strike: (world, at) => cutOff(world, victim(world, at)),
  },
  'fence-api-down': {
    about: 'a node panics, and one of the boxes with its fence devices answers nobody',
    lastsMs: 0,
    cases: (plant) =>
      plant.config.nodes.flatMap(({ id }) =>
        boxesOf(plant, id).map((box): Case => ({ node: id, box })),
      ),
    strike: (world, at) => {
      silence(world, at.box)
      panic(world, victim(world, at))
    },
  },
  'lying-device': {
    about: 'a node hangs for a minute; its first fence device says off, and does nothing',
    lastsMs: FROZEN_MS,
    cases: ({ config }) =>
      config.nodes.flatMap(({ id, levels }) => (levels.length > 0 ? [{ node: id }] : [])),
    strike: (world, at) => {
      const level = world.site.config.nodes.find(({ id }) => id === at.node)?.levels[0]
      for (const id of level?.devices ?? []) world.device(id).manner = 'deceive'
      world.say(`from now on ${level?.devices.join(' and ')} says off whatever is true`)
      freeze(world, victim(world, at), ['corosync', 'daemon', 'scripts'], FROZEN_MS)
    },
  },
  'power-loss': {
    about: 'a node loses its current, and what hangs on it: its BMC, guests of the same host',
    lastsMs: 0,
    cases: (plant) =>
      plant.config.nodes.map(({ id }): Case => {
        const others = together(plant, id).filter((each) => each !== id)
        return { node: id, ...(others.length > 0 && { others }) }
      }),
    strike: (world, at) => {
      for (const id of [at.node, ...(at.others ?? [])]) unplug(world, world.machine(id))
    },
  },
  'power-outage': {
    about: 'all nodes lose their current for 30 seconds, and one of them never has it back',
    lastsMs: OUTAGE_MS + BOOT_MS + 10_000,
    cases: everyNode,
    strike: (world, at) => {
      for (const machine of world.machines) unplug(world, machine)
      world.after(OUTAGE_MS, () => {
        for (const machine of world.machines) {
          if (machine.id === at.node) continue
          machine.wall = true
          applyPower(world, machine, 'the current is back')
        }
      })
    },
  },
  'flapping-link': {
    about: 'the cables of a node are out for half a second, then longer and longer, five times',
    lastsMs: 40_000,
    cases: everyNode,
    strike: (world, at) => flap(world, victim(world, at), 500),
  },
  'slow-stop': {
    about: 'a service cannot be stopped where it runs, while its node is put on standby',
    ofService: true,
    asIs: true,
    lastsMs: 0,
    cases: everyService,
    strike: (world, { node, resource = '' }) => {
      const id = resourceOn(world, resource, node)
      world.habits.set(`${node}/${id}`, { habit: 'stop-hangs', times: Infinity })
      const via = decidingRing(world)?.members.find(({ id }) => id !== node)
      order(world, via ?? world.machine(node), 'standby', node)
    },
  },
  'cut-live-move': {
    about: 'a node panics while a service is being moved live off it',
    ofService: true,
    asIs: true,
    lastsMs: 1_500,
    cases: (plant) =>
      everyService(plant).filter(({ resource }) => {
        const { resources } = plant.config
        const found = resources.find(({ id }) => id === resource)
        return found !== undefined && whyNeverLive(resources, found) === ''
      }),
    strike: (world, at) => {
      const via = decidingRing(world)?.members.find(({ id }) => id !== at.node)
      order(world, via ?? world.machine(at.node), 'standby', at.node)
      world.after(1_500, () => panic(world, victim(world, at)))
    },
  },
  'start-fails': {
    about: 'a service dies, and cannot be started any more where it ran',
    ofService: true,
    asIs: true,
    lastsMs: 0,
    cases: everyService,
    strike: (world, { node, resource = '' }) => {
      const id = resourceOn(world, resource, node)
      world.habits.set(`${node}/${id}`, { habit: 'start-fails', times: Infinity })
      const machine = world.machine(node)
      die(world, machine, world.thingOf(machine, id), true)
    },
  },
} as const satisfies Readonly<Record<string, Failure>>

export type FailureName = keyof typeof failures

export const failureNames = Object.keys(failures) as readonly FailureName[]

/** Of a clone its instance there. */
function resourceOn({ site }: World, service: ResourceId, node: NodeId): ResourceId {
  return resourceAt(site.config.resources, service, node)?.id ?? service
}

function cutOff(world: World, machine: Machine): void {
  world.say(`the cables of ${machine.id} are out`)
  noteCut(world, [machine.id])
  cut(world, (from, to) => from === machine || to === machine)
}

/** Five times, each twice as long as the one before. */
function flap(world: World, machine: Machine, forMs: number): void {
  cutOff(world, machine)
  world.after(forMs, () => {
    noteCut(world, [])
    heal(world)
    if (forMs < 8_000) world.after(5_000, () => flap(world, machine, 2 * forMs))
  })
}

function silence(world: World, box: Box | undefined): void {
  if (box === undefined) return
  for (const id of box.devices) world.device(id).manner = 'hang'
  world.say(`${box.name} answers nobody any more: ${box.devices.join(', ')}`)
}

function unplug(world: World, machine: Machine): void {
  if (!machine.wall) return
  machine.wall = false
  applyPower(world, machine, 'no current')
}
