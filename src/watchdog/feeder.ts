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
  | { readonly kind: 'let go' }

export const orders = { wait: 0, feed: 1, end: 2 } as const

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
  if (Atomics.load(order, 0) === orders.end) return say({ kind: 'let go' })
  const opened = open(calls, errand)
  if ('because' in opened) return say({ kind: 'failed', detail: opened.because })
  const { device, timeoutMs } = opened
  say({ kind: 'armed', timeoutMs, ...wordsOf(device, opened.nowayout, hurried) })
  const gapMs = Math.max(100, Math.min(1_000, Math.floor(timeoutMs / 4)))
  try {
    for (;;) {
      if (calls.nowMs() < Number(Atomics.load(lease, 0))) device.feed()
      Atomics.wait(order, 0, orders.feed, gapMs)
      if (Atomics.load(order, 0) === orders.end) break
    }
    device.letGo()
  } catch (error) {
    device.drop()
    return say({ kind: 'failed', detail: `${errand.path} takes nothing: ${textOf(error)}` })
  }
  say({ kind: 'let go' })
}

type Opened =
  | { readonly device: Device; readonly timeoutMs: number; readonly nowayout: boolean }
  | { readonly because: string }

/** Opens it, and lets it go again at once where it is none that would help. */
function open(calls: Calls, { path, timeoutMs, timeoutMaxMs, required }: Errand): Opened {
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
    device = calls.open(path)
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
