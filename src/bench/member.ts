/**
 * One whole picketd in this process, without Corosync: the real core, loop, hands, disk, journal
 * and devices. The rest of the cluster is played by echoes, which agree to everything that it says,
 * so that what is measured is our own work and the devices'.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoadedDevice } from '../config/load.ts'
import { begin, deadlineMs, step } from '../core/cluster.ts'
import type { Config, NodeId } from '../core/model.ts'
import { isAwaited } from '../core/round.ts'
import type { State } from '../core/state.ts'
import { monotonic as clock } from '../daemon/clock.ts'
import { openDevices, secretsIn } from '../daemon/devices.ts'
import { openFencings } from '../daemon/fencings.ts'
import { type Body, handsOf } from '../daemon/hands.ts'
import { openJournal } from '../daemon/journal.ts'
import { openMailbox } from '../daemon/mailbox.ts'
import { type Hands, runNode } from '../daemon/runner.ts'
import { openStore } from '../daemon/store.ts'
import { createNet } from '../foreign/mask.ts'
import { playedRing } from './played-ring.ts'

/** A node that can be lost, and the one device that fences it. */
export interface Target {
  readonly node: NodeId
  readonly device: LoadedDevice
  readonly timeoutMs?: number
}

/** When things happened to one target, on the clock of `performance.now()`. */
export interface Fenced {
  /** The ring has lost it. */
  readonly lostMs: number
  readonly pressedMs: number
  /** The member has its proof: two reads in a row. */
  readonly provenMs: number
}

export interface Member {
  /** Every device has said who it is, as in a cluster that has been up for a while. */
  ready(): Promise<void>
  /** These nodes vanish from the ring, and those of them that are `awaited` are proven off. */
  lose(nodes: readonly NodeId[], awaited?: readonly NodeId[]): Promise<readonly Fenced[]>
  /** Every node is back, and its devices work again. */
  heal(): Promise<void>
  close(): Promise<void>
}

/** The lowest name leads. */
const self = 'bench'
/** How long what needs no slow device may take. */
const PATIENCE_MS = 60_000

/** Starts a picketd that fences these targets, in a ring with all of them. */
export function startMember(targets: readonly Target[]): Member {
  const names = targets.map(({ node }) => node)
  // More than half of all nodes have to stay.
  const echoes = Array.from({ length: names.length }, (_, index) => `echo${index}`)
  const ring = playedRing(self, echoes, names)
  const daemon = startDaemon(targets, configOf(targets, [self, ...echoes, ...names]), ring)
  const { state, pressed, proven, alarms } = daemon
  ring.begin(daemon.tell)

  const until = async (what: string, holds: () => boolean) => {
    const endMs = performance.now() + PATIENCE_MS
    while (!holds()) {
      if (performance.now() > endMs) throw new Error(`${what}: ${alarms.slice(-3).join('; ')}`)
      await new Promise((done) => setTimeout(done, 10))
    }
  }
  const standing = (id: NodeId) => state().ledger.nodes[id]?.standing
  const allIn = () =>
    state().session?.open === true && names.every((id) => standing(id) === 'member')

  return {
    async ready() {
      await until('the nodes do not come together', allIn)
      await until('a device does not answer', () =>
        targets.every(({ device }) => state().devices[device.id]?.ok === true),
      )
    },
    async lose(nodes, awaited = nodes) {
      pressed.clear()
      proven.clear()
      const lostMs = performance.now()
      ring.lose(nodes)
      await until('a node is not proven off', () =>
        awaited.every((id) => standing(id) === 'fenced'),
      )
      return awaited.map((id) => {
        const [pressedMs = Number.NaN, provenMs = Number.NaN] = [pressed.get(id), proven.get(id)]
        return { lostMs, pressedMs, provenMs }
      })
    },
    async heal() {
      ring.lose([])
      await until('the nodes do not come back', allIn)
    },
    close: daemon.close,
  }
}

/** The parts of picketd that `src/daemon/member.ts` puts together, with another Corosync. */
function startDaemon(targets: readonly Target[], config: Config, corosync: Body['corosync']) {
  const dir = mkdtempSync(join(tmpdir(), 'picket-bench-'))
  const alarms: string[] = []
  const pressed = new Map<NodeId, number>()
  const proven = new Map<NodeId, number>()
  const say = (level: string, text: string) => void (level === 'alarm' && alarms.push(text))
  const devices = targets.map(({ device }) => device)
  const fencings = openFencings(dir, createNet(secretsIn(devices)))
  const store = openStore(dir, config.cluster, say)
  const identity = { incarnation: 'bench', boot: 'bench' }
  const beginning = { self, config, identity, ledger: undefined, atMs: clock.nowMs() }
  const first = begin(beginning)
  const mailbox = openMailbox()
  const state = () => mailbox.node?.state() ?? first.state
  const journal = openJournal({ path: join(dir, 'journal.jsonl'), say, state })
  journal.begin(beginning)
  const body: Body = {
    clock,
    corosync,
    awaits: (press) => isAwaited(state(), press),
    store,
    device: openDevices(devices).get,
    fencings,
    listen: async () => ({ silent: true, answered: [], because: 'it has no address' }),
    resources: noResources,
    checks: { ask: async () => ({ ok: false, detail: 'there is none' }) },
    say: ({ level, text }) => say(level, text),
    exit: (_, because) => void alarms.push(because),
  }
  const hands = watched(handsOf(body), pressed, proven)
  const afterStep = (now: State) =>
    fencings.keepOnly(new Set(Object.values(now.fencings).map(({ id }) => id)))
  const core = { step, deadlineMs }
  mailbox.deliverTo(runNode({ core, first, hands, clock, journal, afterStep }))
  return {
    tell: mailbox.tell,
    state,
    pressed,
    proven,
    alarms,
    async close() {
      mailbox.node?.stop()
      journal.close()
      await Promise.all([fencings.settled(), store.settled()])
      rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 })
    },
  }
}

const noResources: Body['resources'] = {
  run: async (_id, resource) => ({ outcome: 'unknown', detail: `there is no ${resource}` }),
  abort: () => undefined,
  prepare: () => undefined,
}

/** The same hands; notes when a button is pressed for the first time, and when that was proven. */
function watched(hands: Hands, pressed: Map<NodeId, number>, proven: Map<NodeId, number>): Hands {
  return {
    perform(effect, tell) {
      const nowMs = performance.now()
      if (effect.do === 'press' && !pressed.has(effect.target)) pressed.set(effect.target, nowMs)
      if (effect.do === 'send' && effect.message.say === 'verdict') {
        const { node, verdict } = effect.message
        if (verdict.proven && !proven.has(node)) proven.set(node, nowMs)
      }
      hands.perform(effect, tell)
    },
  }
}

/** The timing of the defaults, and no rule that holds a fencing back. */
function configOf(targets: readonly Target[], names: readonly NodeId[]): Config {
  const deviceOf = new Map(targets.map(({ node, device }) => [node, device.id]))
  return {
    halves: false,
    cluster: 'bench',
    hash: 'bench',
    nodes: names.map((id) => {
      const device = deviceOf.get(id)
      const levels = device === undefined ? [] : [{ devices: [device], verify: false }]
      return { id, levels, addresses: [], priority: 0, capacity: {} }
    }),
    resources: [],
    checks: [],
    devices: targets.map(({ device: { id, driver, identity }, timeoutMs }) => {
      const { isolation, readGapMs, lateMs, returnsMs, settleMs } = driver.capabilities
      const gaps = { readGapMs, lateMs, returnsMs, settleMs, vouches: false }
      const bounds = { ...gaps, timeoutMs: timeoutMs ?? driver.capabilities.timeoutMs }
      return { id, driver: driver.name, isolation, identity, ...bounds }
    }),
    timing: {
      beatMs: 1_000,
      echoMs: 2_500,
      silentMs: 10_000,
      strangerMs: 300_000,
      startGraceMs: 30_000,
      retryMs: 2_000,
      retryMaxMs: 60_000,
      checkEveryMs: 300_000,
      coolDownMs: 60_000,
      stopAttemptsMax: 3,
      leaveMs: 10_000,
      detachMs: 60_000,
    },
    rules: {
      delayMs: 0,
      randomDelayMs: 0,
      priorityDelayMs: 0,
      reprieveMs: 0,
      minIntervalMs: 0,
      stormMax: 1_000_000,
      stormWindowMs: 600_000,
      rejoin: 'automatic',
    },
  }
}
