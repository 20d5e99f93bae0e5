/**
 * The same requests over HTTPS: `POST /requests` with a request as its body, answered with the
 * response when it is there. Whoever asks shows a certificate of a trusted authority or a token;
 * without TLS nobody listens but on this machine. A request without an id, a time or a deadline
 * gets them here, and its key from `Idempotency-Key`.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { type AddressInfo, isIP, type Socket } from 'node:net'
import { sha256 } from '../audit/chain.ts'
import {
  defaultTimeoutMs,
  fileBytesMax,
  type Request,
  type Response,
  requestFrom,
} from '../recorder/message.ts'
import type { Say } from './work.ts'

export interface ListenOptions {
  readonly host: string
  readonly port: number
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string }
  /** Whoever shows it may ask. */
  readonly token?: string
  readonly submit: (request: Request) => Promise<Response | undefined>
  readonly say: Say
}

export interface Listening {
  readonly port: number
  close(): Promise<void>
}

/** Only so many connections at once, no address has all of them, and each has to speak soon. */
const connectionsMax = 512
const ofAddressMax = 128
const handshakeMs = 5_000
const headMs = 5_000
const bodyMs = 10_000
const checkMs = 1_000

/** A sentence where this may not be listened to. */
export function whyNotListen({ host, tls, token }: Omit<ListenOptions, 'submit' | 'say'>) {
  if (tls === undefined && !isLoopback(host)) {
    return `without TLS it listens on this machine alone: not on ${host}`
  }
  if (tls?.clientCa === undefined && token === undefined) {
    return 'nobody could tell who asks: it takes a token, or the authority of clients'
  }
  return undefined
}

const isLoopback = (host: string): boolean => /^127(\.\d{1,3}){3}$/.test(host) || host === '::1'

/** `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`; `undefined` for anything else. */
export function placeIn(text: string): { host: string; port: number } | undefined {
  const [, six, four, port = '7443'] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::(\d{1,5}))?$/.exec(
      isIP(text) === 6 ? `[${text}]` : text,
    ) ?? []
  const host = six ?? four ?? ''
  return isIP(host) > 0 && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined
}

export async function listen(options: ListenOptions): Promise<Listening> {
  const why = whyNotListen(options)
  if (why !== undefined) throw new Error(why)
  const { host, port, tls, say } = options
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    void handle(request, options)
      .catch((error: Error): Reply => ({ status: 500, body: { message: error.message } }))
      .then((reply) => send(response, reply))
  const server =
    tls === undefined
      ? createPlain({ connectionsCheckingInterval: checkMs }, serve)
      : createSecure(
          {
            ...{ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' },
            ...{ handshakeTimeout: handshakeMs, connectionsCheckingInterval: checkMs },
            ...(tls.clientCa !== undefined && {
              ca: tls.clientCa,
              requestCert: true,
              rejectUnauthorized: true,
            }),
          },
          serve,
        )
  server.maxConnections = connectionsMax
  server.on('connection', shareOut(ofAddressMax))
  server.headersTimeout = headMs
  server.requestTimeout = bodyMs
  server.on('clientError', (_, socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  server.on('error', (error) => say('warn', `Requests over HTTP: ${error.message}.`))
  const { port: open } = server.address() as AddressInfo
  say('info', `Requests are taken at ${tls === undefined ? 'http' : 'https'}://${host}:${open}.`)
  return {
    port: open,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

/** Whoever holds too many connections gets no more: others have to be heard. */
function shareOut(max: number): (socket: Socket) => void {
  const held = new Map<string, number>()
  return (socket) => {
    const { remoteAddress: from = '' } = socket
    const count = (held.get(from) ?? 0) + 1
    if (count > max) return void socket.destroy()
    held.set(from, count)
    socket.once('close', () => {
      const left = (held.get(from) ?? 1) - 1
      if (left > 0) held.set(from, left)
      else held.delete(from)
    })
  }
}

interface Reply {
  readonly status: number
  readonly body: object
}

const refusal = (status: number, message: string): Reply => ({
  status,
  body: { success: false, message },
})

async function handle(incoming: IncomingMessage, options: ListenOptions): Promise<Reply> {
  const { method, url, headers } = incoming
  if (!isAllowed(headers.authorization, options.token)) return refusal(401, 'no such token')
  if (url !== '/requests') return refusal(404, 'there is nothing but /requests')
  if (method !== 'POST') return refusal(405, 'a request is posted')
  const text = await bodyOf(incoming)
  if (text === undefined) return refusal(413, `a request has at most ${fileBytesMax} bytes`)
  const request = requestIn(text, keyIn(headers['idempotency-key']))
  if (typeof request === 'string') return refusal(400, request)
  const response = await options.submit(request)
  if (response === undefined) return refusal(503, 'the responder is about to end: ask once more')
  return { status: 200, body: response }
}

/** Without a token the certificate has said who it is, or nobody would be here. */
function isAllowed(shown: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true
  // Of one length, and compared in constant time.
  const [a, b] = [shown ?? '', `Bearer ${token}`].map((text) => Buffer.from(sha256(text)))
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

async function bodyOf(incoming: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    length += part.length
    if (length > fileBytesMax) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const keyIn = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header

/** The request in a body, with what is filled in here; a sentence where it is none. */
function requestIn(text: string, key: string | undefined): Request | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'the body is no JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'the body is no object'
  }
  const now = Date.now()
  const filled = {
    request_id: randomUUID(),
    timestamp: new Date(now).toISOString(),
    deadline: new Date(now + defaultTimeoutMs).toISOString(),
    ...value,
    ...(key !== undefined && { idempotency_key: key }),
  }
  const read = requestFrom(filled)
  return read.ok ? read.value : read.because
}

function send(response: ServerResponse, { status, body }: Reply): void {
  const text = `${JSON.stringify(body)}\n`
  const length = Buffer.byteLength(text)
  const headers = { 'content-type': 'application/json', 'content-length': length }
  response.writeHead(status, { ...headers, 'cache-control': 'no-store', connection: 'close' })
  response.end(text)
}
