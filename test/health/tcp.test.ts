/** The check `tcp`, of real ports. */
import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { tcp } from '../../src/health/tcp.ts'
import { checkOf } from './stand.ts'

test('a port that takes connections is good, and is left at once', async (t) => {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { ask } = await checkOf(t, 'tcp', { host: '127.0.0.1', port })
  for (let i = 0; i < 20; i++) assert.equal(await ask(), 'good: connected')
  const named = await checkOf(t, 'tcp', { host: 'localhost', port })
  assert.equal(await named.ask(), 'good: connected')
  while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await new Promise((resolve) => server.close(resolve))
  assert.equal(await ask(), 'bad: connection refused')
})

test('who does not answer, and who is not there, is bad within the bound', async (t) => {
  // Nobody routes these addresses (RFC 5737, RFC 2606).
  const far = await checkOf(t, 'tcp', { host: '192.0.2.1', port: 9 })
  const beganMs = performance.now()
  assert.match(await far.ask(300), /^bad: /)
  assert.ok(performance.now() - beganMs < 1_500)
  const unknown = await checkOf(t, 'tcp', { host: 'nowhere.invalid', port: 9 })
  assert.match(await unknown.ask(), /^bad: /)
})

test('what is no port is refused', () => {
  assert.throws(() => tcp.open({ host: 'x', port: 0 }), /port/)
  assert.throws(() => tcp.open({ host: '', port: 1 }), /host/)
})
