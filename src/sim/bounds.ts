/** How long things may take, computed from the config alone. */
import { priorityDelayMsOf } from '../core/halves.ts'
import type { Config, NodeId } from '../core/model.ts'
import { recoveryMs } from './checks.ts'

/** A generous pause for messages, saves, beats and starved alarms. */
const SLACK_MS = 15_000

/**
 * How many members have to miss another one, and how many disks keep what must not be forgotten.
 * Said once more, and not asked of the core: a mutant must not decide by what it is judged.
 */
export function accusersNeeded({ halves, nodes }: Config): number {
  return halves && nodes.length === 2 ? 1 : Math.floor(nodes.length / 2) + 1
}

export function keepersNeeded({ halves, nodes }: Config, members: readonly NodeId[]): number {
  const half = halves && members.length * 2 === nodes.length
  const most = Math.floor(nodes.length / 2) + 1
  // Also where the others were given up (H26).
  return half || members.length > 0 ? Math.min(members.length, most) : most
}

/** One round through all levels of a node, with every device as slow as it may be. */
export function roundMs(config: Config, node: NodeId): number {
  const { levels } = config.nodes.find(({ id }) => id === node) ?? { levels: [] }
  let totalMs = SLACK_MS
  for (const id of levels.flatMap((level) => level.devices)) {
    const device = config.devices.find((each) => each.id === id)
    if (device === undefined) continue
    const { timeoutMs, settleMs, readGapMs } = device
    // Identify, a look before, the press, and reads until the settling time has passed.
    totalMs += 5 * (timeoutMs + 1_000) + settleMs + 2 * readGapMs + 2_000
  }
  return totalMs
}

/** How long a coordinator may hold a fencing back, or leave a member alone, before it acts. */
export function patienceMs(config: Config): number {
  const { timing, rules, devices } = config
  const lateMs = Math.max(0, ...devices.map((device) => device.lateMs + device.timeoutMs))
  const storms = Math.ceil(config.nodes.length / rules.stormMax)
  return (
    storms * rules.stormWindowMs +
    rules.minIntervalMs +
    timing.startGraceMs +
    rules.delayMs +
    rules.randomDelayMs +
    priorityDelayMsOf(config) +
    rules.reprieveMs +
    (rules.dumps?.boundMs ?? 0) +
    timing.strangerMs +
    timing.silentMs +
    timing.retryMaxMs +
    lateMs +
    SLACK_MS
  )
}

/** After the last fault: until every resource runs and every node serves. */
export function calmMs(config: Config, bootMs: number): number {
  const rounds = Math.max(...config.nodes.map(({ id }) => roundMs(config, id)))
  const { timing, resources } = config
  const stops = Math.max(
    ...resources.map(({ stopMs, startMs, probeMs }) => startMs + stopMs + 2 * probeMs),
  )
  return (
    4 * patienceMs(config) +
    3 * rounds +
    timing.stopAttemptsMax * (stops + 10_000) +
    Math.max(timing.coolDownMs, ...resources.map(({ failing }) => failing?.timeoutMs ?? 0)) +
    recoveryMs(config) +
    6 * bootMs +
    60_000
  )
}
