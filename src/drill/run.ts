/**
 * One failure of one cluster, in a world of its own: the cluster is built and settles, the failure
 * happens, and it is watched until every service is back, or for so long that nobody will bring
 * one back but a person.
 */
import { begin, deadlineMs, step } from '../core/cluster.ts'
import type { NodeId, ResourceId } from '../core/model.ts'
import type { State } from '../core/state.ts'
import { roundMs } from '../sim/bounds.ts'
import type { Core } from '../sim/core.ts'
import { decidingRing } from '../sim/deciding.ts'
import { noteDisturbance } from '../sim/disturbance.ts'
import { calm } from '../sim/faults.ts'
import { judge } from '../sim/invariants.ts'
import { switchOn } from '../sim/machines.ts'
import { order } from '../sim/operator.ts'
import { lotsOf } from '../sim/rng.ts'
import { type Broken, World } from '../sim/world.ts'
import type { Case, Failure } from './failures.ts'
import { minds, picture, type Reason, reasons, stoppedIn } from './picture.ts'
import type { Plant } from './plant.ts'
import { type Served, servicesOf } from './services.ts'
import { type Gap, type Overlap, type Watch, watch } from './watch.ts'

/** What became of it. All instants are counted from the failure. */
export interface Outcome {
  readonly seed: number
  readonly victim: Case
  /** What ran on the victim. */
  readonly had: readonly ResourceId[]
  /** What ran nowhere although nothing had happened yet, and why. */
  readonly never: readonly Reason[]
  /** When Corosync had given the victim up. */
  readonly detectedMs: number | undefined
  /** When it was first proven dead. */
  readonly provenMs: number | undefined
  readonly services: readonly Service[]
  readonly overlaps: readonly Overlap[]
  readonly broken: readonly Broken[]
  /** What the cluster has stopped until somebody has looked (`on_fail: stop`), and why. */
  readonly stopped: readonly Reason[]
  /** Nodes that are not proven dead at the end, and are not back. */
  readonly unproven: readonly NodeId[]
  /** Nodes that take no part at the end. */
  readonly out: readonly NodeId[]
  readonly quorate: boolean
  readonly lastsMs: number
  /** Lines of the trace since the failure, each with its instant before it. */
  readonly trace: readonly string[]
}

export interface Service {
  readonly id: ResourceId
  readonly gaps: readonly Gap[]
  /** All its gaps together, or until the end of the watch. */
  readonly downMs: number
  /** Who serves it at the end. */
  readonly home: NodeId | undefined
  /** Of a clone: on how many nodes it was served before, and on how few at any moment. */
  readonly instances?: Instances
  /** Why it is down at the end, as the cluster says it; empty where it is up. */
  readonly because: string
}

export interface Instances {
  readonly usual: number
  readonly least: number
}

/** The promises that are about picketd and the bounds of a storm, and about no configuration. */
const BORNE = ['P8']
/** For so long nothing is busy any more when it is over. */
const QUIET_MS = 6_000
/** Before the failure nothing is late: what has been ordered begins within milliseconds. */
const SETTLED_MS = 2_000
/** How often it is asked whether all is over. */
const LOOK_MS = 100
/** Long enough for a node to be given up and tried, and for what comes after a failure. */
const HOPE_MS = 30_000
const core: Core = { begin, step, deadlineMs } as unknown as Core

export function runFailure(
  plant: Plant,
  failure: Pick<Failure, 'strike' | 'lastsMs' | 'ofService' | 'asIs'>,
  victim: Case,
  seed: number,
): Outcome {
  const { site } = plant
  const world = new World({ core, site, faults: calm, lots: lotsOf(seed), borne: BORNE })
  const before = watch(world)
  const scan = () => {
    noteDisturbance(world)
    judge(world, 'onScan', undefined)
    world.after(1_000, scan)
  }
  world.after(1_000, scan)
  for (const machine of world.machines) switchOn(world, machine, 'the cluster starts')
  settle(world, before, startMs(plant))
  if (failure.asIs !== true) crowd(world, before, victim.node)
  const never = reasons(world, before.down())
  const homes = failure.ofService ? before.homes(victim.resource ?? '') : []
  const node = homes.includes(victim.node) ? victim.node : (homes[0] ?? victim.node)
  const at = { ...victim, node }
  return strike({ world, failure, at, seed, never, before, plant })
}

interface Scene {
  readonly world: World
  readonly failure: Pick<Failure, 'strike' | 'lastsMs'>
  readonly at: Case
  readonly seed: number
  readonly never: readonly Reason[]
  readonly before: Watch
  readonly plant: Plant
}

function strike({ world, failure, at, seed, never, before, plant }: Scene): Outcome {
  const zeroMs = world.nowMs
  const from = world.trace.length
  world.broken?.splice(0)
  const seen = watch(world)
  const marks: { detectedMs?: number; provenMs?: number } = {}
  const look = () => {
    seen.look()
    note(world, at.node, zeroMs, marks)
  }
  failure.strike(world, at)
  look()
  const endMs = zeroMs + failure.lastsMs + patienceMs(plant, at.node)
  const asleep = new Set(never.map(({ resource }) => resource))
  const isOver = () => world.nowMs - zeroMs > failure.lastsMs
  pass(world, {
    endMs,
    quietMs: QUIET_MS,
    look,
    busy: () => !isOver() || isBusy(world, seen, asleep),
    hopeless: () => world.nowMs - zeroMs > failure.lastsMs + HOPE_MS && isHopeless(world),
  })
  const status = picture(world)
  const notMembers = status?.nodes.filter(({ standing }) => standing !== 'member') ?? []
  const services = servicesOf(world.site.config.resources)
  return {
    seed,
    victim: at,
    had: services.flatMap(({ id }) => (before.homes(id).includes(at.node) ? [id] : [])),
    never,
    detectedMs: marks.detectedMs,
    provenMs: marks.provenMs,
    services: becomeOf({ world, before, seen, zeroMs }, services),
    overlaps: seen.overlaps.map((one) => since(zeroMs, one)),
    broken: (world.broken ?? []).map((one) => ({ ...one, atMs: one.atMs - zeroMs })),
    stopped: stoppedIn(world),
    unproven: notMembers
      .filter(({ standing }) => standing === 'lost' || standing === 'condemned')
      .map(({ id }) => id),
    out: notMembers.map(({ id }) => id),
    quorate: status?.ready === true,
    lastsMs: world.nowMs - zeroMs,
    trace: world.trace.slice(from).map((line) => {
      const [, ms = '0', text = line] = /^ *(\d+) {2}(.*)$/.exec(line) ?? []
      return `${String(Number(ms) - Math.round(zeroMs)).padStart(7)}  ${text}`
    }),
  }
}

interface Watched {
  readonly world: World
  readonly before: Watch
  readonly seen: Watch
  readonly zeroMs: number
}

function becomeOf(
  { world, before, seen, zeroMs }: Watched,
  services: readonly Served[],
): readonly Service[] {
  const why = new Map(reasons(world, seen.down()).map((each) => [each.resource, each.because]))
  return services.map(({ id, isClone }) => {
    const gaps = (seen.gaps.get(id) ?? []).map((one) => since(zeroMs, one))
    const ends = gaps.map(({ fromMs, toMs = world.nowMs - zeroMs }) => toMs - fromMs)
    return {
      id,
      gaps,
      downMs: ends.reduce((sum, spanMs) => sum + spanMs, 0),
      home: why.has(id) ? undefined : seen.homes(id)[0],
      ...(isClone && { instances: { usual: before.homes(id).length, least: seen.least(id) } }),
      because: why.get(id) ?? '',
    }
  })
}

/** Counted from the failure. */
function since<T extends Gap>(zeroMs: number, one: T): T {
  const toMs = one.toMs === undefined ? undefined : one.toMs - zeroMs
  return { ...one, fromMs: one.fromMs - zeroMs, toMs }
}

/** Notes when it was given up, and when it was proven dead. */
function note(
  world: World,
  node: NodeId,
  zeroMs: number,
  marks: { detectedMs?: number; provenMs?: number },
): void {
  const { deciding, proofs } = world.witness
  const gone = deciding?.members.every(({ id }) => id !== node)
  if (gone && marks.detectedMs === undefined) marks.detectedMs = world.nowMs - zeroMs
  if (proofs.has(node) && marks.provenMs === undefined) marks.provenMs = world.nowMs - zeroMs
}

/** Until every service runs and every node takes part, or until that has to be given up. */
function settle(world: World, seen: Watch, boundMs: number): void {
  pass(world, {
    endMs: world.nowMs + boundMs,
    quietMs: SETTLED_MS,
    look: seen.look,
    busy: () => isBusy(world, seen, new Set()),
    hopeless: () => false,
  })
}

interface Passing {
  readonly endMs: number
  /** For how long it has to be quiet. */
  readonly quietMs: number
  /** After every event. */
  readonly look: () => void
  readonly busy: () => boolean
  readonly hopeless: () => boolean
}

/** Lets time pass until it has been quiet for a while, or there is no hope of that. */
function pass(world: World, { endMs, quietMs, look, busy, hopeless }: Passing): void {
  let busyMs = world.nowMs
  let nextMs = world.nowMs
  while (world.agenda.advance(endMs)) {
    look()
    if (world.nowMs < nextMs) continue
    nextMs = world.nowMs + LOOK_MS
    if (busy()) busyMs = world.nowMs
    if (world.nowMs - busyMs > quietMs || hopeless()) return
  }
}

/** Is anything still to be expected: a service that is down, an operation, a fencing, a start? */
function isBusy(world: World, seen: Watch, asleep: ReadonlySet<ResourceId>): boolean {
  if (seen.down().some((id) => !asleep.has(id))) return true
  if (seen.overlaps.some(({ toMs }) => toMs === undefined)) return true
  const state = minds(world)[0]
  if (state === undefined || !isDecided(state)) return true
  return world.machines.some(({ operations }) =>
    [...operations].some(({ op }) => op === 'start' || op === 'stop'),
  )
}

/** Is every node either a member, or proven dead? */
function isDecided({ session, ledger, config }: State): boolean {
  if (session?.open !== true) return false
  return config.nodes.every(({ id }) => {
    const standing = ledger.nodes[id]?.standing
    return standing === 'member' || standing === 'fenced' || standing === 'left'
  })
}

/** Have all levels of what is not proven dead failed twice, or is there none? */
function isHopeless(world: World): boolean {
  const [state] = minds(world)
  if (state?.session?.open !== true) return false
  const open = state.config.nodes.filter(({ id }) => {
    const standing = state.ledger.nodes[id]?.standing
    return standing === 'lost' || standing === 'condemned'
  })
  return (
    open.length > 0 &&
    open.every(({ id, levels }) => {
      const { fencing } = state.ledger.nodes[id] ?? {}
      const failed = fencing !== undefined && fencing.round >= 2 && fencing.last !== ''
      return levels.length === 0 || failed
    })
  )
}

/** Where nothing runs on the node its failure would show little: what may run there moves there. */
function crowd(world: World, seen: Watch, node: NodeId): void {
  // A clone is nowhere else instead: it is not moved, and is where it may be.
  const single = servicesOf(world.site.config.resources).filter(({ isClone }) => !isClone)
  if (single.some(({ id }) => seen.homes(id).includes(node))) return
  const via = decidingRing(world)?.members[0]
  const able = single.filter(({ nodes }) => nodes.includes(node))
  if (via === undefined || able.length === 0) return
  for (const { id } of able) order(world, via, 'move', node, id)
  settle(world, seen, 60_000)
  for (const { id } of able) order(world, via, 'unmove', '', id)
  settle(world, seen, 60_000)
}

/** How long a cluster of this configuration may take to start everything. */
function startMs({ config, site }: Plant): number {
  const starts = config.resources.map((each) => each.startMs + each.probeMs)
  return site.bootMs + 60_000 + starts.reduce((sum, spanMs) => sum + spanMs, 0)
}

/** After this nobody will bring a service back but a person: all that the config lets take time. */
function patienceMs({ config, site }: Plant, node: NodeId): number {
  const { rules, timing, resources } = config
  const waits =
    rules.delayMs +
    rules.randomDelayMs +
    rules.priorityDelayMs +
    rules.reprieveMs +
    (rules.dumps?.boundMs ?? 0) +
    timing.startGraceMs +
    timing.silentMs +
    timing.retryMs
  const longest = (pick: (one: (typeof resources)[number]) => number) =>
    Math.max(0, ...resources.map(pick))
  const operations =
    timing.stopAttemptsMax * (longest(({ stopMs }) => stopMs) + 2_000) +
    longest(({ startMs }) => startMs) +
    longest(({ live }) => 2 * (live?.boundMs ?? 0))
  return site.bootMs + 2 * roundMs(config, node) + waits + operations + 30_000
}
