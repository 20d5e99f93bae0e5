/** Which cluster this life is about: size, devices, resources, timings. Drawn from the seed. */
import {
  type Config,
  type DeviceConfig,
  type FencingRules,
  failureActions,
  type Level,
  type NodeConfig,
  type NodeId,
  plainWishes,
  type ResourceConfig,
  type Timing,
} from '../core/model.ts'
import type { Rng } from './rng.ts'
import type { Site } from './world.ts'

export function swarmSite(lot: Rng): Site {
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, lot.pick([3, 3, 3, 3, 4, 5, 5]))
  const identifies = lot.chance(60)
  const layout = {
    verify: lot.chance(50),
    outlets: lot.pick([0, 0, 1, 2]),
    bmc: lot.chance(90),
    unfenceable: lot.chance(4) ? lot.pick(ids) : undefined,
    named: identifies && lot.chance(80),
    lateMs: lot.pick([0, 5_000, 20_000]),
    returnsMs: lot.pick([0, 0, 30_000]),
  }
  const devices: DeviceConfig[] = []
  const nodes = ids.map((id): NodeConfig => {
    const levels = id === layout.unfenceable ? [] : levelsOf(lot, id, layout, devices)
    const addresses = layout.verify ? [`10.0.0.${id}`] : []
    return { id, levels, addresses, priority: lot.chance(20) ? lot.int(1, 3) : 0, capacity: {} }
  })
  const qdevice = ids.length % 2 === 0 && lot.chance(50)
  const config: Config = {
    halves: qdevice,
    cluster: 'swarm',
    hash: 'common',
    nodes,
    resources: withWishes(
      lot,
      ids,
      ['vip', 'db', 'web'].slice(0, lot.int(1, 3)).map((id) => resourceOf(lot, id, ids)),
    ),
    checks: [],
    devices,
    timing: timingOf(lot),
    rules: rulesOf(lot),
  }
  const site: Site = {
    config,
    qdevice,
    twoNode: false,
    tokenMs: lot.pick([400, 1_000, 1_650]),
    bootMs: lot.int(3_000, 8_000),
    announces: lot.chance(70),
    identifies,
  }
  return lot.chance(12) ? withResets(site, (id) => ids.indexOf(id) < 2) : site
}

/** The same site, where the BMCs of some nodes cannot switch off, and are reset instead (F15). */
export function withResets(site: Site, of: (node: NodeId) => boolean): Site {
  const { config } = site
  const changed = config.devices
    .filter(({ id, driver }) => driver === 'bmc' && of(id.split('/')[0]!))
    .map((device): DeviceConfig => ({ ...device, isolation: 'new-boot' }))
  const devices = config.devices.map(
    (device) => changed.find(({ id }) => id === device.id) ?? device,
  )
  const isReset = ({ devices: names }: Level) => changed.some(({ id }) => names.includes(id))
  const nodes = config.nodes.map((node) => ({
    ...node,
    // The new boot answers on the same addresses.
    levels: node.levels.map((level) => (isReset(level) ? { ...level, verify: false } : level)),
  }))
  return { ...site, config: { ...config, nodes, devices } }
}

/** The same site, with a rule of its own for the failures of each resource (H3, H20). */
export function withFailing(site: Site, lot: Rng): Site {
  const { config } = site
  const isPower = (node: NodeId): boolean => {
    const levels = config.nodes.find(({ id }) => id === node)?.levels ?? []
    const names = levels.flatMap(({ devices }) => devices)
    const used = config.devices.filter(({ id }) => names.includes(id))
    return levels.length > 0 && used.every(({ isolation }) => isolation === 'power')
  }
  const allFreeze = lot.chance(40)
  const resources = config.resources.map((each): ResourceConfig => {
    const actions = failureActions.filter(
      (action) => action !== 'fence' || each.nodes.every(isPower),
    )
    const action = lot.pick(actions)
    const max = action === 'restart' ? lot.int(1, 4) : 1
    const startsMax = lot.chance(50) ? 1 : max
    const failing = { action, monitorsMax: max, startsMax, timeoutMs: lot.int(2_000, 30_000) }
    // Whoever starts after one that stops could not stay.
    const may = config.resources.every(({ nodes }) => nodes.every(isPower))
    const freezes = may && (allFreeze || (each.after.length === 0 && lot.chance(40)))
    return { ...each, failing, ...(freezes && { noQuorum: 'freeze' }) }
  })
  return { ...site, config: { ...config, resources } }
}

interface Layout {
  readonly verify: boolean
  readonly outlets: number
  readonly bmc: boolean
  readonly named: boolean
  readonly lateMs: number
  readonly returnsMs: number
}

function levelsOf(lot: Rng, node: NodeId, layout: Layout, devices: DeviceConfig[]): Level[] {
  const { verify, outlets, bmc, named, lateMs, returnsMs } = layout
  const levels: Level[] = []
  const level = (driver: string, count: number) => {
    const names = Array.from({ length: count }, (_, i) => `${node}/${levels.length + 1}/${i + 1}`)
    for (const id of names) {
      devices.push({
        id,
        driver,
        isolation: 'power',
        identity: named && driver === 'bmc' ? `hw-${node}` : undefined,
        readGapMs: lot.pick([200, 500, 1_000]),
        lateMs,
        returnsMs,
        vouches: driver === 'bmc',
        timeoutMs: lot.int(2_000, 5_000),
        settleMs: lot.int(2_000, 8_000),
      })
    }
    levels.push({ devices: names, verify })
  }
  if (bmc || outlets === 0) level('bmc', 1)
  if (outlets > 0) level('pdu', outlets)
  return levels
}

function resourceOf(lot: Rng, id: string, ids: readonly NodeId[]): ResourceConfig {
  const order = lot.shuffle(ids)
  return {
    ...plainWishes,
    id,
    thing: `thing:${id}`,
    nodes: lot.chance(70) ? order : order.slice(0, lot.int(2, ids.length)),
    startMs: lot.int(500, 5_000),
    stopMs: lot.int(500, 5_000),
    probeMs: lot.int(500, 1_000),
    monitorEveryMs: lot.int(1_000, 5_000),
  }
}

/** Wishes of one kind or another, all of which can come true (H3). */
function withWishes(
  lot: Rng,
  ids: readonly NodeId[],
  resources: readonly ResourceConfig[],
): readonly ResourceConfig[] {
  const [first, second, third] = resources
  if (first === undefined || second === undefined || lot.chance(50)) return resources
  const others = third === undefined ? [] : [third]
  switch (lot.int(0, 3)) {
    case 0: {
      const follow = (one: ResourceConfig, leader: ResourceConfig): ResourceConfig => ({
        ...one,
        nodes: leader.nodes,
        beside: [{ to: leader.id, strength: 'must' }],
        after: lot.chance(80) ? [leader.id] : [],
      })
      return [first, follow(second, first), ...others.map((one) => follow(one, second))].map(
        (one) => ({ ...one, nodes: first.nodes }),
      )
    }
    case 1:
      return [first, { ...second, after: [first.id] }, ...others]
    case 2: {
      const apart = { ...second, apart: [{ to: first.id, strength: 'must' as const }] }
      return [{ ...first, nodes: ids }, { ...apart, nodes: lot.shuffle(ids) }, ...others]
    }
    default: {
      const node = lot.pick(first.nodes)
      const strength = lot.int(1, 50)
      const wanted = { ...second, apart: [{ to: first.id, strength }], stays: lot.int(0, 20) }
      return [{ ...first, prefers: { [node]: lot.int(1, 100) }, stays: 0 }, wanted, ...others]
    }
  }
}

function timingOf(lot: Rng): Timing {
  const beatMs = lot.pick([500, 1_000])
  return {
    beatMs,
    echoMs: 3 * beatMs,
    silentMs: lot.int(4, 8) * beatMs,
    strangerMs: lot.int(8_000, 20_000),
    startGraceMs: lot.int(8_000, 20_000),
    retryMs: lot.int(500, 2_000),
    retryMaxMs: lot.int(4_000, 10_000),
    checkEveryMs: lot.int(5_000, 30_000),
    coolDownMs: lot.int(2_000, 10_000),
    stopAttemptsMax: lot.int(2, 4),
    leaveMs: lot.int(5_000, 15_000),
    detachMs: 15_000,
  }
}

function rulesOf(lot: Rng): FencingRules {
  const strict = lot.chance(25)
  return {
    delayMs: lot.chance(60) ? 0 : lot.int(200, 3_000),
    randomDelayMs: lot.chance(80) ? 0 : lot.int(200, 2_000),
    priorityDelayMs: lot.chance(80) ? 0 : lot.int(200, 2_000),
    reprieveMs: lot.chance(75) ? 0 : lot.int(1_000, 6_000),
    minIntervalMs: strict ? lot.int(0, 15_000) : 0,
    stormMax: strict ? lot.int(1, 3) : 1_000,
    stormWindowMs: strict ? lot.int(10_000, 30_000) : 1_000,
    rejoin: 'automatic',
  }
}

/**
 * A config that differs in a way that matters: a resource or a node is missing, or renamed (S16).
 */
export function variantOf(config: Config, self: NodeId, lot: Rng): Config {
  const different = variant(config, self, lot)
  // Equal configs have equal hashes, as with the real one.
  return { ...different, hash: hashOf(JSON.stringify(different)) }
}

function variant(config: Config, self: NodeId, lot: Rng): Config {
  const [first, ...others] = config.resources
  switch (lot.int(0, 3)) {
    case 0:
      if (others.length > 0) return { ...config, resources: others }
      return { ...config, cluster: 'another' }
    case 1:
      return { ...config, resources: [...others, { ...first!, id: `${first!.id}-renamed` }] }
    case 2: {
      const gone = lot.pick(config.nodes.filter(({ id }) => id !== self)).id
      // Corosync's nodelist still knows it, so it counts; but nothing is known of it (S16).
      const unknown = { levels: [], addresses: [], priority: 0, capacity: {} }
      return {
        ...config,
        nodes: config.nodes.map((node) => (node.id === gone ? { ...node, ...unknown } : node)),
        devices: config.devices.filter(({ id }) => !id.startsWith(`${gone}/`)),
        resources: config.resources
          .filter(({ clone, nodes }) => clone === undefined || !nodes.includes(gone))
          .map((each) => ({ ...each, nodes: each.nodes.filter((id) => id !== gone) })),
      }
    }
    default:
      return { ...config, cluster: 'another' }
  }
}

function hashOf(text: string): string {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0
  return hash.toString(16)
}
