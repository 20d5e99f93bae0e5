/** A biased swarm of live moves: things move, and everything happens to them on the way (H2). */
import type { Bias } from './biased.ts'
import type { Rng } from './rng.ts'
import type { Site } from './world.ts'

export const liveBiases: Readonly<Record<string, Bias>> = {
  'live-moves': {
    about: 'operators move resources live, while either side dies, is cut off, or does it half',
    faults: (faults, lot) => ({
      ...faults,
      intentPercent: 40,
      moveFailsPercent: lot.pick([0, 30]),
      moveHangsPercent: lot.pick([0, 20]),
      crashPercent: 4,
      freezePercent: 3,
      splitPercent: 4,
      verdictPercent: 3,
      healPercent: 40,
      powerLossPercent: 5,
      powerOnPercent: 50,
      detachPercent: 2,
      maintenancePercent: lot.pick([0, 0, 5]),
      foreignPercent: 0,
      enabledPercent: 0,
      diskCorruptPercent: 0,
      dyingPercent: 2,
    }),
    site: movable,
  },
}

/** Every resource moves live and has no company; some of them are drawn to one node. */
function movable(site: Site, lot: Rng): Site {
  const { config } = site
  const resources = config.resources.map((each) => ({
    ...each,
    ...{ beside: [], after: [], apart: [] },
    nodes: config.nodes.map(({ id }) => id),
    live: { boundMs: lot.int(1_000, 8_000) },
  }))
  return { ...site, config: { ...config, resources } }
}
