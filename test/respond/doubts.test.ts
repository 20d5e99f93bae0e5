/** R5, R7: what a responder must not do, however its files, its clock and its lock behave. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { markOf } from '../../src/recorder/alive.ts'
import { openPlace, put } from '../../src/recorder/place.ts'
import { openClaims } from '../../src/respond/claims.ts'
import { requestOf, until } from '../recorder/site.ts'
import { answerTo, watched, write } from './watched.ts'

const hourMs = 3_600_000
const instant = (atMs: number) => new Date(atMs).toISOString()

test('a success of long ago answers no new request, whatever its key or its id', async (t) => {
  const here = await watched(t)
  const old = requestOf({
    ...{ timestamp: instant(Date.now() - 3 * hourMs), idempotency_key: 'node-01 off' },
    deadline: instant(Date.now() - 2 * hourMs),
  })
  const response = { request_id: old.request_id, success: true, message: 'off confirmed' }
  const told = { ...response, action_performed: 'off', target_node: 'node-01', timestamp: '' }
  const claim = JSON.stringify({ ...old, claim: { response: told } })
  await put(here.place.claims, old.request_id, claim)
  await here.begin()
  const byKey = requestOf({ idempotency_key: 'node-01 off' })
  const byId = requestOf({ request_id: old.request_id })
  for (const request of [byKey, byId]) {
    await write(here.place, request)
    const { success, message } = await answerTo(here.place, request)
    assert.deepEqual([success, /was used before/.test(message)], [false, true], message)
  }
  assert.deepEqual(here.done, [])
})

test('a claim that cannot be read: its request may have been carried out', async (t) => {
  const here = await watched(t)
  const request = requestOf()
  writeFileSync(join(here.place.claims, `${request.request_id}.json`), '{"request_id"')
  await write(here.place, request)
  await here.begin()
  const { success, message } = await answerTo(here.place, request)
  assert.deepEqual([success, /cannot be read/.test(message)], [false, true], message)
  assert.deepEqual(here.done, [])
})

test('however many come: none that may be asked for again is forgotten', async (t) => {
  const here = await watched(t)
  const claims = await openClaims(here.place)
  const deadline = instant(Date.now() + hourMs / 2)
  const asked = Array.from({ length: 60 }, () => requestOf({ deadline }))
  const over = Array.from({ length: 60 }, () =>
    requestOf({ deadline: instant(Date.now() - hourMs), timestamp: instant(Date.now() - hourMs) }),
  )
  for (const request of [...over, ...asked]) await claims.begin(request)
  await claims.tidy(10)
  assert.ok(asked.every((request) => claims.of(request) !== undefined))
  assert.ok(over.every((request) => claims.of(request) === undefined))
  const again = await openClaims(here.place)
  assert.ok(asked.every((request) => again.of(request) !== undefined))
  assert.ok(over.every((request) => again.of(request) === undefined))
})

test('a clock that is put back gives nobody who waits more time', async (t) => {
  const here = await watched(t)
  const gate = Promise.withResolvers<void>()
  here.deed = async ({ request_id }) => {
    if (request_id === first.request_id) await gate.promise
    return { success: true, message: 'done' }
  }
  await here.begin()
  const first = requestOf()
  const second = requestOf({ deadline: instant(Date.now() + 700) })
  await write(here.place, first)
  await until(() => here.done.length === 1)
  await write(here.place, second)
  await sleep(200)
  const now = Date.now
  mock.method(Date, 'now', () => now() - 1_800_000)
  t.after(() => mock.restoreAll())
  await sleep(1_000)
  gate.resolve()
  assert.match((await answerTo(here.place, second)).message, /its deadline has passed/)
  assert.equal(here.done.length, 1)
})

test('an agent that is killed in the middle: nothing more is done for it', async (t) => {
  const here = await watched(t)
  let stopped = false
  here.deed = async (_, { signal }) => {
    await sleep(20_000, undefined, { signal }).catch(() => {})
    stopped = signal.aborted
    return { success: false, message: 'stopped' }
  }
  await here.begin({ tries: 3 })
  const agent: ChildProcess = spawn('sleep', ['60'])
  t.after(() => agent.kill('SIGKILL'))
  await until(() => agent.pid !== undefined)
  const request = requestOf({ requester: markOf(agent.pid ?? 0) })
  await write(here.place, request)
  await until(() => here.done.length === 1)
  agent.kill('SIGKILL')
  const { success, message } = await answerTo(here.place, request)
  assert.deepEqual([success, /has ended/.test(message)], [false, true], message)
  assert.deepEqual([stopped, here.done.length], [true, 1])
})

test('whose lock was taken away carries nothing out any more, and ends', async (t) => {
  const here = await watched(t)
  await here.begin()
  rmSync(here.place.dir, { recursive: true })
  openPlace(here.place.dir)
  const request = requestOf()
  await write(here.place, request)
  await assert.rejects(here.responder.ended, /responder.lock .*is not there any more/)
  await sleep(300)
  assert.deepEqual(here.done, [])
  await here.responder.close()
  const next = await watched(t)
  assert.ok(next)
})

test('a disk that takes no result takes nothing from the answer', async (t) => {
  const here = await watched(t)
  here.deed = async () => {
    // From here on nothing can be written there.
    rmSync(here.place.claims, { recursive: true })
    writeFileSync(here.place.claims, '')
    return { success: true, message: 'off confirmed' }
  }
  await here.begin()
  const request = requestOf()
  await write(here.place, request)
  assert.equal((await answerTo(here.place, request)).success, true)
  assert.match(here.said.join('\n'), /alarm: .*is not kept/)
  assert.ok(existsSync(here.place.claims))
})

test('halves of files that a killed agent has left go away', async (t) => {
  const here = await watched(t)
  const half = join(here.place.requests, `${crypto.randomUUID()}.json.tmp`)
  writeFileSync(half, '{')
  utimesSync(half, new Date(0), new Date(0))
  await here.begin()
  await until(() => !existsSync(half), 15_000)
})
