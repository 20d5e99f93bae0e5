/**
 * Crash dumps in this world: a kernel dies, another one writes down why and says so to everybody,
 * and the machine boots anew. And those who say the same in the name of a machine that lives.
 */
import { type Daemon, tellAfter } from './daemons.ts'
import { panic, resetMachine } from './machines.ts'
import { carries } from './network.ts'
import type { Machine, World } from './world.ts'

/** Until the crash kernel has booted. */
const CRASH_BOOT_MS = 2_000
/** Gap between two of its messages. */
const EVERY_MS = 2_000

/**
 * It keeps its current, and what it ran counts as running: nothing of a dump proves anything. When
 * the dump is written it boots anew.
 */
export function crashDump(world: World, machine: Machine, forMs: number): void {
  if (!machine.powered || machine.dumping === machine.boot) return
  const { boot } = machine
  machine.dumping = boot
  panic(world, machine)
  const goesOn = () => machine.powered && machine.dumping === boot && machine.boot === boot
  const reaches = (to: Machine) => carries(world, machine, to)
  world.after(CRASH_BOOT_MS, () => talk(world, machine, { goesOn, reaches }))
  world.after(CRASH_BOOT_MS + forMs, () => {
    if (goesOn()) endDump(world, machine)
  })
}

/** Its dump is written, or somebody has had enough of it. */
export function endDump(world: World, machine: Machine): void {
  const { dumping, boot } = machine
  machine.dumping = undefined
  if (dumping === boot) resetMachine(world, machine, 'its dump is over')
}

/** For a while somebody speaks in its name to all, whatever it is doing itself. */
export function forgeDump(world: World, machine: Machine, forMs: number): void {
  const untilMs = world.nowMs + forMs
  world.say(`somebody forges crash dump messages of ${machine.id}`)
  talk(world, machine, { goesOn: () => world.nowMs < untilMs, reaches: () => true })
}

interface Voice {
  readonly goesOn: () => boolean
  readonly reaches: (to: Machine) => boolean
}

function talk(world: World, machine: Machine, voice: Voice): void {
  if (!voice.goesOn()) return
  for (const other of world.machines) {
    const { daemon } = other
    if (other !== machine && voice.reaches(other) && daemon !== undefined && listens(daemon)) {
      const news = { kind: 'dumping', node: machine.id } as const
      tellAfter(world, daemon, world.lots.device.int(1, 20), news)
    }
  }
  world.after(EVERY_MS, () => talk(world, machine, voice))
}

/** The port is open only where the config says so. */
function listens({ alive, config }: Daemon): boolean {
  return alive && config.rules.dumps !== undefined
}
