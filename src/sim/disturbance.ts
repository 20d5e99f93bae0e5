/** Who is not itself just now, and who knows that it has no quorum: for the bounds of others. */
import { decidingRing } from './deciding.ts'
import type { Machine, World } from './world.ts'

/** Is a machine or disk not itself just now? Then nobody can be expected to keep to a bound. */
export function noteDisturbance(world: World): void {
  for (const machine of world.machines) noteQuorum(world, machine)
  const disturbed = world.machines.some(
    ({ frozen, disk, daemon }) =>
      frozen.corosync + frozen.daemon + frozen.scripts > 0 ||
      disk.full ||
      disk.slow ||
      (daemon !== undefined && daemon.config.hash !== world.site.config.hash),
  )
  const present = decidingRing(world)?.joined.length ?? 0
  if (disturbed || present * 2 <= world.machines.length) world.witness.disturbedMs = world.nowMs
}

function noteQuorum({ witness, nowMs }: World, machine: Machine): void {
  const { daemon, corosync, frozen } = machine
  const told = daemon?.joined === true && corosync?.ring?.verdict === false
  const awake = frozen.corosync + frozen.daemon + frozen.scripts === 0
  if (!told || !awake) witness.inquorateMs.delete(machine)
  else if (!witness.inquorateMs.has(machine)) witness.inquorateMs.set(machine, nowMs)
}
