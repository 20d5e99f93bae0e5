/**
 * A QEMU process of this machine, through its monitor (QMP) on a unix socket.
 *
 * The one thing that is off is the end of the process. As long as it lives it holds memory and open
 * disks, whatever state it names: paused, shut down with `-no-shutdown`, or not saying anything.
 *
 * @see qemu-qmp-ref(7): query-status, query-uuid, quit; docs/interop/qmp-spec.
 */
import { z } from 'zod'
import { defineDriver, type Status } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Pinned } from '../processes.ts'
import type { Wire } from '../wire.ts'
import { openMonitor } from './qemu-monitor.ts'

const path = z.string().startsWith('/', 'is not an absolute path')

const options = z.strictObject({
  socket: path.meta({ title: 'Unix socket of the monitor: -qmp unix:PATH,server=on,wait=off' }),
  pidfile: path.meta({ title: 'File with the pid of the process: -pidfile PATH' }),
  start_command: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .meta({ title: 'Program and arguments that start it and end; without it there is no on' }),
})

type Options = z.output<typeof options>

/** States that end by themselves, and let the machine run on (F18). */
const passing = ['finish-migrate', 'inmigrate', 'save-vm']

/** Who last answered at the monitor. */
interface Seen {
  /** Its pid file goes before it does. Undefined where the pid file named nobody. */
  readonly process: Pinned | undefined
  readonly identity: string
}

const seen = new WeakMap<Options, Seen>()

export const qemu = defineDriver({
  name: 'qemu',
  title: 'A QEMU process of this machine, through its monitor (QMP)',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    sharedFate: 'host-power',
    readGapMs: 100,
    // A process that is stopped, or waits for its storage, reads a waiting quit when it goes on.
    lateMs: 60_000,
    // `Restart=` in its unit, a person.
    returnsMs: 60_000,
    settleMs: 5_000,
    vouches: true,
    timeoutMs: 5_000,
  },

  endpoint: ({ socket }) => socket,

  status: readStatus,

  async powerOff(options, wire) {
    const monitor = await openMonitor(options.socket, wire)
    if (monitor === undefined) {
      if (processOf(options, wire) === undefined) return
      throw new FenceError('unreachable', `${options.socket}: nobody listens, the process lives`)
    }
    try {
      // From here on, what is read as off is the end of this very process.
      remember(options, wire, await monitor.uuid())
      await monitor.quit()
    } finally {
      monitor.close()
    }
  },

  async powerOn(options, wire) {
    const [program, ...args] = options.start_command ?? []
    if (program === undefined) {
      throw new FenceError('options', 'nothing says how to start it', 'set start_command')
    }
    const { power, raw } = await readStatus(options, wire)
    if (power === 'on') return
    if (power !== 'off') throw new FenceError('refused', `it is ${raw}, and not ended`)
    const { code, stderr } = await wire.run(program, args, { debianPackage: 'qemu-system-x86' })
    if (code !== 0) throw new FenceError('failed', `${program} ${code}: ${printable(stderr)}`)
  },

  async verify(options, wire) {
    const { power, raw, identity } = await readStatus(options, wire)
    const met = seen.get(options)
    if (met !== undefined && met.process === undefined) {
      const mend = 'start it with -pidfile, or correct pidfile: its end can be seen by that alone'
      throw new FenceError('options', `${options.pidfile} names no running process`, mend)
    }
    const on = options.start_command === undefined ? '; it cannot be switched on again' : ''
    const blind = power === 'off' ? '; check again while it runs, to know the paths are right' : ''
    const who = identity === undefined ? '' : `, UUID ${identity}`
    return { identity, detail: `it is ${raw}${who}${on}${blind}` }
  },
})

async function readStatus(options: Options, wire: Wire): Promise<Status> {
  const monitor = await openMonitor(options.socket, wire)
  if (monitor === undefined) return silent(options, wire)
  try {
    const identity = await monitor.uuid()
    const raw = await monitor.state()
    remember(options, wire, identity)
    const spare = passing.includes(raw) ? `QEMU is at work on it: ${raw}` : undefined
    return { power: raw === 'running' ? 'on' : 'unknown', raw, identity, spare }
  } finally {
    monitor.close()
  }
}

/** Nobody listens: has the process ended? */
function silent(options: Options, wire: Wire): Status {
  const met = seen.get(options)
  if (met !== undefined && met.process === undefined) {
    return { power: 'unknown', raw: 'without a monitor, and the pid file never named it' }
  }
  const alive = processOf(options, wire)
  // What has ended names itself no more. It was this one that has.
  return alive === undefined
    ? { power: 'off', raw: 'ended', identity: met?.identity }
    : { power: 'unknown', raw: `process ${alive.pid} without a monitor` }
}

function processOf(options: Options, wire: Wire): Pinned | undefined {
  const { pidfile, socket } = options
  return wire.process({ pidfile, paths: [socket], before: seen.get(options)?.process })
}

function remember(options: Options, wire: Wire, identity: string): void {
  const { pidfile, socket } = options
  seen.set(options, { process: wire.process({ pidfile, paths: [socket] }), identity })
}
