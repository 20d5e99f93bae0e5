/**
 * The cluster that scenarios are played on: three nodes, two resources, a BMC and a rack PDU with
 * two feeds for each node. A scenario may ask for another one in its first line.
 */
import {
  type CheckConfig,
  type Config,
  type DeviceConfig,
  type NodeConfig,
  plainWishes,
  type Timing,
} from '../core/model.ts'
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
  /** `web:vip`: the first one starts after the second, wherever that is. */
  readonly after?: string
  /** `vip:c,db:b`: a hundred points for a node, and none for where it runs. */
  readonly prefers?: string
  /** `vip:gateway,db:storage`: a check of nodes without which a resource attracts none. */
  readonly where?: string
  /** `web:answers`: a check of what runs. */
  readonly health?: string
  readonly qdevice?: string
  readonly identities?: string
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
    cluster: 'scenario',
    hash: 'common',
    nodes,
    resources: (wishes.resources ?? 'vip,db').split(',').map((id, i) => ({
      ...resourceWishes(wishes, id),
      id,
      thing: id,
      nodes: [...ids.slice(i), ...ids.slice(0, i)],
      startMs: 3_000,
      stopMs: 3_000,
      probeMs: 1_000,
      monitorEveryMs: 10_000,
    })),
    checks: checksOf(wishes),
    devices,
    timing,
    rules: {
      delayMs: 1_000 * Number(wishes.delay ?? 0),
      randomDelayMs: 0,
      priorityDelayMs: 0,
      reprieveMs: 1_000 * Number(wishes.reprieve ?? 0),
      minIntervalMs: 1_000 * Number(wishes.interval ?? 0),
      stormMax: Number(wishes.storm ?? 100),
      stormWindowMs: 60_000,
    },
  }
  return {
    config,
    qdevice: wishes.qdevice !== undefined,
    tokenMs: 1_000,
    bootMs: 5_000,
    announces: identities,
    identifies: identities,
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

function resourceWishes(
  { group = '', apart = '', after = '', prefers = '', ...rest }: Wishes,
  id: string,
) {
  const checksIn = (text: string | undefined) =>
    pairsOf(text).flatMap(([resource, check]) => (resource === id ? [check] : []))
  const members = group.split(',')
  const leader = members[members.indexOf(id) - 1]
  const [one, foe] = apart.split(':')
  const [second, first] = after.split(':')
  const [, node] =
    prefers
      .split(',')
      .map((each) => each.split(':'))
      .find(([whose]) => whose === id) ?? []
  const must = (to: string | undefined) =>
    to === undefined ? [] : [{ to, strength: 'must' } as const]
  return {
    ...plainWishes,
    onlyWhere: checksIn(rest.where),
    health: checksIn(rest.health),
    beside: must(leader),
    apart: one === id ? must(foe) : [],
    after: [leader, second === id ? first : undefined].filter((each) => each !== undefined),
    prefers: node === undefined ? {} : { [node]: 100 },
    stays: node === undefined ? plainWishes.stays : 0,
  }
}
