/**
 * The watchdog as the hands hold it: a thread that feeds the device, and the shared memory through
 * which it learns until when. Everything here returns at once. Where the process ends without
 * `disarm`, however it does, the kernel closes the device and goes on counting: the machine is
 * reset, unless a new daemon has joined the cluster before that.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { type Errand, memoryBytes, orders, viewsOf, type Word } from './feeder.ts'

export interface WatchdogOptions extends Omit<Errand, 'memory'> {
  readonly say: (level: 'info' | 'warn', text: string) => void
  /** What was inherited is ours again, or let go: nobody has to keep it any more. */
  readonly forget?: (() => void) | undefined
  /** What runs in the thread; a test brings its own device there. */
  readonly thread?: URL
}

/** What became of it: once when it is armed or cannot be, and once more if it fails later. */
export interface Armed {
  readonly ok: boolean
  readonly timeoutMs: number
  readonly detail: string
}

export interface Watchdog {
  /** Opens the device and feeds it until then, on the monotonic clock. */
  arm(untilMs: number, tell: (armed: Armed) => void): void
  feedUntil(untilMs: number): void
  /** Lets the machine be. */
  disarm(): void
  /** Leaves it counting until then, for the next picketd; this process is about to end. */
  handOver(untilMs: number): void
  /** Resolves when no device is open any more. */
  settled(): Promise<void>
}

const ownThread = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)
/** A device that has not been opened by then is none. A starved machine takes long for a thread. */
const openMs = 60_000

interface Running {
  readonly worker: Worker
  readonly memory: SharedArrayBuffer
  readonly over: Promise<void>
  tell: ((armed: Armed) => void) | undefined
}

/** Starts the thread, which touches nothing before `arm`. */
export function openWatchdog(options: WatchdogOptions): Watchdog {
  const { say, thread = ownThread, forget = () => {}, ...given } = options
  let errand: Omit<Errand, 'memory'> = given
  let running: Running | undefined = start()

  function start(): Running {
    const memory = new SharedArrayBuffer(memoryBytes)
    const worker = new Worker(thread, { workerData: { ...errand, memory }, name: 'watchdog' })
    const over = Promise.withResolvers<void>()
    const own: Running = { worker, memory, over: over.promise, tell: undefined }
    const fail = (detail: string) => {
      if (running === own) running = undefined
      own.tell?.({ ok: false, timeoutMs: 0, detail })
      own.tell = undefined
    }
    worker.on('message', (word: Word) => {
      if (word.kind === 'handed over') return
      // Once: what is opened after that is a new one.
      if (errand.inherited !== undefined) forget()
      errand = { ...errand, inherited: undefined }
      if (word.kind === 'let go') {
        if (word.because !== undefined) say('warn', `The watchdog is let go: ${word.because}.`)
        return
      }
      if (word.kind === 'failed') return fail(word.detail)
      for (const remark of word.remarks) say('warn', remark)
      own.tell?.({ ok: true, timeoutMs: word.timeoutMs, detail: word.detail })
    })
    worker.on('error', (error) => fail(`the thread that feeds it has died: ${error.message}`))
    worker.on('exit', () => {
      fail('the thread that feeds it has ended')
      over.resolve()
    })
    worker.unref()
    return own
  }

  const write = ({ memory }: Running, order: number) => {
    const { order: word } = viewsOf(memory)
    Atomics.store(word, 0, order)
    Atomics.notify(word, 0)
  }

  return {
    arm(untilMs, tell) {
      const own = running ?? start()
      running = own
      let told = false
      own.tell = (armed) => {
        told = true
        tell(armed)
      }
      Atomics.store(viewsOf(own.memory).lease, 0, BigInt(Math.floor(untilMs)))
      write(own, orders.feed)
      setTimeout(() => {
        if (told) return
        // Should it still open it, it lets go at once.
        write(own, orders.end)
        if (running === own) running = undefined
        own.tell?.({ ok: false, timeoutMs: 0, detail: `${errand.path} has not opened in time` })
        own.tell = undefined
      }, openMs).unref()
    },
    feedUntil(untilMs) {
      if (running === undefined) return
      Atomics.store(viewsOf(running.memory).lease, 0, BigInt(Math.floor(untilMs)))
    },
    disarm() {
      if (running === undefined) return
      running.tell = undefined
      write(running, orders.end)
    },
    handOver(untilMs) {
      if (running === undefined) return
      running.tell = undefined
      Atomics.store(viewsOf(running.memory).lease, 0, BigInt(Math.floor(untilMs)))
      write(running, orders.handOver)
    },
    settled: async () => await running?.over,
  }
}
