/** Biased swarms of health checks. */
import type { Bias } from './biased.ts'
import { withChecks } from './checks.ts'

export const healthBiases: Readonly<Record<string, Bias>> = {
  'sick-services': {
    about: 'health checks fail on one node or on all, hang, and flap',
    faults: (faults) => ({
      ...faults,
      checkBadPercent: 20,
      checkHangsPercent: 6,
      startFailsPercent: 0,
      startHalfPercent: 0,
      stopHangsPercent: 0,
      stuckPercent: 0,
      freezePercent: 0,
      reformPercent: 0,
      splitPercent: 1,
      crashPercent: 1,
      powerLossPercent: 1,
      powerOnPercent: 40,
    }),
    site: (site, lot) => (site.config.checks.length > 0 ? site : withChecks(site, lot)),
  },
}
