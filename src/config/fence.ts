/**
 * The fencing topology: from what a node's `fence` says, and from what the secrets file adds, to
 * levels of devices with complete options.
 */
import type { DeviceConfig, DeviceId, Isolation, Level, NodeId } from '../core/model.ts'
import type { Driver } from '../fence/driver.ts'
import { canonicalIdentity } from '../fence/identity.ts'
import type { Catalog } from './catalog.ts'
import { neverHolds, runsOn, tooWeak, unprovable } from './evidence.ts'
import { canonicalJson, digest } from './hash.ts'
import { type CommonOptions, isSecret, type Layer, merge, overlay, type Settings } from './merge.ts'
import type { Origins } from './origins.ts'
import type { Problem } from './problem.ts'
import { addedRungs, type Rung, type Step, writtenRungs } from './rungs.ts'
import type { ConfigFile, FileNode } from './schema.ts'
import { type DriverSecrets, type Secrets, unknownDriver } from './secrets.ts'
import { ms } from './timing.ts'
import type { Path, Source } from './yaml.ts'

/** One device as the hands need it; the options hold secrets. */
export interface Device {
  readonly id: DeviceId
  readonly node: NodeId
  readonly driver: Driver
  /** As the driver's schema gives them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly settings: Settings
  readonly config: DeviceConfig
}

export interface Topology {
  readonly levels: ReadonlyMap<NodeId, readonly Level[]>
  readonly devices: readonly Device[]
  readonly problems: readonly Problem[]
}

/** What the topology is made of. */
export interface Inputs {
  readonly config: ConfigFile
  readonly main: Source
  readonly secrets: Secrets
  readonly catalog: Catalog
  readonly origins: Origins
}

/** Build every node's levels; with `fence.enabled: false` they are checked and then left out. */
export async function readTopology(inputs: Inputs): Promise<Topology> {
  const { config, main, secrets } = inputs
  const problems: Problem[] = []
  // By position: where two nodes have one name, both are still looked at.
  const rungs: (readonly Rung[])[] = []
  for (const [index, node] of config.cluster.nodes.entries()) {
    const written = writtenRungs(node, ['cluster', 'nodes', index, 'fence'], main, problems)
    rungs.push([...written, ...addedRungs(node, written, secrets)])
  }
  const drivers = await loadDrivers(inputs, rungs.flat(), problems)
  checkShared(inputs, drivers, problems)
  const levels = new Map<NodeId, readonly Level[]>()
  const devices: Device[] = []
  for (const [index, node] of config.cluster.nodes.entries()) {
    const built = (rungs[index] ?? []).map((rung, at) =>
      buildLevel(inputs, drivers, index, rung, at + 1, problems),
    )
    levels.set(node.name, config.fence.enabled ? built.map(({ level }) => level) : [])
    devices.push(...built.flatMap((level) => level.devices))
  }
  problems.push(
    ...unprovable(rungs, drivers, config, main),
    ...sharedDevices(devices, main, config),
  )
  return { levels, devices: config.fence.enabled ? devices : [], problems }
}

async function loadDrivers(
  { config, main, secrets, catalog }: Inputs,
  rungs: readonly Rung[],
  problems: Problem[],
): Promise<ReadonlyMap<string, Driver>> {
  const drivers = new Map<string, Driver>()
  const need = async (name: string, source: Source, path: Path) => {
    if (drivers.has(name)) return
    if (catalog.driverNames.includes(name)) drivers.set(name, await catalog.loadDriver(name))
    else {
      problems.push({ ...source.placeOf(path), message: unknownDriver(name, catalog.driverNames) })
    }
  }
  for (const { steps } of rungs) {
    for (const { driver, source, path, entries } of steps) {
      await need(driver, source, entries === undefined ? path : [...path, 'driver'])
    }
  }
  for (const name of Object.keys(config.fence.drivers)) {
    const path = ['fence', 'drivers', name]
    if (catalog.driverNames.includes(name)) await need(name, main, path)
    else {
      const message = unknownDriver(name, catalog.driverNames)
      problems.push({ ...main.placeOfKey(path), message })
    }
  }
  for (const [name, { source }] of secrets.drivers) await need(name, source, [name])
  return drivers
}

/** What stands for a whole driver is checked even if no node uses that driver. */
function checkShared(
  inputs: Inputs,
  drivers: ReadonlyMap<string, Driver>,
  problems: Problem[],
): void {
  for (const driver of drivers.values()) {
    const layers = sharedLayers(inputs, driver.name)
    problems.push(...overlay(driver, layers, inputs.origins).problems)
  }
}

export function sharedLayers({ config, main, secrets }: Inputs, driver: string): Layer[] {
  const entries = config.fence.drivers[driver] ?? {}
  const path = ['fence', 'drivers', driver]
  const layers: Layer[] = [
    {
      ...{ source: main, path, entries, secret: false, skip: ['credentials_file'] },
      secretsFile: secrets.fileFor(driver),
    },
  ]
  const found = secrets.drivers.get(driver)
  if (found !== undefined) {
    const nodes = config.cluster.nodes.map(({ name }) => name)
    layers.push({ ...secretLayer(found, [driver], found.shared), nodes })
  }
  return layers
}

function secretLayer(
  { source }: DriverSecrets,
  path: Path,
  entries: Readonly<Record<string, unknown>>,
): Layer {
  return { source, path, entries, secret: true, skip: [] }
}

/** From weakest to strongest: the driver's section, the step, the driver's secrets, the node's. */
export function layersOf(inputs: Inputs, node: string, step: Step): Layer[] {
  const { driver, source, path, entries } = step
  const [shared, ...sharedSecrets] = sharedLayers(inputs, driver)
  const secretsFile = inputs.secrets.fileFor(driver)
  const own: Layer[] =
    entries === undefined
      ? []
      : [{ source, path, entries, secret: false, skip: ['driver'], secretsFile }]
  const found = inputs.secrets.drivers.get(driver)
  const nodes = found?.perNode.get(node)
  const nodeSecrets = found && nodes ? [secretLayer(found, [driver, node], nodes)] : []
  return [...(shared === undefined ? [] : [shared]), ...own, ...sharedSecrets, ...nodeSecrets]
}

function buildLevel(
  inputs: Inputs,
  drivers: ReadonlyMap<string, Driver>,
  nodeIndex: number,
  rung: Rung,
  number: number,
  problems: Problem[],
): { level: Level; devices: Device[] } {
  const { config, origins } = inputs
  const node = config.cluster.nodes[nodeIndex]
  if (node === undefined) throw new RangeError(`there is no node ${nodeIndex}`)
  const devices = rung.steps.flatMap((step, at): Device[] => {
    const driver = drivers.get(step.driver)
    if (driver === undefined) return []
    const id = `${node.name}/${number}/${at + 1}`
    const place = step.source.placeOf(step.path)
    const { unread } = inputs.secrets
    const sawAll = inputs.secrets.problems.length === 0 && !unread
    const terms = { node: node.name, place, origins, sawAll }
    const merged = merge(driver, layersOf(inputs, node.name, step), terms)
    problems.push(...merged.problems)
    const { common, settings } = merged
    const options = merged.options ?? (unread ? withoutSecrets(driver, id, settings) : undefined)
    if (options === undefined) return []
    const isolation = driver.isolationOf?.(options) ?? driver.capabilities.isolation
    const device = deviceConfig(id, driver, isolation, common)
    const weak = tooWeak(node.name, device, config.fence.least_evidence)
    if (weak !== undefined) problems.push({ ...place, message: weak })
    return [{ id, node: node.name, driver, options, settings, config: device }]
  })
  if (rung.verify && addressesOf(node).length === 0) {
    const message = `verify listens on the addresses of ${node.name}, which has none; list them`
    problems.push({ ...rung.source.placeOf(rung.path), message })
  }
  const never = neverHolds(devices, rung.steps.length, rung.verify)
  if (never !== undefined) problems.push({ ...rung.source.placeOf(rung.path), message: never })
  // What was reset, or cut off from its storage or network alone, goes on answering.
  const listens = config.fence.verify && node.addresses !== undefined && !runsOn(devices)
  const verify = rung.verify || listens
  return { level: { devices: devices.map(({ id }) => id), verify }, devices }
}

/** As much of the options as is known where no secret was read; another one for every device. */
function withoutSecrets(driver: Driver, id: DeviceId, settings: Settings): Device['options'] {
  const own = [...settings].filter(([key]) => Object.hasOwn(driver.options.shape, key))
  const known = Object.fromEntries(own.map(([key, { value }]) => [key, value]))
  const unread = `unread-${digest(id).slice(0, 8)}`
  const lacking = driver.options.safeParse(known).error?.issues ?? []
  const filled = Object.fromEntries(
    lacking.flatMap(({ path: [key, ...rest] }) =>
      typeof key === 'string' && rest.length === 0 && !(key in known) ? [[key, unread]] : [],
    ),
  )
  return driver.options.safeParse({ ...known, ...filled }).data ?? { ...known, ...filled }
}

function deviceConfig(
  id: DeviceId,
  { name, capabilities }: Driver,
  isolation: Isolation,
  common: CommonOptions,
): DeviceConfig {
  const { readGapMs, lateMs, returnsMs, settleMs, vouches, timeoutMs, bootMs } = capabilities
  const { identity, timeout_seconds, late_seconds, returns_seconds } = common
  return {
    id,
    driver: name,
    isolation,
    identity: identity === undefined ? undefined : canonicalIdentity(identity),
    readGapMs,
    lateMs: late_seconds === undefined ? lateMs : ms(late_seconds),
    returnsMs: returns_seconds === undefined ? returnsMs : ms(returns_seconds),
    settleMs: isolation === 'new-boot' ? (bootMs ?? settleMs) : settleMs,
    vouches,
    timeoutMs: timeout_seconds === undefined ? timeoutMs : ms(timeout_seconds),
  }
}

/** Every address of a node that has to be silent before it counts as dead. */
export function addressesOf({ address, addresses = {} }: FileNode): readonly string[] {
  const listed = Object.values(addresses).flat()
  return [...new Set(address === undefined ? listed : [address, ...listed])]
}

/** One device for two nodes would kill the wrong one (S15). */
function sharedDevices(devices: readonly Device[], main: Source, config: ConfigFile): Problem[] {
  const seen = new Map<string, Device>()
  return devices.flatMap((device) => {
    const { driver, options, node } = device
    const open = Object.entries(options).filter(([key]) => !isSecret(driver, key))
    const key = canonicalJson([driver.name, Object.fromEntries(open)])
    const before = seen.get(key)
    seen.set(key, device)
    if (before === undefined || before.node === node) return []
    const index = config.cluster.nodes.findIndex(({ name }) => name === node)
    const message =
      `${device.id} is the very device of ${before.id}: it would switch off ${before.node} and ` +
      `${node} alike; correct one of them`
    return [{ ...main.placeOf(['cluster', 'nodes', index]), message }]
  })
}
