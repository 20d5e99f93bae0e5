/**
 * The feeder: what runs in the thread that feeds the watchdog (H7). It sleeps in the kernel between
 * two feedings and looks at nothing but the clock and the shared memory in which the loop writes
 * until when it may feed: no event loop, no disk, no network. It never decides anything: a loop
 * that is blocked, a daemon that has no right to what it holds, both simply write nothing more.
 */
import type { Calls, Device } from './device.ts'

/** What the thread is started with. */
export interface Errand {
  readonly path: string
  readonly timeoutMs: number
  /** A device that counts in larger steps may take longer, but not longer than this. */
  readonly timeoutMaxMs: number
  /** Is this node nothing without it? */
  readonly required: boolean
  /** The descriptor of the device, where the picketd before has left it to us. */
  readonly inherited?: number | undefined
  /** The socket of the service manager that keeps the device open for the next picketd. */
  readonly keeper?: string | undefined
  readonly memory: SharedArrayBuffer
}

/** What the thread says; the last but `armed`. */
export type Word =
  | {
      readonly kind: 'armed'
      readonly timeoutMs: number
      readonly detail: string
      readonly remarks: readonly string[]
    }
  | { readonly kind: 'failed'; readonly detail: string }
  /** Why it is not handed over, where it was to be. */
  | { readonly kind: 'let go'; readonly because?: string }
  | { readonly kind: 'handed over' }

/** `handOver`: the lease is until when it may go on counting. */
export const orders = { wait: 0, feed: 1, end: 2, handOver: 3 } as const

/** The shared memory: an order, and the end of the lease in milliseconds of the one clock. */
export function viewsOf(memory: SharedArrayBuffer) {
  return { order: new Int32Array(memory, 0, 1), lease: new BigInt64Array(memory, 8, 1) }
}

export const memoryBytes = 16

/** Waits for the order to feed, feeds until it is told to end, and says what became of it. */
export function serve(calls: Calls, errand: Errand, say: (word: Word) => void): void {
  const { order, lease } = viewsOf(errand.memory)
  const hurried = calls.hurry()
  Atomics.wait(order, 0, orders.wait)
  if (Atomics.load(order, 0) !== orders.feed) return say(unfed(calls, errand))
  const opened = open(calls, errand)
  if ('because' in opened) return say({ kind: 'failed', detail: opened.because })
  const { device, timeoutMs } = opened
  say({ kind: 'armed', timeoutMs, ...wordsOf(device, opened.nowayout, hurried) })
  const gapMs = Math.max(100, Math.min(1_000, Math.floor(timeoutMs / 4)))
  try {
    for (;;) {
      if (calls.nowMs() < Number(Atomics.load(lease, 0))) device.feed()
      Atomics.wait(order, 0, orders.feed, gapMs)
      if (Atomics.load(order, 0) !== orders.feed) break
    }
    return say(ended(calls, errand, device, timeoutMs))
  } catch (error) {
    device.drop()
    return say({ kind: 'failed', detail: `${errand.path} takes nothing: ${textOf(error)}` })
  }
}

/** It is told to end before it has fed anything. */
function unfed(calls: Calls, errand: Errand): Word {
  if (errand.inherited === undefined) return { kind: 'let go' }
  try {
    return ended(calls, errand, calls.adopt(errand.inherited), errand.timeoutMs)
  } catch (error) {
    return { kind: 'failed', detail: `${errand.path} takes nothing: ${textOf(error)}` }
  }
}

/** Lets it go, or leaves it counting for the next picketd. */
function ended(calls: Calls, errand: Errand, device: Device, timeoutMs: number): Word {
  const { order, lease } = viewsOf(errand.memory)
  if (Atomics.load(order, 0) === orders.end) {
    device.letGo()
    return { kind: 'let go' }
  }
  const wantedMs = Number(Atomics.load(lease, 0)) - calls.nowMs()
  // Else it waits for as long anyway. To be told a timeout is to be fed.
  if (wantedMs > timeoutMs) {
    const asked = Math.ceil(wantedMs / 1_000)
    const givenS = device.setTimeout(asked)
    // A device that counts in larger steps may take a tenth more.
    if (givenS < asked || givenS > asked * 1.1 + 1) {
      device.letGo()
      return {
        kind: 'let go',
        because: `${errand.path} cannot wait for ${asked} s, it makes ${givenS} s of it`,
      }
    }
  }
  // Not kept it goes on counting all the same, and the next picketd opens it anew.
  if (errand.keeper !== undefined) device.keep(errand.keeper)
  return { kind: 'handed over' }
}

type Opened =
  | { readonly device: Device; readonly timeoutMs: number; readonly nowayout: boolean }
  | { readonly because: string }

/** Opens it, and lets it go again at once where it is none that would help. */
function open(calls: Calls, errand: Errand): Opened {
  const { path, timeoutMs, timeoutMaxMs, required, inherited } = errand
  const nowayout = calls.nowayout(path)
  if (nowayout && !required) {
    return {
      because:
        `${path} cannot be stopped once it runs (nowayout), so that every end of picketd would ` +
        'reset this machine; load its driver with nowayout=0, or write watchdog.mode: required',
    }
  }
  let device: Device
  try {
    device = inherited === undefined ? calls.open(path) : calls.adopt(inherited)
  } catch (error) {
    return { because: whyNot(calls, path, error) }
  }
  const refuse = (because: string): Opened => {
    device.letGo()
    return { because }
  }
  if (!device.magicClose) {
    return refuse(
      `${path} (${device.identity}) stops as soon as its program ends, however it ends; ` +
        'it would not notice that picketd was killed',
    )
  }
  try {
    const asked = Math.ceil(timeoutMs / 1_000)
    const givenMs = 1_000 * device.setTimeout(asked)
    if (givenMs >= timeoutMs && givenMs <= timeoutMaxMs)
      return { device, timeoutMs: givenMs, nowayout }
    return refuse(
      `${path} (${device.identity}) waits ${givenMs / 1_000} s, and was asked for ${asked} s; ` +
        `write watchdog.timeout_seconds: ${givenMs / 1_000}, or another device`,
    )
  } catch (error) {
    return refuse(`${path} (${device.identity}): ${textOf(error)}`)
  }
}

function whyNot(calls: Calls, path: string, error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return (
        `there is no ${path}: load the driver of this machine's watchdog, write ` +
        'watchdog.device, or watchdog.mode: off'
      )
    case 'EBUSY': {
      const who = calls.holders(path).join(', ')
      return (
        `${path} is in use${who && ` by ${who}`}: systemd (RuntimeWatchdogSec= in system.conf), ` +
        'the programs watchdog and wd_keepalive, or sbd; only one may have it'
      )
    }
    case 'EACCES':
    case 'EPERM':
      return `picketd may not open ${path}: run it as root`
    default:
      return `${path} cannot be used: ${textOf(error)}`
  }
}

/** What a person should know about it. */
function wordsOf({ identity }: Device, nowayout: boolean, hurried: boolean) {
  const remarks: string[] = []
  if (identity === 'Software Watchdog') {
    remarks.push(
      'The watchdog is softdog, which dies with the kernel: it helps against a hung daemon, not ' +
        'against a hung kernel. Use the hardware one where there is one.',
    )
  }
  if (nowayout) {
    remarks.push(
      'The watchdog cannot be stopped (nowayout): every end of picketd resets this machine.',
    )
  }
  if (!hurried) {
    remarks.push(
      'The thread that feeds the watchdog did not get a real-time priority: on a starved machine ' +
        'it may come too late, and the machine be reset. Run picketd with CAP_SYS_NICE.',
    )
  }
  return { detail: identity, remarks }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
