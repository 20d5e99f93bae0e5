/** Datagrams to and from one device: bounded, connected, and over with its signal. */
import { createSocket } from 'node:dgram'
import { FenceError } from './errors.ts'
import { names } from './names.ts'

export interface DatagramPort {
  send(packet: Buffer): void
  /** The next datagram of the device; `undefined` when none comes within `waitMs`. */
  receive(waitMs: number): Promise<Buffer | undefined>
  close(): void
}

const QUEUE_MAX = 64

/** Opens a port that hears this device only. Rejects with a FenceError (`unreachable`). */
export async function openDatagrams(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<DatagramPort> {
  const { address, family } = await resolveName(host)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  const queue: Buffer[] = []
  let failure: FenceError | undefined
  let wake = (): void => undefined
  const fail = (error: NodeJS.ErrnoException): void => {
    failure ??= new FenceError('unreachable', `${host}:${port}: ${error.code ?? 'no network'}`)
    wake()
  }
  socket.on('message', (packet) => {
    if (queue.length < QUEUE_MAX) queue.push(packet)
    wake()
  })
  // A connected socket hears that nobody listens (ECONNREFUSED), and strangers do not reach it.
  socket.on('error', fail)
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve)
    socket.once('error', () => resolve())
    socket.connect(port, address)
  })
  const expire = (): void => {
    failure ??= new FenceError('timeout', `${host}:${port} did not answer in time`)
    wake()
  }
  if (signal.aborted) expire()
  signal.addEventListener('abort', expire, { once: true })

  return {
    send(packet) {
      if (failure === undefined) socket.send(packet, (error) => error && fail(error))
    },
    async receive(waitMs) {
      const untilMs = performance.now() + waitMs
      for (;;) {
        const packet = queue.shift()
        if (packet !== undefined) return packet
        if (failure !== undefined) throw failure
        const leftMs = untilMs - performance.now()
        if (leftMs <= 0) return undefined
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    close() {
      signal.removeEventListener('abort', expire)
      socket.close()
    },
  }
}

async function resolveName(host: string): Promise<{ address: string; family: number }> {
  const [first] = await names.addressesOf(host).catch(() => [])
  if (first === undefined) {
    throw new FenceError('unreachable', `the name ${host} cannot be resolved`)
  }
  return first
}
