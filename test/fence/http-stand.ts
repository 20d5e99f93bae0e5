/**
 * The transport of an HTTP double: a real HTTPS server that can be told to misbehave from any
 * request on. The device behind it is the caller's.
 */

import { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { bmc, expired, impostor } from './certificates.ts'
import { type Fault, transportFaults } from './faults.ts'

export interface HttpCall {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface HttpReply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** The words beside the status, where they are not HTTP's own. */
  readonly reason?: string | undefined
  readonly body?: unknown
}

export interface HttpStand {
  readonly url: string
  readonly host: string
  readonly port: number
  /** To be pinned. */
  readonly fingerprint: string
  /** False for a fault that is the device's own business. */
  fail(fault: Fault, fromRequest: number): boolean
  mend(): void
  requests(): number
  /** Method and path of each of them, oldest first, whatever became of it. */
  arrived(): readonly string[]
  /** Whatever reached the place that a redirect points to, or an impostor. */
  overheard(): string
  close(): Promise<void>
}

/** Serves a device over HTTPS; a string or an object of a reply becomes its body. */
export async function httpStand(answer: (call: HttpCall) => HttpReply): Promise<HttpStand> {
  let fault: Fault | undefined
  let from = 0
  let count = 0
  let elsewhere = ''
  const arrived: string[] = []
  const sockets = new Set<Socket>()

  const other = createPlainServer((request, response) => {
    elsewhere += `${request.url} ${JSON.stringify(request.headers)}\n`
    request.on('data', (chunk) => (elsewhere += String(chunk)))
    request.on('end', () => response.end('{}'))
  })
  await listen(other)
  const redirect = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`

  const server = createServer(bmc, async (request, response) => {
    const wrong = fault !== undefined && count >= from ? fault : undefined
    count += 1
    showCertificate()
    const url = new URL(request.url ?? '/', 'https://device')
    let body = ''
    for await (const chunk of request) body += String(chunk)
    arrived.push(`${request.method} ${url.pathname}`)
    if (wrong === 'impostor certificate' || wrong === 'expired certificate') {
      elsewhere += `${request.url} ${JSON.stringify(request.headers)}\n${body}`
    }
    if (wrong === 'reset') return resetSocket(request.socket.remotePort)
    if (misbehaves(wrong, response, redirect)) return
    const { method = 'GET', headers } = request
    const reply = answer({ method, path: url.pathname, query: url.searchParams, headers, body })
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? null)
    const head = { 'content-type': 'application/json', ...reply.headers }
    if (reply.reason !== undefined) response.statusMessage = reply.reason
    response.writeHead(reply.status, head as Record<string, string>)
    spoil(wrong, response, text)
  })
  /** A TLS socket cannot send a reset; the one below it can. */
  function resetSocket(remotePort: number | undefined): void {
    for (const socket of sockets) if (socket.remotePort === remotePort) socket.resetAndDestroy()
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  /** What the next connection is shown. */
  function showCertificate(): void {
    const wrong = count >= from ? fault : undefined
    if (wrong === 'impostor certificate') server.setSecureContext(impostor)
    else server.setSecureContext(wrong === 'expired certificate' ? expired : bmc)
  }
  await listen(server)
  const { port } = server.address() as AddressInfo

  return {
    url: `https://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    fingerprint: new X509Certificate(bmc.cert).fingerprint256,
    fail(wanted, fromRequest) {
      if (!(transportFaults as readonly string[]).includes(wanted)) return false
      fault = wanted
      from = count + fromRequest
      showCertificate()
      return true
    },
    mend() {
      fault = undefined
      showCertificate()
    },
    requests: () => count,
    arrived: () => arrived,
    overheard: () => elsewhere,
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all([server, other].map((each) => new Promise((done) => each.close(done))))
    },
  }
}

function listen(server: {
  listen(port: number, host: string, done: () => void): unknown
}): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}

const plainStatus = /^\d{3}$/

/** Answers wrongly without asking the device. True when it has. */
function misbehaves(fault: Fault | undefined, response: ServerResponse, redirect: string): boolean {
  switch (fault) {
    case 'hang':
      return true
    case 'HTML login page':
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<!doctype html><title>Log in</title><form>off stopped Off</form>')
      return true
    case 'wrong JSON':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('["off", {"power": "off"}]')
      return true
    case 'redirect elsewhere':
      response.writeHead(307, { location: redirect })
      response.end()
      return true
    case 'huge answer':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"power":"off","more":"${'x'.repeat(6 * 2 ** 20)}"}`)
      return true
    default: {
      if (fault === undefined || !plainStatus.test(fault)) return false
      response.writeHead(Number(fault), { 'content-type': 'application/json' })
      response.end('{"message":"off"}')
      return true
    }
  }
}

/** The device has acted; its answer suffers. */
function spoil(fault: Fault | undefined, response: ServerResponse, text: string): void {
  switch (fault) {
    case 'drop in mid-answer':
      response.write(text.slice(0, Math.ceil(text.length / 2)))
      setTimeout(() => response.socket?.destroy(), 20)
      return
    case 'slow drip': {
      let at = 0
      const timer = setInterval(() => {
        if (at >= text.length || response.destroyed) return clearInterval(timer)
        response.write(text[at++])
      }, 300)
      return
    }
    case 'truncated JSON':
      response.end(text.slice(0, Math.ceil(text.length / 2)))
      return
    default:
      response.end(text)
  }
}
