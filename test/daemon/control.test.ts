import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Order } from '../../src/core/event.ts'
import { type ControlOptions, type OrderView, openControl } from '../../src/daemon/control.ts'
import { socketName } from '../../src/daemon/protocol.ts'
import { scratch } from './scratch.ts'

const verdict = {
  proven: true,
  newBoot: false,
  text: 'off',
  level: 1,
  tookMs: 5,
  late: false,
  commanded: 'yes' as const,
  evidence: [],
}
const fence = { do: 'fence', action: 'off', target: 'b', requester: 'root', reason: 'it smokes' }
const pause = (forMs: number) => new Promise((done) => setTimeout(done, forMs))

async function daemon(t: TestContext, options: Partial<ControlOptions> = {}) {
  const runDir = scratch(t)
  const orders: OrderView[] = []
  const given: Order[] = []
  const world = { status: { beat: 0 } as object, refusal: undefined as string | undefined }
  const control = await openControl({
    runDir,
    desk: {
      status: () => world.status,
      orders: () => orders,
      give(order) {
        if (world.refusal === undefined) given.push(order)
        return world.refusal
      },
      explain: () => 'nothing',
      prove: () => 'nothing',
      foresee: () => ({ foreseen: [], cautions: [] }),
      accept: async () => 'nothing is accepted here',
      journalPath: '/var/lib/picket/journal.jsonl',
    },
    watchMs: 20,
    ...options,
  })
  t.after(() => control.close())
  const client = () => {
    const socket = connect(join(runDir, socketName))
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    return { socket, lines: linesOf(socket) }
  }
  return { runDir, control, client, orders, given, world }
}

/** The answers of one connection, in order; `undefined` when it has ended. */
function linesOf(socket: Socket): () => Promise<unknown> {
  const lines: string[] = []
  let rest = ''
  let ended = false
  let wake = () => {}
  socket.setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
    wake()
  })
  socket.on('close', () => {
    ended = true
    wake()
  })
  return async () => {
    while (lines.length === 0 && !ended) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
    }
    const line = lines.shift()
    return line === undefined ? undefined : JSON.parse(line)
  }
}

const ask = (socket: Socket, request: object) => socket.write(`${JSON.stringify(request)}\n`)

test('a client asks as often as it likes, and gets one line for each question', async (t) => {
  const { client, runDir } = await daemon(t)
  assert.equal(statSync(join(runDir, socketName)).mode & 0o777, 0o600)
  const { socket, lines } = client()
  ask(socket, { do: 'status' })
  assert.deepEqual(await lines(), { ok: true, status: { beat: 0 } })
  socket.write('{"do":"jour')
  await pause(10)
  socket.write('nal"}\n{"do":"status"}\n')
  assert.deepEqual(await lines(), { ok: true, path: '/var/lib/picket/journal.jsonl' })
  assert.deepEqual(await lines(), { ok: true, status: { beat: 0 } })
})

test('an order is followed from sentence to verdict, and only what concerns it is told', async (t) => {
  const { client, control, orders, given } = await daemon(t)
  const { socket, lines } = client()
  ask(socket, fence)
  while (given.length === 0) await pause(5)
  const [{ id, ...order }] = given as [Order]
  assert.deepEqual(order, { action: 'off', target: 'b', requester: 'root', reason: 'it smokes' })
  control.said({ do: 'say', level: 'info', text: 'c is fine', facts: { node: 'c' } })
  control.said({ do: 'say', level: 'info', text: 'nobody is meant' })
  control.said({ do: 'say', level: 'warn', text: 'b is condemned', facts: { node: 'b' } })
  orders.push({ id, at: 'fencing', because: 'under way' })
  control.changed()
  orders[0] = { id, at: 'done', because: 'b is off', verdict }
  control.changed()
  assert.deepEqual(await lines(), { progress: 'b is condemned' })
  assert.deepEqual(await lines(), { ok: true, because: 'b is off', verdict })
  assert.equal(await lines(), undefined)
})

test('an order that is refused or fails is not ok, and neither is one that nobody can take', async (t) => {
  const { client, control, orders, given, world } = await daemon(t)
  const [refused, failed] = [client(), client()]
  for (const { socket } of [refused, failed]) ask(socket, fence)
  while (given.length < 2) await pause(5)
  const ids = given.map(({ id }) => id)
  assert.notEqual(ids[0], ids[1])
  orders.push({ id: ids[0]!, at: 'refused', because: 'it is a member' })
  orders.push({ id: ids[1]!, at: 'failed', because: 'no device proved it', verdict })
  control.changed()
  const answers = [await refused.lines(), await failed.lines()] as { ok: boolean }[]
  assert.deepEqual(
    answers.map(({ ok }) => ok),
    [false, false],
  )

  world.refusal = 'this node has not joined the cluster'
  const { socket, lines } = client()
  ask(socket, fence)
  assert.deepEqual(await lines(), { ok: false, because: 'this node has not joined the cluster' })
  ask(socket, { do: 'status' })
  assert.deepEqual(await lines(), { ok: true, status: { beat: 0 } })
})

test('who watches hears of every change, soon, and of nothing else', async (t) => {
  const { client, control, world } = await daemon(t)
  const { socket, lines } = client()
  ask(socket, { do: 'watch' })
  assert.deepEqual(await lines(), { status: { beat: 0 } })
  control.changed()
  for (let beat = 1; beat <= 50; beat++) {
    world.status = { beat }
    control.changed()
  }
  let last: unknown
  let count = 0
  while ((last as { status: { beat: number } } | undefined)?.status.beat !== 50) {
    last = await lines()
    count++
  }
  assert.ok(count < 10, `${count} lines for one burst`)
  ask(socket, { do: 'status' })
  assert.match(JSON.stringify(await lines()), /"ok":false.*follows something already/)
})

test('nonsense gets one line that says what is wrong, and the daemon stays', async (t) => {
  const { client } = await daemon(t)
  const { socket, lines } = client()
  for (const nonsense of [
    'hello',
    '[]',
    'null',
    '{"do":"explode"}',
    '{"do":"status","extra":1}',
    '{"do":"fence","action":"off"}',
    '{"do":"fence","action":"melt","target":"b","requester":"r","reason":"x"}',
    '{"__proto__":{"do":"status"}}',
    '\0\u{1f600}'.repeat(100),
  ]) {
    socket.write(`${nonsense}\n`)
    const answer = (await lines()) as { ok: boolean; because: string }
    assert.equal(answer.ok, false, nonsense)
    assert.ok(answer.because.length > 10 && !answer.because.includes('\n'))
  }
})

test('a line without an end ends the connection, as bytes and as crumbs', async (t) => {
  const { client } = await daemon(t)
  const { socket, lines } = client()
  socket.write('x'.repeat(70_000))
  assert.match(JSON.stringify(await lines()), /at most 65536 bytes/)
  assert.equal(await lines(), undefined)

  const long = client()
  long.socket.write(`${'x'.repeat(70_000)}\n`)
  assert.match(JSON.stringify(await long.lines()), /at most 65536 bytes/)
  const well = client()
  ask(well.socket, { do: 'status' })
  assert.deepEqual(await well.lines(), { ok: true, status: { beat: 0 } })
})

test('only so many clients are served at once, and places become free again', async (t) => {
  const { client } = await daemon(t, { clientsMax: 3 })
  const kept = [client(), client(), client()]
  for (const { socket, lines } of kept) {
    ask(socket, { do: 'status' })
    await lines()
  }
  const turnedAway = client()
  assert.match(JSON.stringify(await turnedAway.lines()), /3 clients at once/)
  assert.equal(await turnedAway.lines(), undefined)
  kept[0]!.socket.destroy()
  await pause(20)
  const next = client()
  ask(next.socket, { do: 'status' })
  assert.deepEqual(await next.lines(), { ok: true, status: { beat: 0 } })
})

test('who says nothing is shown out, who waits for an order is not', async (t) => {
  const { client, control, orders, given } = await daemon(t, { idleMs: 50 })
  const [silent, waiting] = [client(), client()]
  ask(waiting.socket, fence)
  assert.match(JSON.stringify(await silent.lines()), /nothing was asked/)
  assert.equal(await silent.lines(), undefined)
  await pause(100)
  orders.push({ id: given[0]!.id, at: 'done', because: 'off', verdict })
  control.changed()
  assert.deepEqual(await waiting.lines(), { ok: true, because: 'off', verdict })
})

test('who asks and does not read is dropped before it fills the memory', async (t) => {
  const { client, world, control } = await daemon(t)
  world.status = { filler: 'x'.repeat(100_000) }
  const { socket } = client()
  await once(socket, 'connect')
  socket.pause()
  for (let asked = 0; asked < 2_000 && !socket.destroyed; asked++) ask(socket, { do: 'status' })
  socket.resume()
  const closed = Promise.withResolvers<void>()
  socket.on('close', () => closed.resolve())
  await closed.promise
  control.changed()
})

test('the socket of a dead daemon is replaced, and a path that is too long is refused', async (t) => {
  const { runDir, client } = await daemon(t)
  const desk = {
    status: () => ({}),
    orders: () => [],
    give: () => undefined,
    explain: () => 'nothing',
    prove: () => 'nothing',
    foresee: () => ({ foreseen: [], cautions: [] }),
    accept: async () => 'nothing is accepted here',
    journalPath: '',
  }
  const second = await openControl({ runDir, desk })
  const { socket, lines } = client()
  ask(socket, { do: 'status' })
  assert.deepEqual(await lines(), { ok: true, status: {} })
  second.close()
  const deep = join(runDir, 'x'.repeat(100))
  mkdirSync(deep)
  await assert.rejects(openControl({ runDir: deep, desk }), /longer than 107 bytes.*--run/)
})
