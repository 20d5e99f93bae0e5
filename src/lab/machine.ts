/**
 * One node of a lab: a machine made of namespaces. Its power is the life of its pid 1; `machine.sh`
 * switches it, for us and for the BMCs alike. Also freezing, and running things inside.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Lab, nodeDir, nodeNetns, ownFile, switchNetns } from './names.ts'
import {
  isAlive,
  type Process,
  processesLike,
  processOf,
  readProcess,
  signal,
} from './processes.ts'
import {
  cleanEnv,
  endGroup,
  LabError,
  must,
  type Outcome,
  type RunOptions,
  run,
  until,
} from './run.ts'

/** pid 1 of a node's sandbox, as the host knows it; `undefined` while the power is off. */
export function initOf(lab: Lab, node: string): Process | undefined {
  return processOf(path.join(nodeDir(lab, node), 'init'))
}

/** Switch a node on or off at the mains, not through a BMC. On waits until it has booted. */
export async function power(lab: Lab, node: string, to: 'on' | 'off'): Promise<void> {
  const dir = nodeDir(lab, node)
  await must(['sh', ownFile('machine.sh'), dir, to], { timeoutMs: 45_000 })
}

/** Every process of a node except its pid 1; of a node without power, none. */
export function processesIn(lab: Lab, node: string): Process[] {
  const init = initOf(lab, node)
  if (init === undefined) return []
  return processesLike('pid', `/proc/${init.pid}/ns/pid`).filter(({ pid }) => pid !== init.pid)
}

/**
 * Stop every process of a node except its pid 1, as if it were starved of all CPU time: nothing in
 * it runs, and its kernel still answers.
 */
export async function freeze(lab: Lab, node: string): Promise<void> {
  needPower(lab, node)
  const stopped = await until(
    () => {
      // Again and again, because a process that is not yet stopped can make a new one.
      const running = processesIn(lab, node).filter(({ state }) => state !== 'T')
      for (const { pid } of running) signal(pid, 'SIGSTOP')
      return running.length === 0
    },
    5_000,
    5,
  )
  if (!stopped) throw new LabError(`Some processes of ${node} cannot be stopped.`)
}

/** Let a frozen node go on where it stopped. */
export async function thaw(lab: Lab, node: string): Promise<void> {
  needPower(lab, node)
  for (const { pid } of processesIn(lab, node)) signal(pid, 'SIGCONT')
}

/** The daemon that a node's supervisor runs at the moment. */
export function daemonOf(lab: Lab, node: string): Process | undefined {
  const init = initOf(lab, node)
  if (init === undefined) return undefined
  let inner: string
  try {
    inner = readFileSync(`/proc/${init.pid}/root/run/lab/daemon.pid`, 'utf8').trim()
  } catch {
    return undefined
  }
  const found = processesIn(lab, node).find(({ pid }) => innerPid(pid) === inner)
  return found && isAlive(readProcess(found.pid)) ? found : undefined
}

/** The id of a process as its own namespace counts. */
function innerPid(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return /^NSpid:.*\s(\d+)$/m.exec(status)?.[1]
  } catch {
    return undefined
  }
}

/** Run a program in a node to its end. */
export async function exec(
  lab: Lab,
  node: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return await run(inNode(lab, node, argv), options)
}

/** Run a program beside the switch, where the clients are, to its end. */
export function execInSwitch(
  lab: Lab,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  return run(beside(lab, argv), options)
}

/** A program that runs on until it is stopped. */
export interface Spawned {
  readonly child: ChildProcess
  /** End it and all that it has started; resolves when it is gone. */
  readonly stop: () => Promise<void>
}

export interface LabSpawnOptions extends Pick<SpawnOptions, 'stdio'>, Pick<RunOptions, 'env'> {
  /** Keep it in our process group, where it can have our terminal; `stop` then ends less. */
  readonly attached?: boolean
}

/** Start a program in a node. It dies with the node. */
export function spawnIn(
  lab: Lab,
  node: string,
  argv: readonly string[],
  options: LabSpawnOptions = {},
): Spawned {
  return start(inNode(lab, node, argv), options)
}

/** Start a program beside the switch, for example a client. It dies with the lab. */
export function spawnInSwitch(
  lab: Lab,
  argv: readonly string[],
  options: LabSpawnOptions = {},
): Spawned {
  return start(beside(lab, argv), options)
}

function start(
  argv: readonly string[],
  { stdio, env = {}, attached = false }: LabSpawnOptions,
): Spawned {
  const [program = '', ...args] = argv
  const child = spawn(program, args, {
    // A process group of its own: ending nsenter alone does not end what it has started.
    detached: !attached,
    stdio: stdio ?? ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnv, ...env },
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  return {
    child,
    async stop() {
      if (attached) child.kill('SIGKILL')
      else endGroup(child)
      await ended
    },
  }
}

/** The command line that runs `argv` in a node: in its namespaces, its control group and its /. */
function inNode(lab: Lab, node: string, argv: readonly string[]): string[] {
  const { pid } = needPower(lab, node)
  const enter = ['nsenter', '-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-C']
  const join = 'echo 0 2>/dev/null >/sys/fs/cgroup/cgroup.procs; exec "$@"'
  return [...enter, '--', 'sh', '-c', join, 'enter', ...argv]
}

function beside(lab: Lab, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${switchNetns(lab)}`, '--', ...argv]
}

/** pid 1 of a node that has to be on. */
function needPower(lab: Lab, node: string): Process {
  const init = initOf(lab, node)
  if (init !== undefined) return init
  const option = lab.name === 'lab' ? '' : ` --name ${lab.name}`
  throw new LabError(`${node} is off. Switch it on with: picket lab power ${node} on${option}`)
}

/** A path by which anything outside can look at a node's network, whether it is on or not. */
export function netnsPath(lab: Lab, node: string): string {
  return `/run/netns/${nodeNetns(lab, node)}`
}
