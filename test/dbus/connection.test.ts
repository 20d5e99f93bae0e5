import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { CallError, connect } from '../../src/dbus/connection.ts'
import { decodeMessage, encodeMessage, messageLength } from '../../src/dbus/message.ts'

const soon = () => ({ untilMs: performance.now() + 2000 })
const call = { destination: 'a.b', path: '/a', interface: 'a.b', member: 'Do' }

/** A server that does with each connection what the test wants. */
async function serve(t: TestContext, each: (socket: Socket) => void): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-dbus-'))
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    each(socket)
  })
  const path = join(dir, 'socket')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    rmSync(dir, { recursive: true, force: true })
  })
  return path
}

/** Lets everybody in, then answers the first bytes of each message with `answer`. */
const answering = (answer: (serial: number) => readonly Buffer[]) => (socket: Socket) => {
  let authenticated = false
  socket.on('data', (bytes) => {
    if (!authenticated) {
      authenticated = true
      socket.write('OK 00ff\r\n')
      return
    }
    for (const reply of answer(decodeMessage(bytes).serial)) socket.write(reply)
  })
}

const reply = (replySerial: number, text: string) =>
  encodeMessage({ type: 'return', serial: 1, replySerial, signature: 's', body: [text] })

test('a call has its answer, whatever else arrives and however it is cut', async (t) => {
  const noise = encodeMessage({
    type: 'signal',
    serial: 1,
    path: '/a',
    interface: 'a.b',
    member: 'S',
  })
  const path = await serve(
    t,
    answering((serial) => {
      const all = Buffer.concat([noise, reply(999, 'a stranger'), reply(serial, 'yes'), noise])
      return Array.from(all, (byte) => Buffer.from([byte]))
    }),
  )
  const connection = await connect({ socketPath: path, viaBus: false }, soon())
  const signals: string[] = []
  connection.onSignal(({ member }) => void signals.push(member))
  assert.deepEqual(await connection.call(call, soon()), ['yes'])
  assert.deepEqual(await connection.call(call, soon()), ['yes'])
  await sleep(20)
  assert.deepEqual(signals, ['S', 'S', 'S', 'S'])
  connection.close('done')
  await assert.rejects(connection.call(call, soon()), /done/)
})

test('an error has its name and its text', async (t) => {
  const path = await serve(
    t,
    answering((replySerial) => {
      const error = { type: 'error', serial: 1, replySerial, errorName: 'a.b.No' } as const
      return [encodeMessage({ ...error, signature: 's', body: ['not today'] })]
    }),
  )
  const connection = await connect({ socketPath: path, viaBus: false }, soon())
  await assert.rejects(connection.call(call, soon()), (error) => {
    assert.ok(error instanceof CallError)
    assert.deepEqual([error.errorName, error.message], ['a.b.No', 'not today'])
    return true
  })
  connection.close('done')
})

test('whoever calls us is told that there is nothing', async (t) => {
  const path = await serve(t, (socket) => {
    let authenticated = false
    socket.on('data', (bytes) => {
      if (authenticated) socket.emit('answer', decodeMessage(bytes))
      else socket.write('OK 00ff\r\n')
      authenticated = true
    })
    socket.once('data', () => {
      socket.write(encodeMessage({ ...call, type: 'call', serial: 7, noReply: true }))
      socket.write(encodeMessage({ ...call, type: 'call', serial: 8 }))
    })
    socket.on('answer', ({ errorName, replySerial }) => void answers.push([errorName, replySerial]))
  })
  const answers: [string, number][] = []
  const connection = await connect({ socketPath: path, viaBus: false }, soon())
  await sleep(100)
  assert.deepEqual(answers, [['org.freedesktop.DBus.Error.UnknownMethod', 8]])
  connection.close('done')
})

test('who does not let us in, or says nothing, is given up in time', async (t) => {
  const cases: [(socket: Socket) => void, RegExp][] = [
    [() => {}, /does not let us in in time/],
    [(socket) => socket.write('REJECTED EXTERNAL\r\n'), /we are not let in: REJECTED/],
    [(socket) => socket.write('x'.repeat(5000)), /a line without an end/],
    [(socket) => socket.destroy(), /hung up|ECONNRESET|EPIPE/],
    [(socket) => socket.write('OK 00\r\nHTTP/1.1 400 Bad Request\r\n'), /endian/],
  ]
  for (const [each, why] of cases) {
    const path = await serve(t, each)
    const bounds = { untilMs: performance.now() + 300 }
    await assert.rejects(connect({ socketPath: path, viaBus: true }, bounds), why)
  }
  const nowhere = { socketPath: '/nonexistent/socket', viaBus: false }
  await assert.rejects(connect(nowhere, soon()), /ENOENT/)
})

test('a call ends with its bounds, and its connection lives on', async (t) => {
  let deaf = true
  const path = await serve(
    t,
    answering((serial) => (deaf ? [] : [reply(serial - 2, 'too late'), reply(serial, 'yes')])),
  )
  const connection = await connect({ socketPath: path, viaBus: false }, soon())
  const bounds = { untilMs: performance.now() + 50 }
  await assert.rejects(connection.call(call, bounds), /Do is not answered in time/)
  const aborted = connection.call(call, { ...soon(), signal: AbortSignal.timeout(20) })
  await assert.rejects(aborted, /nobody waits/)
  deaf = false
  assert.deepEqual(await connection.call(call, soon()), ['yes'])
  connection.close('done')
})

test('the end of a connection ends what waits for it, and is told once', async (t) => {
  const path = await serve(t, (socket) => {
    socket.once('data', () => socket.write('OK 00\r\n'))
    setTimeout(() => socket.destroy(), 100)
  })
  const connection = await connect({ socketPath: path, viaBus: false }, soon())
  const ends: string[] = []
  connection.onEnd((because) => void ends.push(because))
  await assert.rejects(connection.call(call, soon()), /hung up/)
  connection.onEnd((because) => void ends.push(because))
  connection.close('again')
  assert.equal(ends.length, 2)
})

test('a header is bounded, and damage to a message throws an Error', () => {
  const whole = reply(3, 'yes')
  assert.equal(messageLength(whole), whole.length)
  assert.equal(messageLength(whole.subarray(0, 15)), undefined)
  for (const at of [4, 12]) {
    const large = Buffer.from(whole)
    large.writeUInt32LE(0xffff_fff0, at)
    assert.throws(() => messageLength(large), /a message of more than/)
  }
  const damage = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (all) => {
      const damaged = Buffer.from(whole)
      for (const { at, byte } of all) damaged[at] = byte
      try {
        const length = messageLength(damaged)
        if (length === damaged.length) decodeMessage(damaged)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }),
    { numRuns: 3000 },
  )
})

test('a big-endian message of another implementation is read', () => {
  // By hand after the specification: a signal with a path, five bytes of padding, no body.
  const fixed = '42040101' + '00000000' + '00000007' + '0000000b'
  const hex = `${fixed}01016f00000000022f6100${'00'.repeat(5)}`
  const message = decodeMessage(Buffer.from(hex, 'hex'))
  assert.deepEqual([message.type, message.serial, message.path], ['signal', 7, '/a'])
})
