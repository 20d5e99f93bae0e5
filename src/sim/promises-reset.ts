/**
 * P3, P4, P5 and F16 for devices that cannot switch off: what proves that a node was reset, and
 * what a reset does not do.
 */
import type { Invariant, Moments } from './invariants.ts'
import { levelOf, type ReadNote, wasOff } from './witness.ts'
import type { World } from './world.ts'

export const resetPromises: readonly Invariant[] = [
  {
    id: 'P3',
    says: 'what is proven is true: the node was reset after its boot was read',
    onMessage: untrue,
  },
  {
    id: 'P5',
    says: 'a reset counts only when its device has told one other boot twice since it was pressed',
    onMessage: untold,
  },
  {
    id: 'P4',
    says: 'a node that an operator wants off is not reset instead',
    onPress: ({ witness }, { daemon, press }) => {
      if (press.action !== 'reset') return undefined
      const { requester = '' } = daemon.mind.ledger?.nodes[press.target]?.fencing ?? {}
      const ordered = witness.orders.get(requester)?.action === 'off'
      return ordered ? `${daemon.machine.id} resets ${press.target} for ${requester}` : undefined
    },
  },
  {
    id: 'F16',
    says: 'a node that was reset is not taken for one that something else has switched on',
    onMessage: ({ witness }, { daemon, message }) => {
      if (message.say !== 'condemn') return undefined
      const { node, because } = message
      // Only an operator condemns a node that is fenced, and whoever watches it.
      const watched = daemon.mind.ledger?.nodes[node]?.standing === 'fenced'
      if (!watched || witness.orders.has(message.requester)) return undefined
      if (witness.proofs.get(node)?.newBoot !== true) return undefined
      return `${daemon.machine.id} condemns ${node}: ${because}`
    },
  },
]

/** What the device of a proven reset was asked, and when it was pressed. */
function readingsOf(world: World, { daemon, message }: Moments['onMessage']) {
  if (message.say !== 'verdict' || !message.verdict.proven || !message.verdict.newBoot) return
  const { node, id, verdict } = message
  if (daemon.mind.ledger?.nodes[node]?.fencing?.id !== id) return
  const mine = (world.witness.presses.get(node) ?? []).filter(
    (press) => press.daemon === daemon && press.fencing === id && press.level === verdict.level - 1,
  )
  const reads = (world.witness.reads.get(daemon) ?? []).filter(
    ({ device }) => device.target.id === node && levelOf(world, device) === verdict.level - 1,
  )
  // Where nobody came to press it, its own watchdog may have been first: then the last other boot
  // that was read is what counts.
  const now = reads.findLast(({ boot }) => boot !== undefined)?.boot
  const other = reads.findLast(({ boot }) => boot !== undefined && boot !== now)
  const sentMs = mine.at(-1)?.sentMs ?? (other?.askedMs ?? Infinity) + 1
  const before = reads.findLast(({ askedMs, boot }) => askedMs < sentMs && boot !== undefined)
  const after = reads.filter(({ askedMs, power }) => askedMs >= sentMs && power !== undefined)
  return { who: `${daemon.machine.id} counts a reset of ${node}`, before, after }
}

function untold(world: World, seen: Moments['onMessage']): string | undefined {
  const readings = readingsOf(world, seen)
  if (readings === undefined) return undefined
  const { who, before, after } = readings
  if (before?.boot === undefined) return `${who}, whose boot it had not read before`
  let first: ReadNote | undefined
  for (const read of after) {
    const { power, boot, askedMs, device } = read
    if (power === 'unknown') continue
    const other = power === 'on' && boot !== undefined && boot !== before.boot
    const same = other && first?.boot === boot
    if (same && askedMs - first!.askedMs >= device.config.readGapMs) return undefined
    if (!other) first = undefined
    else if (!same) first = read
  }
  return `${who} without two reads of one other boot than ${before.boot}`
}

function untrue(world: World, seen: Moments['onMessage']): string | undefined {
  const readings = readingsOf(world, seen)
  if (readings?.before === undefined) return undefined
  const { device, askedMs } = readings.before
  // What it told may have been cached for as long as the gap between two of its readings.
  const sinceMs = askedMs - device.config.readGapMs
  return wasOff(device.target, sinceMs) ? undefined : readings.who
}
