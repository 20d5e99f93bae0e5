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
import type { Say } from '../core/effect.ts'
import type { Config, NodeId } from '../core/model.ts'
import { isAwaited } from '../core/round.ts'
import type { OrderState } from '../core/state.ts'
import { describe } from '../core/status.ts'
import { hush } from '../net/hush.ts'
import { monotonic as clock } from './clock.ts'
import { openDevices } from './devices.ts'
import { openFencings } from './fencings.ts'
import { handsOf } from './hands.ts'
import { claimFile } from './instance.ts'
import { type RunningNode, runNode } from './runner.ts'
import { openStore } from './store.ts'

export interface AloneOptions {
  readonly config: Config
  readonly devices: Iterable<LoadedDevice>
  /** What has to outlive this process: a directory of its own. */
  readonly stateDir: string
  readonly action: 'off' | 'on' | 'reboot'
  readonly target: NodeId
  readonly requester: string
  readonly reason: string
  /** What is being done, in sentences, as it happens. */
  readonly progress: (text: string) => void
  /** What must never be shown is masked. */
  readonly clean: (text: string) => string
  /** Give up: nothing more is sent. What was sent may still be carried out. */
  readonly stop: AbortSignal
}

type State = ReturnType<typeof beginAlone>

/** The order as it ended; `undefined` when it was stopped. */
export async function orderAlone(options: AloneOptions): Promise<OrderState | undefined> {
  const { target, action, requester, reason, stateDir } = options
  const directory = join(stateDir, target)
  const claim = claimFile(join(directory, 'order.lock'))
  if (claim.ok) return await carryOut(options, directory).finally(claim.release)
  const because = `another order for ${target} is under way here (process ${claim.owner || '?'})`
  const order = { id: '', action, target, requester, reason, boot: '', sinceMs: clock.nowMs() }
  return { ...order, at: 'refused', because }
}

async function carryOut(options: AloneOptions, directory: string): Promise<OrderState | undefined> {
  const { config, target, action, requester, reason, clean, stop } = options
  const self = 'operator'
  const warn = (_: string, text: string) => options.progress(clean(text))
  const store = openStore(directory, config.cluster, warn)
  const fencings = openFencings(directory, clean)
  for (const { action: before } of fencings.unfinished) {
    const text = `An order for ${target} (${before}) was interrupted here`
    options.progress(`${text}: the power is read before anything is pressed.`)
  }
  const state = beginAlone({
    self,
    config,
    identity: { incarnation: randomUUID(), boot: 'none' },
    id: `${action}-${target}-${Date.now().toString(36)}`,
    action,
    target,
    requester,
    reason,
    earlier: store.ledger,
    atMs: clock.nowMs(),
  })
  const devices = openDevices(options.devices)
  const { promise, resolve } = Promise.withResolvers<OrderState | undefined>()
  const tell = progressOf(options)
  let node: RunningNode<State> | undefined
  const hands = handsOf({
    clock,
    corosync: {
      authority: () => aloneAuthority,
      send: (message) => {
        node?.tell({ kind: 'message', from: self, pid: memberOf(self).pid, message })
      },
    },
    awaits: (press) => isAwaited(node?.state() ?? state, press),
    store,
    device: devices.get,
    fencings,
    listen: hush,
    resources: {
      run: () => Promise.reject(new Error('nothing is run here')),
      abort: () => {},
      prepare: () => {},
    },
    say: tell.said,
    exit: () => {},
  })
  node = runNode({
    core: { step, deadlineMs },
    first: { state, effects: [] },
    hands,
    clock,
    journal: { append: () => {}, did: () => {} },
    afterStep: (now) => {
      tell.stage(now)
      const order = orderOf(now)
      if (order.at === 'done' || order.at === 'failed' || order.at === 'refused') resolve(order)
    },
  })
  stop.addEventListener('abort', () => resolve(undefined), { once: true })
  const ended = await promise
  node.stop()
  // The end of the order is as durable as its beginning.
  await store.save(node.state().ledger)
  await Promise.all([store.settled(), fencings.settled()])
  return ended
}

/** Every stage once, and what the core says on the way. */
function progressOf({ progress, clean, target }: AloneOptions): {
  said(say: Say): void
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
