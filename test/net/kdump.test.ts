/** H22: what counts as a word of a crash kernel, on the wire, from the program that kdump runs. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listenForDumps } from '../../src/daemon/dumps.ts'
import { isKdumpMessage } from '../../src/net/kdump.ts'
import { missing } from '../needs.ts'

const sender = '/usr/libexec/fence-agents/fence_kdump_send'
const word = Buffer.from('402a301b01000000', 'hex')

test('a message is a magic number and a version, in either byte order, and nothing else', () => {
  assert.ok(isKdumpMessage(word))
  assert.ok(isKdumpMessage(Buffer.from('1b302a4000000001', 'hex')))
  const others = ['', '402a301b', '402a301b02000000', '402a301b0100000000', '1b302a4001000000']
  for (const hex of others) assert.ok(!isKdumpMessage(Buffer.from(hex, 'hex')), hex)
})

/** Listens on a free port for a node `b` at that address; what was told and said. */
async function listening(t: TestContext, at: string) {
  const probe = createSocket('udp4')
  await new Promise<void>((resolve) => probe.bind(0, resolve))
  const { port } = probe.address()
  probe.close()
  const told: string[] = []
  const said: string[] = []
  const ears = listenForDumps({
    port,
    self: 'a',
    config: { nodes: [] },
    listed: () => [
      { name: 'a', nodeid: 1, addresses: ['192.0.2.1'] },
      { name: 'b', nodeid: 2, addresses: [at, '192.0.2.2'] },
    ],
    tell: (news) => told.push(news.kind === 'dumping' ? news.node : news.kind),
    say: (_, text) => said.push(text),
  })
  t.after(() => ears.close())
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const send = (bytes: Buffer) =>
    new Promise<void>((resolve) => socket.send(bytes, port, '127.0.0.1', () => resolve()))
  await sleep(200)
  return { port, told, said, send }
}

test('fence_kdump_send is heard, over IPv4 and IPv6', { skip: missing(sender) }, async (t) => {
  for (const at of ['127.0.0.1', '::1']) {
    const { port, told } = await listening(t, at)
    const { status } = spawnSync(sender, ['-p', `${port}`, '-c', '1', '-i', '1', at])
    assert.equal(status, 0)
    await sleep(300)
    assert.deepEqual(told, ['b'], at)
  }
})

test('a node known by its name is known by its address', async (t) => {
  const { told, send } = await listening(t, 'localhost')
  await send(word)
  await sleep(300)
  assert.deepEqual(told, ['b'])
})

test('a stranger says nothing, nor do other bytes, and nobody is told every message', async (t) => {
  const stranger = await listening(t, '192.0.2.3')
  await stranger.send(word)
  const known = await listening(t, '127.0.0.1')
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(8), Buffer.alloc(9_000, 0x40)]) {
    await known.send(bytes)
  }
  await sleep(200)
  assert.deepEqual([stranger.told, known.told], [[], []])
  for (let i = 0; i < 50; i++) await known.send(word)
  await sleep(300)
  assert.deepEqual(known.told, ['b'])
})

test('a flood shuts the port for a while, and is told once', async (t) => {
  const { told, said, send } = await listening(t, '192.0.2.3')
  for (let burst = 0; burst < 100 && said.length === 0; burst++) {
    await Promise.all(Array.from({ length: 100 }, () => send(Buffer.alloc(8))))
    await sleep(1)
  }
  await sleep(300)
  assert.equal(said.filter((text) => /more than 500 datagrams a second/.test(text)).length, 1)
  assert.deepEqual(told, [])
})

test('a port that somebody has is told, and does not end anything', async (t) => {
  const { port } = await listening(t, '127.0.0.1')
  const said: string[] = []
  const say = (_: string, text: string) => said.push(text)
  const rest = { self: 'a', config: { nodes: [] }, listed: () => [], tell: () => {}, say }
  const ears = listenForDumps({ port, ...rest })
  t.after(() => ears.close())
  await sleep(300)
  assert.match(said[0]!, /not heard here: UDP port \d+ cannot be listened on: .*EADDRINUSE/)
})
