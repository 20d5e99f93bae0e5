/** Names of devices: what was resolved once is there when the name server is not. */
import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { names, openNames } from '../../src/fence/names.ts'

const at = (address: string): LookupAddress[] => [{ address, family: 4 }]

test('a name that was resolved once is still known when the name server is gone', async () => {
  const answers = [at('192.0.2.1'), at('192.0.2.2')]
  let asked = 0
  const kept = openNames(async () => {
    asked += 1
    const answer = answers.shift()
    if (answer === undefined) throw new Error('EAI_AGAIN')
    return answer
  }, 0)
  assert.deepEqual(await kept.addressesOf('bmc.example'), at('192.0.2.1'))
  assert.deepEqual(await kept.addressesOf('bmc.example'), at('192.0.2.2'))
  assert.deepEqual(await kept.addressesOf('bmc.example'), at('192.0.2.2'))
  await assert.rejects(kept.addressesOf('other.example'), /EAI_AGAIN/)
  assert.equal(asked, 4)
  assert.deepEqual(await kept.addressesOf('192.0.2.9'), at('192.0.2.9'))
  assert.equal(asked, 4, 'an address needs no name server')
})

test('a name server that hangs holds nobody up, and is asked once at a time', async () => {
  let asked = 0
  const kept = openNames(async () => {
    asked += 1
    if (asked > 1) await new Promise(() => undefined)
    return at('192.0.2.1')
  }, 0)
  await kept.addressesOf('bmc.example')
  const startedMs = performance.now()
  const all = await Promise.all([1, 2, 3, 4, 5, 6].map(() => kept.addressesOf('bmc.example')))
  assert.deepEqual(all, Array(6).fill(at('192.0.2.1')))
  assert.ok(performance.now() - startedMs < 2_000)
  assert.equal(asked, 2)
})

test('a fresh answer is not asked for again, and `connect` takes what there is', async () => {
  const server = createServer((socket) => socket.end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  let asked = 0
  const kept = openNames(async () => {
    asked += 1
    await sleep(1)
    return at('127.0.0.1')
  })
  try {
    for (const autoSelectFamily of [true, false]) {
      const socket = connect({ host: 'bmc.example', port, lookup: kept.lookup, autoSelectFamily })
      const said = await new Promise((resolve, reject) => {
        socket.once('data', (text) => resolve(String(text)))
        socket.once('error', reject)
      })
      assert.equal(said, 'hello')
    }
    assert.equal(asked, 1)
  } finally {
    server.close()
  }
  assert.ok((await names.addressesOf('localhost')).length > 0)
})
