/**
 * The wire over real sockets: what a driver is told when a connection fails, whom it talks to, and
 * whether something may have changed.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FenceError, FenceFailure } from '../../src/fence/errors.ts'
import { plainFingerprint, type TlsPolicy } from '../../src/fence/http.ts'
import { openWire } from '../../src/fence/wire.ts'
import { bmc, expired, impostor, weak } from './certificates.ts'

const pinOf = (pem: string) => new X509Certificate(pem).fingerprint256

function wireFor(ms = 2_000, allowed?: () => boolean) {
  const signal = AbortSignal.timeout(ms)
  return openWire({ signal, deadlineMs: performance.now() + ms, allowed })
}

async function fails(
  failure: FenceFailure,
  pattern: RegExp,
  deed: Promise<unknown>,
): Promise<void> {
  await assert.rejects(deed, (error: FenceError) => {
    assert.equal(error.failure, failure, error.message)
    assert.match(error.message, pattern)
    return true
  })
}

interface Served {
  readonly url: string
  readonly seen: string[]
  close(): void
}

async function serve(listener: RequestListener, tls?: ServerOptions) {
  const seen: string[] = []
  const noting: RequestListener = (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim())
    listener(request, response)
  }
  const server = tls ? createSecureServer(tls, noting) : createServer(noting)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}/`
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url, seen, close } satisfies Served
}

const hello: RequestListener = (_, response) => response.end('{"hello":1}')

test('a certificate is pinned, checked, or refused before the request leaves', async () => {
  const device = await serve(hello, bmc)
  const stranger = await serve(hello, impostor)
  const old = await serve(hello, expired)
  const get = (url: string, tls: TlsPolicy) =>
    wireFor().wire.http({ method: 'GET', url, headers: { authorization: 'token' }, tls })
  try {
    const pin = { verify: false, fingerprint: pinOf(bmc.cert) }
    assert.equal((await get(device.url, pin)).body, '{"hello":1}')
    // A second connection must not pass, or fail, because a session was resumed.
    assert.equal((await get(device.url, pin)).status, 200)
    const written = `SHA256:${plainFingerprint(pin.fingerprint)}`
    assert.equal((await get(device.url, { verify: true, fingerprint: written })).status, 200)
    assert.equal((await get(device.url, { verify: true, ca: bmc.cert })).status, 200)
    const trusted = await get(device.url, { verify: false })
    assert.deepEqual([trusted.status, trusted.unpinned], [200, pinOf(bmc.cert)])
    assert.equal((await get(device.url, pin)).unpinned, undefined)

    await fails('certificate', /shows the certificate [0-9a-f]{64}/, get(stranger.url, pin))
    await fails('certificate', /SELF_SIGNED/, get(stranger.url, { verify: true }))
    await fails('certificate', /CERT/, get(stranger.url, { verify: true, ca: bmc.cert }))
    await fails('certificate', /EXPIRED/, get(old.url, { verify: true, ca: expired.cert }))
    assert.deepEqual(stranger.seen, [])
    assert.deepEqual(old.seen, [])
  } finally {
    for (const server of [device, stranger, old]) server.close()
  }
})

test('a weak certificate of an old device is taken by its pin, and checked only on request', async () => {
  const old = await serve(hello, { ...weak, ciphers: 'DEFAULT@SECLEVEL=0' })
  const get = (tls: TlsPolicy) => wireFor().wire.http({ method: 'GET', url: old.url, tls })
  try {
    const fingerprint = pinOf(weak.cert)
    assert.equal((await get({ verify: true, fingerprint })).status, 200)
    assert.equal((await get({ verify: true, ca: weak.cert, legacy: true })).status, 200)
    await fails('certificate', /UNSPECIFIED/, get({ verify: true, ca: weak.cert }))
    await fails('certificate', /shows the/, get({ verify: true, fingerprint: '00'.repeat(32) }))
    assert.equal(old.seen.length, 2)
  } finally {
    old.close()
  }
})

test('no redirect is followed, and the whole answer is told', async () => {
  const other = await serve(hello)
  const device = await serve((_, response) => {
    response.writeHead(302, { location: other.url, 'set-cookie': ['a=1', 'b=2'] }).end('moved')
  })
  try {
    const url = device.url
    const answer = await wireFor().wire.http({ method: 'POST', url, body: 'x' })
    assert.equal(answer.status, 302)
    assert.equal(answer.headers.location, other.url)
    assert.deepEqual(answer.cookies, ['a=1', 'b=2'])
    assert.deepEqual(other.seen, [])
  } finally {
    device.close()
    other.close()
  }
})

test('what fails before the request is inert; what fails after it may have been heard', async () => {
  const silent = await serve(() => undefined)
  const dropping = await serve((request) => request.socket.destroy())
  const broken = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half')
    setTimeout(() => response.destroy(), 20)
  })
  const endless = await serve((_, response) => {
    const chunk = 'x'.repeat(2 ** 20)
    const more = (): void => {
      if (response.write(chunk)) setImmediate(more)
      else response.once('drain', more)
    }
    more()
  })
  const post = (url: string, ms?: number) => wireFor(ms).wire.http({ method: 'POST', url })
  const inertOf = async (deed: Promise<unknown>) =>
    deed.then(
      () => undefined,
      (error: FenceError) => error.inert,
    )
  try {
    const deaf = createTcpServer()
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve))
    const { port } = deaf.address() as AddressInfo
    await new Promise((resolve) => deaf.close(resolve))
    const nobody = `http://127.0.0.1:${port}/`
    await fails('unreachable', /ECONNREFUSED/, post(nobody))
    assert.equal(await inertOf(post(nobody)), true)
    await fails('timeout', /did not answer in time/, post(silent.url, 100))
    assert.equal(await inertOf(post(silent.url, 100)), false)
    await fails('cut', /ECONNRESET|broken off/, post(dropping.url))
    await fails('cut', /ECONNRESET|broken off/, post(broken.url))
    assert.equal(await inertOf(post(broken.url)), false)
    await fails('garbled', /more than 4 MiB/, post(endless.url, 10_000))
    await fails('options', /is not a URL/, post('nonsense'))
  } finally {
    for (const server of [silent, dropping, broken, endless]) server.close()
  }
})

test('a socket whose handshake never ends is closed at the deadline', async () => {
  const mute = createTcpServer((socket) => socket.resume().on('error', () => undefined))
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  const { port } = mute.address() as AddressInfo
  const url = `https://127.0.0.1:${port}/`
  await fails('unreachable', /no connection within/, wireFor(100).wire.http({ method: 'GET', url }))
  // Ends only when nobody holds a connection to it any more.
  await new Promise((resolve) => mute.close(resolve))
})

test('S14 the right is asked for before every write, and commands are counted', async () => {
  const device = await serve(hello)
  try {
    const open = wireFor()
    await open.wire.http({ method: 'GET', url: device.url })
    await open.wire.http({ method: 'POST', url: device.url }, 'question')
    assert.equal(open.writes(), 0)
    await open.wire.http({ method: 'POST', url: device.url })
    assert.equal(open.writes(), 1)

    let allowed = true
    const gated = wireFor(2_000, () => allowed)
    await gated.wire.http({ method: 'GET', url: device.url })
    allowed = false
    await fails(
      'withdrawn',
      /the cluster has changed/,
      gated.wire.http({ method: 'POST', url: device.url }),
    )
    assert.equal(gated.writes(), 0)
    assert.equal(device.seen.length, 4)
  } finally {
    device.close()
  }
})

test('a conversation in lines over a unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-wire-'))
  const path = join(folder, 'socket')
  const server = createTcpServer((socket) => {
    socket.write('{"greeting":1}\r\n')
    socket.on('data', (text) => {
      if (String(text) === 'bye\n') socket.end('gone')
      else socket.write(`got ${text}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    const open = wireFor()
    const stream = await open.wire.stream({ path })
    assert.equal(await stream.read(), '{"greeting":1}')
    stream.write('one', 'question')
    assert.equal(await stream.read(), 'got one')
    assert.equal(open.writes(), 0)
    stream.write('bye', 'command')
    assert.equal(await stream.read(), undefined)
    assert.equal(open.writes(), 1)
    stream.close()
    await fails('unreachable', /ENOENT/, wireFor().wire.stream({ path: `${path}-not` }))

    const waiting = await wireFor(100).wire.stream({ path })
    await waiting.read()
    await fails('timeout', /did not answer in time/, waiting.read())
    waiting.close()
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})

test('datagrams of one device, and of nobody else', async () => {
  const device = createSocket('udp4')
  const stranger = createSocket('udp4')
  device.on('message', (packet, { port }) => {
    stranger.send('not me', port, '127.0.0.1')
    device.send(`echo ${packet}`, port, '127.0.0.1')
  })
  await new Promise<void>((resolve) => device.bind(0, '127.0.0.1', resolve))
  try {
    const open = wireFor()
    const port = await open.wire.datagrams({ host: '127.0.0.1', port: device.address().port })
    port.send(Buffer.from('one'), 'command')
    assert.equal(String(await port.receive(500)), 'echo one')
    assert.equal(await port.receive(50), undefined)
    assert.equal(open.writes(), 1)
    port.close()

    const late = await wireFor(80).wire.datagrams({
      host: '127.0.0.1',
      port: device.address().port,
    })
    await fails('timeout', /did not answer in time/, late.receive(1_000))
    late.close()
    await fails(
      'unreachable',
      /cannot be resolved/,
      wireFor().wire.datagrams({ host: 'no-such-name.invalid', port: 623 }),
    )
  } finally {
    device.close()
    stranger.close()
  }
})
