/**
 * Where everything of a lab lives and what it is called. A lab's name is part of its network
 * namespaces and of its state directory, so several labs can live side by side.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { LabError } from './run.ts'

/** `wide` is for more nodes than one machine could carry with the timing of the others. */
export type Profile = 'default' | 'lan' | 'shared' | 'wide'
export const profiles: readonly Profile[] = ['default', 'lan']

/** Which of a node's two BMCs: the first or the second level of its fencing. */
export type BmcLevel = 1 | 2
export const bmcLevels: readonly BmcLevel[] = [1, 2]

/** The links of a node: 0 clients and Corosync, 1 storage and Corosync, 2 management. */
export type Link = 0 | 1 | 2
export const links: readonly Link[] = [0, 1, 2]
/** The links that Corosync uses, and that `cut` cuts. */
export const clusterLinks: readonly (0 | 1)[] = [0, 1]

/** A lab that exists. Everything in it is public; the passwords stay in files. */
export interface Lab {
  readonly name: string
  readonly dir: string
  readonly nodes: readonly string[]
  readonly profile: Profile
  /** The daemon of every node as a command line; `undefined` where only Corosync runs. */
  readonly daemon: readonly string[] | undefined
  /** A quorum device says which half may go on. */
  readonly quorumDevice: boolean
}

/** As many as a cluster may have. */
export const NODES_MAX = 32

/** The checkout or package this file belongs to. */
export const home = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '')

/** A file of this folder, for example a script. */
export function ownFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** The directory that holds one directory per lab. */
export function labsDir(): string {
  const dir = process.env.PICKET_LAB || '/run/picket-lab'
  // The path ends up in shell scripts and in the configuration of other programs.
  if (!/^\/[\w./-]*[\w-]$/.test(dir) || dir.includes('/..')) {
    throw new LabError(
      `PICKET_LAB must be an absolute path of letters, digits, ".", "-" and "_", and is "${dir}".`,
      2,
    )
  }
  const covered = ['/etc', '/var/lib', '/srv', '/dev', '/proc', '/sys']
  const cover = covered.find((at) => dir === at || dir.startsWith(`${at}/`))
  if (cover !== undefined) {
    throw new LabError(
      `PICKET_LAB cannot lie below ${cover}, where every node has its own: use a path below /run.`,
      2,
    )
  }
  return dir
}

/** Refuse what cannot be the name of a lab. */
export function checkLabName(name: string): string {
  if (/^[a-z][a-z0-9-]{0,23}$/.test(name)) return name
  throw new LabError(
    `"${name}" cannot be the name of a lab: use a letter, then up to 23 letters, digits or "-".`,
    2,
  )
}

export function stateDir(name: string): string {
  return path.join(labsDir(), checkLabName(name))
}

/** The lab of this name as `up` described it, or `undefined` where there is none. */
export function findLab(name: string): Lab | undefined {
  const dir = stateDir(name)
  const file = path.join(dir, 'lab.json')
  if (!existsSync(file)) return undefined
  const { nodes, profile, daemon, quorumDevice } = JSON.parse(readFileSync(file, 'utf8')) as {
    nodes: string[]
    profile: Profile
    daemon?: string[]
    quorumDevice: boolean
  }
  return { name, dir, nodes, profile, daemon, quorumDevice }
}

/** The lab of this name; an error that says how to get one where there is none. */
export function openLab(name: string): Lab {
  const lab = findLab(name)
  if (lab !== undefined) return lab
  const option = name === 'lab' ? '' : ` --name ${name}`
  throw new LabError(`There is no lab "${name}". Start it with: picket lab up${option}`)
}

/** The number of a node, counted from 1; an unknown name is refused with the known ones. */
export function indexOf(lab: Lab, node: string): number {
  const at = lab.nodes.indexOf(node)
  if (at >= 0) return at + 1
  throw new LabError(`There is no node "${node}": the nodes are ${lab.nodes.join(', ')}.`, 2)
}

export function nodeDir(lab: Lab, node: string): string {
  return path.join(lab.dir, `n${indexOf(lab, node)}`)
}

export function bmcDir(lab: Lab, node: string, level: BmcLevel): string {
  return path.join(nodeDir(lab, node), `bmc${level}`)
}

/** The network namespace that holds the bridges, the BMCs and the clients. */
export function switchNetns(lab: Pick<Lab, 'name'>): string {
  return `picket-${lab.name}-sw`
}

export function nodeNetns(lab: Lab, node: string): string {
  return `picket-${lab.name}-n${indexOf(lab, node)}`
}

/** Every network namespace of the lab of this name, whether or not its state is still there. */
export function isNetnsOf(name: string, netns: string): boolean {
  const prefix = `picket-${name}-`
  return netns.startsWith(prefix) && /^(sw|n\d+)$/.test(netns.slice(prefix.length))
}

/** The address of a node on a link, for example `10.77.2.1`. */
export function nodeAddress(lab: Lab, node: string, link: Link): string {
  return `10.77.${link}.${indexOf(lab, node)}`
}

/** The address of a BMC on the management link. */
export function bmcAddress(lab: Lab, node: string, level: BmcLevel): string {
  return `10.77.2.${(level === 1 ? 100 : 150) + indexOf(lab, node)}`
}
