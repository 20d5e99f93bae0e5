/**
 * The way to systemd, for one unit: a connection, opened when it is needed, and anew when it is
 * lost.
 *
 * The system bus comes first: it is the documented way. Where it does not let us in (its daemon has
 * died or hangs), systemd is asked over the socket that `systemctl` uses for root, so that a bus
 * that died costs no node its services.
 *
 * @source D-Bus Specification, "Server Addresses" and "Match Rules"; systemd(1), "Sockets and
 * FIFOs".
 */
import {
  type Bounds,
  type Call,
  CallError,
  type Connection,
  connect,
  listen,
  type Signal,
} from '../../dbus/connection.ts'
import type { Value } from '../../dbus/marshal.ts'
import { pathOf } from './name.ts'

export type Ask = (
  call: Partial<Call> & { readonly member: string },
  bounds: Bounds,
) => Promise<readonly Value[]>

export interface Link {
  /** Calls systemd; its manager where nothing else is named. */
  readonly ask: Ask
  close(): void
}

export const SYSTEMD = 'org.freedesktop.systemd1'
export const PROPERTIES = 'org.freedesktop.DBus.Properties'
const MANAGER = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' }
const ADDRESSES = 'unix:path=/run/dbus/system_bus_socket;unix:path=/run/systemd/private'
/** How long one address has to let us in. */
const CONNECT_MS = 2000

export function openLink(
  unit: string,
  told: { onSignal(signal: Signal): void; onEnd(because: string): void },
): Link {
  let connection: Promise<Connection> | undefined
  const forget = () => {
    connection = undefined
  }
  const open = async (bounds: Bounds) => {
    const opened = await connectSomewhere(unit, bounds)
    opened.onSignal(told.onSignal)
    opened.onEnd((because) => {
      forget()
      told.onEnd(because)
    })
    return opened
  }
  const connected = (bounds: Bounds): Promise<Connection> => {
    if (connection === undefined) {
      connection = open(bounds)
      connection.catch(forget)
    }
    return connection
  }
  return {
    async ask(call, bounds) {
      const opened = await connected(bounds)
      try {
        return await opened.call({ destination: SYSTEMD, ...MANAGER, ...call }, bounds)
      } catch (error) {
        // Who does not answer a question is asked the next one over another connection. An order
        // may have been heard and be carried out late: what follows has to stand behind it.
        const isQuestion = /^(Load|Get)/.test(call.member)
        const gaveUp = error instanceof CallError || bounds.signal?.aborted === true
        if (isQuestion && !gaveUp) opened.close((error as Error).message)
        throw error
      }
    },
    close() {
      connection?.then((opened) => opened.close('it is not needed any more')).catch(() => {})
    },
  }
}

async function connectSomewhere(unit: string, bounds: Bounds): Promise<Connection> {
  const failures: string[] = []
  for (const socketPath of socketPaths()) {
    const untilMs = Math.min(bounds.untilMs, performance.now() + CONNECT_MS)
    const some = { ...bounds, untilMs }
    try {
      // systemd's own socket is no bus.
      const viaBus = !socketPath.endsWith('/systemd/private')
      const open = await connect({ socketPath, viaBus }, some)
      await subscribe(open, unit, some)
      return open
    } catch (error) {
      failures.push(`${socketPath}: ${(error as Error).message}`)
    }
  }
  throw new Error(`systemd cannot be asked here (${failures.join('; ')}); is it running, and dbus?`)
}

/** The paths of an address list, `unix:path=A;unix:path=B`; other transports are left out. */
function socketPaths(): readonly string[] {
  const given = process.env.DBUS_SYSTEM_BUS_ADDRESS || ADDRESSES
  return given.split(';').flatMap((address) => {
    const path = /^unix:(?:.*,)?path=([^,]+)/.exec(address)?.[1]
    return path === undefined ? [] : [decodeURIComponent(path)]
  })
}

async function subscribe(open: Connection, unit: string, bounds: Bounds): Promise<void> {
  try {
    const from = `type='signal',sender='${SYSTEMD}'`
    const ours = `interface='${PROPERTIES}',member='PropertiesChanged',path='${pathOf(unit)}'`
    await listen(open, `${from},${ours}`, bounds)
    const jobs = `interface='${MANAGER.interface}',member='JobRemoved',arg2='${unit}'`
    await listen(open, `${from},${jobs}`, bounds)
    await open.call({ destination: SYSTEMD, ...MANAGER, member: 'Subscribe' }, bounds)
  } catch (error) {
    open.close((error as Error).message)
    throw error
  }
}
