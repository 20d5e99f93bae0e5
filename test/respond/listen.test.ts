/** R10: the same requests over HTTPS, and who may not ask. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ListenOptions, listen, placeIn, whyNotListen } from '../../src/respond/listen.ts'
import { startResponder } from '../../src/respond/responder.ts'
import { missing } from '../needs.ts'
import { requestOf, site } from '../recorder/site.ts'

const token = 'a-token-that-is-long-enough'

async function open(t: TestContext, door: Partial<ListenOptions> = { token }) {
  const { place } = site(t)
  const done: string[] = []
  const responder = startResponder({
    ...{ place, name: 'test', parallelMax: 8, tries: 1, say: () => {} },
    hooks: { before: async () => {}, after: async () => {} },
    work: {
      nodes: () => [],
      async carryOut({ action, target_node }) {
        done.push(`${action} ${target_node}`)
        await sleep(50)
        return { success: target_node !== 'bad', message: `deed ${done.length}` }
      },
    },
  })
  await responder.acts
  const listening = await listen({
    ...{ host: '127.0.0.1', port: 0, say: () => {}, ...door },
    submit: (request) => responder.submit(request),
  })
  t.after(async () => {
    await listening.close()
    await responder.close()
  })
  return { port: listening.port, done, place, secure: door.tls !== undefined }
}

interface Call {
  readonly method?: string
  readonly path?: string
  readonly token?: string | undefined
  readonly key?: string
  readonly body?: unknown
  readonly tls?: object
}

function post({ port, secure }: { port: number; secure: boolean }, call: Call = {}) {
  const { method = 'POST', path = '/requests', key, body = requestOf(), tls = {} } = call
  const shown = 'token' in call ? call.token : token
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = {
    ...(shown !== undefined && { authorization: `Bearer ${shown}` }),
    ...(key !== undefined && { 'idempotency-key': key }),
  }
  return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers, agent: false, ...tls }
    const sent = (secure ? secureRequest : plainRequest)(options, (incoming) => {
      let answer = ''
      incoming.on('data', (part) => {
        answer += part
      })
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(answer) }),
      )
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

test('a request is answered when it is done', async (t) => {
  const here = await open(t)
  const request = requestOf()
  const { status, body } = await post(here, { body: request })
  assert.equal(status, 200)
  assert.deepEqual(
    [body.request_id, body.success, body.action_performed, body.target_node, body.message],
    [request.request_id, true, 'off', 'node-01', 'deed 1'],
  )
  const bad = await post(here, { body: { action: 'off', target_node: 'bad' } })
  assert.deepEqual([bad.status, bad.body.success], [200, false])
})

test('Idempotency-Key: asked twice, done once; another request with it is refused', async (t) => {
  const here = await open(t)
  const body = { action: 'off', target_node: 'n1' }
  const both = await Promise.all([post(here, { key: 'k1', body }), post(here, { key: 'k1', body })])
  const later = await post(here, { key: 'k1', body })
  for (const { body: told } of [...both, later]) assert.equal(told.message, 'deed 1')
  const other = await post(here, { key: 'k1', body: { ...body, target_node: 'n2' } })
  assert.match(String(other.body.message), /its key was used for another/)
  assert.deepEqual(here.done, ['off n1'])
})

test('who may not ask, and what is no request, is told so, and nothing is done', async (t) => {
  const here = await open(t)
  const status = async (call: Call) => (await post(here, call)).status
  assert.equal(await status({ token: undefined }), 401)
  assert.equal(await status({ token: `${token}x` }), 401)
  assert.equal(await status({ path: '/' }), 404)
  assert.equal(await status({ method: 'GET', body: '' }), 405)
  assert.equal(await status({ body: '{' }), 400)
  assert.equal(await status({ body: '[]' }), 400)
  assert.equal(await status({ body: { action: 'off', target_node: '../x' } }), 400)
  assert.equal(await status({ body: { action: 'off', target_node: 'n', deadline: 1 } }), 400)
  const late = { action: 'off', target_node: 'n', deadline: new Date(0).toISOString() }
  assert.match(String((await post(here, { body: late })).body.message), /its deadline has passed/)
  assert.deepEqual(here.done, [])
  const long = await status({ body: `"${'x'.repeat(70_000)}"` }).catch(() => 413)
  assert.equal(long, 413)
})

test('without TLS it listens on this machine alone, and never without knowing who asks', () => {
  const tls = { cert: 'c', key: 'k' }
  assert.match(whyNotListen({ host: '192.0.2.1', port: 1, token }) ?? '', /on this machine alone/)
  assert.match(whyNotListen({ host: '0.0.0.0', port: 1, token }) ?? '', /on this machine alone/)
  assert.match(whyNotListen({ host: '127.0.0.1', port: 1 }) ?? '', /nobody could tell who asks/)
  assert.match(whyNotListen({ host: '192.0.2.1', port: 1, tls }) ?? '', /nobody could tell/)
  assert.equal(whyNotListen({ host: '::1', port: 1, token }), undefined)
  assert.equal(whyNotListen({ host: '0.0.0.0', port: 1, token, tls }), undefined)
  assert.deepEqual(placeIn('[::1]:9'), { host: '::1', port: 9 })
  assert.deepEqual(placeIn('::1'), { host: '::1', port: 7443 })
  assert.deepEqual(placeIn('127.0.0.1'), { host: '127.0.0.1', port: 7443 })
  for (const wrong of ['localhost', '127.0.0.1:', '127.0.0.1:99999', '1.2.3', ':7']) {
    assert.equal(placeIn(wrong), undefined, wrong)
  }
})

/** An authority of our own, a server and a client that it has signed, and a stranger. */
function certificates(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'picket-ca-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const at = (name: string) => join(dir, name)
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const keyed = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const self = (name: string) =>
    openssl(
      'req',
      '-x509',
      ...keyed,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.pem`),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
    )
  self('ca')
  self('stranger')
  writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1\n')
  for (const name of ['server', 'client']) {
    openssl(
      'req',
      ...keyed,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.csr`),
      '-subj',
      `/CN=${name}`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
      '-out',
      at(`${name}.pem`),
      '-days',
      '2',
      '-extfile',
      at('ext'),
    )
  }
  return (name: string) => readFileSync(at(name), 'utf8')
}

test('mutual TLS: who has no certificate of the authority is not heard', {
  skip: missing('openssl'),
}, async (t) => {
  const file = certificates(t)
  const [ca, cert, key] = [file('ca.pem'), file('server.pem'), file('server.key')]
  const here = await open(t, { tls: { cert, key, clientCa: ca } })
  const own = { ca, cert: file('client.pem'), key: file('client.key') }
  const good = await post(here, { token: undefined, tls: own })
  assert.equal(good.status, 200)
  await assert.rejects(post(here, { tls: { ca } }))
  const stranger = { ca, cert: file('stranger.pem'), key: file('stranger.key') }
  await assert.rejects(post(here, { tls: stranger }))
  assert.equal(here.done.length, 1)
})

test('whoever holds connections and says nothing keeps nobody else out', {
  skip: missing('openssl'),
}, async (t) => {
  const file = certificates(t)
  const ca = file('ca.pem')
  const tls = { cert: file('server.pem'), key: file('server.key') }
  for (const here of [await open(t, { tls, token }), await open(t)]) {
    const from = { port: here.port, host: '127.0.0.1', localAddress: '127.0.0.2' }
    const idle = Array.from({ length: 600 }, () => connect(from).on('error', () => {}))
    t.after(() => idle.forEach((socket) => void socket.destroy()))
    await once(idle[0] as Socket, 'connect')
    await sleep(500)
    const beganMs = performance.now()
    assert.equal((await post(here, { tls: { ca } })).status, 200)
    assert.ok(performance.now() - beganMs < 4_000)
    await sleep(7_500)
    assert.ok(idle.every((socket) => socket.closed))
  }
})
