/** One seed, one life of a cluster: storm, then calm, then every promise must hold. */
import { biases } from './biased.ts'
import { calmMs } from './bounds.ts'
import { withChecks } from './checks.ts'
import type { Core } from './core.ts'
import { noteDisturbance } from './disturbance.ts'
import { mend, misfortune } from './fate.ts'
import { calm, swarmFaults } from './faults.ts'
import { judge } from './invariants.ts'
import { switchOn } from './machines.ts'
import { settles, unsettled } from './promises-liveness.ts'
import { lotsOf, rng } from './rng.ts'
import { swarmSite } from './swarm.ts'
import { withWatchdogs } from './watchdogs.ts'
import { Violation, World } from './world.ts'

export interface Life {
  readonly seed: number
  readonly biased: string | undefined
}

export interface Verdict {
  readonly seed: number
  /** The promise that was broken; `undefined` when all held. */
  readonly promise: string | undefined
  readonly violation: string | undefined
  readonly trace: readonly string[]
  readonly events: number
  readonly presses: number
  readonly starts: number
  readonly virtualMs: number
}

export interface Options {
  readonly core: Core
  /** The name of a biased swarm. */
  readonly biased?: string | undefined
  readonly strict?: boolean
  readonly verbose?: boolean
}

/** All must have been well for this long before it counts as settled. */
const QUIET_MS = 12_000

export function simulate(seed: number, { core, biased, strict, verbose }: Options): Verdict {
  const lot = rng(seed, 'swarm')
  const bias = biased === undefined ? undefined : biases[biased]
  if (biased !== undefined && bias === undefined) {
    throw new RangeError(
      `there is no swarm "${biased}"; known are ${Object.keys(biases).join(', ')}`,
    )
  }
  const site = swarmSite(lot)
  const drawn = swarmFaults(lot)
  const lots = lotsOf(seed)
  const plain = lots.check.chance(25) ? withChecks(site, lots.check) : site
  const world = new World({
    core,
    site: withWatchdogs(
      bias?.site ? bias.site(plain, lot) : plain,
      rng(seed, 'watchdogs'),
      bias?.watchdogs === true,
    ),
    faults: bias?.faults ? bias.faults(drawn, lot) : drawn,
    lots,
    strict: strict === true,
    verbose: verbose === true,
  })
  let violation: Violation | undefined
  try {
    live(world, lot.int(60_000, 240_000), lot.int(0, 20_000))
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
    world.say(`*** ${error.message}`)
  }
  return {
    seed,
    promise: violation?.promise,
    violation: violation?.message,
    trace: world.trace,
    events: world.events,
    presses: world.presses,
    starts: world.starts,
    virtualMs: world.nowMs,
  }
}

function live(world: World, stormMs: number, peaceMs: number): void {
  const { faults } = world
  // The cluster is built in peace; what follows finds it working, or still on its way.
  world.faults = { ...calm }
  for (const machine of world.machines) {
    world.after(world.lots.operator.int(0, 2_000), () => switchOn(world, machine, 'operator'))
  }
  world.after(1_000, () => scan(world))
  world.run(peaceMs)
  world.faults = faults
  misfortune(world)
  world.run(Math.max(0, stormMs - peaceMs))
  settle(world)
}

/** P7: within the bound all must be well, and stay so for a while. */
function settle(world: World): void {
  const boundMs = calmMs(world.site.config, world.site.bootMs)
  const roundMs = 20_000
  mend(world, roundMs, Math.ceil(boundMs / roundMs))
  const endMs = world.nowMs + boundMs
  let quietMs = 0
  while (world.nowMs < endMs) {
    world.run(1_000)
    quietMs = unsettled(world) === undefined ? quietMs + 1_000 : 0
    if (quietMs >= QUIET_MS) return
  }
  const { id, says } = settles
  throw new Violation(id, `${says}: ${unsettled(world) ?? 'it was well for too short a time'}`)
}

function scan(world: World): void {
  noteDisturbance(world)
  judge(world, 'onScan', undefined)
  world.after(1_000, () => scan(world))
}
