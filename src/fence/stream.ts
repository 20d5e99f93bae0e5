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
    rest += text
    const parts = rest.split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.map((line) => line.replace(/\r$/, '')))
    if (rest.length > LINE_MAX_BYTES || lines.length > 10_000) {
      return end(new FenceError('garbled', `${where} says more than anybody could want to know`))
    }
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
        const line = lines.shift()
        if (line !== undefined) return line
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
