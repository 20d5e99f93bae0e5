/** The check `http`, of real web servers: statuses, bodies, certificates, and servers that misbehave. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { type AddressInfo, createServer as createRaw, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { http } from '../../src/health/http.ts'
import { bmc, impostor } from '../fence/certificates.ts'
import { checkOf } from './stand.ts'

async function listening(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const plain = async (t: TestContext, answer: RequestListener) =>
  `http://127.0.0.1:${await listening(t, createServer(answer))}`

test('the status decides: 2xx by itself, or what is listed', async (t) => {
  const url = await plain(t, ({ url: path }, response) => {
    response.writeHead(Number(path?.slice(1))).end('x')
  })
  const asked = async (path: string, options: object = {}) =>
    await (await checkOf(t, 'http', { url: `${url}/${path}`, ...options })).ask()
  assert.equal(await asked('200'), 'good: status 200')
  assert.equal(await asked('204'), 'good: status 204')
  assert.equal(await asked('503'), 'bad: status 503')
  assert.equal(await asked('404', { status: [404, '500-599'] }), 'good: status 404')
  assert.equal(await asked('503', { status: [404, '500-599'] }), 'good: status 503')
  assert.equal(await asked('200', { status: [404, '500-599'] }), 'bad: status 200')
})

test('a text has to stand in the answer; method and headers are as they are written', async (t) => {
  const url = await plain(t, (request, response) => {
    const { method, headers } = request
    response.end(`${method} ${headers.host} ${headers['x-probe']}; database: up`)
  })
  const good = { url, contains: 'GET shop.example 1; database: up' }
  const headers = { host: 'shop.example', 'x-probe': '1' }
  assert.equal(await (await checkOf(t, 'http', { ...good, headers })).ask(), 'good: status 200')
  const bad = await (await checkOf(t, 'http', { url, contains: 'database: down' })).ask()
  assert.equal(bad, 'bad: status 200, without "database: down"')
  const head = await checkOf(t, 'http', { url, method: 'HEAD' })
  assert.equal(await head.ask(), 'good: status 200')
})

test('redirects are answers, unless they are followed, and then so many', async (t) => {
  const url = await plain(t, ({ url: path = '' }, response) => {
    const left = Number(path.slice(1))
    if (left === 0) return void response.end('here')
    response.writeHead(302, { location: left === 9 ? 'file:///etc/passwd' : `/${left - 1}` }).end()
  })
  const asked = async (path: string, options: object = {}) =>
    await (await checkOf(t, 'http', { url: `${url}/${path}`, ...options })).ask()
  assert.equal(await asked('1'), 'bad: status 302')
  assert.equal(await asked('1', { status: ['300-399'] }), 'good: status 302')
  assert.equal(await asked('2', { redirects: 2 }), 'good: status 200')
  assert.equal(await asked('3', { redirects: 2 }), 'bad: status 302')
  assert.equal(await asked('9', { redirects: 2 }), 'bad: it redirects to file:///etc/passwd')
})

test('over HTTPS only a certificate that is trusted counts', async (t) => {
  const server = createSecure(bmc, (_, response) => response.end('ok'))
  const url = `https://127.0.0.1:${await listening(t, server)}`
  const untrusted = await (await checkOf(t, 'http', { url })).ask()
  assert.match(untrusted, /^bad: self-signed certificate/)
  const insecure = await checkOf(t, 'http', { url, insecure: true })
  assert.equal(await insecure.ask(), 'good: status 200')
  const withCa = (cert: string) =>
    checkOf(t, 'http', (room) => {
      const ca_file = join(room.dir, 'ca.pem')
      writeFileSync(ca_file, cert)
      return { url, ca_file }
    })
  assert.equal(await (await withCa(bmc.cert)).ask(), 'good: status 200')
  assert.match(await (await withCa(impostor.cert)).ask(), /^bad: /)
  const gone = await checkOf(t, 'http', { url, ca_file: '/nowhere/ca.pem' })
  assert.match(await gone.ask(), /^bad: .*ENOENT/)
})

test('no proxy of the environment is asked', async (t) => {
  const url = await plain(t, (_, response) => response.end('direct'))
  const before = process.env.http_proxy
  process.env.http_proxy = 'http://127.0.0.1:1'
  t.after(() => {
    if (before === undefined) delete process.env.http_proxy
    else process.env.http_proxy = before
  })
  assert.equal(await (await checkOf(t, 'http', { url })).ask(), 'good: status 200')
})

test('whoever refuses, is silent, drips, floods or talks nonsense is answered in time', async (t) => {
  const closed = await listening(t, createRaw())
  const silent = await listening(t, createRaw())
  const garbage = createRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'))
  const flood = createServer((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', more)
    more()
  })
  const drip = createServer((_, response) => {
    const timer = setInterval(() => response.write('.'), 20)
    response.on('close', () => clearInterval(timer))
  })
  const cut = createServer((_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => response.destroy())
  })
  const asked = async (port: number, options: object = {}, timeoutMs = 400) => {
    const check = await checkOf(t, 'http', { url: `http://127.0.0.1:${port}`, ...options })
    const beganMs = performance.now()
    const answer = await check.ask(timeoutMs)
    assert.ok(performance.now() - beganMs < timeoutMs + 1_500, answer)
    return answer
  }
  const contains = { contains: 'found' }
  assert.equal(await asked(1), 'bad: connection refused')
  assert.equal(await asked(closed), 'bad: no answer within 0.4 s')
  assert.equal(await asked(silent), 'bad: no answer within 0.4 s')
  assert.match(await asked(await listening(t, garbage)), /^bad: Parse Error/)
  const flooded = await asked(await listening(t, flood), contains, 3_000)
  assert.equal(flooded, 'bad: status 200, without "found"')
  const dripping = await listening(t, drip)
  assert.equal(await asked(dripping, contains), 'bad: no answer within 0.4 s')
  assert.equal(await asked(dripping), 'good: status 200')
  assert.match(await asked(await listening(t, cut), contains, 3_000), /^bad: its answer broke off/)
})

test('options that could not be meant are refused', () => {
  const refused = (options: object, why: RegExp) =>
    assert.throws(() => http.open({ url: 'http://x', ...options }), why)
  refused({ url: 'ftp://x' }, /not an http or https URL/)
  refused({ url: 'http://me:secret@x' }, /holds a login/)
  refused({ headers: { Authorization: 'Bearer x' } }, /looks like a secret/)
  refused({ headers: { 'x-a': 'a\r\nb' } }, /no header can hold/)
  refused({ status: ['2xx'] }, /write it like 200-299/)
  refused({ method: 'HEAD', contains: 'x' }, /others have no body/)
  refused({ insecure: true, ca_file: '/x' }, /keep one of them/)
  refused({ redirects: 9 }, /redirects/)
})
