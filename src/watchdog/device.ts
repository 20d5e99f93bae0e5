/**
 * The calls by which a watchdog device is opened, asked, fed and let go: those of the kernel, and
 * the form in which a test brings its own. All of them return at once; none goes through libuv's
 * threads, which a hung disk may hold.
 *
 * @source Linux, Documentation/watchdog/watchdog-api.rst and include/uapi/linux/watchdog.h.
 */
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename } from 'node:path'
import koffi from 'koffi'
import { giveDescriptor } from './keeper.ts'

export interface Device {
  /** What the driver calls itself. */
  readonly identity: string
  /** The kernel stops it only after the letter V: a daemon that is killed leaves it running. */
  readonly magicClose: boolean
  /** Asks for a timeout; what the device makes of it, in whole seconds. */
  setTimeout(seconds: number): number
  feed(): void
  /** The magic close: from here on the machine is let be. */
  letGo(): void
  /** Closes it and leaves it running. */
  drop(): void
  /** Gives the service manager that listens there a descriptor of it, for the next picketd. */
  keep(socket: string): boolean
}

export interface Calls {
  /** Opens and so starts it. Throws with the `code` of `open(2)`. */
  open(path: string): Device
  /** Takes what was opened by the picketd before: from here on as if it had been opened. */
  adopt(fd: number): Device
  /** Can it be stopped at all, as far as can be told without opening it? */
  nowayout(path: string): boolean
  /** Who has it open, as `name (pid)`. */
  holders(path: string): readonly string[]
  /** Schedules this thread before all others that are not of real time. */
  hurry(): boolean
  nowMs(): number
}

/** Request numbers as on x86 and ARM. */
const WDIOC_GETSUPPORT = 0x80285700
const WDIOC_SETTIMEOUT = 0xc0045706
const WDIOC_GETTIMEOUT = 0x80045707
const WDIOF_SETTIMEOUT = 0x0080
const WDIOF_MAGICCLOSE = 0x0100
/** `struct watchdog_info`: options, firmware version, identity. */
const infoBytes = 40
const identityAt = 8
const SCHED_FIFO = 1
/** What this thread starts is scheduled as usual. */
const SCHED_RESET_ON_FORK = 0x40000000

export const kernel: Calls = {
  open(path) {
    // Only a device counts: to a file one could write for ever.
    if (!statSync(path).isCharacterDevice()) throw new Error(`${path} is no device`)
    const fd = openSync(path, 'w')
    try {
      return deviceAt(fd)
    } catch (error) {
      stop(fd)
      throw error
    }
  },

  adopt(fd) {
    // Node.js minds when a thread closes by its means what the thread has not opened.
    const close = libc().func('int close(int fd)')
    try {
      return deviceAt(fd, close)
    } catch (error) {
      close(fd)
      throw error
    }
  },

  nowayout: (path) => attribute(path, 'nowayout') === '1',

  holders(path) {
    const ours = names(path)
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids.filter((pid) => opens(pid, ours)).map((pid) => `${nameOf(pid)} (${pid})`)
  },

  hurry() {
    const set = libc().func('int sched_setscheduler(int pid, int policy, const int *priority)')
    return set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, [1]) === 0
  },

  nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),
}

const libc = () => koffi.load('libc.so.6')

function deviceAt(fd: number, close: (fd: number) => void = closeSync): Device {
  const ioctl = libc().func('int ioctl(int fd, unsigned long request, void *argument)')
  const call = (request: number, argument: Buffer, what: string): Buffer => {
    if (ioctl(fd, request, argument) >= 0) return argument
    throw new Error(`it does not ${what} (errno ${koffi.errno()})`)
  }
  const info = call(WDIOC_GETSUPPORT, Buffer.alloc(infoBytes), 'say what it is')
  const options = info.readUInt32LE(0)
  const name = info.subarray(identityAt)
  const end = name.indexOf(0)
  return {
    identity: name.toString('latin1', 0, end < 0 ? undefined : end).replace(/[^ -~]/g, '?'),
    magicClose: (options & WDIOF_MAGICCLOSE) !== 0,
    setTimeout(seconds) {
      const value = Buffer.alloc(4)
      value.writeInt32LE(seconds)
      if ((options & WDIOF_SETTIMEOUT) !== 0) call(WDIOC_SETTIMEOUT, value, 'take a timeout')
      return call(WDIOC_GETTIMEOUT, value, 'tell its timeout').readInt32LE(0)
    },
    feed: () => void writeSync(fd, '\0'),
    letGo: () => stop(fd, close),
    drop: () => close(fd),
    keep: (socket) => giveDescriptor(socket, fd),
  }
}

function stop(fd: number, close: (fd: number) => void = closeSync): void {
  try {
    writeSync(fd, 'V')
  } finally {
    close(fd)
  }
}

/** Is this what the path opens? */
export function isDeviceAt(path: string, fd: number): boolean {
  try {
    return names(path).includes(readlinkSync(`/proc/self/fd/${fd}`))
  } catch {
    return false
  }
}

/** What sysfs says of it; empty where it says nothing. */
function attribute(path: string, name: string): string {
  try {
    const base = basename(realpathSync(path))
    // The old name is another one for the first.
    const device = base === 'watchdog' ? 'watchdog0' : base
    return readFileSync(`/sys/class/watchdog/${device}/${name}`, 'utf8').trim()
  } catch {
    return ''
  }
}

/** The names under which others may have opened it. */
function names(path: string): readonly string[] {
  const real = realpathSync(path)
  if (real === '/dev/watchdog') return [real, '/dev/watchdog0']
  return real === '/dev/watchdog0' ? [real, '/dev/watchdog'] : [real]
}

function opens(pid: string, paths: readonly string[]): boolean {
  try {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).some((fd) => paths.includes(target(`${folder}/${fd}`)))
  } catch {
    // It has ended, or is not ours to look at.
    return false
  }
}

function target(link: string): string {
  try {
    return lstatSync(link).isSymbolicLink() ? readlinkSync(link) : ''
  } catch {
    return ''
  }
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return 'a program'
  }
}
