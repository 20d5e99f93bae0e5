/** P7 and P8: what must go right in the end, and that nobody spins on the way. */
import { scattered } from './clones.ts'
import type { Daemon } from './daemons.ts'
import type { Invariant } from './invariants.ts'
import type { World } from './world.ts'

/** Per daemon and virtual second, beside one for each news. Real trouble needs a tenth of these. */
const TICKS_MAX = 100
const SENDS_MAX = 120
const RUNS_MAX = 30

export const livenessPromises: readonly Invariant[] = [
  {
    id: 'P8',
    says: 'the loop is never busy without news',
    onBusy: busy,
  },
]

function busy(world: World, daemon: Daemon): string | undefined {
  const second = Math.floor(world.nowMs / 1_000)
  if (daemon.second !== second) {
    daemon.second = second
    daemon.news = 0
    daemon.ticks = 0
    daemon.sends = 0
    daemon.runs = 0
  }
  const { id } = daemon.machine
  if (daemon.ticks > TICKS_MAX) return `${id} wakes ${daemon.ticks} times in one second`
  if (daemon.sends > SENDS_MAX + daemon.news)
    return `${id} says ${daemon.sends} things in one second`
  if (daemon.runs > RUNS_MAX + daemon.news)
    return `${id} runs ${daemon.runs} operations in one second`
  return undefined
}

/** P7: what is wrong once the faults have stopped; `undefined` when all is well. */
export function unsettled(world: World): string | undefined {
  const astray = scattered(world)
  if (astray !== undefined) return astray
  for (const { id } of world.machines) {
    for (const machine of world.machines) {
      const ledger = world.ledgerOf(machine)
      if (ledger === undefined) return `${machine.id} has no daemon that knows anything`
      const entry = ledger.nodes[id]
      if (entry?.standing === 'member') continue
      const because = entry?.because ?? ''
      return `${machine.id} takes ${id} for ${entry?.standing ?? 'unknown'}: ${because}`
    }
  }
  return undefined
}

export const settles: Pick<Invariant, 'id' | 'says'> = {
  id: 'P7',
  says: 'once faults stop, every resource runs on exactly one node, and every node serves again',
}
