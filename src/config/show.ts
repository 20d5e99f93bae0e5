/** The configuration that is in effect, as YAML: everything merged, every default, no secret. */
import { stringify } from 'yaml'
import { plainThing } from '../core/clones.ts'
import { type Config, type ResourceConfig, strengthText } from '../core/model.ts'
import type { Device } from './fence.ts'
import type { Loaded, LoadedResource } from './load.ts'
import { isSecret } from './merge.ts'

const hidden = '(secret)'

/** One level of a node, for people: `ipmi (node-01/1/1), then silence on 10.0.0.1`. */
export interface LevelLine {
  readonly node: string
  readonly number: number
  readonly text: string
}

/** What is in effect, as YAML with the form of the configuration file. */
export function effectiveYaml({ core, details, resources }: Loaded): string {
  const { config, topology } = details
  const { enabled, require_quorum, confirm_down, verify, least_evidence } = config.fence
  const { timing, rules } = core
  const seconds = (spanMs: number) => spanMs / 1000
  const value = {
    cluster: {
      name: config.cluster.name,
      nodes: config.cluster.nodes.map(
        ({ name, role, unfenced, address, addresses, capacity, priority, watchdog }) => ({
          name,
          ...(role !== 'host' && { role }),
          ...(unfenced !== undefined && { unfenced }),
          ...(priority > 0 && { priority }),
          ...(watchdog !== undefined && { watchdog }),
          ...(address !== undefined && { address }),
          ...(addresses !== undefined && { addresses }),
          ...(Object.keys(capacity).length > 0 && { capacity }),
          ...fenceOf(name, topology.levels.get(name) ?? [], topology.devices),
        }),
      ),
    },
    fence: {
      enabled,
      require_quorum,
      delay_seconds: seconds(rules.delayMs),
      delay_random_seconds: seconds(rules.randomDelayMs),
      priority_delay_seconds: seconds(rules.priorityDelayMs),
      reprieve_seconds: seconds(rules.reprieveMs),
      ...(config.fence.dlm && { dlm: true }),
      ...(config.fence.kdump && { kdump: config.fence.kdump }),
      min_interval_seconds: seconds(rules.minIntervalMs),
      storm_limit: rules.stormMax,
      storm_window_seconds: seconds(rules.stormWindowMs),
      rejoin: rules.rejoin,
      confirm_down,
      verify,
      least_evidence,
    },
    resources: details.config.resources.map((entry) => ({
      ...entry,
      ...hiddenOf(resources.find(({ name }) => name === entry.id)),
      nodes: core.resources
        .filter(({ id, clone }) => (clone?.id ?? id) === entry.id)
        .flatMap(nodesOf),
    })),
    ...(config.checks.length > 0 && { checks: config.checks }),
    ...(config.groups.length > 0 && { groups: config.groups }),
    ...watchdogOf(details.config, core),
    ...(config.corosync.accept.length > 0 && { corosync: config.corosync }),
    timing: {
      beat_ms: timing.beatMs,
      echo_ms: timing.echoMs,
      silent_seconds: seconds(timing.silentMs),
      stranger_seconds: seconds(timing.strangerMs),
      start_grace_seconds: seconds(timing.startGraceMs),
      retry_seconds: seconds(timing.retryMs),
      retry_max_seconds: seconds(timing.retryMaxMs),
      cool_down_seconds: seconds(timing.coolDownMs),
      check_every_seconds: seconds(timing.checkEveryMs),
      stop_attempts: timing.stopAttemptsMax,
      leave_seconds: seconds(timing.leaveMs),
      detach_seconds: seconds(timing.detachMs),
    },
  }
  return stringify(value, { aliasDuplicateObjects: false }).trimEnd()
}

const nodesOf = ({ nodes }: ResourceConfig) => nodes
function watchdogOf({ watchdog }: Loaded['details']['config'], core: Loaded['core']) {
  if (core.watchdog === undefined) return {}
  return { watchdog: { ...watchdog, lease_seconds: core.watchdog.leaseMs / 1000 } }
}

/** The secrets that a resource was given, by name alone. */
function hiddenOf(resource: LoadedResource | undefined): Readonly<Record<string, unknown>> {
  const { secretKeys = [], options = {} } = resource ?? {}
  const given = Object.entries(options).filter(([key]) => secretKeys.includes(key))
  return Object.fromEntries(
    given.map(([key, values]) => [
      key,
      Object.fromEntries(Object.keys(values ?? {}).map((name) => [name, hidden])),
    ]),
  )
}

function fenceOf(
  node: string,
  levels: Loaded['core']['nodes'][number]['levels'],
  devices: readonly Device[],
): { fence?: unknown } {
  if (levels.length === 0) return {}
  const byId = new Map(devices.filter((device) => device.node === node).map((d) => [d.id, d]))
  return {
    fence: levels.map((level) => [
      ...level.devices.flatMap((id) => {
        const device = byId.get(id)
        return device === undefined ? [] : [stepOf(device)]
      }),
      ...(level.verify ? ['verify'] : []),
    ]),
  }
}

/** The options that the driver sees, defaults and all. */
function stepOf({ driver, options, config }: Device): Readonly<Record<string, unknown>> {
  const shown = Object.entries(options).map(([key, value]): [string, unknown] => [
    key,
    isSecret(driver, key) ? hidden : value,
  ])
  return {
    driver: driver.name,
    ...Object.fromEntries(shown),
    ...(config.identity !== undefined && { identity: config.identity }),
    timeout_seconds: config.timeoutMs / 1000,
    late_seconds: config.lateMs / 1000,
    returns_seconds: config.returnsMs / 1000,
  }
}

/** Every resource in a sentence; a clone is one. */
export function resourceLines({ resources }: Config): readonly { id: string; text: string }[] {
  return resources.flatMap(({ id, thing, nodes, clone, group }) => {
    const within = group === undefined ? '' : `, in the group ${group}`
    if (clone === undefined) return [{ id, text: `${thing}, on ${nodes.join(', ')}${within}` }]
    const all = resources.filter((each) => each.clone?.id === clone.id)
    const [first] = all
    if (first?.id !== id) return []
    const listed = all.flatMap(nodesOf).join(', ')
    const at = clone.max < all.length ? `at most ${clone.max} of ${listed}` : `each of ${listed}`
    return [{ id: clone.id, text: `${plainThing(first)}, a clone, on ${at}${within}` }]
  })
}

/** Every level of every node in a sentence. */
export function levelLines({ core, details }: Loaded): readonly LevelLine[] {
  const { devices } = details.topology
  return core.nodes.flatMap(({ id: node, levels, addresses }) =>
    levels.map((level, index) => {
      const steps = level.devices.map((id) => {
        const device = devices.find((each) => each.id === id)
        if (device === undefined) return id
        const facts = [id, strengthText(device.config.isolation)].filter(Boolean).join(', ')
        return `${deviceText(device)} (${facts})`
      })
      const silence = level.verify ? [`then silence on ${addresses.join(', ')}`] : []
      return { node, number: index + 1, text: [steps.join(' and '), ...silence].join(', ') }
    }),
  )
}

/** `ipmi at 10.0.0.1:623`: the driver, and the box that it speaks to. */
export function deviceText({ driver, options }: Pick<Device, 'driver' | 'options'>): string {
  return `${driver.name} at ${driver.endpoint(options)}`
}
