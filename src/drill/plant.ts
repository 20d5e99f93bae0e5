/**
 * What a configuration is put through failures with: the site of a simulated world, and what only
 * the configuration tells of it, above all which devices stand and fall with one box.
 */
import type { Loaded } from '../config/load.ts'
import type { Config, DeviceId, NodeId, ResourceId } from '../core/model.ts'
import type { DeviceKind } from '../sim/devices.ts'
import type { Site } from '../sim/world.ts'
import { BOOT_MS, detectionMs, devicePace, operationPace } from './pace.ts'

/** One address behind which devices stand: a BMC, a hypervisor, a gateway. */
export interface Box {
  /** `ipmi at 192.168.10.11`. */
  readonly name: string
  readonly devices: readonly DeviceId[]
}

export interface Plant {
  readonly config: Config
  readonly site: Site
  readonly boxes: readonly Box[]
  readonly tokenMs: number
  readonly types: ReadonlyMap<ResourceId, string>
  readonly drivers: ReadonlyMap<DeviceId, string>
  /** Devices that lose their current together with their node. */
  readonly fated: ReadonlySet<DeviceId>
}

type Found = Loaded['details']['topology']['devices'][number]

/** The plant of a configuration; `tokenMs` is the token of Corosync, which it does not tell. */
export function plantOf({ core, details, resources }: Loaded, tokenMs: number): Plant {
  const { devices } = details.topology
  // Corosync's own rule for two: each may go on without the other (docs/operating.md).
  const twoNode = core.nodes.length === 2
  const config = { ...withoutIdentities(core), halves: twoNode }
  const types = new Map(resources.map(({ id, type }) => [id, type]))
  const drivers = new Map(devices.map(({ id, driver }) => [id, driver.name]))
  const kinds = devices.map((device): [DeviceId, DeviceKind] => [
    device.id,
    isFated(device) ? 'bmc' : 'remote',
  ])
  const site: Site = {
    config,
    qdevice: false,
    twoNode,
    tokenMs: detectionMs(tokenMs),
    bootMs: BOOT_MS,
    announces: false,
    identifies: false,
    kinds: new Map(kinds),
    pace: {
      operation: (resource, op) => operationPace(types.get(resource) ?? '', op),
      press: (device) => devicePace(drivers.get(device) ?? '').press,
      read: (device) => devicePace(drivers.get(device) ?? '').read,
    },
  }
  const fated = new Set(devices.filter(isFated).map(({ id }) => id))
  return { config, site, boxes: boxesIn(devices), tokenMs, types, drivers, fated }
}

/** Agents that speak to the BMC of the node; the others speak to a power strip, a host, a cloud. */
const bmcAgent = /^fence_(ipmilan|idrac|drac|ilo|imm|rsa|rsb|redfish|amt)/

/** Does it lose its current together with its node? */
function isFated({ driver, options }: Found): boolean {
  if (driver.name === 'agent') return bmcAgent.test(String(options.agent))
  return driver.capabilities.sharedFate === 'host-power'
}

/** The nodes that lose their current together with this one: the guests of one hypervisor. */
export function together({ config, boxes, drivers }: Plant, node: NodeId): readonly NodeId[] {
  const hosts = boxes.filter(({ devices: [first = ''] }) => drivers.get(first) === 'libvirt')
  const own = (id: NodeId) => (device: DeviceId) => device.startsWith(`${id}/`)
  const shared = hosts.filter(({ devices }) => devices.some(own(node)))
  const guests = config.nodes.filter(({ id }) =>
    shared.some(({ devices }) => devices.some(own(id))),
  )
  return [...new Set([node, ...guests.map(({ id }) => id)])]
}

/** The boxes that a node's devices stand in, in the order of its levels. */
export function boxesOf({ config, boxes }: Plant, node: NodeId): readonly Box[] {
  const levels = config.nodes.find(({ id }) => id === node)?.levels ?? []
  const found = levels.flatMap(({ devices }) => devices.flatMap((id) => boxOf(boxes, id) ?? []))
  return [...new Set(found)]
}

export function boxOf(boxes: readonly Box[], device: DeviceId): Box | undefined {
  return boxes.find(({ devices }) => devices.includes(device))
}

/** Every device of a simulation belongs to its node: nobody has asked one whose it really is. */
function withoutIdentities(config: Config): Config {
  return { ...config, devices: config.devices.map(({ identity: _, ...device }) => device) }
}

function boxesIn(devices: readonly Found[]): readonly Box[] {
  const groups = Map.groupBy(devices, (device) => hostOf(device) ?? `(${device.id})`)
  return [...groups].map(([host, own]) => {
    const drivers = [...new Set(own.map(({ driver }) => driver.name))]
    return { name: `${drivers.join(' and ')} at ${host}`, devices: own.map(({ id }) => id) }
  })
}

/** The host behind a device: two ports, or two plugs, of one host are one box. */
function hostOf({ driver, options }: Found): string | undefined {
  let endpoint: string
  try {
    endpoint = driver.endpoint(options)
  } catch {
    // Its address stands in the secrets file, which nobody has read.
    return undefined
  }
  if (endpoint.includes('://') || endpoint.startsWith('/')) return endpoint
  // `fence_apc 10.0.0.4:22`, `pve:8006/100`, `[::1]:623`; an agent that names no host has no colon.
  const [host = ''] = (endpoint.split(' ').at(-1) ?? '').split('/')
  const bare = host.replace(/:\d+$/, '')
  return bare === '' || bare.startsWith('fence_') || bare.startsWith('unread-') ? undefined : bare
}
