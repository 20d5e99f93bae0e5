/**
 * Biased swarms: the common mix with a few faults turned up, for what a plain storm reaches once in
 * thousands of lives. A mutant that the plain swarm hardly notices names the one that it fears.
 */
import { halvesBiases } from './biased-halves.ts'
import { healthBiases } from './biased-health.ts'
import { liveBiases } from './biased-live.ts'
import { fewerNodes, tight, withDevices } from './biased-sites.ts'
import { upkeepBiases } from './biased-upkeep.ts'
import { withClones } from './clones.ts'
import { calm, type Faults } from './faults.ts'
import type { Rng } from './rng.ts'
import { withFailing, withResets } from './swarm.ts'
import type { Site } from './world.ts'

export interface Bias {
  readonly about: string
  readonly faults?: (faults: Faults, lot: Rng) => Faults
  readonly site?: (site: Site, lot: Rng) => Site
  /** Every machine is to use a watchdog. */
  readonly watchdogs?: true
}

export const biases: Readonly<Record<string, Bias>> = {
  'late-replies': {
    about: 'devices answer late, ignore, and cache; nodes come back on their own',
    faults: (faults) => ({
      ...faults,
      replyLatePercent: 40,
      pressIgnoredPercent: 40,
      readStalePercent: 50,
      splitPercent: 6,
      healPercent: 20,
      powerOnPercent: 30,
    }),
  },
  'late-commands': {
    about: 'commands are carried out long after they were sent',
    faults: (faults) => ({
      ...faults,
      pressLatePercent: 50,
      replyLostPercent: 20,
      powerOnPercent: 40,
      splitPercent: 6,
      healPercent: 30,
      crashPercent: 4,
    }),
    site: withDevices((device) => ({ ...device, lateMs: 20_000 })),
  },
  'late-orders': {
    about: 'operators order nodes on and off while commands are carried out late',
    faults: (faults) => ({
      ...faults,
      pressLatePercent: 60,
      replyLostPercent: 20,
      orderPercent: 20,
      powerOnPercent: 20,
      splitPercent: 3,
      healPercent: 40,
    }),
    site: withDevices((device) => ({ ...device, lateMs: 20_000 })),
  },
  'stale-reads': {
    about: 'sensors are cached for just less than the gap between two reads',
    faults: (faults) => ({
      ...faults,
      readStalePercent: 80,
      pressIgnoredPercent: 60,
      powerOnPercent: 50,
      splitPercent: 6,
      healPercent: 20,
    }),
    site: withDevices((device) => ({ ...device, readGapMs: 2_000 })),
  },
  'lying-devices': {
    about: 'devices say off while the node still answers',
    faults: (faults) => ({
      ...faults,
      liePercent: 60,
      freezePercent: 8,
      freezeDaemonPercent: 8,
      crashPercent: 6,
      pressIgnoredPercent: 0,
      pressLostPercent: 0,
    }),
    site: (site) => ({
      ...site,
      config: {
        ...site.config,
        nodes: site.config.nodes.map((node) => ({
          ...node,
          addresses: [`10.0.0.${node.id}`],
          levels: node.levels.map((level) => ({ ...level, verify: true })),
        })),
      },
    }),
  },
  'swapped-cables': {
    about: 'devices are wired to another machine than the config says',
    faults: (faults) => ({ ...faults, swapPercent: 8, freezePercent: 5, crashPercent: 5 }),
    site: (site) => ({
      ...withDevices((device) => ({
        ...device,
        identity: device.driver === 'bmc' ? `hw-${device.id.split('/')[0]}` : undefined,
      }))(site),
      announces: true,
      identifies: true,
    }),
  },
  'restless-rings': {
    about: 'rings form anew again and again, and messages reach one side only',
    faults: (faults) => ({
      ...faults,
      everyMs: 400,
      splitPercent: 8,
      linkPercent: 6,
      healPercent: 30,
      reformPercent: 10,
      messageLatePercent: 40,
    }),
  },
  'fickle-quorum': {
    about: 'the verdict changes within a ring, and comes late',
    faults: (faults) => ({ ...faults, verdictPercent: 10, stallPercent: 30 }),
  },
  'crashing-daemons': {
    about: 'daemons die at any moment, with starts in flight',
    faults: (faults) => ({
      ...faults,
      crashPercent: 12,
      crashMidStepPercent: 0.5,
      startHangsPercent: 30,
      killSlowPercent: 60,
      dyingPercent: 15,
    }),
  },
  'stalled-hands': {
    about: 'seconds pass between a decision and the wire, while rings change and daemons freeze',
    faults: (faults) => ({
      ...faults,
      stallPercent: 70,
      splitPercent: 8,
      healPercent: 30,
      freezePercent: 6,
      freezeDaemonPercent: 6,
      verdictPercent: 5,
    }),
  },
  'drowsy-daemons': {
    about:
      'daemons and their hands sleep while their rings live on, are left out, and wake up again',
    faults: (faults) => ({
      ...faults,
      freezeDaemonPercent: 15,
      freezeMaxMs: 25_000,
      stallPercent: 60,
      pressIgnoredPercent: 30,
      readUnknownPercent: 10,
      powerLossPercent: 4,
      powerOnPercent: 40,
      splitPercent: 5,
      healPercent: 30,
    }),
  },
  'hard-stops': {
    about: 'starts and stops hang, fail half-way, and are slow to die',
    faults: (faults) => ({
      ...faults,
      startHangsPercent: 30,
      startHalfPercent: 20,
      stopFailsPercent: 30,
      stopHangsPercent: 30,
      killSlowPercent: 60,
      verdictPercent: 5,
      splitPercent: 6,
      healPercent: 30,
      dyingPercent: 15,
    }),
  },
  storms: {
    about: 'the limits for fencings are tight, and nodes die and come back all the time',
    faults: (faults) => ({
      ...faults,
      splitPercent: 6,
      healPercent: 30,
      crashPercent: 4,
      freezePercent: 6,
      powerLossPercent: 5,
      powerOnPercent: 50,
    }),
    site: (site, lot) => tight(site, lot.pick([0, 20_000]), lot.int(1, 2), 30_000),
  },
  'stalled-storms': {
    about: 'the limits for fencings are tight, and nobody knows which command has left',
    faults: (faults, lot) => ({
      ...faults,
      splitPercent: 6,
      healPercent: 30,
      powerLossPercent: 5,
      powerOnPercent: 50,
      stallPercent: 50,
      stallMaxMs: lot.pick([4_000, 12_000]),
      replyLostPercent: 50,
    }),
    site: (site, lot) => tight(site, 0, 1, lot.pick([8_000, 30_000])),
  },
  'bad-disks': {
    about: 'disks are full, slow and forgetful while daemons restart',
    faults: (faults) => ({
      ...faults,
      diskFullPercent: 8,
      diskSlowPercent: 8,
      diskCorruptPercent: 4,
      crashPercent: 10,
      powerLossPercent: 5,
      powerOnPercent: 40,
    }),
  },
  'lost-disks': {
    about: 'three nodes lose their power and their disks by turns, and freeze with what they run',
    faults: (faults, lot) => ({
      ...calm,
      everyMs: lot.int(800, 4_000),
      deafPercent: lot.pick([0, 10]),
      splitPercent: lot.pick([0, 10]),
      healPercent: 30,
      crashPercent: lot.pick([0, 20]),
      deviceHangPercent: lot.pick([0, 20]),
      diskCorruptPercent: lot.int(15, 40),
      powerLossPercent: lot.int(10, 30),
      powerOnPercent: 80,
      freezePercent: lot.int(5, 30),
      freezeMaxMs: 90_000,
      dyingPercent: faults.dyingPercent,
      replyLostPercent: faults.replyLostPercent,
    }),
    site: (site) => fewerNodes(site, 3),
  },
  'busy-operators': {
    about: 'operators order nodes off and on, restart daemons and switch machines',
    faults: (faults) => ({
      ...faults,
      orderPercent: 15,
      leavePercent: 6,
      powerOnPercent: 40,
      crashPercent: 4,
      splitPercent: 4,
      healPercent: 30,
    }),
  },
  'wishing-operators': {
    about: 'operators move, ban and disable what runs while nodes and disks come and go',
    faults: (faults) => ({
      ...faults,
      intentPercent: 30,
      startFailsPercent: 10,
      dyingPercent: 5,
      leavePercent: 6,
      crashPercent: 6,
      powerLossPercent: 6,
      powerOnPercent: 40,
      splitPercent: 6,
      healPercent: 40,
      diskCorruptPercent: 0,
    }),
  },
  'failing-resources': {
    about: 'resources fail again and again, each with a rule of its own, and some are left running',
    faults: (faults) => ({
      ...faults,
      failingPercent: 15,
      dyingPercent: 10,
      intentPercent: 4,
      splitPercent: 5,
      healPercent: 30,
      verdictPercent: 4,
      powerOnPercent: 40,
      diskCorruptPercent: 0,
    }),
    site: withFailing,
  },
  'confirming-operators': {
    about: 'devices prove little and act late, operators confirm by hand what they have seen off',
    faults: (faults) => ({
      ...faults,
      confirmPercent: 40,
      readUnknownPercent: 60,
      deviceHangPercent: 20,
      pressLatePercent: 40,
      powerLossPercent: 10,
      powerOnPercent: 40,
      splitPercent: 6,
      healPercent: 30,
    }),
    site: withDevices((device) => ({ ...device, lateMs: 20_000 })),
  },
  clones: {
    about: 'what runs on several nodes at once fails, is banned and started by hand, node by node',
    faults: (faults) => ({
      ...faults,
      dyingPercent: 12,
      startFailsPercent: 10,
      startHalfPercent: 10,
      foreignPercent: 4,
      intentPercent: 6,
      splitPercent: 4,
      healPercent: 30,
      crashPercent: 3,
      powerOnPercent: 40,
    }),
    site: withClones,
  },
  'coming-back': {
    about: 'what was proven off is switched on again by something else, and stays out of the ring',
    faults: (faults) => ({
      ...faults,
      powerOnPercent: 30,
      powerLossPercent: 6,
      splitPercent: 12,
      healPercent: 10,
      orderPercent: 6,
      readUnknownPercent: 0,
      readStalePercent: 0,
      replyLatePercent: 0,
      deviceHangPercent: 0,
      deviceCutPercent: 0,
    }),
    site: withDevices((device) => ({ ...device, returnsMs: 90_000 })),
  },
  'resetting-devices': {
    about: 'devices cannot switch off: they reset, ignore, act late, and tell a mark or none',
    faults: (faults) => ({
      ...faults,
      pressIgnoredPercent: 30,
      pressLatePercent: 20,
      replyLostPercent: 20,
      readStalePercent: 30,
      markStuckPercent: 20,
      markMissingPercent: 10,
      orderPercent: 6,
      crashPercent: 4,
      splitPercent: 6,
      healPercent: 30,
      powerOnPercent: 30,
    }),
    site: (site, lot) => {
      const all = lot.chance(50)
      return withResets(site, () => all || lot.chance(60))
    },
  },
  ...healthBiases,
  ...upkeepBiases,
  ...liveBiases,
  'foreign-hands': {
    about: 'units are enabled at boot, people start things by hand',
    faults: (faults) => ({
      ...faults,
      enabledPercent: 60,
      foreignPercent: 8,
      powerOnPercent: 40,
      splitPercent: 5,
    }),
  },
  strangers: {
    about: 'nodes read another config for a while',
    faults: (faults) => ({ ...faults, strangerPercent: 8, dyingPercent: 10, crashPercent: 4 }),
  },
  watchdogs: {
    about: 'loops freeze and stops hang on nodes that only a watchdog can end',
    watchdogs: true,
    faults: (faults) => ({
      ...faults,
      freezeDaemonPercent: 12,
      freezeCorosyncPercent: 4,
      freezeMaxMs: 30_000,
      stopHangsPercent: 30,
      stopFailsPercent: 20,
      stuckPercent: 4,
      splitPercent: 10,
      healPercent: 30,
      reformPercent: 6,
      verdictPercent: 3,
      leavePercent: 4,
    }),
  },
  ...halvesBiases,
  'cold-starts': {
    about: 'power comes and goes: clusters start from their disks alone',
    faults: (faults) => ({
      ...faults,
      powerLossPercent: 15,
      wallLossPercent: 8,
      powerOnPercent: 60,
      splitPercent: 6,
      healPercent: 30,
    }),
  },
}
