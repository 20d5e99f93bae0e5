/**
 * A watchdog device that is a file, for tests: every write is a line in it, with the instant, and
 * the calls of the kernel are answered from its first line. It runs in the feeder's thread, in place
 * of the thread that opens real devices; nothing in the file resets anything.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { Calls, Device } from '../../src/watchdog/device.ts'
import { serve } from '../../src/watchdog/feeder.ts'
import { giveDescriptor } from '../../src/watchdog/keeper.ts'

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

function deviceAt(fd: number, path: string, nature: Nature, own: boolean): Device {
  const { identity = 'a double', magicClose = true, takes = Infinity } = nature
  const write = (word: string) => appendFileSync(path, `${nowMs()} ${word}\n`)
  const close = (word: string) => {
    write(word)
    // What a thread has not opened it does not close.
    if (own) closeSync(fd)
  }
  let fed = 0
  return {
    identity,
    magicClose,
    setTimeout(s) {
      const given = Math.min(nature.secondsMax ?? Infinity, Math.max(nature.secondsMin ?? 0, s))
      write(`timeout:${given}`)
      return given
    },
    feed() {
      if (fed++ >= takes) throw new Error('EIO')
      write('feed')
    },
    letGo: () => close('V'),
    drop: () => close('drop'),
    keep(socket) {
      write('keep')
      return giveDescriptor(socket, fd)
    },
  }
}

const calls: Calls = {
  open(path) {
    if (!existsSync(path)) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    const nature = JSON.parse(readFileSync(path, 'utf8').split('\n')[0]!) as Nature
    const { code } = nature
    if (code !== undefined) throw Object.assign(new Error(code), { code })
    const fd = openSync(path, 'a')
    appendFileSync(path, `${nowMs()} open\n`)
    return deviceAt(fd, path, nature, true)
  },
  adopt(fd) {
    const path = readlinkSync(`/proc/self/fd/${fd}`)
    const nature = JSON.parse(readFileSync(path, 'utf8').split('\n')[0]!) as Nature
    appendFileSync(path, `${nowMs()} adopt\n`)
    return deviceAt(fd, path, nature, false)
  },
  nowayout: (path) =>
    existsSync(path) && readFileSync(path, 'utf8').split('\n')[0]!.includes('"nowayout":true'),
  holders: () => ['sleeper (7)'],
  hurry: () => true,
  nowMs,
}

serve(calls, workerData, (word) => parentPort?.postMessage(word))
