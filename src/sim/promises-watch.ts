/**
 * F16: what comes back by itself after it was proven off is found out. F18 and H22: what is heard
 * of a lost node, or of its crash kernel, defers its fencing, but not for ever.
 */
import { priorityDelayMsOf } from '../core/halves.ts'
import { whySpared } from '../core/maintenance.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant } from './invariants.ts'
import { commonLedger, forget, isOf, lasting } from './promises-memory.ts'
import type { Machine, World } from './world.ts'

/** Two readings, the gap before them, and what a loaded cluster adds to both. */
const BOUND_MS = 25_000

export const watchPromises: readonly Invariant[] = [
  {
    id: 'F16',
    says: 'a fenced node that something else switches on again is fenced again',
    onScan: unseen,
  },
  {
    id: 'F18',
    says: 'a lost node that is still heard is spared for a bounded time only',
    onScan: (world) => spared(world, 'F18', world.site.config.rules.reprieveMs),
  },
  {
    id: 'H22',
    says: 'a lost node that is said to write a crash dump is spared for one bound only',
    onScan: (world) => {
      const { dumps, reprieveMs } = world.site.config.rules
      return dumps === undefined ? undefined : spared(world, 'H22', dumps.boundMs + reprieveMs)
    },
  },
]

/** Messages, beats and starved alarms beside the times of the config. */
const SLACK_MS = 10_000

/** Whoever may write a dump is another promise's matter: that bound is the longer one. */
function spared(world: World, promise: 'F18' | 'H22', spareMs: number): string | undefined {
  const { witness, nowMs, site } = world
  const { delayMs, randomDelayMs, dumps, ...limits } = site.config.rules
  const priorityDelayMs = priorityDelayMsOf(site.config)
  const ring = decidingRing(world)
  const ledger = commonLedger(world)
  const other = limits.minIntervalMs > 0 || limits.stormMax <= site.config.nodes.length
  // Without quorum nobody decides, and with it all waits begin anew.
  const names = `spared, ${promise}: `
  if (ring === undefined) forget(witness.standing, names, new Set())
  if (ring === undefined || ledger === undefined || other || spareMs === 0) return undefined
  if (promise === 'F18' && dumps !== undefined) return undefined
  // What an earlier ring has left is decided by nobody before this one has agreed on it.
  if (!isOf(ledger, ring)) return undefined
  const present = new Set<string>()
  let broken: string | undefined
  for (const [node, { standing, seen, fencing, deferred }] of Object.entries(ledger.nodes)) {
    if (standing !== 'lost' || !seen || fencing !== undefined || deferred === '') continue
    if (deferred === whySpared(ledger, node)) continue
    // In the ring it is another matter: its daemon may come back to it.
    if (world.machine(node).corosync?.ring === ring) continue
    // A new ring and a new coordinator begin their waits anew.
    const name = `${names}${node} ${ring.id.rep}.${ring.id.seq} ${ledger.coordinator}`
    present.add(name)
    const sinceMs = witness.standing.get(name) ?? nowMs
    if (!witness.standing.has(name)) witness.standing.set(name, nowMs)
    const boundMs = delayMs + randomDelayMs + priorityDelayMs + spareMs + SLACK_MS
    if (!ring.members.every((member) => isWell(world, member))) witness.standing.set(name, nowMs)
    else if (nowMs - sinceMs > boundMs) broken = `${node} is spared for more than ${boundMs} ms`
  }
  forget(witness.standing, names, present)
  return broken
}

/** Can it be expected to keep to a bound? What ails the lost node itself does not count. */
function isWell({ site }: World, { frozen, disk, daemon }: Machine): boolean {
  const awake = frozen.corosync + frozen.daemon + frozen.scripts === 0 && daemon?.joined === true
  return awake && !disk.full && !disk.slow && daemon.config.hash === site.config.hash
}

function unseen(world: World): string | undefined {
  const { witness, site, faults } = world
  const ledger = commonLedger(world)
  const ring = decidingRing(world)
  // Where devices do not tell the truth at once, nobody can be expected to see it in time.
  const honest =
    faults.readUnknownPercent + faults.readStalePercent + faults.deviceHangPercent === 0 &&
    faults.replyLatePercent + faults.deviceCutPercent === 0
  if (ledger === undefined || ring === undefined || !honest) return undefined
  const present = new Set<string>()
  let broken: string | undefined
  for (const machine of world.machines) {
    const entry = ledger.nodes[machine.id]
    if (entry?.standing !== 'fenced' || whySpared(ledger, machine.id) !== '') continue
    const fenced = `back: fenced ${machine.id}`
    const back = `back: on ${machine.id}`
    present.add(fenced)
    const fencedMs = world.nowMs - (witness.standing.get(fenced) ?? world.nowMs)
    if (!witness.standing.has(fenced)) witness.standing.set(fenced, world.nowMs)
    const ordered = entry.fencing !== undefined || witness.switchedOn.has(machine.id)
    if (!machine.powered || machine.corosync?.ring === ring || ordered) continue
    present.add(back)
    const devices = site.config.devices.filter(({ id }) => id.startsWith(`${machine.id}/`))
    const windowMs = Math.min(...devices.map(({ returnsMs }) => returnsMs))
    const honestly = [...world.devices.values()].every(
      ({ target, manner, cutFrom }) =>
        target !== machine || (manner === 'ok' && cutFrom.size === 0),
    )
    if (honestly && lasting(world, back) > BOUND_MS && fencedMs < windowMs) {
      broken = `${machine.id} has been on again for more than ${BOUND_MS} ms, and nobody minds`
    }
  }
  forget(witness.standing, 'back: ', present)
  return broken
}
