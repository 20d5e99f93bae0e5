/** P2, P5 and P10: who may press a button, when, and what counts as proof. */
import { priorityDelayMsOf } from '../core/halves.ts'
import { compareEpochs } from '../core/ledger.ts'
import { sameRing } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Daemon } from './daemons.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant, Moments } from './invariants.ts'
import { clockMs } from './machines.ts'
import { levelOf, type PressNote, type ReadNote } from './witness.ts'
import type { Machine, World } from './world.ts'

/** By then everybody in a ring has heard who came back. */
const KNOWN_MS = 2_000

export const fencingPromises: readonly Invariant[] = [
  {
    id: 'P2',
    says: 'nobody presses a button without quorum, for itself, or for a node that takes part',
    onPress: unlawful,
  },
  {
    id: 'P5',
    says: 'levels are tried in order',
    onPress: outOfOrder,
  },
  {
    id: 'P5',
    says: 'a level counts only when each of its devices has said off twice since it was pressed',
    onMessage: unfounded,
  },
  {
    id: 'F7',
    says: 'a node that is switched on has every feed back that its level took',
    onMessage: unfed,
  },
  {
    id: 'P9',
    says: 'no more fencings than the storm limit send their first command within its window',
    onPress: storms,
  },
  {
    id: 'S18',
    says: 'of two nodes that lose sight of each other, one waits before it fences the other',
    onPress: duel,
  },
  {
    id: 'F5',
    says: 'a node is not fenced again before the least interval has passed',
    onPress: hasty,
  },
  {
    id: 'P10',
    says: 'nobody presses a button again where another one has, without a look',
    onPress: blind,
  },
  {
    id: 'P10',
    says: 'no command leaves before its order is on the disk of whoever presses',
    onPress: unwritten,
  },
]

function unlawful(world: World, { daemon, device, press }: Moments['onPress']): string | undefined {
  const { machine } = daemon
  const { target } = press
  const what = `${machine.id} presses ${press.action} of ${target}`
  if (target === machine.id || device.target === machine) return `${what}, which is itself`
  const ring = daemon.attached ? machine.corosync?.ring : undefined
  if (ring?.verdict !== true) return `${what} without quorum`
  if (!sameRing(ring.id, press.ring)) return `${what} by the authority of an older ring`
  if (clockMs(world, machine) > press.notAfterMs) return `${what} too late`
  if (press.action === 'on') return undefined
  const standing = daemon.mind.ledger?.nodes[target]?.standing
  if (standing === 'condemned') return undefined
  if (standing !== 'lost') return `${what}, which is ${standing ?? 'unknown'} and not lost`
  return takesPart(world, daemon, device.target) ? `${what}, which takes part` : undefined
}

/** Do those who know better than the presser have this machine in their midst, and for a while? */
function takesPart(world: World, presser: Daemon, machine: Machine): boolean {
  const sinceMs = world.witness.inService.get(machine)
  const { ledger } = presser.mind
  if (ledger === undefined || sinceMs === undefined) return false
  if (world.nowMs - sinceMs < KNOWN_MS) return false
  const joined = presser.machine.corosync?.ring?.joined ?? []
  return joined.some(
    ({ mind }) =>
      mind.ledger !== undefined &&
      compareEpochs(mind.ledger.epoch, ledger.epoch) > 0 &&
      mind.ledger.nodes[machine.id]?.standing === 'member',
  )
}

/** Of a level of outlets that has switched it on; other machines' outlets are another matter. */
function unfed(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  if (message.say !== 'verdict' || !message.verdict.proven || world.witness.swapped)
    return undefined
  const record = daemon.mind.ledger?.nodes[message.node]?.fencing
  // Its last command says which half of a reboot this verdict is about; after a restart the first
  // half is done again, and may be proven by a look alone.
  if (record?.id !== message.id || !world.witness.switchedOn.has(message.node)) return undefined
  if (record.action !== 'on') return undefined
  const dark = [...world.devices.values()].find(
    (device) =>
      device.target.id === message.node &&
      device.kind === 'outlet' &&
      levelOf(world, device) === message.verdict.level - 1 &&
      !device.on,
  )
  return dark && `${message.node} counts as switched on, and its outlet ${dark.id} is off`
}

function outOfOrder(
  world: World,
  { daemon, device, press }: Moments['onPress'],
): string | undefined {
  const { witness } = world
  if (press.action === 'on' || witness.swapped) return undefined
  const level = levelOf(world, device)
  const round = daemon.mind.ledger?.nodes[press.target]?.fencing?.round ?? 0
  const mine = (witness.presses.get(press.target) ?? []).filter(
    (note) => note.daemon === daemon && note.fencing === press.fencing,
  )
  if (mine.some((note) => note.round === round && note.level > level)) {
    return `${daemon.machine.id} goes back to level ${level + 1} of ${press.target} in one round`
  }
  const sinceMs = witness.fencings.get(press.fencing) ?? 0
  for (let lower = 0; lower < level; lower++) {
    const tried = (witness.attempts.get(daemon) ?? []).some(
      (attempt) =>
        attempt.askedMs >= sinceMs &&
        attempt.device.target === device.target &&
        levelOf(world, attempt.device) === lower,
    )
    if (!tried) return `${daemon.machine.id} skips level ${lower + 1} of ${press.target}`
  }
  return undefined
}

function unfounded(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  // A reset is judged by its own rule.
  if (message.say !== 'verdict' || !message.verdict.proven) return undefined
  if (message.verdict.newBoot) return undefined
  const { witness } = world
  const { node: name, id, verdict } = message
  const record = daemon.mind.ledger?.nodes[name]?.fencing
  if (record?.id !== id || record.action === 'on') return undefined
  const node = world.site.config.nodes.find((each) => each.id === name)
  const level = node?.levels[verdict.level - 1]
  if (level === undefined) return `${daemon.machine.id} proves ${name} by level ${verdict.level}`
  for (const deviceId of level.devices) {
    const device = world.device(deviceId)
    const sentMs = Math.max(
      -1,
      ...(witness.presses.get(name) ?? [])
        .filter((note) => note.daemon === daemon && note.device === device && note.fencing === id)
        .map((note) => note.sentMs),
    )
    const reads = (witness.reads.get(daemon) ?? []).filter(
      (read) => read.device === device && read.askedMs > sentMs && read.power !== undefined,
    )
    if (!saidOffTwice(reads, device.config.readGapMs)) {
      return `${daemon.machine.id} counts ${deviceId} without two reads of off`
    }
  }
  return undefined
}

/** Two offs in a row, the gap of the device apart. */
function saidOffTwice(reads: readonly ReadNote[], readGapMs: number): boolean {
  let firstMs: number | undefined
  for (const { power, askedMs } of reads) {
    if (power === 'on') firstMs = undefined
    if (power !== 'off') continue
    if (firstMs !== undefined && askedMs - firstMs >= readGapMs) return true
    firstMs ??= askedMs
  }
  return false
}

/** Halves that know nothing of each other count each for itself. */
function storms(world: World, { daemon, press }: Moments['onPress']): string | undefined {
  if (press.action === 'on' || world.witness.forgetful) return undefined
  const { halves, rules } = world.site.config
  const { stormMax, stormWindowMs } = rules
  const own = nameOf(world, press.fencing)
  const counted = new Set([own])
  const firstMs = new Map<string, number>([[own, world.nowMs]])
  for (const note of [...world.witness.presses.values()].flat()) {
    if (note.refused) continue
    const name = nameOf(world, note.fencing)
    firstMs.set(name, Math.min(firstMs.get(name) ?? note.sentMs, note.sentMs))
    if (!halves || note.daemon.machine === daemon.machine) counted.add(name)
  }
  const recent = [...counted].filter((name) => world.nowMs - firstMs.get(name)! < stormWindowMs)
  if (recent.length <= stormMax) return undefined
  return `${press.fencing} of ${press.target} is number ${recent.length} in ${stormWindowMs} ms`
}

/** How far apart two nodes may learn that they have lost each other. */
const SAME_CUT_MS = 1_000

/** Judged where nothing else goes wrong: whoever sleeps meanwhile presses when it can. */
function duel(world: World, { daemon, press }: Moments['onPress']): string | undefined {
  const { config } = world.site
  if (!world.strict || !config.halves || config.nodes.length > 2) return undefined
  const ring = daemon.machine.corosync?.ring
  const shots = world.witness.presses.get(daemon.machine.id) ?? []
  const last = shots.findLast((shot) => shot.daemon.machine.id === press.target)
  const other = last?.daemon.machine.corosync?.ring
  if (last === undefined || ring === undefined || other === undefined) return undefined
  const together = Math.abs(ring.bornMs - other.bornMs) < SAME_CUT_MS
  const waited = last.sentMs - ring.bornMs >= priorityDelayMsOf(config)
  if (!together || waited || world.nowMs - last.sentMs >= priorityDelayMsOf(config))
    return undefined
  return `${daemon.machine.id} presses off of ${press.target}, which has just done the same`
}

/** The first name of a fencing that goes on under the name of an order. */
function nameOf({ witness }: World, fencing: string): string {
  return witness.renamed.get(fencing) ?? fencing
}

function hasty(world: World, { daemon, press }: Moments['onPress']): string | undefined {
  if (press.action === 'on' || world.witness.forgetful) return undefined
  const { minIntervalMs } = world.site.config.rules
  const { boot: now = '' } = daemon.mind.ledger?.nodes[press.target] ?? {}
  // Whoever has taken part since then, in another boot, is fenced anew, under whatever name.
  const another = ({ fencing, boot }: PressNote) =>
    nameOf(world, fencing) !== nameOf(world, press.fencing) || (boot !== '' && boot !== now)
  const others = (world.witness.presses.get(press.target) ?? []).filter(
    (note) => !note.refused && another(note) && world.nowMs - note.sentMs < minIntervalMs,
  )
  const last = others.at(-1)
  return (
    last && `${press.target} was pressed ${world.nowMs - last.sentMs} ms ago in ${last.fencing}`
  )
}

function unwritten({ witness }: World, seen: Moments['onPress']): string | undefined {
  const { machine, mind } = seen.daemon
  const { target, fencing } = seen.press
  const kept = machine.disk.ledger?.nodes[target]?.fencing?.id === fencing
  if (kept || !isReal(mind) || witness.forgetful) return undefined
  return `${machine.id} presses for ${fencing}, which its disk does not know`
}

function blind(world: World, { daemon, device, press }: Moments['onPress']): string | undefined {
  if (press.action === 'on') return undefined
  const { witness } = world
  // Where word of the other one's ring has not come yet, two may press at once.
  const ring = decidingRing(world)
  if (ring === undefined || daemon.machine.corosync?.ring !== ring) return undefined
  const last = witness.presses.get(press.target)?.findLast((note) => note.device === device)
  if (last === undefined || witness.forgetful || last.daemon === daemon || last.concluded) {
    return undefined
  }
  // Who presses from outside does so as long as its last echo holds, also after a look from here.
  const sinceMs = last.outside ? last.sentMs - world.site.config.timing.echoMs : last.sentMs
  const looked = (witness.reads.get(daemon) ?? []).some(
    ({ device, askedMs }) => device.target.id === press.target && askedMs >= sinceMs,
  )
  if (looked) return undefined
  return `${daemon.machine.id} presses off of ${press.target} as ${last.daemon.machine.id} had done`
}
