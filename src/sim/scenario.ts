/**
 * Scenarios are transcripts. Lines that begin with `>` are commands, with `#` comments; everything
 * else is what the cluster did. No dice are thrown: the same commands are always the same life.
 */

import type { OrderAction } from '../core/ledger.ts'
import { turn } from './checks.ts'
import type { Core } from './core.ts'
import { killCorosync, setVerdict } from './corosync.ts'
import { crash } from './daemons.ts'
import type { Device, Manner } from './devices.ts'
import { corrupt, hang, mendDisk } from './disks.ts'
import { noteDisturbance } from './disturbance.ts'
import { crashDump, forgeDump } from './dumps.ts'
import { becomeStranger, cut, heal, swapCables, upgrade } from './fate.ts'
import { calm } from './faults.ts'
import { judge } from './invariants.ts'
import { applyPower, freeze, panic, switchOn, thaw } from './machines.ts'
import { setLink } from './network.ts'
import { comeBack, leave, order } from './operator.ts'
import { activate, die, type Habit } from './resources.ts'
import { networkChanged, ringsOf } from './rings.ts'
import { steadyLots } from './rng.ts'
import { scenarioSite, type Wishes } from './scenario-site.ts'
import { type Machine, type Part, Violation, World } from './world.ts'
import { bringBack, giveUp, reinstall } from './write-offs.ts'

const DAY_MS = 86_400_000

/** Play the commands of a transcript; what comes back is the transcript as it should read. */
export function play(core: Core, text: string): string {
  const lines = text.split('\n').filter((line) => line.startsWith('>') || line.startsWith('#'))
  const out: string[] = []
  let world: World | undefined
  for (const line of lines) {
    const previous = out.at(-1)
    if (previous?.startsWith(' ')) out.push('')
    out.push(line)
    if (line.startsWith('#')) continue
    const [verb = '', ...words] = line.slice(1).trim().split(/\s+/)
    if (verb === 'site') {
      if (world !== undefined) throw new Error('`site` comes first in a scenario')
      world = makeWorld(core, wishesOf(words))
      continue
    }
    world ??= makeWorld(core, {})
    const from = world.trace.length
    try {
      command(world, verb, words)
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      out.push(...fold(world.trace.slice(from)), `BROKEN ${error.message}`)
      break
    }
    // What goes on and on need not be read again and again.
    if (verb !== 'skip') out.push(...fold(world.trace.slice(from)))
  }
  return `${out.join('\n')}\n`
}

/** What several nodes say at the same moment is one line: `b c: a is to be fenced`. */
function fold(lines: readonly string[]): string[] {
  const out: { head: string; who: string; words: string }[] = []
  for (const line of lines) {
    const [, head = '', who = '', words = line] = /^( *\d+ {2})([a-e])(: .*)$/.exec(line) ?? []
    const twin = out.findLast((each) => each.who !== '' && each.words === words)
    if (who !== '' && twin?.head === head) twin.who += ` ${who}`
    else out.push({ head, who, words })
  }
  return out.map(({ head, who, words }) => head + who + words)
}

function makeWorld(core: Core, wishes: Wishes): World {
  const site = scenarioSite(wishes)
  const world = new World({ core, site, faults: calm, lots: steadyLots, strict: true })
  const scan = () => {
    noteDisturbance(world)
    judge(world, 'onScan', undefined)
    world.after(1_000, scan)
  }
  world.after(1_000, scan)
  return world
}

function wishesOf(words: readonly string[]): Wishes {
  return namedIn(words)
}

/** `key=value`; a word alone is a yes. */
function namedIn(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const [key = '', value = 'yes'] = word.split('=')
      return [key, value]
    }),
  )
}

export type Deed = (world: World, words: readonly string[]) => void

/** Every command of the language, but `site`. */
export const deeds: Readonly<Record<string, Deed>> = {
  run: pass,
  skip: pass,
  'power-on': each((world, machine) => switchOn(world, machine, 'operator')),
  'power-loss': each((world, machine) => {
    machine.switchedOn = false
    applyPower(world, machine, 'power loss')
  }),
  'wall-loss': each((world, machine) => {
    machine.wall = false
    applyPower(world, machine, 'no current')
  }),
  crash: each((world, machine) => {
    machine.switchedOn = false
    applyPower(world, machine, 'it dies')
  }),
  panic: each((world, machine) => panic(world, machine)),
  // `dump a 40`: its kernel dies and writes a dump for so long; `forge-dump`: somebody says so.
  dump: lasting(crashDump),
  'forge-dump': lasting(forgeDump),
  freeze: (world, words) => freeze(world, machineOf(world, words), partsOf(words), undefined),
  // `thaw a daemon news-first`: what waits for it is heard before an alarm that is overdue.
  thaw: (world, words) =>
    thaw(world, machineOf(world, words), partsOf(words), words.includes('news-first')),
  'current-returns': each((world, machine) => {
    machine.wall = true
    applyPower(world, machine, 'the current is back')
  }),
  cut: (world, words) => {
    cut(world, (from, to) => words.includes(from.id) !== words.includes(to.id))
  },
  'cut-one-way': (world, [from, to]) => {
    setLink(world, world.machine(from!), world.machine(to!), false)
    networkChanged(world)
  },
  heal: (world) => heal(world),
  bmc: (world, [name, manner, seconds]) => {
    const devices = devicesOf(world, name!)
    for (const device of devices) {
      device.manner = manner as Manner
      device.slowMs = 1_000 * Number(seconds ?? 0)
      if (manner === 'ok') device.lying = false
    }
  },
  swap: (world, [one, other]) => swapCables(world, world.device(one!), world.device(other!)),
  'cut-device': (world, [name, node]) => {
    for (const device of devicesOf(world, name!)) device.cutFrom.add(node!)
  },
  'heal-device': (world, [name]) => {
    for (const device of devicesOf(world, name!)) device.cutFrom.clear()
  },
  'kill-daemon': each((world, machine) => crash(world, machine)),
  'kill-corosync': each(killCorosync),
  leave: each(leave),
  'come-back': each(comeBack),
  // `give-up a`: picketd on a hears that all others are lost for good. `reinstall b`: one is made
  // new, and `bring-back b`: it is not.
  'bring-back': each(bringBack),
  'give-up': each(giveUp),
  reinstall: each(reinstall),
  detach: each((world, machine) => order(world, machine, 'detach', machine.id)),
  // What has just ended is not started again before somebody does it.
  'stay-away': each((_, machine) => {
    machine.resting = true
  }),
  order: (world, [action, target, , via]) => {
    order(world, world.machine(via!), action as OrderAction, target!)
  },
  // `want standby node=a via=b`, `want move resource=vip node=a via=b`
  want: (world, [action, ...words]) => {
    const { node = '', resource = '', via = '' } = namedIn(words)
    order(world, world.machine(via), action as OrderAction, node, resource)
  },
  'resource-dies': (world, [resource, node, told]) => {
    const machine = world.machine(node!)
    die(world, machine, world.thingOf(machine, resource!), told === 'told')
  },
  stall: (world, [percent]) => {
    world.faults = { ...world.faults, stallPercent: Number(percent ?? 100) }
  },
  'check-fails': (world, [check, ...nodes]) => {
    for (const node of nodes) turn(world, world.machine(node), check!, true)
  },
  // `check-slow gateway a 0.8`: so many seconds to each answer.
  'check-slow': (world, [check, node, seconds]) => {
    world.slowChecks.set(`${world.machine(node!).id}/${check}`, 1_000 * Number(seconds))
  },
  'check-works': (world, [check, ...nodes]) => {
    for (const node of nodes) turn(world, world.machine(node), check!, false)
  },
  'start-by-hand': (world, [resource, node]) => {
    const machine = world.machine(node!)
    activate(world, machine, world.thingOf(machine, resource!), true)
  },
  'start-hangs': habit('start-hangs'),
  'start-fails': habit('start-fails'),
  'stop-hangs': habit('stop-hangs'),
  'stop-fails': habit('stop-fails'),
  'monitor-fails': habit('monitor-fails'),
  'migrate_to-hangs': habit('migrate_to-hangs'),
  'migrate_to-fails': habit('migrate_to-fails'),
  'migrate_to-half': habit('migrate_to-half'),
  'migrate_to-late': habit('migrate_to-late'),
  'migrate_from-hangs': habit('migrate_from-hangs'),
  'migrate_from-fails': habit('migrate_from-fails'),
  'disk-full': each((_, machine) => {
    machine.disk.full = true
  }),
  'disk-hangs': each((_, machine) => hang(machine)),
  'disk-ok': each(mendDisk),
  'disk-corrupt': each(corrupt),
  verdict: (world, [node, word]) => {
    const machine = world.machine(node!)
    const ring = [...ringsOf(world)].find(({ members }) => members.includes(machine))
    if (ring === undefined) throw new Error(`${node} is in no ring`)
    setVerdict(world, ring, word === 'on')
  },
  upgrade: each(upgrade),
  'config-differs': (world, [node, seconds]) => {
    becomeStranger(world, world.machine(node!), 1_000 * Number(seconds ?? 3_600))
  },
}

function command(world: World, verb: string, words: readonly string[]): void {
  const deed = deeds[verb]
  if (deed === undefined) {
    throw new Error(`unknown command ${verb}; known are ${Object.keys(deeds).join(', ')}`)
  }
  deed(world, words)
}

/** Lets time pass; `skip` does it without telling what happens. */
function pass(world: World, [seconds = '']: readonly string[]): void {
  const spanMs = 1_000 * Number(seconds)
  if (seconds === '' || !(spanMs >= 0 && spanMs <= DAY_MS)) {
    throw new Error(`"${seconds}" is no span: write seconds, at most a day`)
  }
  world.run(spanMs)
}

function each(deed: (world: World, machine: Machine) => void): Deed {
  return (world, words) => {
    for (const word of words) deed(world, world.machine(word))
  }
}

function lasting(deed: (world: World, machine: Machine, forMs: number) => void): Deed {
  return (world, [node, seconds]) => deed(world, world.machine(node!), 1_000 * Number(seconds))
}

/** `stop-fails vip a 3`: the next three times; without a number for ever. */
function habit(name: Habit): Deed {
  return (world, [resource, node, times]) => {
    const habit = { habit: name, times: times === undefined ? Infinity : Number(times) }
    world.habits.set(`${world.machine(node!).id}/${resource}`, habit)
  }
}

function machineOf(world: World, [node]: readonly string[]): Machine {
  return world.machine(node!)
}

/** `freeze a`: the whole machine; `freeze a daemon`: that part of it. */
function partsOf([, ...words]: readonly string[]): Part[] {
  const parts = words.filter((word) => word !== 'news-first')
  return parts.length === 0 ? ['corosync', 'daemon', 'scripts'] : (parts as Part[])
}

/** `b/1` names all devices of that level, `b/1/1` one of them. */
function devicesOf(world: World, name: string): Device[] {
  const found = [...world.devices.values()].filter(
    ({ id }) => id === name || id.startsWith(`${name}/`),
  )
  if (found.length === 0) throw new Error(`there is no device ${name}`)
  return found
}
