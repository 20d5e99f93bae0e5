/**
 * One HTTP exchange with a device, for drivers: a socket of its own, a certificate that is checked
 * or pinned before a byte of the request leaves, no redirect followed, no proxy, nothing repeated.
 *
 * A pin is compared in the agent's `createConnection`: with verification off Node never calls
 * `checkServerIdentity`, and on a resumed session there is no certificate to compare; so sessions
 * are not kept. What goes wrong before the request is written is inert; what goes wrong after it is
 * not, because the device may have understood.
 */
import { request as requestPlain } from 'node:http'
import { Agent, request as requestSecure } from 'node:https'
import type { Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls'
import { FenceError } from './errors.ts'
import { names } from './names.ts'

/** Whom to take for the device. */
export interface TlsPolicy {
  /** Is its certificate checked against the authorities of the system, or those in `ca`? */
  readonly verify: boolean
  /** SHA-256 of its certificate, in hex; then this certificate and no other, whoever signed it. */
  readonly fingerprint?: string | undefined
  /** Certificates that are trusted instead of the system's, as PEM. */
  readonly ca?: string | undefined
  /** Also speak TLS 1.0 and weak ciphers, for a device that knows nothing better. */
  readonly legacy?: boolean | undefined
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `http:` or `https:`; without user and password. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  readonly tls?: TlsPolicy | undefined
}

export interface HttpAnswer {
  readonly status: number
  /** The words beside the status, where a device says in them what is wrong. */
  readonly reason?: string | undefined
  /** By lower-case name; repeated headers are joined with commas, as Node does. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** `set-cookie`, one entry each. */
  readonly cookies: readonly string[]
  readonly body: string
  /** The fingerprint of a certificate that nobody has looked at, so that it can be pinned. */
  readonly unpinned?: string | undefined
}

const BODY_MAX_BYTES = 4 * 2 ** 20

/** Sends one request and reads the whole answer. Rejects with a FenceError, bounded by `signal`. */
export function exchange(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let url: URL
    try {
      url = new URL(request.url)
    } catch {
      return reject(new FenceError('options', `${request.url} is not a URL`))
    }
    let sent = false
    let unpinned: string | undefined
    const fail = (error: Error): void => reject(translate(error, url.host, sent, signal.aborted))
    if (signal.aborted) return fail(new Error('aborted'))

    const options = {
      method: request.method,
      signal,
      lookup: names.lookup,
      headers: headersOf(request),
      agent: agentFor(url, request.tls, signal),
    }
    const fault = faultIn(options.headers)
    if (fault !== undefined) return reject(new FenceError('options', fault))
    const send = url.protocol === 'https:' ? requestSecure : requestPlain
    const outgoing = send(url, options, (incoming) => {
      const chunks: Buffer[] = []
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes <= BODY_MAX_BYTES) return
        outgoing.destroy()
        reject(new FenceError('garbled', `more than ${BODY_MAX_BYTES / 2 ** 20} MiB of answer`))
      })
      incoming.on('error', fail)
      incoming.on('aborted', () => fail(new Error('the answer was broken off')))
      incoming.on('end', () => {
        const { statusCode = 0, statusMessage: reason, headers } = incoming
        const flat = Object.entries(headers).map(([name, value]) => [name, String(value)])
        resolve({
          status: statusCode,
          reason,
          headers: Object.fromEntries(flat) as HttpAnswer['headers'],
          cookies: headers['set-cookie'] ?? [],
          body: Buffer.concat(chunks).toString('utf8'),
          unpinned,
        })
      })
    })
    outgoing.on('error', fail)
    // Headers are written once a socket is there and trusted: until then nothing has left.
    outgoing.on('socket', (socket: Socket) => {
      if (!socket.connecting) sent = true
      else socket.once('connect', () => (sent = true))
      const trusting = request.tls?.verify === false && request.tls.fingerprint === undefined
      if (trusting && socket instanceof TLSSocket) unpinned = fingerprintOf(socket)
    })
    outgoing.end(request.body)
  })
}

function headersOf({ headers, body }: HttpRequest): Record<string, string> {
  const length: Record<string, string> =
    body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` }
  return { accept: 'application/json', connection: 'close', ...length, ...headers }
}

/** Node would throw, and nobody would know that nothing has left. */
function faultIn(headers: Readonly<Record<string, string>>): string | undefined {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      return `what is to stand in the header ${name} holds a line break, or what none can hold`
    }
  }
  return undefined
}

/** `false` is a new, unproxied socket for this one request. */
function agentFor(url: URL, policy: TlsPolicy | undefined, signal: AbortSignal): Agent | false {
  if (url.protocol !== 'https:') return false
  return trustingAgent(policy ?? { verify: true }, signal)
}

/** Hands over a socket only when the certificate at its other end is the right one. */
function trustingAgent(policy: TlsPolicy, signal: AbortSignal): Agent {
  const { verify, fingerprint, ca, legacy } = policy
  const agent = new Agent({ maxCachedSessions: 0, keepAlive: false })
  agent.createConnection = (options, callback) => {
    const socket = connect({
      ...(options as ConnectionOptions),
      ...(ca !== undefined && { ca }),
      ...(legacy === true && { minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' }),
      rejectUnauthorized: verify && fingerprint === undefined,
    })
    // The request knows nothing of a socket whose handshake has not ended, and would leave it open.
    addAbortSignal(signal, socket)
    const settle = (error: Error | null): void => {
      socket.off('error', settle)
      callback?.(error, socket)
    }
    socket.once('error', settle)
    socket.once('secureConnect', () => {
      if (fingerprint === undefined) return settle(null)
      const found = plainFingerprint(fingerprintOf(socket))
      if (found === plainFingerprint(fingerprint)) return settle(null)
      socket.destroy()
      settle(new PinError(found))
    })
    // With a callback Node waits for it.
    return undefined
  }
  return agent
}

const fingerprintOf = (socket: TLSSocket): string =>
  socket.getPeerCertificate().fingerprint256 ?? ''

class PinError extends Error {
  readonly code = 'PIN'
  readonly found: string

  constructor(found: string) {
    super('another certificate')
    this.found = found
  }
}

/** A fingerprint as people write it, in one form. */
export function plainFingerprint(text: string): string {
  return text
    .toLowerCase()
    .replace(/^sha-?256[:=]?/, '')
    .replace(/[^0-9a-f]/g, '')
}

const UNREACHABLE =
  /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENOTFOUND|EAI_AGAIN|EADDRNOTAVAIL)$/
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO|UNSPECIFIED/

function translate(error: Error, host: string, sent: boolean, aborted: boolean): FenceError {
  if (error instanceof FenceError) return error
  const { code = '' } = error as NodeJS.ErrnoException
  if (error instanceof PinError) {
    const detail = `${host} shows the certificate ${error.found || 'none'}`
    return new FenceError('certificate', detail, 'compare it at the device, then correct the pin')
  }
  if (CERTIFICATE.test(code)) return new FenceError('certificate', `${host}: ${code}`)
  if (UNREACHABLE.test(code)) return new FenceError('unreachable', `${host}: ${code}`)
  if (!sent) {
    const why = aborted ? 'no connection within the deadline' : code || 'no connection'
    return new FenceError('unreachable', `${host}: ${why}`)
  }
  if (aborted) return new FenceError('timeout', `${host} did not answer in time`)
  return new FenceError('cut', `${host}: ${code || 'the answer was broken off'}`)
}
