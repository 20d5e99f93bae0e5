/**
 * A watchdog device that is a file, for tests: every write is a line in it, with the instant, and
 * the calls of the kernel are answered from its first line. It runs in the feeder's thread, in place
 * of the thread that opens real devices; nothing in the file resets anything.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Calls } from '../../src/watchdog/device.ts'
import { serve } from '../../src/watchdog/feeder.ts'

/** What the device is like; the first line of its file. */
export interface Nature {
  readonly identity?: string
  readonly magicClose?: boolean
  readonly nowayout?: boolean
  /** It can do no more, or no less, than so many seconds. */
  readonly secondsMin?: number
  readonly secondsMax?: number
  readonly code?: string
  /** So many feedings are taken. */
  readonly takes?: number
}

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n)

const calls: Calls = {
  open(path) {
    if (!existsSync(path)) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    const nature = JSON.parse(readFileSync(path, 'utf8').split('\n')[0]!) as Nature
    const { code, identity = 'a double', magicClose = true, takes = Infinity } = nature
    if (code !== undefined) throw Object.assign(new Error(code), { code })
    const write = (word: string) => appendFileSync(path, `${nowMs()} ${word}\n`)
    let fed = 0
    write('open')
    return {
      identity,
      magicClose,
      setTimeout: (s) =>
        Math.min(nature.secondsMax ?? Infinity, Math.max(nature.secondsMin ?? 0, s)),
      feed() {
        if (fed++ >= takes) throw new Error('EIO')
        write('feed')
      },
      letGo: () => write('V'),
      drop: () => write('drop'),
    }
  },
  nowayout: (path) =>
    existsSync(path) && readFileSync(path, 'utf8').split('\n')[0]!.includes('"nowayout":true'),
  holders: () => ['sleeper (7)'],
  hurry: () => true,
  nowMs,
}

serve(calls, workerData, (word) => parentPort?.postMessage(word))
