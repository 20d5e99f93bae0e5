/**
 * What a cluster of Pacemaker needs in order to fence as a config says: stonith resources, levels,
 * constraints, and what of the config has no place there. Pure; the script is made of it.
 */

import { agentOf, anyAgent, verifyAgent } from '../agent/names.ts'
import type { Device } from '../config/fence.ts'
import type { Loaded } from '../config/load.ts'
import { isSecret } from '../config/merge.ts'
import type { NodeConfig } from '../core/model.ts'
import { parameterOf, passwordCommand, textOf } from './picket-agents.ts'

/** Agents with the config, or agents with the options of each device. */
export type Form = 'config' | 'device'

export interface StonithResource {
  readonly id: string
  readonly agent: string
  /** The node that it fences. */
  readonly node: string
  readonly parameters: readonly (readonly [name: string, value: string])[]
  readonly monitorSeconds: number
}

export interface TargetLevel {
  readonly node: string
  readonly number: number
  readonly devices: readonly string[]
}

export interface Plan {
  readonly cluster: string
  readonly resources: readonly StonithResource[]
  readonly levels: readonly TargetLevel[]
  readonly everySeconds: number
  /** Sentences on what the cluster will not have of the config. */
  readonly remarks: readonly string[]
}

interface Terms {
  readonly loaded: Loaded
  readonly config: string
  readonly delays: ReadonlyMap<string, Delay>
}

interface Delay {
  readonly base: number
  readonly max: number
}

export function planOf(loaded: Loaded, form: Form, config: string): Plan {
  const { core } = loaded
  const remarks = [...lostRules(loaded)]
  const terms: Terms = { loaded, config, delays: delaysOf(loaded) }
  const resources: StonithResource[] = []
  const levels: TargetLevel[] = []
  for (const node of core.nodes) {
    if (node.levels.length === 0) {
      remarks.push(`${node.id} has no fence device, and gets none in Pacemaker`)
      continue
    }
    const why = form === 'config' ? undefined : notByDevice(terms, node)
    if (why !== undefined) remarks.push(`${node.id} is fenced by its levels in ${config}: ${why}`)
    const made =
      form === 'device' && why === undefined ? byDevice(terms, node) : byConfig(terms, node)
    resources.push(...made.resources)
    levels.push(...made.levels)
    if (node.addresses.length === 0) {
      remarks.push(
        `${node.id} lists no addresses: nothing can listen to it, so its levels have no ` +
          `${verifyAgent}`,
      )
    }
  }
  return {
    cluster: core.cluster,
    ...{ resources, levels, remarks },
    everySeconds: Math.ceil(core.timing.checkEveryMs / 1_000),
  }
}

/** One resource that uses all levels of the node, and one that looks. */
function byConfig(terms: Terms, { id: node, levels, addresses }: NodeConfig) {
  const all = levels.flatMap((level) => devicesOf(terms, level.devices))
  const fence: StonithResource = {
    ...{ id: `picket-${node}`, agent: anyAgent, node },
    parameters: [
      ['config', terms.config],
      ...hosts(node),
      ...times(all, true),
      ...delay(terms, node),
    ],
    monitorSeconds: monitorSeconds(all),
  }
  const verify: StonithResource = {
    ...{ id: `picket-${node}-verify`, agent: verifyAgent, node },
    parameters: [['config', terms.config], ...hosts(node), ...times(all, false)],
    monitorSeconds: monitorSeconds(all),
  }
  const resources = addresses.length > 0 ? [fence, verify] : [fence]
  return { resources, levels: [{ node, number: 1, devices: resources.map(({ id }) => id) }] }
}

/** One resource for each device, and one that looks beside it. */
function byDevice(terms: Terms, { id: node, levels, addresses }: NodeConfig) {
  const resources: StonithResource[] = []
  const made = levels.map((level, index): TargetLevel => {
    const own = devicesOf(terms, level.devices).map((device, at) => {
      const id = `picket-${node}-${index + 1}-${at + 1}`
      const options = optionsOf(device, terms.config)
      const first = index === 0 && at === 0
      const plugged = hosts(node, plugOf(device))
      const press: StonithResource = {
        ...{ id, agent: agentOf(device.driver.name), node },
        parameters: [
          ...[...options, ...plugged, ...times([device], true)],
          ...(first ? delay(terms, node) : []),
        ],
        monitorSeconds: monitorSeconds([device]),
      }
      const look: StonithResource = {
        ...{ id: `${id}-verify`, agent: verifyAgent, node },
        parameters: [
          ...[['driver', device.driver.name] as const, ...options],
          ['addresses', addresses.join(',')],
          ...[...plugged, ...times([device], false)],
        ],
        monitorSeconds: monitorSeconds([device]),
      }
      return { press, look }
    })
    const looks = addresses.length > 0 ? own.map(({ look }) => look) : []
    const all = [...own.map(({ press }) => press), ...looks]
    resources.push(...all)
    return { node, number: index + 1, devices: all.map(({ id }) => id) }
  })
  return { resources, levels: made }
}

function devicesOf({ loaded }: Terms, ids: readonly string[]): readonly Device[] {
  const { devices } = loaded.details.topology
  return ids.flatMap((id) => devices.find((device) => device.id === id) ?? [])
}

/** Why a node cannot be fenced by resources with the options of its devices. */
function notByDevice(terms: Terms, { levels }: NodeConfig): string | undefined {
  if (levels.length > 9) return 'Pacemaker knows nine levels'
  if (!/^[\w./-]+$/.test(terms.config)) return 'the path of the config has odd characters'
  const devices = levels.flatMap((level) => devicesOf(terms, level.devices))
  return devices.map(whyNot).find((why) => why !== undefined)
}

function whyNot({ id, driver, settings, config }: Device): string | undefined {
  const { hardOff, statusAuthoritative } = driver.capabilities
  if (!hardOff || !statusAuthoritative || config.isolation !== 'power') {
    return `${id} (${driver.name}) does not prove a power that is off`
  }
  for (const [key, { value, secret }] of settings) {
    if (isSecret(driver, key)) {
      if (key !== 'password') return `${key} of ${id} is a secret that no agent can ask for`
    } else if (secret && !openKeys.includes(key)) {
      return `${key} of ${id} stands in the secrets file, and would be seen in the cluster`
    } else if (['late_seconds', 'returns_seconds'].includes(key)) {
      return `${key} of ${id} is no parameter of an agent`
    } else if (/[\r\n]/.test(textOf(value))) return `${key} of ${id} is more than one line`
  }
  return undefined
}

/** Where a device is and who asks may stand in the secrets file as well (C1), and is no secret. */
const openKeys = ['host', 'port', 'user', 'url', 'api_url', 'uri', 'vmid', 'domain', 'system']

/** The plug, where the driver has one: Pacemaker fills it in by the host map. */
function plugOf({ driver, settings }: Device): string | undefined {
  const value = driver.plug === undefined ? undefined : settings.get(driver.plug)?.value
  return value === undefined ? undefined : textOf(value)
}

const mapSafe = /^[A-Za-z0-9._-]+$/

function optionsOf(device: Device, config: string): readonly (readonly [string, string])[] {
  const { id, driver, settings } = device
  return [...settings].flatMap(([key, { value }]): readonly (readonly [string, string])[] => {
    const text = textOf(value)
    if (isSecret(driver, key)) return [['password_script', passwordCommand(id, config)]]
    // What the map cannot hold is a parameter, which Pacemaker leaves as it is.
    if (key === driver.plug) return mapSafe.test(text) ? [] : [['plug', text]]
    if (key === 'timeout_seconds') {
      const seconds = Math.max(1, Math.ceil(Number(value)))
      const login = Math.ceil(seconds / 2)
      return [
        ['login_timeout', String(login)],
        ['shell_timeout', String(seconds - login)],
      ]
    }
    return [[parameterOf(driver, key), text]]
  })
}

function hosts(node: string, plug?: string): readonly (readonly [string, string])[] {
  const mapped = plug !== undefined && mapSafe.test(plug)
  return [
    ['pcmk_host_list', node],
    ['pcmk_host_map', mapped ? `${node}:${plug}` : ''],
    ['pcmk_host_check', 'static-list'],
  ]
}

/** For the agent to start, and to listen for silence. */
const START_S = 5
const HUSH_S = 5

/**
 * The bounds of the drivers: a command, two readings, the time that the power may take to change.
 * Levels are tried one after the other. Nothing here stays off by itself but by `off`.
 */
function times(devices: readonly Device[], presses: boolean) {
  const sum = (each: (device: Device) => number) =>
    Math.ceil(devices.reduce((all, device) => all + each(device), 0) / 1_000)
  const offS =
    sum(({ config }) => 3 * config.timeoutMs + config.settleMs + config.readGapMs) +
    START_S +
    HUSH_S
  const onS = presses
    ? sum(({ config }) => 3 * config.timeoutMs + config.settleMs) + START_S
    : START_S
  return [
    ['pcmk_reboot_action', 'off'],
    ['pcmk_off_timeout', `${offS}s`],
    ['pcmk_on_timeout', `${onS}s`],
    ['pcmk_reboot_timeout', `${offS + onS}s`],
    ['pcmk_monitor_timeout', `${monitorSeconds(devices)}s`],
    ['pcmk_status_timeout', `${monitorSeconds(devices)}s`],
  ] as const
}

function monitorSeconds(devices: readonly Device[]): number {
  const sumMs = devices.reduce((all, { config }) => all + 2 * config.timeoutMs, 0)
  return Math.ceil(sumMs / 1_000) + START_S
}

/** Empty where there is none: so a delay that the config had once is taken away. */
function delay({ delays }: Terms, node: string): readonly (readonly [string, string])[] {
  const { base, max } = delays.get(node) ?? { base: 0, max: 0 }
  return [
    ['pcmk_delay_base', base > 0 ? `${base}s` : ''],
    ['pcmk_delay_max', max > base ? `${max}s` : ''],
  ]
}

/** Of two nodes that could fence each other one waits, as in Picket: for the one that matters. */
function delaysOf({ core }: Loaded): ReadonlyMap<string, Delay> {
  const { delayMs, randomDelayMs, priorityDelayMs } = core.rules
  const fenced = core.nodes.filter(({ role }) => role !== 'witness')
  const most = Math.max(...fenced.map(({ priority }) => priority))
  const winners = fenced.filter(({ priority }) => priority === most)
  const pair = core.nodes.length === 2
  const winner = winners.length === 1 ? winners[0] : pair ? winners[0] : undefined
  const more = priorityDelayMs > 0 ? priorityDelayMs : pair ? TIE_DELAY_MS : 0
  return new Map(
    core.nodes.map(({ id }) => {
      const base = Math.ceil((delayMs + (id === winner?.id ? more : 0)) / 1_000)
      return [id, { base, max: base + Math.ceil(randomDelayMs / 1_000) }]
    }),
  )
}

/** As in the core, where a config of two nodes says nothing else. */
const TIE_DELAY_MS = 10_000

/** Rules of Picket's that Pacemaker has no word for. */
function lostRules({ details }: Loaded): readonly string[] {
  const { fence } = details.config
  const rules: readonly (readonly [boolean, string])[] = [
    [fence.kdump !== undefined, 'kdump: put a fence_kdump at the first level'],
    [fence.reprieve_seconds > 0, 'reprieve_seconds: a node that still answers is fenced as well'],
    [fence.min_interval_seconds > 0, 'min_interval_seconds: no gap between two fencings'],
    [fence.rejoin === 'manual', 'rejoin: keep pacemaker from starting at the boot instead'],
    [fence.dlm, 'dlm: Pacemaker tells the lock manager by itself'],
    [fence.least_evidence !== 'power', 'least_evidence: Pacemaker believes every device'],
  ]
  return rules.filter(([holds]) => holds).map(([, text]) => `not carried over: fence.${text}`)
}
