/** Biased swarms of how a cluster is kept up: maintenance, upgrades, a look at the fenced. */
import type { Bias } from './biased.ts'
import { calm } from './faults.ts'

export const upkeepBiases: Readonly<Record<string, Bias>> = {
  'maintaining-operators': {
    about: 'operators begin and end maintenances while nodes, rings and resources come and go',
    faults: (faults) => ({
      ...faults,
      maintenancePercent: 25,
      dyingPercent: 10,
      leavePercent: 6,
      crashPercent: 6,
      verdictPercent: 4,
      corosyncKillPercent: 4,
      powerLossPercent: 6,
      powerOnPercent: 40,
      splitPercent: 6,
      healPercent: 40,
      diskCorruptPercent: 0,
    }),
  },
  'lost-majorities': {
    about: 'most machines die, are given up for good, and come back with empty disks',
    faults: (faults, lot) => ({
      ...calm,
      everyMs: lot.int(800, 3_000),
      powerLossPercent: lot.int(5, 20),
      giveUpPercent: lot.int(20, 80),
      powerOnPercent: lot.pick([0, 10, 30]),
      crashPercent: lot.pick([0, 8]),
      splitPercent: lot.pick([0, 8]),
      healPercent: 40,
      corosyncKillPercent: lot.pick([0, 6]),
      freezePercent: lot.pick([0, 6]),
      dyingPercent: faults.dyingPercent,
      startHangsPercent: faults.startHangsPercent,
    }),
  },
  'kept-out': {
    about: 'nodes die and come back, and serve nothing before an operator has looked at them',
    faults: (faults) => ({
      ...faults,
      splitPercent: 6,
      healPercent: 30,
      freezePercent: 6,
      powerLossPercent: 5,
      powerOnPercent: 60,
      enabledPercent: 20,
      orderPercent: 4,
      diskCorruptPercent: 0,
    }),
    site: (site) => {
      const rules = { ...site.config.rules, rejoin: 'manual' as const }
      return { ...site, config: { ...site.config, rules } }
    },
  },
  'crash-dumps': {
    about: 'kernels die and write dumps, and somebody forges the words of crash kernels',
    faults: (faults) => ({
      ...faults,
      dumpPercent: 15,
      splitPercent: 6,
      healPercent: 30,
      freezePercent: 4,
      powerOnPercent: 40,
      strangerPercent: 0,
    }),
    site: (site, lot) => {
      const firstMs = lot.int(0, 6_000)
      const dumps = { boundMs: firstMs + lot.int(2_000, 20_000), firstMs, freshMs: 5_000 }
      const rules = { ...site.config.rules, dumps }
      return { ...site, config: { ...site.config, rules } }
    },
  },
  'detaching-daemons': {
    about:
      'daemons make way for others, some of which never come, while rings and resources change',
    faults: (faults) => ({
      ...faults,
      detachPercent: 25,
      crashPercent: 3,
      dyingPercent: 5,
      intentPercent: 5,
      splitPercent: 4,
      healPercent: 40,
      powerLossPercent: 4,
      powerOnPercent: 40,
      corosyncKillPercent: 3,
      probeFailsPercent: 0,
    }),
  },
  'watched-upgrades': {
    about: 'watchdogs are handed over to daemons that come late, find no quorum, or never come',
    watchdogs: true,
    site: (site) => ({ ...site, keeper: true }),
    faults: (faults) => ({
      ...faults,
      detachPercent: 25,
      crashPercent: 3,
      splitPercent: 8,
      healPercent: 30,
      stopHangsPercent: 10,
      freezeDaemonPercent: 6,
      freezeMaxMs: 20_000,
      corosyncKillPercent: 2,
      probeFailsPercent: 0,
    }),
  },
}
