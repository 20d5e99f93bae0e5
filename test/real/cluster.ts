/**
 * What the tests of a whole cluster share: a lab with a service that is raised once for a file and
 * mended between its tests, questions to its daemons and its BMCs, and what must hold after a fault.
 *
 * What is asserted of a failover comes from outside: from the BMCs' own logs, from what the service
 * wrote, and from what a client was answered.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { askOnce } from '../../src/cli/control.ts'
import { statusIn } from '../../src/cli/status.ts'
import { type Begin, begin, step } from '../../src/core/cluster.ts'
import type { NodeStatus, Status } from '../../src/core/status.ts'
import { replay } from '../../src/daemon/replay.ts'
import { activeNode, raise, restore, type Stage, strike } from '../../src/demo/stage.ts'
import { answering } from '../../src/demo/witness.ts'
import {
  daemonOf,
  exec,
  initOf,
  type Lab,
  logFiles,
  nowMs,
  processesIn,
  readBmcLog,
  sharedDir,
  until,
} from '../../src/lab/lab.ts'
import { home, nodeDir } from '../../src/lab/names.ts'

/** Far more than any step of these tests takes, also on a busy machine. */
export const PATIENCE_MS = 30_000
/** The clock of the BMCs' logs counts hundredths of a second where the kernel hides the better one. */
const BMC_CLOCK_MS = 20

/** The names of things as a test sees them. */
export interface Scene {
  readonly stage: Stage
  readonly lab: Lab
  /** The node that runs the service as the test begins. */
  readonly active: string
  readonly others: readonly [string, string]
  /** When the test began. */
  readonly sinceMs: number
}

export interface ClusterOptions {
  readonly extra?: string
}

/**
 * A lab for all tests of a `describe`: raised before the first, mended before each, taken away after
 * the last. After each test nothing may have run twice, and in the end the journals of all nodes must
 * replay. Gives the scene of the present test.
 */
export function useCluster(name: string, options: ClusterOptions = {}): () => Scene {
  let stage: Stage | undefined
  let scene: Scene | undefined
  let fresh = true
  before(async () => {
    stage = await raise({ name: `${name}-${process.pid}`, ...options })
  })
  beforeEach(async () => {
    assert.ok(stage)
    if (!fresh) await restore(stage)
    fresh = false
    scene = sceneOn(stage)
  })
  afterEach(() => {
    assert.deepEqual(stage?.witness.overlaps() ?? [], [], 'the service ran twice')
  })
  after(async () => {
    if (stage === undefined) return
    try {
      for (const node of stage.lab.nodes) await replays(stage.lab, node)
    } finally {
      await strike(stage)
    }
  })
  return () => {
    assert.ok(scene)
    return scene
  }
}

export function sceneOn(stage: Stage): Scene {
  const { lab } = stage
  const active = activeNode(stage)
  // Of two nodes the other one stands for both.
  const [one, other = one] = lab.nodes.filter((node) => node !== active)
  assert.ok(one !== undefined && other !== undefined)
  return { stage, lab, active, others: [one, other], sinceMs: nowMs() }
}

/** The cluster mended within a test, and the scene as it begins anew. */
export async function again({ stage }: Scene): Promise<Scene> {
  await restore(stage)
  return sceneOn(stage)
}

/** The core, stepped through all that a node has lived through, answers what it answered there. */
export async function replays(lab: Lab, node: string): Promise<void> {
  const journal = path.join(nodeDir(lab, node), 'lib-picket/journal.jsonl')
  const core = { begin: (beginning: unknown) => begin(beginning as Begin), step }
  const { lives, events, difference } = await replay(journal, core)
  assert.ok(lives > 0 && events > 0, `${node} has kept no journal`)
  assert.equal(difference, undefined, `${node} decided otherwise in line ${difference?.line}`)
}

/** Waits until the answer is truthy, and gives it; fails with the last answer after the patience. */
export async function eventually<T>(
  what: string,
  ask: () => T | Promise<T>,
  withinMs = PATIENCE_MS,
): Promise<NonNullable<T>> {
  const answer = await until(ask, withinMs, 100)
  assert.ok(answer, `it never came to this: ${what}`)
  return answer
}

/** Waits `forMs`, because something must not happen within that time. */
export const quiet = (forMs: number) => sleep(forMs)

/** The status as the daemon of a node tells it; `undefined` where none answers. */
export async function statusAt({ lab }: Scene, node: string): Promise<Status | undefined> {
  const init = initOf(lab, node)
  if (init === undefined) return undefined
  try {
    const socket = `/proc/${init.pid}/root/run/picket/control.sock`
    return statusIn(await askOnce(socket, { do: 'status' }, 2_000))
  } catch {
    return undefined
  }
}

/** How one node sees another one. */
export async function seen(
  scene: Scene,
  from: string,
  node: string,
): Promise<NodeStatus | undefined> {
  return (await statusAt(scene, from))?.nodes.find(({ id }) => id === node)
}

/** Waits until the daemon of a node is a member that may serve, as another node sees it. */
export async function serves(scene: Scene, node: string, from: string): Promise<void> {
  await eventually(`${from} sees ${node} as a member that may serve`, async () => {
    const status = await statusAt(scene, from)
    const entry = status?.nodes.find(({ id }) => id === node)
    return status?.ready && entry?.standing === 'member' && !entry.late && !entry.barred
  })
}

/** `picket` with these words, in a node. */
export async function picket({ lab }: Scene, node: string, ...words: string[]) {
  return await exec(lab, node, [`${home}/bin/picket`, ...words], { timeoutMs: 60_000 })
}

/** What the daemon of a node has logged since a mark of `logMark`. */
export function logSince({ lab }: Scene, node: string, mark = 0): string {
  return readFileSync(logFiles(lab, node).daemon, 'utf8').slice(mark)
}

export function logMark(scene: Scene, node: string): number {
  return logSince(scene, node).length
}

/**
 * The lines of a file in the state directory of a node, without a last one that is half written.
 */
export function linesOf({ lab }: Scene, node: string, file: 'fencing' | 'audit') {
  const name = path.join(nodeDir(lab, node), `lib-picket/${file}.jsonl`)
  const whole = existsSync(name) ? readFileSync(name, 'utf8').split('\n').slice(0, -1) : []
  return whole.map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
}

/** How often a sentence stands in a text. */
export function count(text: string, sentence: RegExp): number {
  return [...text.matchAll(new RegExp(sentence, 'g'))].length
}

/** One process of a node by its name, e.g. `corosync`. */
export function processNamed({ lab }: Scene, node: string, name: string) {
  const found = processesIn(lab, node).find((process) => process.name === name)
  assert.ok(found, `there is no ${name} on ${node}`)
  return found
}

/** Kills the daemon of a node, and waits until its supervisor has started another one. */
export async function killDaemon(scene: Scene, node: string): Promise<void> {
  const before = daemonOf(scene.lab, node)
  assert.ok(before)
  process.kill(before.pid, 'SIGKILL')
  await eventually(`picketd is started again on ${node}`, () => {
    const now = daemonOf(scene.lab, node)
    return now !== undefined && now.pid !== before.pid
  })
}

/** One line of the service. */
interface Write {
  readonly atMs: number
  readonly node: string
  readonly what: string
}

/** What the service has written since, on all nodes. */
export function writesSince({ lab }: Scene, sinceMs: number): Write[] {
  const text = readFileSync(path.join(sharedDir(lab), 'writes'), 'utf8')
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .map(([stamp, node = '', , what = '']) => ({ atMs: Number(stamp), node, what }))
    .filter(({ atMs, node }) => node !== '' && atMs >= sinceMs)
}

/** When and how the BMCs of a node were told `off`, or have switched it off. */
export async function offs({ lab, sinceMs }: Scene, node: string, event: 'accepted' | 'done') {
  const logs = await Promise.all(([1, 2] as const).map((level) => readBmcLog(lab, node, level)))
  return logs.flatMap((log, at) =>
    log
      .filter((record) => record.command === 'off' && record.event === event)
      .filter(({ atMs }) => atMs >= sinceMs - BMC_CLOCK_MS)
      .map(({ atMs }) => ({ level: at + 1, atMs })),
  )
}

/** Waits until `from` knows a node as fenced, which a BMC of that node must have been told before. */
export async function fenced(scene: Scene, node: string, from: string): Promise<void> {
  await eventually(`${from} knows ${node} as fenced`, async () => {
    return (await seen(scene, from, node))?.standing === 'fenced'
  })
  assert.notDeepEqual(await offs(scene, node, 'accepted'), [], `nobody has pressed for ${node}`)
}

/** Nobody was told to switch off since the test began, but perhaps `except`. */
export async function nobodyFenced(scene: Scene, except?: string): Promise<void> {
  for (const node of scene.lab.nodes) {
    if (node === except) continue
    assert.deepEqual(await offs(scene, node, 'accepted'), [], `${node} was fenced`)
  }
}

/** The service has run on, in one life, and its client was answered by nobody else. */
export function uninterrupted({ stage, active, sinceMs, ...scene }: Scene): void {
  const writes = writesSince({ stage, active, sinceMs, ...scene }, sinceMs)
  assert.deepEqual(
    writes.filter(({ what }) => what.startsWith('begin')),
    [],
    'the service was started again',
  )
  const answers = stage.witness.answers.filter(({ askedMs }) => askedMs >= sinceMs)
  assert.ok(answers.length > 0)
  assert.deepEqual([...new Set(answers.map(({ node }) => node))], [active])
  assert.equal(answering(stage.witness.answers, 2_000), active)
}

/** Waits until a client is answered by another node than `from`; which one. */
export async function moved(scene: Scene, from: string): Promise<string> {
  return await eventually(`a client is answered by another node than ${from}`, () => {
    const node = answering(scene.stage.witness.answers)
    return node === from ? undefined : node
  })
}

/**
 * The service moves away from `victim`, and was begun elsewhere only after a BMC had switched the
 * victim off. Gives the node that has it now, and the level that did it.
 */
export async function movedAfterFence(scene: Scene, victim: string) {
  const now = await moved(scene, victim)
  const [done] = await offs(scene, victim, 'done')
  assert.ok(done, `the service moved, and no BMC has switched ${victim} off`)
  const begun = writesSince(scene, scene.sinceMs).find(({ what }) => what.startsWith('begin'))
  assert.ok(begun, 'the service was not begun anywhere')
  assert.equal(begun.node, now)
  assert.ok(
    begun.atMs >= done.atMs - BMC_CLOCK_MS,
    `begun on ${now} at ${begun.atMs}, and ${victim} was off at ${done.atMs}`,
  )
  await nobodyFenced(scene, victim)
  return { now, level: done.level }
}
