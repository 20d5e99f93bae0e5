/**
 * The stage of the demonstration: a lab of three nodes with a service on a virtual address, and the
 * means to see how it is and to bring it back to health between two stories.
 */
import type { Status } from '../core/status.ts'
import {
  bmc,
  downLab,
  exec,
  heal,
  initOf,
  type Lab,
  type Profile,
  power,
  quorumOf,
  type ResourceEntry,
  startCorosync,
  thaw,
  until,
  upLab,
  VIP,
} from '../lab/lab.ts'
import { home } from '../lab/names.ts'
import { demoProgram } from './names.ts'
import { answering, openWitness, ownersOf, type Witness } from './witness.ts'

export interface Stage {
  readonly lab: Lab
  readonly witness: Witness
}

/** The service and its address. They may run on every node. */
export const resources: readonly ResourceEntry[] = [
  {
    id: 'vip',
    type: 'vip',
    address: `${VIP}/24`,
    interface: 'eth0',
  },
  {
    id: 'web',
    type: 'exec',
    run: [process.execPath, demoProgram('service'), '/srv/shared', '8080'],
    env: { NODE_COMPILE_CACHE: '/var/cache/picket' },
    monitor_every_seconds: 5,
  },
]

export interface StageOptions {
  readonly name?: string
  readonly profile?: Profile
  /** Another daemon, for example one with a deliberate bug. */
  readonly daemon?: readonly string[] | undefined
  /** More YAML, laid over config.yaml. */
  readonly extra?: string
  /** How many; default 3. */
  readonly nodes?: number
  /** Gives every node a small disk of its own. */
  readonly diskMb?: number
  /** How often the client asks. */
  readonly everyMs?: number
  /** Another program for the service, that answers with the name of its node as well. */
  readonly service?: readonly string[]
}

/** Raises a lab with the service and waits until a client is answered. */
export async function raise(options: StageOptions = {}): Promise<Stage> {
  const { name = 'demo', profile = 'lan', nodes = 3, everyMs, service, ...rest } = options
  const names = Array.from({ length: nodes }, (_, at) => `node${at + 1}`)
  const placed = resources.map((resource) => ({
    ...resource,
    ...(resource.id === 'web' && service !== undefined && { run: service }),
    nodes: names,
  }))
  const lab = await upLab({ name, profile, nodes, resources: placed, ...rest })
  const witness = openWitness(lab, everyMs)
  const stage = { lab, witness }
  try {
    await healthy(stage)
  } catch (error) {
    await strike(stage)
    throw error
  }
  return stage
}

export async function strike({ lab, witness }: Stage): Promise<void> {
  await witness.stop()
  await downLab(lab.name)
}

/**
 * Undoes everything that a story did, and waits until the cluster is whole again; `mend` may do
 * more for that.
 */
export async function restore(
  stage: Stage,
  withinMs = 60_000,
  mend: (seen: readonly (Status | undefined)[]) => Promise<void> = async () => {},
): Promise<void> {
  const { lab } = stage
  for (const node of lab.nodes) {
    for (const level of [1, 2] as const) await bmc(lab, node, level, { mode: 'ok' })
  }
  for (const node of lab.nodes) {
    await heal(lab, node)
    if (initOf(lab, node) === undefined) continue
    await thaw(lab, node)
    if ((await quorumOf(lab, node)) === undefined) {
      // Nobody starts a Corosync that was killed on purpose; give one that is just booting a
      // moment.
      const back = await until(async () => (await quorumOf(lab, node)) !== undefined, 3_000, 200)
      // What was still to be fenced may lose its power at any moment.
      if (!back && initOf(lab, node) !== undefined) {
        await startCorosync(lab, node).catch((error: unknown) => {
          if (initOf(lab, node) !== undefined) throw error
        })
      }
    }
  }
  await healthy(stage, withinMs, async (seen) => {
    await switchOn(stage, seen)
    await mend(seen)
  })
}

/** Switches on what is off, but nothing that the cluster is still about to fence. */
async function switchOn({ lab }: Stage, seen: readonly (Status | undefined)[]): Promise<void> {
  const deciding = seen.filter((status) => status?.ready)
  for (const node of lab.nodes.filter((each) => initOf(lab, each) === undefined)) {
    const standings = deciding.map(
      (status) => status?.nodes.find(({ id }) => id === node)?.standing,
    )
    if (standings.every((standing) => standing === 'fenced' || standing === 'left')) {
      await power(lab, node, 'on')
    }
  }
}

/**
 * Waits until all nodes are members, both resources run on one node, and the client is served. As
 * long as it is not so, `mend` may do something about it.
 */
export async function healthy(
  stage: Stage,
  withinMs = 60_000,
  mend: (seen: readonly (Status | undefined)[]) => Promise<void> = async () => {},
): Promise<void> {
  const { nodes } = stage.lab
  let seen: (Status | undefined)[] = []
  const whole = await until(
    async () => {
      seen = await Promise.all(nodes.map((node) => statusFrom(stage, node)))
      if (seen.every((status) => status !== undefined && isWhole(status)) && serving(stage)) {
        return true
      }
      await mend(seen)
      return false
    },
    withinMs,
    250,
  )
  if (whole) return
  const why = nodes.map((node, i) => `${node}: ${describeTrouble(seen[i])}`).join('. ')
  throw new Error(`The cluster is not whole after ${withinMs / 1000} s. ${why}.`)
}

function isWhole(status: Status): boolean {
  return (
    status.ready &&
    status.nodes.every((node) => node.standing === 'member' && !node.late && !node.barred) &&
    status.nodes.every((node) => node.devices.every((device) => device.ok !== false)) &&
    status.resources.every((resource) => resource.state === 'running')
  )
}

function serving(stage: Stage): boolean {
  return answering(stage.witness.answers) !== undefined
}

function describeTrouble(status: Status | undefined): string {
  if (status === undefined) return 'its daemon does not answer'
  const nodes = status.nodes
    .filter((node) => node.standing !== 'member' || node.late || node.barred)
    .map((node) => `${node.id} is ${node.standing}${node.late ? ', commands may be late' : ''}`)
  const things = status.resources
    .filter((resource) => resource.state !== 'running')
    .map(({ id, state, because }) => `${id} is ${state} (${because})`)
  const found = [status.because, ...nodes, ...things, ...status.advice].filter(Boolean)
  return found.length === 0 ? 'sees nothing wrong, but no client is answered' : found.join('; ')
}

/** The node that has the address and answers. */
export function activeNode(stage: Stage): string {
  const [owner] = ownersOf(stage.lab)
  if (owner === undefined) throw new Error('No node holds the address.')
  return owner
}

/** What `picket status --json` says in a node; `undefined` where nobody answers. */
export async function statusFrom(stage: Stage, node: string): Promise<Status | undefined> {
  if (initOf(stage.lab, node) === undefined) return undefined
  try {
    const { status, stdout } = await exec(
      stage.lab,
      node,
      [`${home}/bin/picket`, 'status', '--json'],
      { timeoutMs: 5_000 },
    )
    return status === 0 ? (JSON.parse(stdout) as Status) : undefined
  } catch {
    return undefined
  }
}
