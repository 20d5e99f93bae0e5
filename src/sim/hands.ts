/** What a daemon's hands do in this world. Every deed that can end is told when it has. */
import type { Effect } from '../core/effect.ts'
import { check } from './checks.ts'
import { setVerdict } from './corosync.ts'
import { multicast } from './cpg.ts'
import { type Daemon, exit, tellAfter } from './daemons.ts'
import { identify, press, read } from './devices.ts'
import { save } from './disks.ts'
import { judge } from './invariants.ts'
import { answersProbe } from './network.ts'
import { abort, run } from './resources.ts'
import { armWatchdog, disarmWatchdog, feedUntil, handOverWatchdog } from './watchdogs.ts'
import type { World } from './world.ts'
import { expectVotes } from './write-offs.ts'

export function perform(world: World, daemon: Daemon, effect: Effect): void {
  switch (effect.do) {
    case 'send':
      daemon.sends++
      judge(world, 'onBusy', daemon)
      return multicast(world, daemon, effect.message)
    case 'save':
      return save(world, daemon, effect.id, effect.ledger)
    case 'press':
      return press(world, daemon, effect)
    case 'read':
      return read(world, daemon, effect)
    case 'identify':
      return identify(world, daemon, effect)
    case 'listen':
      return listen(world, daemon, effect)
    case 'run':
      daemon.runs++
      judge(world, 'onBusy', daemon)
      return run(world, daemon, effect)
    case 'abort':
      return abort(world, daemon, effect.id)
    case 'check':
      return check(world, daemon, effect)
    case 'prepare':
      return
    case 'expect': {
      const votes = expectVotes(world, daemon, effect.votes)
      const ring = daemon.machine.corosync?.ring
      if (votes !== undefined && ring && ring.members.length * 2 > votes) {
        setVerdict(world, ring, true)
      }
      return
    }
    case 'arm':
      return armWatchdog(world, daemon, effect)
    case 'lease':
      return feedUntil(world, daemon, effect.untilMs)
    case 'disarm':
      return disarmWatchdog(world, daemon)
    case 'handOver':
      return handOverWatchdog(world, daemon, effect.untilMs)
    case 'say':
      return world.say(`${daemon.machine.id}: ${effect.text}`)
    case 'exit':
      judge(world, 'onExit', daemon)
      return exit(world, daemon, effect.code, effect.because)
  }
}

/** Probe the addresses at the beginning, in the middle and at the end of the window. */
function listen(
  world: World,
  daemon: Daemon,
  { id, target: name, addresses, windowMs }: Extract<Effect, { do: 'listen' }>,
): void {
  const target = world.machine(name)
  let heard = false
  const probe = () => {
    // Whoever was lied to about its power hears it for sure: see `canLie`.
    const lied = [...world.devices.values()].some(
      (device) =>
        device.target === target && device.lying && device.deceived.has(daemon.machine.id),
    )
    heard ||= target.powered && (lied || answersProbe(world, target, daemon.machine))
  }
  if (addresses.length > 0) for (const part of [0, 0.5, 1]) world.after(windowMs * part, probe)
  world.after(windowMs, () => {
    const answered = heard ? addresses.slice(0, 1) : []
    if (world.verbose)
      world.say(`  ${daemon.machine.id} listens: ${heard ? 'an answer' : 'silence'}`)
    tellAfter(world, daemon, world.lots.device.int(1, 20), {
      kind: 'heard',
      id,
      silent: !heard,
      answered,
    })
  })
}
