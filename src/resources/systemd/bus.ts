/**
 * One unit of systemd over D-Bus: looks at it, orders jobs, and tells when something happens to it.
 * Signals are hints and nothing more: what is true is always asked for.
 *
 * @source org.freedesktop.systemd1(5).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bounds, CallError, type Signal } from '../../dbus/connection.ts'
import type { Value, Variant } from '../../dbus/marshal.ts'
import { type Ask, openLink, PROPERTIES, SYSTEMD } from './link.ts'
import { kindOf, pathOf } from './name.ts'
import { type Seen, seenIn } from './seen.ts'

export interface UnitBus {
  /** Everything that is known of the unit now. Tries until the bounds are over. */
  look(bounds: Bounds): Promise<Seen>
  /** The state of another unit. */
  activeStateOf(other: string, bounds: Bounds): Promise<string>
  /** Orders a job. Resolves when systemd has taken it on; throws with its reason otherwise. */
  order(job: 'start' | 'stop', bounds: Bounds): Promise<void>
  /** SIGKILL to all that belongs to the unit. */
  kill(bounds: Bounds): Promise<void>
  /** Forgets that it failed, and how often it was started. */
  forgive(bounds: Bounds): Promise<void>
  /** How the last job ended that systemd has told of, for example `done` or `timeout`. */
  lastResult(): string | undefined
  /** Waits until something may have changed, and not longer than this. */
  change(maxMs: number, signal: AbortSignal | undefined): Promise<void>
  /** Calls when the unit is not up any more, or when nobody could tell; until it is taken back. */
  onDown(listener: (because: string) => void): () => void
  close(): void
}

const RETRY_MS = 200
const SIGKILL = 9
/** States in which a service serves. */
const UP = ['active', 'reloading', 'refreshing']

export function isUp(activeState: string): boolean {
  return UP.includes(activeState)
}

export function openUnitBus(unit: string): UnitBus {
  let lastResult: string | undefined
  let news = 0
  let newsSeen = 0
  const waiting = new Set<() => void>()
  const listeners = new Set<(because: string) => void>()
  const wake = () => {
    news += 1
    for (const one of [...waiting]) one()
  }
  const down = (because: string) => {
    for (const one of [...listeners]) one(because)
  }
  const onSignal = (signal: Signal) => {
    if (signal.member === 'JobRemoved' && signal.body[2] === unit) {
      lastResult = String(signal.body[3])
      wake()
    }
    if (signal.member !== 'PropertiesChanged' || signal.path !== pathOf(unit)) return
    wake()
    const activeState = newActiveState(signal)
    if (activeState !== undefined && !isUp(activeState)) down(`systemd says ${activeState}`)
  }
  const { ask, close } = openLink(unit, {
    onSignal,
    onEnd(because) {
      wake()
      down(`the connection to systemd is lost: ${because}`)
    },
  })
  const told = async (member: string, signature: string, body: readonly Value[], bounds: Bounds) =>
    void (await ask({ member, signature, body }, bounds))
  return {
    look: (bounds) =>
      patiently(bounds, () => {
        newsSeen = news
        return look(unit, ask, bounds)
      }),
    activeStateOf: (other, bounds) =>
      patiently(bounds, async () => {
        const path = pathOf(other)
        await ask({ member: 'LoadUnit', signature: 's', body: [other] }, bounds)
        const get = { path, interface: PROPERTIES, member: 'Get', signature: 'ss' }
        const [state] = await ask({ ...get, body: [`${SYSTEMD}.Unit`, 'ActiveState'] }, bounds)
        return String((state as Variant).value)
      }),
    order: async (job, bounds) => {
      lastResult = undefined
      // A start gives way to what others have ordered, and is not repeated: it may have been heard.
      if (job === 'start') return await told('StartUnit', 'ss', [unit, 'fail'], bounds)
      await patiently(bounds, () => told('StopUnit', 'ss', [unit, 'replace'], bounds))
    },
    kill: (bounds) => told('KillUnit', 'ssi', [unit, 'all', SIGKILL], bounds),
    forgive: (bounds) => told('ResetFailedUnit', 's', [unit], bounds),
    lastResult: () => lastResult,
    async change(maxMs, signal) {
      // What came while systemd was being asked may be newer than its answer.
      if (news !== newsSeen) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(finish, maxMs)
        function finish() {
          clearTimeout(timer)
          waiting.delete(finish)
          signal?.removeEventListener('abort', finish)
          resolve()
        }
        waiting.add(finish)
        signal?.addEventListener('abort', finish)
        if (signal?.aborted) finish()
      })
    },
    onDown(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close,
  }
}

async function look(unit: string, ask: Ask, bounds: Bounds): Promise<Seen> {
  const [path] = await ask({ member: 'LoadUnit', signature: 's', body: [unit] }, bounds)
  const of = async (kind: string) => {
    const what = { path: String(path), interface: PROPERTIES, member: 'GetAll', signature: 's' }
    const [all] = await ask({ ...what, body: [`${SYSTEMD}.${kind}`] }, bounds)
    return all as readonly Value[]
  }
  const kind = kindOf(unit) === 'mount' ? 'Mount' : 'Service'
  // In this order: who is stopped in the answer has no process in the next one.
  const general = of('Unit')
  const special = of(kind)
  const processes = processesOf(unit, ask, bounds)
  const [unitValues, kindValues, pids] = await Promise.all([general, special, processes])
  return seenIn([...unitValues, ...kindValues], pids)
}

async function processesOf(unit: string, ask: Ask, bounds: Bounds): Promise<readonly Value[]> {
  try {
    const call = { member: 'GetUnitProcesses', signature: 's', body: [unit] }
    const [processes] = await ask(call, bounds)
    return processes as readonly Value[]
  } catch (error) {
    // A unit that systemd has let go of between two questions has none: it keeps those that have.
    if (error instanceof CallError && error.errorName === `${SYSTEMD}.NoSuchUnit`) return []
    throw error
  }
}

/** Again and again, until there is an answer: a bus that restarts is back in a moment. */
async function patiently<T>(bounds: Bounds, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const leftMs = bounds.untilMs - performance.now()
      if (bounds.signal?.aborted || leftMs < RETRY_MS) throw error
      await sleep(RETRY_MS)
    }
  }
}

/** `undefined`: this signal says nothing of it. */
function newActiveState({ body }: Signal): string | undefined {
  const [, changed = [], invalidated = []] = body as readonly (readonly Value[])[]
  for (const pair of changed) {
    const [name, value] = pair as readonly [string, { readonly value: Value }]
    if (name === 'ActiveState') return String(value.value)
  }
  return invalidated.includes('ActiveState') ? 'another state' : undefined
}
