/**
 * What a lab looks like right now, asked of the things themselves: the process table, the switch,
 * the BMCs' simulators and Corosync.
 */
import { type BmcMode, bmcMode } from './bmc.ts'
import { daemonOf, exec, initOf, processesIn } from './machine.ts'
import { type BmcLevel, bmcLevels, type Lab } from './names.ts'
import { type LinkState, readLinks } from './network.ts'

/** What quorum service of one node says. */
export interface Quorum {
  readonly quorate: boolean
  /** For example `1.2c`. */
  readonly ringId: string
  /** Node ids of the members, in order. */
  readonly members: readonly number[]
}

export interface NodeStatus {
  readonly name: string
  readonly power: 'on' | 'off'
  /** Everything in it is stopped. */
  readonly frozen: boolean
  readonly links: readonly LinkState[]
  readonly bmcs: readonly ({ readonly level: BmcLevel } & (BmcMode | { readonly mode: 'dead' }))[]
  readonly corosync: boolean
  /** `undefined` where the lab has no daemon. */
  readonly daemon: { readonly running: boolean; readonly pid?: number } | undefined
  readonly quorum: Quorum | undefined
}

export interface LabStatus {
  readonly name: string
  readonly profile: string
  readonly nodes: readonly NodeStatus[]
}

/** The state of every node of a lab. */
export async function statusOf(lab: Lab): Promise<LabStatus> {
  const links = await readLinks(lab)
  const nodes = await Promise.all(
    lab.nodes.map((node) => nodeStatus(lab, node, links.get(node) ?? [])),
  )
  return { name: lab.name, profile: lab.profile, nodes }
}

async function nodeStatus(
  lab: Lab,
  name: string,
  links: readonly LinkState[],
): Promise<NodeStatus> {
  const inside = processesIn(lab, name)
  const corosync = inside.find((process) => process.name === 'corosync')
  const daemon = daemonOf(lab, name)
  // A command that somebody runs in a frozen node does not thaw it.
  const awake = [corosync, daemon].some((process) => process && process.state !== 'T')
  const frozen = !awake && inside.some(({ state }) => state === 'T')
  return {
    name,
    power: initOf(lab, name) === undefined ? 'off' : 'on',
    frozen,
    links,
    bmcs: bmcLevels.map((level) => ({ level, ...bmcMode(lab, name, level) })),
    corosync: corosync !== undefined,
    daemon: lab.daemon && (daemon ? { running: true, pid: daemon.pid } : { running: false }),
    quorum: corosync !== undefined && !frozen ? await quorumOf(lab, name) : undefined,
  }
}

/** What Corosync on a node says about quorum; `undefined` where it cannot be asked. */
export async function quorumOf(lab: Lab, node: string): Promise<Quorum | undefined> {
  try {
    const argv = ['corosync-quorumtool', '-s']
    return readQuorum((await exec(lab, node, argv, { timeoutMs: 2_000 })).stdout)
  } catch {
    // Off, frozen, or just being killed: it cannot be asked, and that is the answer.
    return undefined
  }
}

function readQuorum(text: string): Quorum | undefined {
  const quorate = /^Quorate:\s+(Yes|No)/m.exec(text)?.[1]
  const ringId = /^Ring ID:\s+(\S+)/m.exec(text)?.[1]
  if (quorate === undefined || ringId === undefined) return undefined
  const table = text.slice(text.indexOf('Membership information'))
  const members = [...table.matchAll(/^\s*(?:0x)?([0-9a-f]+)\s+\d+\s+\S/gim)]
  return {
    quorate: quorate === 'Yes',
    ringId,
    // A quorum device has a line of its own, and is no node: its number is 0.
    members: members.flatMap(([, id]) => Number(id) || []).sort((a, b) => a - b),
  }
}
