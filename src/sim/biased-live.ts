/** A biased swarm of live moves: things move, and everything happens to them on the way (H2). */
import type { Bias } from './biased.ts'
import { calm } from './faults.ts'
import type { Rng } from './rng.ts'
import type { Site } from './world.ts'

export const liveBiases: Readonly<Record<string, Bias>> = {
  'live-moves': {
    about: 'operators move resources live, while either side dies, is cut off, or does it half',
    // What else goes wrong would leave little that moves.
    faults: (faults, lot) => ({
      ...calm,
      everyMs: lot.int(500, 2_000),
      movePercent: 40,
      intentPercent: lot.pick([0, 6]),
      moveFailsPercent: lot.pick([0, 30]),
      moveHangsPercent: lot.pick([0, 20]),
      crashPercent: lot.pick([0, 4]),
      crashMidStepPercent: faults.crashMidStepPercent,
      leavePercent: lot.pick([0, 2]),
      freezePercent: lot.pick([0, 3]),
      freezeDaemonPercent: lot.pick([0, 3]),
      freezeMaxMs: faults.freezeMaxMs,
      splitPercent: lot.pick([0, 3]),
      deafPercent: lot.pick([0, 2]),
      reformPercent: lot.pick([0, 5]),
      verdictPercent: lot.pick([0, 3]),
      healPercent: 40,
      powerLossPercent: lot.pick([0, 3]),
      powerOnPercent: 50,
      corosyncKillPercent: lot.pick([0, 1]),
      detachPercent: lot.pick([0, 3]),
      maintenancePercent: lot.pick([0, 0, 4]),
      dyingPercent: lot.pick([0, 3]),
      diskFullPercent: lot.pick([0, 2]),
      stopHangsPercent: lot.pick([0, 10]),
      startFailsPercent: lot.pick([0, 10]),
      probeFailsPercent: lot.pick([0, 10]),
      killSlowPercent: 30,
      messageLatePercent: faults.messageLatePercent,
      alarmLatePercent: faults.alarmLatePercent,
      replyLostPercent: lot.pick([0, 20]),
    }),
    site: movable,
  },
}

/** Every resource moves live and has no company. */
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
