/**
 * A conversation in lines with a device, over a unix socket or TCP: bounded, and over with its
 * signal.
 */
import { connect, type Socket } from 'node:net'
import { FenceError } from './errors.ts'
import { names } from './names.ts'

export type StreamEnd = { readonly path: string } | { readonly host: string; readonly port: number }

export interface LineStream {
  /** Writes one line; the line feed is added. */
  write(line: string): void
  /** The next line, without its line feed; `undefined` when the other side has closed. */
  read(): Promise<string | undefined>
  close(): void
}

const LINE_MAX_BYTES = 2 ** 20
/** So many may wait to be read. */
const LINES_MAX = 10_000

/** Connects. Rejects with a FenceError (`unreachable`) when nobody listens. */
export function openStream(end: StreamEnd, signal: AbortSignal): Promise<LineStream> {
  const where = 'path' in end ? end.path : `${end.host}:${end.port}`
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new FenceError('unreachable', `${where}: too late`))
    const socket = connect({ ...end, lookup: names.lookup })
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.destroy()
      reject(new FenceError('unreachable', `${where}: ${error.code ?? 'no connection'}`))
    }
    const give = (): void => fail(new Error('no connection within the deadline'))
    signal.addEventListener('abort', give, { once: true })
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.off('error', fail)
      signal.removeEventListener('abort', give)
      resolve(conversation(socket, where, signal))
    })
  })
}

function conversation(socket: Socket, where: string, signal: AbortSignal): LineStream {
  const lines: string[] = []
  /** How many of them have been read: to shift a long list costs its length each time. */
  let taken = 0
  let rest = ''
  let over: FenceError | 'closed' | undefined
  let wake = (): void => undefined

  const end = (reason: FenceError | 'closed'): void => {
    over ??= reason
    socket.destroy()
    wake()
  }
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    if (over !== undefined) return
    // Only what is new is looked through: whoever sends byte by byte makes no work.
    const [first = '', ...more] = text.split('\n')
    const parts = [rest + first, ...more]
    rest = parts.pop() ?? ''
    if (rest.length > LINE_MAX_BYTES || lines.length - taken + parts.length > LINES_MAX) {
      // Nobody is to work through what it has flooded us with.
      lines.length = taken
      return end(new FenceError('garbled', `${where} says more than anybody could want to know`))
    }
    lines.splice(0, taken)
    taken = 0
    for (const line of parts) lines.push(line.replace(/\r$/, ''))
    wake()
  })
  socket.on('error', () => end('closed'))
  socket.on('close', () => end('closed'))
  const expire = (): void => end(new FenceError('timeout', `${where} did not answer in time`))
  if (signal.aborted) expire()
  signal.addEventListener('abort', expire, { once: true })

  return {
    write(line) {
      if (over === undefined) socket.write(`${line}\n`)
    },
    async read() {
      for (;;) {
        const line = lines[taken]
        if (line !== undefined) {
          taken += 1
          return line
        }
        if (over === 'closed') return undefined
        if (over !== undefined) throw over
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    close() {
      signal.removeEventListener('abort', expire)
      end('closed')
    },
  }
}
