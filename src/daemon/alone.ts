/**
 * Carries out one order where picketd is not configured: the hands of the daemon, with nobody to
 * ask. What is about to be done is on disk before the first command, so that an order that was
 * interrupted is taken up by looking (F4).
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { LoadedDevice } from '../config/load.ts'
import { aloneAuthority, beginAlone, memberOf, orderOf } from '../core/alone.ts'
import { deadlineMs, step } from '../core/cluster.ts'
import type { Say as Said } from '../core/effect.ts'
import type { Config, NodeId } from '../core/model.ts'
import { isAwaited } from '../core/round.ts'
import type { OrderState } from '../core/state.ts'
import { describe } from '../core/status.ts'
import type { Net } from '../foreign/mask.ts'
import { hush } from '../net/hush.ts'
import { openAuditor } from './auditor.ts'
import { monotonic as clock } from './clock.ts'
import { orderFacts } from './decisions.ts'
import { openDevices } from './devices.ts'
import { handsOf, within } from './hands.ts'
import { claimFile } from './instance.ts'
import type { Say } from './log.ts'
import { openRecords, type Records } from './records.ts'
import { type RunningNode, runNode } from './runner.ts'

export interface AloneOptions {
  readonly config: Config
  readonly devices: Iterable<LoadedDevice>
  /** What has to outlive this process: a directory of its own, or records that do not. */
  readonly stateDir: string | Records
  readonly action: 'off' | 'on' | 'reboot'
  readonly target: NodeId
  /** What the order is called in its record; no two have one name. Made up where it is left out. */
  readonly id?: string
  readonly requester: string
  readonly reason: string
  /** What is being done, in sentences, as it happens. */
  readonly progress: (text: string) => void
  /** What must never be shown is masked. */
  readonly clean: Net
  /** Give up: nothing more is sent. What was sent may still be carried out. */
  readonly stop: AbortSignal
  /**
   * Asked right before every write to a device: whoever was frozen meanwhile has not heard yet that
   * its time is over.
   */
  readonly wanted?: () => boolean
}

type State = ReturnType<typeof beginAlone>

/** How the one who orders is named in messages, which only he reads. */
const self = 'operator'
/** How long a disk may take for the last lines of the audit log. */
const lastWordsMs = 2_000

/** The order as it ended; `undefined` when it was stopped. */
export async function orderAlone(options: AloneOptions): Promise<OrderState | undefined> {
  const { target, action, requester, reason, stateDir } = options
  if (typeof stateDir !== 'string') return await carryOut(options, stateDir)
  const directory = join(stateDir, target)
  const claim = claimFile(join(directory, 'order.lock'))
  if (claim.ok) {
    const { cluster } = options.config
    const records = openRecords(directory, cluster, { say: sayTo(options), clean: options.clean })
    return await carryOut(options, records).finally(claim.release)
  }
  const because = `another order for ${target} is under way here (process ${claim.owner || '?'})`
  const order = { id: '', action, target, resource: '', requester, reason, boot: '' }
  return { ...order, sinceMs: clock.nowMs(), at: 'refused', because }
}

const sayTo =
  ({ clean, progress }: AloneOptions): Say =>
  (_, text) =>
    progress(clean(text))

async function carryOut(options: AloneOptions, records: Records): Promise<OrderState | undefined> {
  const { target, action, progress } = options
  const { store, fencings, audit } = records
  const state = beginAlone({
    ...options,
    self,
    identity: { incarnation: randomUUID(), boot: 'none' },
    id: options.id ?? `${action}-${target}-${Date.now().toString(36)}`,
    earlier: store.ledger,
    atMs: clock.nowMs(),
  })
  for (const { id, action: before } of fencings.unfinished) {
    const text = `An order for ${target} (${before}) was interrupted here`
    progress(`${text}: the power is read before anything is pressed.`)
    audit.note('interrupted', { target, id, action: before })
  }
  audit.note('order', orderFacts(orderOf(state)))
  const { ended, last } = await untilEnded(options, state, records)
  // The end of the order is as durable as its beginning.
  await store.save(last.ledger)
  await Promise.all([store.settled(), fencings.settled()])
  // A log that takes nothing has said so, and holds nobody up.
  await within(audit.close(), lastWordsMs, undefined)
  return ended
}

/** Runs the loop until the order has ended, or was stopped. */
async function untilEnded(
  options: AloneOptions,
  state: State,
  { store, fencings, audit }: Records,
): Promise<{ ended: OrderState | undefined; last: State }> {
  const devices = openDevices(options.devices)
  const { promise, resolve } = Promise.withResolvers<OrderState | undefined>()
  const tell = progressOf(options)
  let node: RunningNode<State> | undefined
  const now = () => node?.state() ?? state
  const isWanted = () => !options.stop.aborted && (options.wanted?.() ?? true)
  const hands = handsOf({
    clock,
    corosync: {
      authority: () => aloneAuthority,
      send: (message) => {
        node?.tell({ kind: 'message', from: self, pid: memberOf(self).pid, message })
      },
    },
    // Who gave up has no use for what is still on its way to the device.
    awaits: (press) => isWanted() && isAwaited(now(), press),
    store,
    device: devices.get,
    fencings,
    listen: hush,
    resources: {
      run: () => Promise.reject(new Error('nothing is run here')),
      abort: () => {},
      prepare: () => {},
    },
    checks: { ask: () => Promise.reject(new Error('nothing is checked here')) },
    say: tell.said,
    exit: () => {},
  })
  const unkept = { append: () => {}, did: () => {} }
  node = runNode({
    core: { step, deadlineMs },
    first: { state, effects: [] },
    hands,
    clock,
    journal: openAuditor({ audit, journal: unkept, say: sayTo(options), state: now }),
    afterStep: (after) => {
      tell.stage(after)
      const order = orderOf(after)
      if (order.at === 'done' || order.at === 'failed' || order.at === 'refused') resolve(order)
    },
  })
  options.stop.addEventListener('abort', () => resolve(undefined), { once: true })
  const ended = await promise
  node.stop()
  return { ended, last: node.state() }
}

/** Every stage once, and what the core says on the way. */
function progressOf({ progress, clean, target }: AloneOptions): {
  said(say: Said): void
  stage(state: State): void
} {
  let last = ''
  const tell = (text: string) => {
    if (text === last || text === '') return
    last = text
    progress(clean(text))
  }
  return {
    said: ({ text, facts }) => {
      const trouble = typeof facts?.trouble === 'string' ? `: ${facts.trouble}` : ''
      tell(`${text}${trouble}`)
    },
    stage(state) {
      const at = describe(state, clock.nowMs()).nodes.find(({ id }) => id === target)?.fencing?.at
      const round = state.fencings[target]
      if (round !== undefined && round.at !== 'done') tell(at ?? '')
    },
  }
}
