/**
 * Each machine's disk keeps one ledger. A write takes its time and may fail; one that a crash
 * interrupts is there or is not, but never half (the real one is renamed into place).
 */
import type { Ledger } from '../core/ledger.ts'
import { type Daemon, tell } from './daemons.ts'
import { later } from './machines.ts'
import { throughJson } from './strict.ts'
import type { Machine, World } from './world.ts'

export interface Disk {
  ledger: Ledger | undefined
  full: boolean
  slow: boolean
  /** It answers nothing any more; `slow` is set as well. */
  hangs: boolean
  readonly writes: Write[]
}

interface Write {
  readonly ledger: Ledger
  readonly daemon: Daemon
  readonly id: number
}

export function save(world: World, daemon: Daemon, id: number, ledger: Ledger): void {
  const { machine } = daemon
  const kept = world.strict ? throughJson(ledger) : ledger
  machine.disk.writes.push({ ledger: kept, daemon, id })
  if (machine.disk.writes.length === 1) write(world, machine)
}

function write(world: World, machine: Machine): void {
  const { disk } = machine
  const first = disk.writes[0]
  if (first === undefined || disk.hangs) return
  const tookMs = disk.slow ? world.lots.disk.int(300, 3_000) : world.lots.disk.int(1, 20)
  later(world, machine, 'scripts', tookMs, () => {
    if (disk.writes[0] !== first) return
    disk.writes.shift()
    if (!disk.full) disk.ledger = first.ledger
    const { daemon, id } = first
    tell(
      world,
      daemon,
      disk.full
        ? { kind: 'saved', id, ok: false, detail: 'no space left on device' }
        : { kind: 'saved', id, ok: true },
    )
    write(world, machine)
  })
}

/** From now on it takes nothing and answers nothing. What is under way may still be answered. */
export function hang({ disk }: Machine): void {
  disk.slow = true
  disk.hangs = true
}

/** It is as good as new, and goes on with what has waited. */
export function mendDisk(world: World, machine: Machine): void {
  const { disk } = machine
  const waited = disk.hangs
  Object.assign(disk, { full: false, slow: false, hangs: false })
  if (waited) write(world, machine)
}

/** The writer is gone: the write under way is there or is not. */
export function dropWrites(world: World, machine: Machine): void {
  const { disk } = machine
  const [first] = disk.writes.splice(0)
  if (first !== undefined && !disk.full && world.lots.disk.next() < 0.5) {
    disk.ledger = first.ledger
  }
}

/** What it kept cannot be read any more. */
export function corrupt(world: World, machine: Machine): void {
  if (machine.disk.ledger === undefined) return
  world.say(`${machine.id} disk: the ledger is corrupt`)
  machine.disk.ledger = undefined
  world.witness.forgetful = true
}
