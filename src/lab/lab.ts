/**
 * A real cluster on one machine: make one, break it in every way that matters, take it away again
 * without a trace. This is what commands, demonstrations and tests use; the parts lie beside it.
 */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { build, claim, type LabPlan } from './build.ts'
import type { ResourceEntry } from './configs.ts'
import { exec, initOf, power } from './machine.ts'
import {
  checkLabName,
  findLab,
  home,
  type Lab,
  labsDir,
  NODES_MAX,
  nodeDir,
  type Profile,
  stateDir,
} from './names.ts'
import { checkNeeds } from './needs.ts'
import { networkNames } from './network.ts'
import { whyNoArbiter } from './qnetd.ts'
import { removeAll } from './remove.ts'
import { LabError, until } from './run.ts'
import { quorumOf } from './status.ts'

export {
  type BmcLogin,
  type BmcMode,
  type BmcRecord,
  readBmcLog,
  setBmcMode as bmc,
} from './bmc.ts'
export { bmcLogin, hardwareUuid } from './build.ts'
export { type ResourceEntry, VIP } from './configs.ts'
export {
  daemonOf,
  exec,
  execInSwitch,
  freeze,
  initOf,
  netnsPath,
  power,
  processesIn,
  type Spawned,
  spawnIn,
  spawnInSwitch,
  thaw,
} from './machine.ts'
export {
  type BmcLevel,
  bmcAddress,
  findLab,
  type Lab,
  nodeAddress,
  nodeNetns,
  openLab,
  type Profile,
  switchNetns,
} from './names.ts'
export { whyNoLab } from './needs.ts'
export { cut, heal } from './network.ts'
export type { Process } from './processes.ts'
export { whyNoArbiter } from './qnetd.ts'
export { LabError, nowMs, type Outcome, until } from './run.ts'
export { type LabStatus, type NodeStatus, type Quorum, quorumOf, statusOf } from './status.ts'

export interface UpOptions {
  /** Default `lab`. */
  readonly name?: string | undefined
  /** How many; default 3. */
  readonly nodes?: number | undefined
  readonly profile?: Profile | undefined
  /** The `resources` section of config.yaml; one VIP where it is left out. */
  readonly resources?: readonly ResourceEntry[] | undefined
  /** More YAML, laid over config.yaml: maps are merged, everything else is replaced. */
  readonly extra?: string | undefined
  /** The daemon's command line; `false` for Corosync alone; picketd where it is left out. */
  readonly daemon?: readonly string[] | false | undefined
  /** Gives every node a disk of its own for what Picket keeps, so small that it can be full. */
  readonly diskMb?: number | undefined
  /** A quorum device (`corosync-qnetd`) says which half of an even number may go on. */
  readonly quorumDevice?: boolean | undefined
  /** A shell script that goes on as pid 1 of every node and starts Corosync and the daemon. */
  readonly pidOne?: string | undefined
  /** How long to wait for quorum; 0 does not wait. */
  readonly quorumMs?: number | undefined
}

/** Make a lab and wait until it is quorate. What fails half-way is taken away again. */
export async function upLab(options: UpOptions = {}): Promise<Lab> {
  const plan = planOf(options)
  checkNeeds()
  refuseSecond(plan.name)
  const claimed = await claim(plan)
  const { lab } = claimed
  try {
    await build(claimed)
    const waitMs = options.quorumMs ?? 20_000
    if (waitMs > 0) await waitForQuorum(lab, waitMs)
    return lab
  } catch (error) {
    await removeAll(plan.name).catch(() => undefined)
    throw error
  }
}

function planOf(options: UpOptions): LabPlan {
  const { name = 'lab', nodes = 3, profile = 'default', resources, extra, diskMb } = options
  checkLabName(name)
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
    throw new LabError(`A lab has 1 to ${NODES_MAX} nodes, not ${nodes}.`, 2)
  }
  const daemon = options.daemon ?? [
    path.join(home, 'bin/picketd'),
    ...['--config', '/etc/picket/config.yaml'],
  ]
  if (daemon !== false) checkDaemon(daemon)
  const { quorumDevice = false, pidOne } = options
  if (quorumDevice) checkArbiter(nodes)
  const rest = { resources, extra, diskMb, daemon: daemon || undefined, quorumDevice, pidOne }
  return { name, nodes, profile, ...rest }
}

function checkArbiter(nodes: number): void {
  if (nodes % 2 !== 0) {
    throw new LabError(`A quorum device is for an even number of nodes, not for ${nodes}.`, 2)
  }
  const why = whyNoArbiter()
  if (why !== undefined) throw new LabError(why)
}

function checkDaemon(daemon: readonly string[]): void {
  const [program = ''] = daemon
  // The supervisor reads one word per line.
  if (daemon.some((word) => /[\n\r\0]/.test(word))) {
    throw new LabError('The command line of the daemon holds a line break.', 2)
  }
  if (!path.isAbsolute(program) || !existsSync(program)) {
    throw new LabError(
      `The daemon ${program} does not exist; name another with an absolute path, or run Corosync ` +
        'alone with --no-daemon.',
    )
  }
}

function refuseSecond(name: string): void {
  const lab = findLab(name)
  const option = name === 'lab' ? '' : ` --name ${name}`
  if (lab !== undefined) {
    const nodes = lab.nodes.map((node) => `${node} is ${initOf(lab, node) ? 'on' : 'off'}`)
    throw new LabError(
      `The lab "${name}" is up already: ${nodes.join(', ')}. End it with: picket lab down${option}`,
      3,
    )
  }
  if (existsSync(stateDir(name)) || networkNames(name).length > 0) {
    throw new LabError(
      `Something of a lab "${name}" is left, or it is just being made in ${labsDir()}. ` +
        `Clean up with: picket lab down${option}`,
      3,
    )
  }
}

async function waitForQuorum(lab: Lab, withinMs: number): Promise<void> {
  const wanted = lab.nodes.length
  const quorate = await until(
    async () => {
      const seen = await Promise.all(lab.nodes.map((node) => quorumOf(lab, node)))
      return seen.every((quorum) => quorum?.quorate && quorum.members.length === wanted)
    },
    withinMs,
    200,
  )
  if (quorate) return
  throw new LabError(
    `Corosync has not brought ${wanted} nodes together within ${withinMs / 1000} s; ` +
      'the machine may be too busy.',
  )
}

/** Take a lab away, whatever is left of it. False where there was nothing. */
export async function downLab(name = 'lab'): Promise<boolean> {
  checkLabName(name)
  const there = existsSync(stateDir(name)) || networkNames(name).length > 0
  if (there) await removeAll(name)
  return there
}

/** The names of a lab's nodes. */
export function nodeNames(lab: Lab): readonly string[] {
  return lab.nodes
}

/** Cut a node's power: everything in it dies at once, its links go down. */
export async function crash(lab: Lab, node: string): Promise<void> {
  await power(lab, node, 'off')
}

/** Start Corosync in a node again after it has died; nobody else does. */
export async function startCorosync(lab: Lab, node: string): Promise<void> {
  const { status, stderr } = await exec(lab, node, ['corosync'])
  if (status !== 0) throw new LabError(`Corosync does not start on ${node}: ${stderr.trim()}`)
}

/** The log files of a node: its daemon, its Corosync, and what its boot has said. */
export function logFiles(lab: Lab, node: string) {
  const dir = path.join(nodeDir(lab, node), 'log')
  return {
    daemon: path.join(dir, 'picketd.log'),
    corosync: path.join(dir, 'corosync/corosync.log'),
    console: path.join(dir, 'console.log'),
  }
}

/** The folder that every node sees as /srv/shared. */
export function sharedDir(lab: Lab): string {
  return path.join(lab.dir, 'shared')
}

/** Give nodes another config.yaml; a running daemon does not notice by itself. */
export async function writeConfig(
  lab: Lab,
  text: string,
  nodes: readonly string[] = lab.nodes,
): Promise<void> {
  for (const node of nodes) {
    await writeFile(path.join(nodeDir(lab, node), 'etc-picket/config.yaml'), text)
  }
}
