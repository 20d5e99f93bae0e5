/**
 * From what a CIB says of fencing to a config of Picket's: every device a step of the driver that
 * does the same, every level a level. Whatever has no place in it is told, and what no step could
 * be made of is kept as a comment.
 */
import { anyAgent } from '../agent/names.ts'
import type { Catalog } from '../config/catalog.ts'
import { nameSchema } from '../config/schema.ts'
import type { Cib, CibDevice, CibNode } from './cib.ts'
import { delaysOf } from './delays.ts'
import {
  type Draft,
  type DraftLevel,
  type DraftNode,
  draftNode,
  Fitter,
  type Remark,
} from './draft.ts'
import { type Hosts, hostsOf } from './hosts.ts'
import { levelsOf } from './levels.ts'
import { number, set, spanSeconds } from './parameters.ts'
import { isVerification, levelsInConfig, verifiedAddresses } from './picket-agents.ts'
import { sayOfCluster, sayOfLocations } from './said.ts'
import { keptOf, stepsOf } from './steps.ts'

/** The value of a CIB secret (`lrm://`), or why there is none, as a clause. */
export type SecretOf = (
  device: string,
  parameter: string,
) => { readonly value: string } | { readonly why: string }

interface Work {
  readonly cib: Cib
  readonly nodes: readonly CibNode[]
  readonly devices: ReadonlyMap<string, CibDevice>
  readonly hosts: ReadonlyMap<string, Hosts>
  readonly fitter: Fitter
  readonly remarks: Remark[]
  readonly used: Set<string>
  /** Devices of which a secret could not be read. */
  readonly locked: Set<string>
}

export async function draftOfCib(
  cib: Cib,
  origin: string,
  catalog: Catalog,
  secretOf: SecretOf,
): Promise<Draft> {
  const remarks = [...cib.remarks]
  const nodes = nodesOf(cib, remarks)
  const names = nodes.map(({ name }) => name)
  const working = cib.devices.filter((device) => isUsed(device, remarks))
  const locked = new Set<string>()
  const devices = new Map(
    working.map((device) => [device.id, withSecrets(device, secretOf, locked, remarks)]),
  )
  const hosts = new Map([...devices.values()].map((each) => [each.id, hostsOf(each, names)]))
  const work: Work = {
    ...{ cib: { ...cib, devices: [...devices.values()] }, nodes, devices, hosts, remarks },
    ...{ fitter: new Fitter(catalog), used: new Set<string>(), locked },
  }
  const drafts: DraftNode[] = []
  const first = new Map<string, CibDevice>()
  for (const node of nodes) drafts.push(await draftOf(work, node, first))
  sayOfDevices(work)
  remarks.push(...sayOfLocations(work.cib), ...sayOfCluster(work.cib))
  return {
    cluster: clusterName(cib),
    origin,
    nodes: drafts,
    fence: { ...delaysOf(drafts, first, remarks), ...kdumpOf(work) },
    remarks: remarks.toSorted((a, b) => a.line - b.line),
  }
}

/** A CIB without nodes is one that nobody has started yet: its devices name them. */
function nodesOf(cib: Cib, remarks: Remark[]): readonly CibNode[] {
  const hosts = cib.devices.flatMap((each) => hostsOf(each, []).strangers)
  const targets = cib.levels.flatMap(({ target }) => (target.by === 'node' ? [target.name] : []))
  const told = [...new Set([...targets, ...hosts])].map((name): CibNode => {
    return { name, remote: false, attributes: new Map(), line: 0 }
  })
  return (cib.nodes.length > 0 ? cib.nodes : told).filter(({ name, remote, line }) => {
    const lose = (why: string) => {
      remarks.push({ lost: true, line, text: `the node ${JSON.stringify(name)} ${why}` })
      return false
    }
    if (remote) return lose('runs Pacemaker Remote: Picket knows full members alone')
    if (!nameSchema.safeParse(name).success) return lose('has a name that Picket does not take')
    return true
  })
}

function clusterName({ properties }: Cib): string {
  const name = properties.get('cluster-name') ?? ''
  return nameSchema.safeParse(name).success ? name : 'imported'
}

/** Switched off, or no device at all: it says so, and is left out. */
function isUsed({ id, type, meta, line }: CibDevice, remarks: Remark[]): boolean {
  if (meta.get('target-role')?.toLowerCase() !== 'stopped') return true
  const text = `${id} (${type}) is disabled in Pacemaker; it is left out`
  remarks.push({ lost: true, line, text })
  return false
}

/** Parameters whose value Pacemaker keeps in a file of its own. A value in the CIB stays. */
function withSecrets(
  device: CibDevice,
  secretOf: SecretOf,
  locked: Set<string>,
  remarks: Remark[],
): CibDevice {
  const parameters = new Map(device.parameters)
  for (const [name, value] of device.parameters) {
    if (value !== 'lrm://') continue
    const found = secretOf(device.id, name)
    if ('value' in found) parameters.set(name, found.value)
    else {
      parameters.delete(name)
      locked.add(device.id)
      const text = `${device.id}: ${name} is a CIB secret, and ${found.why}`
      remarks.push({ lost: true, line: device.line, text })
    }
  }
  return { ...device, parameters }
}

async function draftOf(
  work: Work,
  node: CibNode,
  first: Map<string, CibDevice>,
): Promise<DraftNode> {
  const { cib, hosts, remarks, fitter, locked } = work
  const draft = draftNode(node.name)
  for (const ids of levelsOf(node, cib, hosts, remarks)) {
    const level: DraftLevel = { steps: [], verify: false }
    let whole = true
    for (const id of ids) {
      work.used.add(id)
      const device = work.devices.get(id)
      if (device === undefined) {
        const text = `a level of ${node.name} names ${id}, which is no device in use here`
        remarks.push({ lost: true, line: 0, text })
        whole = false
      } else if (isVerification(device.type)) {
        draft.addresses = await verifiedAddresses(device.parameters, node.name)
        level.verify = draft.addresses.length > 0
      } else if (device.type === anyAgent && device.parameters.has('config')) {
        if (!first.has(node.name)) first.set(node.name, device)
        await addConfigured(work, draft, device)
      } else if (device.type === 'fence_heuristics_ping') {
        const text = `${id} (fence_heuristics_ping) is left out: Picket fences with quorum only`
        if (!remarks.some((each) => each.text === text)) {
          remarks.push({ lost: true, line: device.line, text })
        }
      } else if (device.type !== 'fence_kdump') {
        if (!first.has(node.name)) first.set(node.name, device)
        const place = { node: draft, hosts: hosts.get(id), fitter, locked: locked.has(id), remarks }
        const steps = await stepsOf(place, device)
        level.steps.push(...(steps ?? []))
        whole = steps !== undefined && whole
      }
    }
    // Less than all devices of a level would prove less than was asked for.
    if (whole && level.steps.length > 0) draft.levels.push(level)
    else for (const each of level.steps) draft.kept.push(keptOf(each, 'its level lacks a step'))
  }
  if (draft.levels.length === 0) {
    const text = `${node.name} has no device that was carried over: nobody can prove it off`
    remarks.push({ lost: true, line: node.line, text })
  }
  return draft
}

/** `fence_picket` with a configuration: the levels of the node are those that stand in it. */
async function addConfigured(
  { remarks, fitter }: Work,
  draft: DraftNode,
  { id, parameters, line }: CibDevice,
): Promise<void> {
  const found = await levelsInConfig(parameters.get('config') ?? '', draft.name)
  const lose = (text: string) => remarks.push({ lost: true, line, text: `${id}: ${text}` })
  if (typeof found === 'string') {
    lose(found)
    return
  }
  for (const level of found) {
    for (const step of level.steps) {
      const refusal = await fitter.refusal(draft.name, step)
      if (refusal !== undefined) lose(`a step of ${draft.name} is not the same: ${refusal.why}`)
    }
    draft.levels.push(level)
  }
}

/** A crash dump is waited for before the first level, and is no level. */
function kdumpOf({ cib, used, remarks }: Work): Readonly<Record<string, unknown>> {
  const device = cib.devices.find(({ id, type }) => type === 'fence_kdump' && used.has(id))
  if (device === undefined) return {}
  const text = `${device.id} (fence_kdump) has become fence.kdump: a dump proves nothing`
  remarks.push({ lost: false, line: device.line, text })
  const { parameters } = device
  const first = spanSeconds(parameters.get('timeout') ?? '60') ?? 60
  const port = number(parameters.get('ipport'))
  const usable = typeof port === 'number' && port > 0 && port < 65536 ? port : undefined
  return { kdump: set({ first_seconds: Math.min(first, 600), port: usable }) }
}

/** Options of Pacemaker's own that say how a device is called; the others are told by name. */
const carried = ['pcmk_host_list', 'pcmk_host_map', 'pcmk_host_argument', 'pcmk_delay_base']
carried.push('pcmk_delay_max', 'pcmk_host_check')

function sayOfDevices({ devices, hosts, used, remarks }: Work): void {
  for (const { id, type, line } of devices.values()) {
    const own = hosts.get(id)
    if (own !== undefined && own.strangers.length > 0) {
      const text = `${id} is for ${own.strangers.join(', ')} too, which is no node of this cluster`
      remarks.push({ lost: true, line, text })
    }
    if (!used.has(id) && !isVerification(type)) {
      const asked = 'Pacemaker asks the device which nodes it knows (pcmk_host_check). Nobody is '
      const why = own?.named === undefined ? `${asked}asked here: name them in pcmk_host_list` : ''
      const text = `${id} (${type}) is left out: ${why || 'no level and no node uses it'}`
      remarks.push({ lost: true, line, text })
    }
  }
  // Most clusters say the same of every device.
  const others = [...devices.values()].map(({ id, line, parameters }) => {
    const names = [...parameters.keys()].filter((name) => /^pcmk_\w+$/.test(name))
    return { id, line, names: names.filter((name) => !carried.includes(name)).join(', ') }
  })
  for (const [names, own] of Map.groupBy(others, (each) => each.names)) {
    if (names === '') continue
    const ids = own.map(({ id }) => id).join(', ')
    const text = `not carried over of ${ids}: ${names}, which Picket does not need`
    remarks.push({ lost: false, line: own[0]?.line ?? 0, text })
  }
}
