/**
 * Hosts with a real systemd as pid 1, for tests: a lab whose nodes boot by systemd, with Corosync and
 * picketd as their units say, fenced by the lab's BMCs. They are a stage like any other, so that
 * what is asked of a whole cluster (`cluster.ts`) can be asked of them, too.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before } from 'node:test'
import { healthy, type Stage } from '../../src/demo/stage.ts'
import { openWitness } from '../../src/demo/witness.ts'
import {
  crash,
  downLab,
  exec,
  initOf,
  type Lab,
  power,
  type ResourceEntry,
  upLab,
  VIP,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { missing } from '../needs.ts'
import { eventually, replays, type Scene, sceneOn, statusAt } from './cluster.ts'

/** Why there can be none here, with what mends it; `false` where they can. */
export const noHosts =
  whyNoLab() ?? missing('/lib/systemd/systemd', '/lib/systemd/system/dbus.service')

/** An address, the service on it, and a unit of its own. */
const resources: readonly ResourceEntry[] = [
  { id: 'vip', type: 'vip', address: `${VIP}/24`, interface: 'eth0' },
  { id: 'web', type: 'systemd', unit: 'web', after: 'vip', beside: 'vip' },
  { id: 'batch', type: 'systemd', unit: 'batch', monitor_every_seconds: 1 },
]

/** The time in which systemd has to have another picketd there, also on a busy machine. */
const extra = 'timing: { silent_seconds: 20 }\nfence: { priority_delay_seconds: 2 }'

export interface HostsOptions {
  readonly name: string
  readonly nodes: number
}

/**
 * Hosts for all tests of a `describe`, switched on before the first. After each test nothing may
 * have run twice, and in the end all journals must replay.
 */
export function useHosts({ name, nodes }: HostsOptions): () => Promise<Scene> {
  let stage: Stage | undefined
  before(async () => {
    const pidOne = join(import.meta.dirname, 'hosts-boot.sh')
    const options = {
      name: `${name}-${process.pid}`,
      profile: 'lan' as const,
      daemon: false as const,
    }
    const lab = await upLab({ ...options, nodes, resources, extra, pidOne })
    stage = { lab, witness: openWitness(lab) }
  })
  afterEach(() => {
    assert.deepEqual(stage?.witness.overlaps() ?? [], [], 'the service ran twice')
  })
  after(async () => {
    if (stage === undefined) return
    try {
      for (const node of stage.lab.nodes) await replays(stage.lab, node)
    } finally {
      await stage.witness.stop()
      await downLab(stage.lab.name)
    }
  })
  return async () => {
    assert.ok(stage)
    await whole(stage)
    return sceneOn(stage)
  }
}

/** Everything is started that a test has stopped, and serves. */
async function whole(stage: Stage): Promise<void> {
  const { lab } = stage
  for (const node of lab.nodes) {
    if (initOf(lab, node) === undefined) await switchOn(lab, node)
    await eventually(`${node} has booted`, async () => {
      return (await exec(lab, node, ['systemctl', 'start', '--no-block', 'picketd'])).status === 0
    })
  }
  await healthy(stage)
}

/** A host that has switched itself off has left its cables plugged, which no machine does. */
export async function switchOn(lab: Lab, node: string): Promise<void> {
  await crash(lab, node)
  await power(lab, node, 'on')
}

/** What a program says that has to succeed in a host. */
export async function must({ lab }: Scene, node: string, ...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await exec(lab, node, argv, { timeoutMs: 60_000 })
  assert.equal(status, 0, `${argv.join(' ')} on ${node}: ${stdout}${stderr}`)
  return stdout.trim()
}

export const systemctl = (scene: Scene, node: string, ...words: string[]) =>
  must(scene, node, 'systemctl', ...words)

/** What systemd knows of a unit. */
export const property = (scene: Scene, node: string, unit: string, name: string) =>
  systemctl(scene, node, 'show', '--value', '-p', name, unit)

export const mainPid = (scene: Scene, node: string, unit = 'picketd') =>
  property(scene, node, unit, 'MainPID')

/** What the journal of a host holds, e.g. `-u picketd`. */
export const journal = (scene: Scene, node: string, ...words: string[]) =>
  must(scene, node, 'journalctl', '--no-pager', '-o', 'cat', ...words)

/** The journal from now on: all of it, for with a filter journalctl misses the first line. */
export async function fromNow(scene: Scene, node: string) {
  const cursor = await journal(scene, node, '-n', '0', '--show-cursor')
  const at = /cursor: (.*)$/m.exec(cursor)?.[1]
  assert.ok(at, cursor)
  return () => journal(scene, node, '--after-cursor', at)
}

/** The standing of a node as another one sees it. */
export async function standing(scene: Scene, from: string, node: string) {
  return (await statusAt(scene, from))?.nodes.find(({ id }) => id === node)?.standing
}

/** Another picketd than `before` is a member that may decide. */
export async function anotherDaemon(scene: Scene, node: string, before: string): Promise<void> {
  await eventually(`another picketd is a member on ${node}`, async () => {
    const pid = await mainPid(scene, node)
    return pid !== '0' && pid !== before && (await statusAt(scene, node))?.ready
  })
}
