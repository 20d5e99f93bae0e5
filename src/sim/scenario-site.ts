/**
 * The cluster that scenarios are played on: three nodes, two resources, a BMC and a rack PDU with
 * two feeds for each node. A scenario may ask for another one in its first line.
 */
import { expandClones } from '../core/clones.ts'
import {
  type CheckConfig,
  type Config,
  type DeviceConfig,
  type Failing,
  failureActions,
  type NodeConfig,
  type NodeId,
  plainWishes,
  type Timing,
} from '../core/model.ts'
import { hostsAmong } from '../core/roles.ts'
import type { Site } from './world.ts'

const timing: Timing = {
  beatMs: 1_000,
  echoMs: 3_000,
  silentMs: 5_000,
  strangerMs: 10_000,
  startGraceMs: 10_000,
  retryMs: 1_000,
  retryMaxMs: 8_000,
  checkEveryMs: 30_000,
  coolDownMs: 10_000,
  stopAttemptsMax: 3,
  leaveMs: 10_000,
  detachMs: 30_000,
}

/** What a `site` line may change: `nodes=5 levels=1 verify qdevice resources=vip delay=2`. */
export interface Wishes {
  readonly nodes?: string
  readonly levels?: string
  /** The second level is another BMC instead of a PDU. */
  readonly bmcs?: string
  readonly resources?: string
  /** Seconds to wait before a lost node is fenced. */
  readonly delay?: string
  /** Seconds in which a lost node that still answers is left alone. */
  readonly reprieve?: string
  /** Seconds in which a lost node may write a crash dump; its first word within ten. */
  readonly dumps?: string
  /** BMCs may speak for a lost node. */
  readonly vouch?: string
  /** Seconds between two fencings of one node. */
  readonly interval?: string
  /** How many fencings may send a command within a minute. */
  readonly storm?: string
  /** Seconds within which a command may be carried out late. */
  readonly late?: string
  /** Seconds after an off in which something else may switch a node on again. */
  readonly returns?: string
  /** The BMCs cannot switch off, and are reset. */
  readonly resets?: string
  readonly verify?: string
  /** `vip,fs,web`: resources that run together, in this order. */
  readonly group?: string
  /** `web:db`: two resources that must be apart. */
  readonly apart?: string
  /** `web:vip,fs:vip`: the first of each pair starts after the second, wherever that is. */
  readonly after?: string
  /** `web`, `web:2`: it runs on all nodes at once, or on at most so many of them. */
  readonly clone?: string
  /** `vip:web`: the first one runs beside the second. */
  readonly beside?: string
  /** `vip:c,db:b`: a hundred points for a node, and none for where it runs. */
  readonly prefers?: string
  /** `vip:gateway,db:storage`: a check of nodes without which a resource attracts none. */
  readonly where?: string
  /** `web:answers`: a check of what runs. */
  readonly health?: string
  /** The timeout of every node's watchdog in seconds; `lease=30` goes with it. */
  readonly watchdog?: string
  /** Seconds until a node that holds something is reset. */
  readonly lease?: string
  /** A service manager keeps it open from one daemon to the next. */
  readonly keeper?: string
  /** Nothing runs where the watchdog is missing. */
  readonly required?: string
  /** `a,b`: nodes without the watchdog that their config wants. */
  readonly undogged?: string
  /** `vip:stop,db:fence`: what a failure of it comes to. */
  readonly fail?: string
  /** How many failures within `forget` seconds keep it away from a node. */
  readonly failures?: string
  readonly forget?: string
  /** `vip,db`: resources that are left running without quorum. */
  readonly freeze?: string
  /** `vip,db`: resources that are moved live. */
  readonly live?: string
  /** Seconds for which a node may be without a daemon that has detached. */
  readonly detach?: string
  /** `manual`: who was fenced serves nothing before an operator's word. */
  readonly rejoin?: string
  readonly qdevice?: string
  /** `two_node`: each of two nodes is quorate alone, once it has seen the other one. */
  readonly twonode?: string
  readonly identities?: string
  /** `c`, `c,d`: nodes that vote and fence, and run nothing. */
  readonly witness?: string
}

export function scenarioSite(wishes: Wishes = {}): Site {
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, Number(wishes.nodes ?? 3))
  const devices: DeviceConfig[] = []
  const identities = wishes.identities !== undefined
  const device = (id: string, driver: string): string => {
    devices.push({
      id,
      driver,
      isolation: driver === 'bmc' && wishes.resets !== undefined ? 'new-boot' : 'power',
      identity: identities && driver === 'bmc' ? `hw-${id[0]}` : undefined,
      readGapMs: 500,
      lateMs: 1_000 * Number(wishes.late ?? 10),
      returnsMs: 1_000 * Number(wishes.returns ?? 0),
      vouches: driver === 'bmc' && wishes.vouch !== undefined,
      timeoutMs: 3_000,
      settleMs: 4_000,
    })
    return id
  }
  const verify = wishes.verify !== undefined
  const nodes = ids.map(
    (id): NodeConfig => ({
      id,
      ...((wishes.witness ?? '').split(',').includes(id) && { role: 'witness' }),
      priority: 0,
      capacity: {},
      addresses: verify ? [`10.0.0.${id}`] : [],
      levels: [
        { devices: [device(`${id}/1/1`, 'bmc')], verify: verify && wishes.resets === undefined },
        wishes.bmcs !== undefined
          ? { devices: [device(`${id}/2/1`, 'bmc')], verify }
          : { devices: [device(`${id}/2/1`, 'pdu'), device(`${id}/2/2`, 'pdu')], verify },
      ].slice(0, Number(wishes.levels ?? 2)),
    }),
  )
  const config: Config = {
    halves: wishes.qdevice !== undefined || wishes.twonode !== undefined,
    cluster: 'scenario',
    hash: 'common',
    nodes,
    resources: expandClones(
      (wishes.resources ?? 'vip,db').split(',').map((id, i) => ({
        ...resourceWishes(wishes, id),
        ...failingWishes(wishes, id),
        id,
        thing: id,
        instances: instancesOf(wishes, id, ids.length),
        nodes: hostsAmong(nodes, [...ids.slice(i), ...ids.slice(0, i)]),
        startMs: 3_000,
        stopMs: 3_000,
        probeMs: 1_000,
        monitorEveryMs: 10_000,
      })),
    ),
    checks: checksOf(wishes),
    devices,
    timing: { ...timing, detachMs: 1_000 * Number(wishes.detach ?? 30) },
    rules: rulesOf(wishes),
    ...watchdogWishes(wishes, ids),
  }
  return {
    config,
    qdevice: wishes.qdevice !== undefined,
    twoNode: wishes.twonode !== undefined,
    tokenMs: 1_000,
    bootMs: 5_000,
    announces: identities,
    identifies: identities,
    ...dogsOf(wishes),
  }
}

/** The rules that hold a fencing back. */
function rulesOf(wishes: Wishes): Config['rules'] {
  return {
    delayMs: 1_000 * Number(wishes.delay ?? 0),
    randomDelayMs: 0,
    priorityDelayMs: 0,
    reprieveMs: 1_000 * Number(wishes.reprieve ?? 0),
    ...dumpWishes(wishes),
    minIntervalMs: 1_000 * Number(wishes.interval ?? 0),
    stormMax: Number(wishes.storm ?? 100),
    stormWindowMs: 60_000,
    rejoin: wishes.rejoin === 'manual' ? 'manual' : 'automatic',
  }
}

/** The checks that are named: every two seconds, up after two good answers, down after two bad. */
function checksOf({ where, health }: Wishes): readonly CheckConfig[] {
  const names = [...pairsOf(where), ...pairsOf(health)].map(([, check]) => check)
  const often = { everyMs: 2_000, timeoutMs: 1_000, rise: 2, fall: 2 }
  return [...new Set(names)].map((id) => ({ id, ...often }))
}

function pairsOf(text = ''): readonly (readonly [resource: string, check: string])[] {
  const pairs = text.split(',').map((each) => each.split(':'))
  return pairs.flatMap(([resource, check]) =>
    resource !== undefined && check !== undefined ? [[resource, check] as const] : [],
  )
}

function dumpWishes({ dumps }: Wishes) {
  if (dumps === undefined) return {}
  return { dumps: { boundMs: 1_000 * Number(dumps), firstMs: 10_000, freshMs: 8_000 } }
}

function dogsOf({ undogged = '', keeper }: Wishes) {
  return { undogged: undogged.split(','), keeper: keeper !== undefined }
}

function watchdogWishes({ watchdog, lease, required }: Wishes, ids: readonly NodeId[]) {
  if (watchdog === undefined) return {}
  const mode = required === undefined ? ('automatic' as const) : ('required' as const)
  const modes = Object.fromEntries(ids.map((id) => [id, mode]))
  const timeoutMs = 1_000 * Number(watchdog)
  return { watchdog: { modes, timeoutMs, leaseMs: 1_000 * Number(lease ?? 30) } }
}

function instancesOf({ clone = '' }: Wishes, id: string, all: number): number {
  const found = clone.split(',').map((each) => each.split(':'))
  const [, max = all] = found.find(([name]) => name === id) ?? [id, 0]
  return Number(max)
}

function resourceWishes(wishes: Wishes, id: string) {
  const { group = '', apart = '', after = '', beside = '', prefers = '' } = wishes
  const checksIn = (text: string | undefined) =>
    pairsOf(text).flatMap(([resource, check]) => (resource === id ? [check] : []))
  const firsts = pairsOf(after).flatMap(([second, first]) => (second === id ? [first] : []))
  const members = group.split(',')
  const leader = members[members.indexOf(id) - 1]
  const [one, foe] = apart.split(':')
  const [, node] = wordOf(prefers, id)
  const [follower, company] = beside.split(':')
  const must = (to: string | undefined) =>
    to === undefined ? [] : [{ to, strength: 'must' } as const]
  return {
    ...plainWishes,
    onlyWhere: checksIn(wishes.where),
    health: checksIn(wishes.health),
    beside: [...must(leader), ...(follower === id ? must(company) : [])],
    apart: one === id ? must(foe) : [],
    after: [...(leader === undefined ? [] : [leader]), ...firsts],
    prefers: node === undefined ? {} : { [node]: 100 },
    stays: node === undefined ? plainWishes.stays : 0,
  }
}

function failingWishes(
  { fail = '', failures, forget, freeze = '', live = '' }: Wishes,
  id: string,
) {
  const [, named] = wordOf(fail, id)
  const action = failureActions.find((each) => each === named) ?? 'restart'
  const mends = action === 'restart'
  const failing: Failing = {
    action,
    monitorsMax: mends ? Number(failures ?? 2) : 1,
    startsMax: mends ? Number(failures ?? 1) : 1,
    timeoutMs: 1_000 * Number(forget ?? timing.coolDownMs / 1_000),
  }
  return {
    failing,
    ...(freeze.split(',').includes(id) && { noQuorum: 'freeze' as const }),
    ...(live.split(',').includes(id) && { live: { boundMs: 10_000 } }),
  }
}

function wordOf(list: string, id: string): readonly string[] {
  return (
    list
      .split(',')
      .map((each) => each.split(':'))
      .find(([whose]) => whose === id) ?? []
  )
}
