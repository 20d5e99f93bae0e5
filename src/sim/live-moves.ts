/**
 * Live moves in this world (H2): `migrate_to` at the source and `migrate_from` at the target, with
 * all that an agent may do when it fails. The agent sees to it that only one of the two machines
 * works at a time, for as long as it moves; when a half of it has failed, nobody knows what is
 * where: on the source, on the target, on both, or on none.
 */
import { judge } from './invariants.ts'
import { later } from './machines.ts'
import {
  activate,
  deactivate,
  durationMs,
  finish,
  habitOf,
  type Operation,
  takesEffectMs,
} from './resources.ts'
import type { Machine, World } from './world.ts'

/** At the source: the state goes to the other machine. */
export function sendLive(world: World, operation: Operation, timeoutMs: number): void {
  const { machine, move, resource, thing } = operation
  const target = world.machine(move?.target ?? '')
  const lot = world.lots.resource
  const tookMs = durationMs(world, operation, timeoutMs)
  const habit = habitOf(world, operation)
  const late = habit === 'migrate_to-late'
  const hangs = late || habit === 'migrate_to-hangs' || lot.chance(world.faults.moveHangsPercent)
  const fails = habit === 'migrate_to-fails' || lot.chance(world.faults.moveFailsPercent)
  const half = habit === 'migrate_to-half' || (fails && lot.next() < 0.5)
  // One that hangs may still have its effect at any moment until it is killed.
  const someTimeMs = late ? 0.7 * timeoutMs : lot.int(0, timeoutMs + 500)
  const effectMs = hangs ? someTimeMs : takesEffectMs(world, tookMs)
  later(world, machine, 'scripts', effectMs, () => {
    if (operation.over || !machine.things.has(thing) || (fails && !half)) return
    const arrives = target.powered && target.up
    const leaves = half ? lot.next() < 0.5 : arrives
    if (leaves) deactivate(world, machine, thing)
    if (arrives) comeIn(world, target, thing)
  })
  if (hangs) return world.say(`${machine.id} migrate_to of ${resource} hangs`)
  later(world, machine, 'scripts', tookMs, () => {
    // An agent notices where the other machine is gone.
    const sent = !fails && !half && target.things.get(thing)?.half === true
    finish(world, operation, 0, sent ? 'done' : 'failed', sent ? 'exit 0' : 'exit 1')
  })
}

/** Only half of it: without `migrate_from` it does not work, whatever its monitor says. */
function comeIn(world: World, target: Machine, thing: string): void {
  if (target.things.has(thing)) return
  target.things.set(thing, { sinceMs: world.nowMs, foreign: false, half: true })
  world.say(`${target.id} ${thing} comes in`)
  judge(world, 'onActive', { machine: target, thing })
}

/** At the target: what has come in goes to work. */
export function takeOver(world: World, operation: Operation, timeoutMs: number): void {
  const { machine, resource, thing } = operation
  const lot = world.lots.resource
  const tookMs = durationMs(world, operation, timeoutMs)
  const habit = habitOf(world, operation)
  if (habit === 'migrate_from-hangs' || lot.chance(world.faults.moveHangsPercent)) {
    return world.say(`${machine.id} migrate_from of ${resource} hangs`)
  }
  if (habit === 'migrate_from-fails' || lot.chance(world.faults.moveFailsPercent)) {
    return finish(world, operation, tookMs, 'failed', 'exit 1')
  }
  later(world, machine, 'scripts', tookMs, () => {
    if (operation.over) return
    const there = machine.things.has(thing)
    if (there) activate(world, machine, thing, false)
    finish(world, operation, 0, there ? 'done' : 'failed', there ? 'exit 0' : 'exit 1')
  })
}
