/** Which of the rings there are is the one that decides, or in which a node can be heard. */
import type { Ring } from './cpg.ts'
import type { World } from './world.ts'

/** The ring that decides, if there is one: quorate, and every member is still in it. */
export function decidingRing(world: World): Ring | undefined {
  for (const { corosync } of world.machines) {
    const ring = corosync?.ring
    if (ring?.verdict !== true) continue
    if (ring.members.every((member) => member.corosync?.ring === ring)) return ring
  }
  return undefined
}

/**
 * The ring of the greater part, whatever votequorum says of it: there a node can still be heard.
 */
export function mainRing(world: World): Ring | undefined {
  const size = world.machines.length
  for (const { corosync } of world.machines) {
    const ring = corosync?.ring
    // Too few may decide where the others were given up.
    if (ring === undefined) continue
    if (ring.members.length * 2 <= size && ring.verdict !== true) continue
    if (ring.members.every((member) => member.corosync?.ring === ring)) return ring
  }
  return undefined
}
