/**
 * A connection to a D-Bus daemon, or straight to a program that speaks D-Bus: proves who we are,
 * sends calls, each with a bound, and hands out signals. Whatever comes that is no D-Bus ends it.
 *
 * @source D-Bus Specification, "Authentication Protocol" (EXTERNAL) and "Message Bus Messages".
 */
import { connect as connectSocket, type Socket } from 'node:net'
import type { Value } from './marshal.ts'
import { decodeMessage, encodeMessage, type Message, messageLength } from './message.ts'

export interface Call {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly signature?: string
  readonly body?: readonly Value[]
}

/** When a call is given up: at an instant of `performance.now()`, or as soon as nobody wants it. */
export interface Bounds {
  readonly untilMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Signal {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly body: readonly Value[]
}

export interface Connection {
  /** Is there a bus between us and the others? Only a bus wants to know what we listen to. */
  readonly viaBus: boolean
  /** The values of the answer. Throws a `CallError` for an error, and when the bounds are over. */
  call(call: Call, bounds: Bounds): Promise<readonly Value[]>
  /** Every signal from now on, until the connection ends. */
  onSignal(listener: (signal: Signal) => void): void
  /** Told once, with the reason; at once when it has ended already. */
  onEnd(listener: (because: string) => void): void
  close(because: string): void
}

/** An error that the other side has answered with. */
export class CallError extends Error {
  /** For example `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly errorName: string

  constructor(errorName: string, text: string) {
    super(text === '' ? errorName : text)
    this.errorName = errorName
  }
}

interface Pending {
  readonly resolve: (values: readonly Value[]) => void
  readonly reject: (error: Error) => void
}

const BUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
}
const UNKNOWN_METHOD = 'org.freedesktop.DBus.Error.UnknownMethod'
/** A line of the authentication. */
const LINE_MAX = 4096
/** The socket of a peer that does not read may not fill our memory. */
const UNSENT_MAX = 2 ** 20

/** Connects to a Unix socket and says who we are. Throws when that is not done in time. */
export async function connect(
  { socketPath, viaBus }: { readonly socketPath: string; readonly viaBus: boolean },
  bounds: Bounds,
): Promise<Connection> {
  const socket = connectSocket(socketPath)
  // A daemon that wants to end does not wait for a bus.
  socket.unref()
  const open = new OpenConnection(socket, viaBus)
  try {
    await within(bounds, `${socketPath} does not let us in`, open.ready)
    // A bus gives everybody a name; a program without a bus knows no such question.
    if (viaBus) await open.call({ ...BUS, member: 'Hello' }, bounds)
    return open
  } catch (error) {
    open.close((error as Error).message)
    throw error
  }
}

/** Asks the bus for signals; a program without a bus sends all that it has. */
export async function listen(connection: Connection, rule: string, bounds: Bounds): Promise<void> {
  const call = { ...BUS, member: 'AddMatch', signature: 's', body: [rule] }
  if (connection.viaBus) await connection.call(call, bounds)
}

class OpenConnection implements Connection {
  readonly viaBus: boolean
  readonly ready: Promise<void>
  private readonly socket: Socket
  private readonly pending = new Map<number, Pending>()
  private readonly signals: ((signal: Signal) => void)[] = []
  private readonly ends: ((because: string) => void)[] = []
  private letIn: () => void = () => {}
  private refuse: (error: Error) => void = () => {}
  private authenticated = false
  private received: Buffer = Buffer.alloc(0)
  private serial = 0
  private over: string | undefined

  constructor(socket: Socket, viaBus: boolean) {
    this.socket = socket
    this.viaBus = viaBus
    this.ready = new Promise((resolve, reject) => {
      this.letIn = resolve
      this.refuse = reject
    })
    this.ready.catch(() => {})
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex')
    // At once, as systemd's own clients do: systemd may overlook a call that comes with the BEGIN.
    socket.on('connect', () => socket.write(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`))
    socket.on('data', (bytes) => this.take(bytes))
    socket.on('error', (error) => this.close(error.message))
    socket.on('close', () => this.close('the other side has hung up'))
  }

  async call(call: Call, bounds: Bounds): Promise<readonly Value[]> {
    if (this.over !== undefined) throw new Error(this.over)
    if (bounds.signal?.aborted) throw new Error('nobody waits for it any more')
    this.serial = (this.serial % 0xffff_ffff) + 1
    const { serial } = this
    const answer = new Promise<readonly Value[]>((resolve, reject) => {
      this.pending.set(serial, { resolve, reject })
    })
    try {
      this.send({ ...call, type: 'call', serial })
      return await within(bounds, `${call.member} is not answered`, answer)
    } finally {
      this.pending.delete(serial)
    }
  }

  onSignal(listener: (signal: Signal) => void): void {
    this.signals.push(listener)
  }

  onEnd(listener: (because: string) => void): void {
    if (this.over === undefined) this.ends.push(listener)
    else listener(this.over)
  }

  close(because: string): void {
    if (this.over !== undefined) return
    this.over = because
    this.socket.destroy()
    const error = new Error(because)
    this.refuse(error)
    for (const { reject } of this.pending.values()) reject(error)
    this.pending.clear()
    for (const listener of this.ends) listener(because)
  }

  private send(message: Message): void {
    this.socket.write(encodeMessage(message))
    if (this.socket.writableLength > UNSENT_MAX) this.close('it does not read what we send')
  }

  private take(bytes: Buffer): void {
    if (this.over !== undefined) return
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes])
    try {
      if (!this.authenticated) this.readLine()
      if (this.authenticated) this.readMessages()
    } catch (error) {
      this.close(`what came is no D-Bus: ${(error as Error).message}`)
    }
  }

  private readLine(): void {
    const end = this.received.indexOf('\r\n')
    if (end === -1 && this.received.length > LINE_MAX) throw new Error('a line without an end')
    if (end === -1) return
    const line = this.received.toString('latin1', 0, end)
    if (!/^OK [0-9a-f]+$/i.test(line)) return this.close(`we are not let in: ${line.slice(0, 100)}`)
    this.received = this.received.subarray(end + 2)
    this.authenticated = true
    this.letIn()
  }

  private readMessages(): void {
    for (;;) {
      const length = messageLength(this.received)
      if (length === undefined || this.received.length < length) return
      const message = decodeMessage(this.received.subarray(0, length))
      this.received = this.received.subarray(length)
      this.dispatch(message)
      if (this.over !== undefined) return
    }
  }

  private dispatch(message: Message): void {
    const { type, path = '', member = '', replySerial = 0, body = [] } = message
    const pending = this.pending.get(replySerial)
    switch (type) {
      case 'return':
        return pending?.resolve(body)
      case 'error': {
        const text = typeof body[0] === 'string' ? body[0] : ''
        return pending?.reject(new CallError(message.errorName ?? 'an error without a name', text))
      }
      case 'signal':
        for (const listener of this.signals) {
          listener({ path, interface: message.interface ?? '', member, body })
        }
        return
      case 'call':
        if (!message.noReply) this.decline(message)
        return
      case 'other':
        return
    }
  }

  /** We offer nothing; who asks is told so instead of waiting. */
  private decline({ serial: replySerial, sender: destination }: Message): void {
    this.serial = (this.serial % 0xffff_ffff) + 1
    const to = destination === undefined ? {} : { destination }
    this.send({
      ...{ type: 'error', serial: this.serial, replySerial, ...to, errorName: UNKNOWN_METHOD },
      ...{ signature: 's', body: ['there is nothing to call here'] },
    })
  }
}

/** Waits for an answer, and no longer than the bounds say. */
async function within<T>(
  { untilMs, signal }: Bounds,
  what: string,
  answer: Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let forget = () => {}
  const over = new Promise<never>((_, reject) => {
    const leftMs = Math.max(0, untilMs - performance.now())
    timer = setTimeout(() => reject(new Error(`${what} in time`)), leftMs)
    const onAbort = () => reject(new Error('nobody waits for it any more'))
    if (signal?.aborted) onAbort()
    signal?.addEventListener('abort', onAbort)
    forget = () => signal?.removeEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([answer, over])
  } finally {
    clearTimeout(timer)
    forget()
  }
}
