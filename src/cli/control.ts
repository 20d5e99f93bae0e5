/**
 * The client of the daemon's control socket: one request out, lines of JSON back. Says in a
 * sentence why there is no answer, because that is what an operator needs when things are bad.
 */
import { existsSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'

/** Where picketd listens when nobody says otherwise. */
export const defaultSocket = '/run/picket/control.sock'

/** The path to ask: the option, else the environment, else the usual place. */
export function socketPath(option: string | undefined): string {
  return option ?? process.env.PICKET_SOCKET ?? defaultSocket
}

/** Does nobody name a socket, and is there none? Then picketd may not be configured here at all. */
export function mayBeAlone(option: string | undefined): boolean {
  return option === undefined && !process.env.PICKET_SOCKET && !existsSync(defaultSocket)
}

/** One line of the daemon: its own fields are checked where they are used. */
export type Line = Readonly<Record<string, unknown>>

/** The daemon cannot be asked; the message says why and what to do. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
}

const lineBytesMax = 8 * 2 ** 20

export interface AskOptions {
  /** How long nothing may come before the daemon counts as hanging. */
  readonly silenceMs: number
}

/** Ask the daemon for one thing; gives its lines until it ends the answer or the connection. */
export async function* askDaemon(
  path: string,
  request: object,
  { silenceMs }: AskOptions,
): AsyncGenerator<Line> {
  const socket = createConnection(path)
  try {
    await connected(socket, path)
    socket.write(`${JSON.stringify(request)}\n`)
    socket.setTimeout(silenceMs, () => {
      socket.destroy(
        new ControlError(`picketd at ${path} did not answer for ${silenceMs / 1000} s`),
      )
    })
    for await (const line of linesOf(socket)) yield parseLine(line, path)
  } catch (error) {
    throw error instanceof ControlError ? error : new ControlError(sentence(error, path))
  } finally {
    socket.destroy()
  }
}

/** Ask for something that is answered by one line. */
export async function askOnce(path: string, request: object, silenceMs = 10_000): Promise<Line> {
  for await (const line of askDaemon(path, request, { silenceMs })) return line
  throw new ControlError(`picketd at ${path} ended the connection without an answer`)
}

function connected(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', (error) => reject(new ControlError(sentence(error, path))))
  })
}

function sentence(error: unknown, path: string): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const mend = 'start it, or name its socket with --socket'
    return `picketd is not running here (nothing answers at ${path}); ${mend}`
  }
  if (code === 'EACCES' || code === 'EPERM')
    return `you may not ask picketd at ${path}; try as root`
  return `picketd at ${path} cannot be asked: ${error instanceof Error ? error.message : error}`
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let chunks: Buffer[] = []
  let length = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let rest = chunk
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      yield Buffer.concat([...chunks, rest.subarray(0, end)]).toString('utf8')
      chunks = []
      length = 0
      rest = rest.subarray(end + 1)
    }
    length += rest.length
    if (length > lineBytesMax) throw new ControlError('picketd sent a line without an end')
    chunks.push(rest)
  }
}

function parseLine(text: string, path: string): Line {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Line
  } catch {
    // Told below: it is no line of ours either way.
  }
  throw new ControlError(`what listens at ${path} is not picketd: it sent something else than JSON`)
}
