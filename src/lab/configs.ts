/**
 * The configuration of Picket for a lab: config.yaml and fence-secrets.yaml, as an operator would
 * write them for these machines.
 */
import { parse, stringify } from 'yaml'
import type { BmcLogin } from './bmc.ts'
import { bmcAddress, bmcLevels, type Lab, nodeAddress } from './names.ts'
import { LabError } from './run.ts'

/** A resource as it stands in config.yaml. */
export type ResourceEntry = Readonly<{ id: string; type: string } & Record<string, unknown>>

/** The address that the clients of a lab talk to. */
export const VIP = '10.77.0.100'

export interface ConfigOptions {
  /** The `resources` section; one VIP where it is left out. */
  readonly resources?: readonly ResourceEntry[] | undefined
  /** More YAML, laid over the rest: maps are merged, everything else is replaced. */
  readonly extra?: string | undefined
}

/** The text of config.yaml, the same for every node. */
export function picketConfig(lab: Lab, options: ConfigOptions = {}): string {
  const { resources = [vipResource(lab)], extra = '' } = options
  const config = {
    cluster: { name: lab.name, nodes: lab.nodes.map((node) => nodeEntry(lab, node)) },
    // These BMCs forget a command after seconds, where real ones may sit on it for a minute.
    fence: {
      storm_limit: 1000,
      drivers: { ipmi: { cipher: 3, privilege: 'administrator', late_seconds: 5 } },
    },
    timing: { silent_seconds: 4, start_grace_seconds: 6 },
    resources,
  }
  return stringify(merge(config, readExtra(extra)))
}

function nodeEntry(lab: Lab, node: string): object {
  return {
    name: node,
    addresses: {
      management: nodeAddress(lab, node, 2),
      storage: nodeAddress(lab, node, 1),
      client: [nodeAddress(lab, node, 0)],
    },
    fence: bmcLevels.map((level) => ({ driver: 'ipmi', host: bmcAddress(lab, node, level) })),
  }
}

function vipResource(lab: Lab): ResourceEntry {
  return { id: 'vip', type: 'vip', address: `${VIP}/24`, interface: 'eth0', nodes: lab.nodes }
}

/** The text of fence-secrets.yaml. */
export function fenceSecrets(lab: Lab, login: BmcLogin): string {
  return stringify({ ipmi: Object.fromEntries(lab.nodes.map((node) => [node, { ...login }])) })
}

function readExtra(text: string): Record<string, unknown> {
  const extra: unknown = parse(text) ?? {}
  if (isMap(extra)) return extra
  throw new LabError('The extra configuration of a lab must be a YAML map.', 2)
}

function merge(
  under: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key]
    merged[key] = isMap(before) && isMap(value) ? merge(before, value) : value
  }
  return merged
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
