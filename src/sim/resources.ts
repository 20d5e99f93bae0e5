/**
 * Resources: what is truly active, and the operations that make it so. Operations take time, hang,
 * fail half-way, and outlive the daemon that began them until its successor sweeps their scopes.
 */
import type { Effect, Move, ResourceOp } from '../core/effect.ts'
import type { RunOutcome } from '../core/event.ts'
import type { ResourceId } from '../core/model.ts'
import { type Daemon, tell } from './daemons.ts'
import { judge } from './invariants.ts'
import { sendLive, takeOver } from './live-moves.ts'
import { later } from './machines.ts'
import { drawn } from './pace.ts'
import type { Active, Machine, World } from './world.ts'

export interface Operation {
  readonly id: number
  readonly resource: ResourceId
  readonly thing: string
  readonly op: ResourceOp
  /** With `migrate_to` and `migrate_from`. */
  readonly move: Move | undefined
  readonly daemon: Daemon
  readonly machine: Machine
  /** Its processes are being killed, for this reason. */
  killed: string | undefined
  /** Its scope is empty. */
  over: boolean
}

/** What a scenario has told a resource to do on a machine; storms draw for each deed instead. */
export type Habit =
  | 'start-hangs'
  | 'start-fails'
  | 'stop-hangs'
  | 'stop-fails'
  | 'monitor-fails'
  | 'migrate_to-hangs'
  | 'migrate_to-fails'
  | 'migrate_to-half'
  | 'migrate_to-late'
  | 'migrate_from-hangs'
  | 'migrate_from-fails'

/** Habits by `machine/resource`; a count of how many more times. */
export type Habits = Map<string, { readonly habit: Habit; times: number }>

export function run(
  world: World,
  daemon: Daemon,
  { id, resource, op, timeoutMs, move }: Extract<Effect, { do: 'run' }>,
): void {
  const { machine } = daemon
  const thing = world.thingOf(machine, resource)
  const operation: Operation = {
    id,
    resource,
    thing,
    op,
    move,
    daemon,
    machine,
    killed: undefined,
    over: false,
  }
  if (world.verbose) world.say(`  ${machine.id} runs ${op} of ${resource}`)
  judge(world, 'onRun', operation)
  if (op === 'start') judge(world, 'onStart', operation)
  machine.operations.add(operation)
  later(world, machine, 'scripts', timeoutMs, () => {
    // The bound is kept by the daemon's hands: it goes with them.
    if (daemon.alive) kill(world, operation, 'it took too long')
  })
  if (op === 'start') start(world, operation, timeoutMs)
  else if (op === 'stop') stop(world, operation, timeoutMs)
  else if (op === 'migrate_to') sendLive(world, operation, timeoutMs)
  else if (op === 'migrate_from') takeOver(world, operation, timeoutMs)
  else look(world, operation, timeoutMs)
}

function start(world: World, operation: Operation, timeoutMs: number): void {
  const { machine, thing } = operation
  const { faults } = world
  const lot = world.lots.resource
  world.starts++
  const tookMs = durationMs(world, operation, timeoutMs)
  const habit = habitOf(world, operation)
  const fails = habit === 'start-fails' || lot.chance(faults.startFailsPercent)
  const hangs = habit === 'start-hangs' || lot.chance(faults.startHangsPercent)
  const half = lot.chance(faults.startHalfPercent)
  if (!fails || half) {
    // A start that hangs may still have its effect at any moment until it is killed.
    const activeMs = hangs ? lot.int(0, timeoutMs + 500) : takesEffectMs(world, tookMs)
    later(world, machine, 'scripts', activeMs, () => {
      if (!operation.over) activate(world, machine, thing, false)
    })
  }
  if (hangs) return world.say(`${machine.id} start of ${operation.resource} hangs`)
  const outcome = fails || half ? 'failed' : 'done'
  finish(world, operation, tookMs, outcome, outcome === 'done' ? 'exit 0' : 'exit 1')
}

function stop(world: World, operation: Operation, timeoutMs: number): void {
  const { machine, thing } = operation
  const { faults } = world
  const lot = world.lots.resource
  const tookMs = durationMs(world, operation, timeoutMs)
  const habit = habitOf(world, operation)
  if (habit === 'stop-hangs' || lot.chance(faults.stopHangsPercent)) {
    return world.say(`${machine.id} stop of ${operation.resource} hangs`)
  }
  const stuck = habit === 'stop-fails' || machine.stuck.has(thing)
  if (stuck || lot.chance(faults.stopFailsPercent)) {
    return finish(world, operation, tookMs, 'failed', 'exit 1')
  }
  later(world, machine, 'scripts', takesEffectMs(world, tookMs), () => {
    if (!operation.over) deactivate(world, machine, thing)
  })
  finish(world, operation, tookMs, 'done', 'exit 0')
}

/** How long a start or a stop takes: as it is usual there, or anything within its bound. */
export function durationMs(world: World, { resource, op }: Operation, timeoutMs: number): number {
  const span = world.site.pace?.operation(resource, op) ?? [50, timeoutMs]
  return drawn(world.lots.resource, span, timeoutMs)
}

/** When it takes effect: at its end where durations are known, else at any moment before. */
export function takesEffectMs(world: World, tookMs: number): number {
  return world.site.pace === undefined ? world.lots.resource.int(0, tookMs) : tookMs
}

function look(world: World, operation: Operation, timeoutMs: number): void {
  const { machine, thing } = operation
  const lot = world.lots.resource
  if (lot.chance(world.faults.probeFailsPercent)) {
    if (lot.next() < 0.5) return
    return finish(world, operation, lot.int(5, 200), 'unknown', 'exit 5')
  }
  const tookMs = Math.min(lot.int(5, 200), timeoutMs - 1)
  if (habitOf(world, operation) === 'monitor-fails') {
    return finish(world, operation, tookMs, 'failed', 'exit 1')
  }
  later(world, machine, 'scripts', lot.int(0, tookMs), () => {
    const active = machine.things.has(thing)
    const restMs = lot.int(0, 50)
    finish(world, operation, restMs, active ? 'running' : 'stopped', active ? 'active' : 'inactive')
  })
}

export function finish(
  world: World,
  operation: Operation,
  delayMs: number,
  outcome: RunOutcome,
  detail: string,
): void {
  later(world, operation.machine, 'scripts', delayMs, () => {
    if (operation.killed === undefined) empty(world, operation, outcome, detail)
  })
}

/** Its scope is empty now: only then is the outcome told (S1). */
function empty(world: World, operation: Operation, outcome: RunOutcome, detail: string): void {
  if (operation.over) return
  const { machine, daemon, id, resource } = operation
  operation.over = true
  machine.operations.delete(operation)
  tell(world, daemon, { kind: 'ran', id, resource, outcome, detail })
}

export function abort(world: World, daemon: Daemon, id: number): void {
  for (const operation of daemon.machine.operations) {
    if (operation.daemon === daemon && operation.id === id) kill(world, operation, 'aborted')
  }
}

/** Kill its processes; until the last of them is gone they go on. */
function kill(world: World, operation: Operation, why: string): void {
  const { machine, op } = operation
  if (operation.over || operation.killed !== undefined) return
  const lot = world.lots.resource
  operation.killed = why
  const tookMs = lot.chance(world.faults.killSlowPercent) ? lot.int(500, 4_000) : lot.int(1, 100)
  later(world, machine, 'scripts', tookMs, () => {
    empty(world, operation, op === 'probe' || op === 'monitor' ? 'unknown' : 'failed', why)
  })
}

/**
 * A new daemon kills what its predecessor left behind, and begins when all scopes are empty (S10).
 */
export function sweep(world: World, machine: Machine, then: () => void): void {
  for (const operation of machine.operations) {
    if (operation.killed === undefined) {
      world.say(`${machine.id} ${operation.op} of ${operation.resource} is swept away`)
    }
    kill(world, operation, 'swept away')
  }
  if (machine.operations.size === 0) then()
  else later(world, machine, 'scripts', 20, () => sweep(world, machine, then))
}

/** The thing is there: an address answers, a unit runs. */
export function activate(world: World, machine: Machine, thing: string, foreign: boolean): void {
  if (!machine.powered) return
  const found = machine.things.get(thing)
  if (found !== undefined && (foreign || !found.foreign)) return complete(found, foreign)
  machine.things.set(thing, { sinceMs: world.nowMs, foreign })
  world.say(`${machine.id} ${thing} is up${foreign ? ', and nobody here started it' : ''}`)
  judge(world, 'onActive', { machine, thing })
}

/** What had come in half is whole once it has been started, or taken over. */
function complete(found: Active, foreign: boolean): void {
  if (!foreign) found.half = false
}

export function deactivate(world: World, machine: Machine, thing: string, why = ''): void {
  if (!machine.things.delete(thing)) return
  world.say(`${machine.id} ${thing} is down${why && ` (${why})`}`)
  judge(world, 'onInactive', { machine, thing })
}

/** It ends without anybody's doing; whoever watches it on that machine may be told. */
export function die(world: World, machine: Machine, thing: string, hinted: boolean): void {
  if (!machine.things.has(thing)) return
  deactivate(world, machine, thing, 'it died by itself')
  const { daemon } = machine
  if (!hinted || daemon === undefined) return
  for (const { id } of daemon.config.resources.filter((one) => one.thing === thing)) {
    tell(world, daemon, { kind: 'hint', resource: id, because: 'it died by itself' })
  }
}

export function habitOf(world: World, { machine, resource, op }: Operation): Habit | undefined {
  const found = world.habits.get(`${machine.id}/${resource}`)
  if (found === undefined || found.times <= 0 || !found.habit.startsWith(op)) return undefined
  found.times--
  return found.habit
}
