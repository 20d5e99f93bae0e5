/**
 * From the path of a configuration file to everything that the daemon and the commands need, or to
 * the list of all that is wrong with it.
 */
import { resolve } from 'node:path'
import type { Config, DeviceId, NodeConfig } from '../core/model.ts'
import type { Driver } from '../fence/driver.ts'
import { builtIn, type Catalog } from './catalog.ts'
import { type Check, readChecks, unusedChecks } from './checks.ts'
import { weaknessOf } from './evidence.ts'
import { explain, nameOf } from './explain.ts'
import { failingProblems } from './failing.ts'
import { addressesOf, type Device, type Inputs, readTopology, type Topology } from './fence.ts'
import { digest } from './hash.ts'
import { isSecret, noSecretsFile } from './merge.ts'
import { blindOrigins, openOrigins } from './origins.ts'
import { plainSecrets } from './plain-secrets.ts'
import { type Problem, shown, tidyProblems } from './problem.ts'
import { readText } from './read.ts'
import { placeholder, withoutFaults } from './repair.ts'
import { type Resource, readResources } from './resources.ts'
import { roleWarnings } from './roles.ts'
import { type ConfigFile, configSchema } from './schema.ts'
import { keysAt } from './schema-keys.ts'
import { readSecrets, type Secrets, unreadSecrets } from './secrets.ts'
import { readRules, readTiming } from './timing.ts'
import { unfencedProblems } from './unfenced.ts'
import { warningsOf } from './warnings.ts'
import { readWatchdog, type WatchdogHands } from './watchdog.ts'
import { type Path, parseYaml, type Source } from './yaml.ts'

/** A fence device as the hands open it (see `openDevice`). The options hold secrets. */
export interface LoadedDevice {
  readonly id: DeviceId
  readonly driver: Driver
  readonly options: Readonly<Record<string, unknown>>
  readonly identity?: string | undefined
}

export interface LoadedResource {
  readonly id: string
  /** Its name in the file: of an instance of a clone that of the clone. */
  readonly name: string
  /** Set where it is an instance of a clone: how many of them there may be. */
  readonly cloneMax?: number
  readonly type: string
  /** They may hold secrets. */
  readonly options: Readonly<Record<string, unknown>>
  readonly secretKeys: readonly string[]
  /** The secret values alone, for the log to hide. */
  readonly secrets: readonly string[]
  readonly monitorEveryMs: number
}

export interface LoadedCheck {
  readonly id: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface Loaded {
  readonly file: string
  /** All that the core has to know. */
  readonly core: Config
  readonly devices: ReadonlyMap<DeviceId, LoadedDevice>
  readonly resources: readonly LoadedResource[]
  readonly checks: readonly LoadedCheck[]
  /** The watchdogs, where any node uses one. */
  readonly watchdog?: WatchdogHands
  /** Sentences that have to be said at every start. */
  readonly warnings: readonly string[]
  /** Every secrets file and credential that was read: to be read again when it changes (F12). */
  readonly secretsFiles: readonly string[]
  /** The file itself and the topology with the origin of its options, for `config show`. */
  readonly details: { readonly config: ConfigFile; readonly topology: Topology }
}

export type LoadResult =
  | { readonly ok: true; readonly loaded: Loaded }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export interface LoadOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly catalog?: Catalog
  /** Read no secret, and miss none: the devices cannot be opened then. */
  readonly withoutSecrets?: boolean
}

/** Load a configuration file with everything that it refers to. Never throws for what it reads. */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadResult> {
  const read = readSource(path)
  return read.ok ? await loadSource(read, options) : read
}

/** What stands in a source, which need not be a file. Secrets that are given are not looked for. */
export async function loadSource(
  { file, source, mode }: ReadSource,
  options: LoadOptions & { readonly secrets?: Secrets } = {},
): Promise<LoadResult> {
  const { env = process.env, catalog = builtIn, withoutSecrets = false, secrets } = options
  const schemaFaults = configSchema.safeParse(source.value).error?.issues ?? []
  const config = withoutFaults(source.value)
  const faults = schemaFaults.flatMap((issue) => schemaProblems(issue, source))
  if (config === undefined) return failed(faults)
  const { topology, resources, checks, timing, watchdog, secretsFiles, problems } = await readRest({
    config,
    main: source,
    catalog,
    origins: withoutSecrets ? blindOrigins : openOrigins(env),
    ...(secrets !== undefined && { secrets }),
    ...(withoutSecrets && { secrets: unreadSecrets(source) }),
  })
  if (faults.length > 0 || problems.length > 0) {
    return failed([...faults, ...problems.filter((problem) => !isEcho(problem, config))])
  }
  const core = {
    ...coreConfig(config, topology, resources),
    checks: checks.map((check) => check.config),
    timing,
    rules: readRules(config),
    halves: false,
    ...(watchdog !== undefined && { watchdog: watchdog.core }),
  }
  const loaded: Loaded = {
    file,
    core: {
      ...core,
      hash: digest([decisive(core), ...outsideCore(config, topology.devices, resources, checks)]),
    },
    devices: new Map(topology.devices.map((device) => [device.id, loadedDevice(device)])),
    resources: resources.map(loadedResource),
    checks: checks.map(({ id, type, options }) => ({ id, type, options })),
    ...(watchdog !== undefined && { watchdog: watchdog.hands }),
    warnings: [
      ...warningsOf({
        ...{ config, file, mode },
        ...{ nodes: core.nodes, devices: topology.devices },
      }),
      ...weaknessOf(config.fence.least_evidence, topology.devices),
      ...plainSecrets(topology.devices),
      ...unusedChecks(config),
      ...roleWarnings(config),
    ],
    secretsFiles,
    details: { config, topology },
  }
  return { ok: true, loaded }
}

interface ReadSource {
  readonly file: string
  readonly source: Source
  /** The permissions of the file. */
  readonly mode: number
}

type SourceResult =
  | ({ readonly ok: true } & ReadSource)
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** What decides anything: the name of a group does not, and may differ between nodes. */
function decisive<T extends Pick<Config, 'resources'>>(core: T): T {
  return { ...core, resources: core.resources.map(({ group: _, ...each }) => each) }
}

/** The configuration file as YAML, before anything in it is judged. */
export function readSource(path: string): SourceResult {
  const file = resolve(path)
  const read = readText(file, false)
  if (!read.ok) return { ok: false, problems: [read.problem] }
  if (read.text.trim() === '') {
    return { ok: false, problems: [{ file, line: 1, column: 1, message: 'it is empty' }] }
  }
  const parsed = parseYaml(file, read.text, false)
  if (!parsed.ok) return { ok: false, problems: tidyProblems(parsed.problems) }
  return { ok: true, file, source: parsed.source, mode: read.stats.mode }
}

/**
 * The configuration for the cluster that Corosync knows: nodes that only its nodelist names are
 * added, without a way to fence them, so that they count and are never assumed to be idle (S16).
 * Whether half of the nodes may decide is Corosync's word as well, and every node's config says so.
 */
export function withCorosync(
  config: Config,
  { names, halves = false }: { readonly names: readonly string[]; readonly halves?: boolean },
): Config {
  const known = new Set(config.nodes.map(({ id }) => id))
  const added = [...new Set(names)].filter((name) => !known.has(name)).sort()
  if (added.length === 0 && !halves) return config
  const nodes = added.map(
    (id): NodeConfig => ({
      id,
      levels: [],
      addresses: [],
      priority: 0,
      capacity: {},
    }),
  )
  return {
    ...config,
    nodes: [...config.nodes, ...nodes],
    halves,
    hash: digest([config.hash, added, halves]),
  }
}

/** All that the schema cannot judge: what refers to other files, to drivers, to types, to names. */
async function readRest(context: Omit<Inputs, 'secrets'> & Partial<Inputs>) {
  const { config, main, catalog, origins } = context
  const secrets = context.secrets ?? readSecrets(config, main, catalog.driverNames, origins)
  const topology = await readTopology({ ...context, secrets })
  const resources = await readResources({ ...context, secrets })
  const checks = await readChecks(context)
  const timing = readTiming(config, main)
  const watchdog = readWatchdog(config, main, resources.resources, timing.timing)
  const problems = [
    ...repeated(config, main),
    ...secrets.problems,
    ...noSecretsFile(topology.problems, secrets, main),
    ...topology.problems,
    ...resources.problems,
    ...checks.problems,
    ...failingProblems(
      config,
      topology,
      resources.resources.map((each) => each.config),
      main,
    ),
    ...timing.problems,
    ...watchdog.problems,
    ...unfencedProblems(
      config,
      topology.levels,
      resources.resources.map((each) => each.config),
      { source: main, complete: context.secrets === undefined },
    ),
  ]
  return {
    topology,
    resources: resources.resources,
    checks: checks.checks,
    timing: timing.timing,
    watchdog: watchdog.watchdog,
    secretsFiles: [...secrets.files, ...origins.files],
    problems,
  }
}

/** A problem that exists only because something else was refused already. */
function isEcho({ message }: Problem, { cluster }: ConfigFile): boolean {
  const unnamed = cluster.nodes.some(({ name }) => name.startsWith(placeholder))
  return message.includes(placeholder) || (unnamed && message.startsWith('there is no node'))
}

function failed(problems: readonly Problem[]): LoadResult {
  return { ok: false, problems: tidyProblems(problems) }
}

type SchemaIssue = Parameters<typeof explain>[0]

function schemaProblems(issue: SchemaIssue, source: Source): readonly Problem[] {
  const terms = { secret: false, keysAt: (path: Path) => keysAt(configSchema, path) }
  return explain(issue, source.value, '', terms).map(({ path, atKey, message }) => ({
    ...(atKey ? source.placeOfKey(path) : source.placeOf(path)),
    message,
  }))
}

function repeated(config: ConfigFile, source: Source): readonly Problem[] {
  const lists: (readonly [Path, string, readonly string[]])[] = [
    [['cluster', 'nodes'], 'name', config.cluster.nodes.map(({ name }) => name)],
    [['resources'], 'id', config.resources.map(({ id }) => id)],
    [['checks'], 'id', config.checks.map(({ id }) => id)],
  ]
  return lists.flatMap(([path, key, names]) =>
    names.flatMap((name, index): Problem[] => {
      const first = names.indexOf(name)
      if (first === index) return []
      const other = nameOf([...path, first])
      const message = `${shown(name)} is the ${key} of ${other} too; names are unique`
      return [{ ...source.placeOf([...path, index, key]), message }]
    }),
  )
}

function coreConfig(
  config: ConfigFile,
  { levels, devices }: Topology,
  resources: readonly Resource[],
) {
  return {
    cluster: config.cluster.name,
    nodes: config.cluster.nodes.map(
      (node): NodeConfig => ({
        id: node.name,
        levels: levels.get(node.name) ?? [],
        addresses: addressesOf(node),
        priority: node.priority,
        capacity: node.capacity,
        ...(node.role === 'witness' && { role: node.role }),
      }),
    ),
    resources: resources.map((resource) => resource.config),
    devices: devices.map((device) => device.config),
  }
}

/** What differs between two nodes without the core seeing it: options, without their secrets. */
function outsideCore(
  config: ConfigFile,
  devices: readonly Device[],
  resources: readonly Resource[],
  checks: readonly Check[],
): unknown[] {
  const openOptions = devices.map(({ id, driver, options }) => [
    id,
    Object.fromEntries(Object.entries(options).filter(([key]) => !isSecret(driver, key))),
  ])
  const openParameters = resources.map(({ id, type, options, secretKeys }) => [
    ...[id, type],
    Object.fromEntries(Object.entries(options).filter(([key]) => !secretKeys.includes(key))),
  ])
  const asked = checks.map(({ id, type, options }) => [id, type, options])
  const accepted = [...config.corosync.accept].sort()
  return [openOptions, openParameters, asked, ...(accepted.length > 0 ? [accepted] : [])]
}

function loadedResource({ config, ...resource }: Resource): LoadedResource {
  const { clone, monitorEveryMs } = config
  const own = { ...resource, name: clone?.id ?? resource.id, monitorEveryMs }
  return clone === undefined ? own : { ...own, cloneMax: clone.max }
}

function loadedDevice({ id, driver, settings, config }: Device): LoadedDevice {
  const own = [...settings].filter(([key]) => Object.hasOwn(driver.options.shape, key))
  const options = Object.fromEntries(own.map(([key, { value }]) => [key, value]))
  return { id, driver, options, identity: config.identity }
}
