/**
 * What can go wrong, and how often. Each life draws its own mix with many of them switched off
 * (swarm testing); a biased swarm turns a few of them up, to reach what is rare.
 */
import type { Rng } from './rng.ts'

/** All percents are chances out of a hundred: per tick of fate, or per deed where it says so. */
export interface Faults {
  /** Gap between two ticks of fate. */
  readonly everyMs: number

  // ---- per tick: the network and Corosync ----
  /** A random split of the cluster network in two. */
  readonly splitPercent: number
  /** One machine hears nothing any more, or is heard by nobody. */
  readonly deafPercent: number
  /** One directed link breaks. */
  readonly linkPercent: number
  readonly healPercent: number
  /** A ring forms anew with the same members. */
  readonly reformPercent: number
  /** votequorum changes its mind within one ring (S11). */
  readonly verdictPercent: number
  readonly corosyncKillPercent: number

  // ---- per tick: machines and daemons ----
  readonly freezePercent: number
  readonly freezeDaemonPercent: number
  readonly freezeCorosyncPercent: number
  readonly freezeMaxMs: number
  readonly crashPercent: number
  /** Per step of a daemon that has effects: it dies between two of them. */
  readonly crashMidStepPercent: number
  readonly leavePercent: number
  /** A daemon makes way for another one. */
  readonly detachPercent: number
  readonly powerLossPercent: number
  readonly wallLossPercent: number
  /** Its kernel dies and writes a dump; or somebody says so who is not to be believed (H22). */
  readonly dumpPercent?: number
  readonly powerOnPercent: number
  /** The next life of a daemon reads another config (S16). */
  readonly strangerPercent: number

  // ---- per tick: disks ----
  readonly diskFullPercent: number
  readonly diskCorruptPercent: number
  readonly diskSlowPercent: number

  // ---- per tick: devices ----
  readonly deviceHangPercent: number
  readonly deviceCutPercent: number
  /** The cables of two devices are swapped (S15). */
  readonly swapPercent: number

  // ---- per tick: resources and people ----
  readonly dyingPercent: number
  /** A resource fails again and again for a while, on one machine or on all (H3). */
  readonly failingPercent: number
  /** Somebody or something starts a resource by hand (S19). */
  readonly foreignPercent: number
  /** It can never be stopped on that machine again, until the power goes. */
  readonly stuckPercent: number
  readonly orderPercent: number
  /** An operator wants something of a node or a resource: standby, move and their like. */
  readonly intentPercent: number
  /** An operator moves a resource to another of its nodes. */
  readonly movePercent: number
  /** An operator begins a maintenance, or ends one. */
  readonly maintenancePercent: number
  /** A person confirms a machine dead that is off at that moment. */
  readonly confirmPercent: number
  /** Where most are off, a person gives them up for good, and the others go on (H26). */
  readonly giveUpPercent?: number

  /** A health check turns bad: on one machine or on all, for a while, or on and off. */
  readonly checkBadPercent: number

  // ---- per deed ----
  /** The hands stall between the decision and the wire (S14). */
  readonly stallPercent: number
  readonly stallMaxMs: number
  readonly pressLostPercent: number
  readonly pressRefusedPercent: number
  readonly pressIgnoredPercent: number
  /** Carried out late, within the device's bound. */
  readonly pressLatePercent: number
  /** The device lies: it accepts, does nothing, and says off from then on. */
  readonly liePercent: number
  /** A device speaks for a node that is lost, with reason or without (F18). */
  readonly vouchPercent: number
  readonly replyLostPercent: number
  readonly replyLatePercent: number
  readonly readUnknownPercent: number
  /** The sensor is cached: it tells an older truth, younger than the gap between two reads. */
  readonly readStalePercent: number
  /** A reset is carried out, and the mark of the boot stays what it was (F15). */
  readonly markStuckPercent: number
  /** A reading tells no mark of the boot. */
  readonly markMissingPercent: number
  /** A check that would be answered is not. */
  readonly checkHangsPercent: number
  readonly startFailsPercent: number
  /** The start says that it failed, and yet the thing is active. */
  readonly startHalfPercent: number
  readonly startHangsPercent: number
  /** Half of a live move fails, and perhaps has its effect all the same. */
  readonly moveFailsPercent: number
  readonly moveHangsPercent: number
  readonly stopFailsPercent: number
  readonly stopHangsPercent: number
  readonly probeFailsPercent: number
  /** Killing an operation takes seconds instead of moments. */
  readonly killSlowPercent: number
  readonly messageLatePercent: number
  readonly alarmLatePercent: number
  /** An enabled unit starts at boot, before any daemon (S19). */
  readonly enabledPercent: number
}

/** Nothing goes wrong. */
export const calm: Faults = {
  everyMs: 1_000,
  splitPercent: 0,
  deafPercent: 0,
  linkPercent: 0,
  healPercent: 0,
  reformPercent: 0,
  verdictPercent: 0,
  corosyncKillPercent: 0,
  freezePercent: 0,
  freezeDaemonPercent: 0,
  freezeCorosyncPercent: 0,
  freezeMaxMs: 10_000,
  crashPercent: 0,
  crashMidStepPercent: 0,
  leavePercent: 0,
  detachPercent: 0,
  powerLossPercent: 0,
  wallLossPercent: 0,
  powerOnPercent: 0,
  strangerPercent: 0,
  diskFullPercent: 0,
  diskCorruptPercent: 0,
  diskSlowPercent: 0,
  deviceHangPercent: 0,
  deviceCutPercent: 0,
  swapPercent: 0,
  dyingPercent: 0,
  failingPercent: 0,
  foreignPercent: 0,
  stuckPercent: 0,
  orderPercent: 0,
  intentPercent: 0,
  movePercent: 0,
  maintenancePercent: 0,
  confirmPercent: 0,
  checkBadPercent: 0,
  checkHangsPercent: 0,
  stallPercent: 0,
  stallMaxMs: 10_000,
  pressLostPercent: 0,
  pressRefusedPercent: 0,
  pressIgnoredPercent: 0,
  pressLatePercent: 0,
  liePercent: 0,
  vouchPercent: 0,
  replyLostPercent: 0,
  replyLatePercent: 0,
  readUnknownPercent: 0,
  readStalePercent: 0,
  markStuckPercent: 0,
  markMissingPercent: 0,
  startFailsPercent: 0,
  startHalfPercent: 0,
  startHangsPercent: 0,
  moveFailsPercent: 0,
  moveHangsPercent: 0,
  stopFailsPercent: 0,
  stopHangsPercent: 0,
  probeFailsPercent: 0,
  killSlowPercent: 0,
  messageLatePercent: 0,
  alarmLatePercent: 0,
  enabledPercent: 0,
}

/** The mix of one life. */
export function swarmFaults(lot: Rng): Faults {
  const some = (max: number) => (lot.chance(45) ? 0 : lot.int(1, max))
  return {
    everyMs: lot.int(250, 2_000),
    splitPercent: some(7),
    deafPercent: some(5),
    linkPercent: some(6),
    healPercent: some(40),
    reformPercent: some(5),
    verdictPercent: some(3),
    corosyncKillPercent: some(4),
    freezePercent: some(6),
    freezeDaemonPercent: some(5),
    freezeCorosyncPercent: some(4),
    freezeMaxMs: lot.pick([2_000, 15_000, 60_000]),
    crashPercent: some(6),
    crashMidStepPercent: lot.chance(70) ? 0 : lot.pick([0.05, 0.2, 0.5]),
    leavePercent: some(3),
    powerLossPercent: some(7),
    wallLossPercent: some(3),
    powerOnPercent: some(40),
    strangerPercent: lot.chance(75) ? 0 : 1,
    diskFullPercent: some(3),
    diskCorruptPercent: lot.chance(80) ? 0 : 1,
    diskSlowPercent: some(4),
    deviceHangPercent: some(8),
    deviceCutPercent: some(8),
    swapPercent: some(2),
    dyingPercent: some(6),
    failingPercent: 0,
    foreignPercent: lot.chance(80) ? 0 : 1,
    stuckPercent: some(2),
    orderPercent: some(5),
    stallPercent: some(20),
    stallMaxMs: calm.stallMaxMs,
    pressLostPercent: some(25),
    pressRefusedPercent: some(20),
    pressIgnoredPercent: some(25),
    pressLatePercent: some(20),
    liePercent: some(20),
    vouchPercent: 40,
    replyLostPercent: some(30),
    replyLatePercent: some(30),
    readUnknownPercent: some(30),
    readStalePercent: some(40),
    startFailsPercent: some(20),
    startHalfPercent: some(15),
    startHangsPercent: some(15),
    moveFailsPercent: 15,
    moveHangsPercent: 10,
    stopFailsPercent: some(20),
    stopHangsPercent: some(15),
    probeFailsPercent: some(15),
    killSlowPercent: some(30),
    messageLatePercent: some(10),
    alarmLatePercent: some(10),
    enabledPercent: lot.chance(70) ? 0 : lot.int(1, 30),
    confirmPercent: some(10),
    markStuckPercent: some(20),
    markMissingPercent: some(10),
    intentPercent: some(6),
    movePercent: 0,
    checkBadPercent: 6,
    checkHangsPercent: 3,
    maintenancePercent: lot.chance(85) ? 0 : lot.int(1, 4),
    detachPercent: lot.chance(70) ? 0 : lot.int(1, 4),
  }
}
