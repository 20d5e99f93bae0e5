/** R5: the responder, with a machine that a test watches: once, in time, whatever lies about. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { self } from '../../src/recorder/alive.ts'
import { ask } from '../../src/recorder/ask.ts'
import { put } from '../../src/recorder/place.ts'
import { notRoot } from '../needs.ts'
import { requestOf, until } from '../recorder/site.ts'
import { answerTo, watched, write } from './watched.ts'

test('a request is carried out, answered in the form of R2, with hooks around it', async (t) => {
  const here = await watched(t)
  const request = requestOf({ action: 'reboot' })
  await write(here.place, request)
  await here.begin()
  const answer = await answerTo(here.place, request)
  const { timestamp, ...rest } = answer
  assert.ok(Number.isFinite(Date.parse(timestamp)))
  assert.deepEqual(rest, {
    request_id: request.request_id,
    success: true,
    action_performed: 'reboot',
    target_node: 'node-01',
    message: 'done',
  })
  await until(() => here.hooks.length === 2)
  assert.deepEqual(here.hooks, ['before reboot', 'after reboot true'])
})

test('a request past its deadline is never carried out', async (t) => {
  const here = await watched(t)
  await here.begin()
  const past = new Date(Date.now() - 61_000).toISOString()
  const late = requestOf({ deadline: new Date(Date.now() - 1).toISOString() })
  const old = requestOf({ timestamp: past })
  for (const request of [late, old]) await write(here.place, request)
  for (const request of [late, old]) {
    const { success, message } = await answerTo(here.place, request)
    assert.deepEqual([success, /its deadline has passed/.test(message)], [false, true])
  }
  assert.deepEqual(here.done, [])
})

test('what nobody waits for any more is not carried out: Pacemaker has killed its agent', async (t) => {
  const here = await watched(t)
  await here.begin()
  const gone = requestOf({ requester: { ...self(), started: '1' } })
  await write(here.place, gone)
  assert.match((await answerTo(here.place, gone)).message, /waits no more; it was not carried out/)
  const elsewhere = requestOf({ requester: { ...self(), started: '1', place: 'another machine' } })
  const here1 = requestOf({ requester: self() })
  for (const request of [elsewhere, here1]) {
    await write(here.place, request)
    assert.equal((await answerTo(here.place, request)).success, true)
  }
  assert.equal(here.done.length, 2)
})

test('one whose time runs out while it waits is not begun; one that runs is told so', async (t) => {
  const here = await watched(t)
  here.deed = async (_, { signal }) => {
    await sleep(5_000, undefined, { signal }).catch(() => {})
    return { success: false, message: signal.aborted ? 'cut short' : 'too long' }
  }
  await here.begin()
  const deadline = new Date(Date.now() + 600).toISOString()
  const [first, second] = [requestOf({ deadline }), requestOf({ deadline })]
  await write(here.place, first)
  await until(() => here.done.length === 1)
  await write(here.place, second)
  assert.equal((await answerTo(here.place, first)).message, 'cut short')
  assert.match((await answerTo(here.place, second)).message, /its deadline has passed/)
  assert.equal(here.done.length, 1)
})

test('the same request twice is carried out once, by its id and by its key', async (t) => {
  const here = await watched(t)
  here.deed = async () => {
    await sleep(200)
    return { success: true, message: `the ${here.done.length}. deed` }
  }
  await here.begin()
  const first = requestOf({ idempotency_key: 'one' })
  const again = requestOf({ idempotency_key: 'one' })
  const other = requestOf({ idempotency_key: 'one', target_node: 'node-02' })
  await Promise.all([write(here.place, first), write(here.place, again)])
  for (const request of [first, again]) {
    const { message, request_id } = await answerTo(here.place, request)
    assert.deepEqual([message, request_id], ['the 1. deed', request.request_id])
  }
  await write(here.place, other)
  const misused = await answerTo(here.place, other)
  assert.deepEqual([misused.success, /its key was used/.test(misused.message)], [false, true])
  execFileSync('rm', [join(here.place.responses, `${first.request_id}.json`)])
  await write(here.place, first)
  assert.equal((await answerTo(here.place, first)).message, 'the 1. deed')
  assert.equal(here.done.length, 1)
})

test('also over a restart: what is done is not done again, what was begun is told', async (t) => {
  const here = await watched(t)
  await here.begin()
  const done = requestOf()
  await write(here.place, done)
  await answerTo(here.place, done)
  await here.responder.close()
  const begun = requestOf({ target_node: 'node-02' })
  await put(here.place.claims, begun.request_id, JSON.stringify({ ...begun, claim: {} }))
  execFileSync('rm', [join(here.place.responses, `${done.request_id}.json`)])
  await write(here.place, begun)
  await here.begin()
  assert.equal((await answerTo(here.place, done)).success, true)
  assert.equal((await answerTo(here.place, begun)).success, true)
  assert.deepEqual(
    here.done.map(({ request, attempt }) => [request.target_node, attempt.resumed]),
    [
      ['node-01', false],
      ['node-02', true],
    ],
  )
})

test('what fails is tried again within its deadline, so often and not after a final word', async (t) => {
  const here = await watched(t)
  here.deed = async (_, { number }) => ({ success: number === 3, message: `attempt ${number}` })
  await here.begin({ tries: 3 })
  const request = requestOf()
  await write(here.place, request)
  assert.equal((await answerTo(here.place, request)).message, 'attempt 3')
  here.deed = async () => ({ success: false, message: 'no such node', final: true })
  const hopeless = requestOf()
  await write(here.place, hopeless)
  assert.equal((await answerTo(here.place, hopeless)).success, false)
  assert.equal(here.done.length, 4)
})

test('a hundred at once: none is lost, and no two of one node run side by side', async (t) => {
  const here = await watched(t)
  const running = new Set<string>()
  let most = 0
  here.deed = async ({ target_node }) => {
    assert.ok(!running.has(target_node))
    running.add(target_node)
    most = Math.max(most, running.size)
    await sleep(20)
    running.delete(target_node)
    return { success: true, message: 'done' }
  }
  await here.begin()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      ask({
        ...{ place: here.place, action: 'off', target: `n${at % 50}`, recorder: 'test' },
        ...{ filesystems: [], timeoutMs: 30_000 },
      }),
    ),
  )
  assert.ok(answers.every((answer) => answer.ok && answer.response.success))
  assert.equal(here.done.length, 100)
  assert.equal(most, 8)
  assert.deepEqual(readdirSync(here.place.requests), [])
})

test('without inotify it looks for itself', async (t) => {
  const here = await watched(t)
  await here.begin({ polling: true })
  assert.match(here.said.join('\n'), /\(polling\)/)
  const request = requestOf()
  await write(here.place, request)
  assert.equal((await answerTo(here.place, request)).success, true)
})

test('hostile files are refused and reported, and carried out by nobody', async (t) => {
  const here = await watched(t)
  await here.begin()
  const dir = here.place.requests
  const good = join(here.place.dir, 'good.json')
  const traps: Record<string, (path: string, text: string) => void> = {
    link: (path, text) => {
      writeFileSync(good, text)
      symlinkSync(good, path)
    },
    fifo: (path) => void execFileSync('mkfifo', [path]),
    gigabyte: (path) => {
      writeFileSync(path, '{')
      truncateSync(path, 2 ** 30)
    },
    latin: (path) => writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d])),
    ...(notRoot === false && {
      stranger: (path: string, text: string) => {
        // Theirs from the first moment on, as a stranger's is.
        writeFileSync(good, text)
        chownSync(good, 12_345, 12_345)
        renameSync(good, path)
      },
    }),
  }
  for (const [name, trap] of Object.entries(traps)) {
    const request = requestOf()
    trap(join(dir, `${request.request_id}.json`), JSON.stringify(request))
    const answer = await answerTo(here.place, request)
    assert.deepEqual([answer.success, /^Refused: it/.test(answer.message)], [false, true], name)
    // It is answered first, and then told and taken away.
    await until(() => !existsSync(join(dir, `${request.request_id}.json`)))
    await until(() => here.said.some((text) => text.includes(request.request_id)))
  }
  const wrong = requestOf()
  await put(dir, wrong.request_id, JSON.stringify({ ...wrong, target_node: '../../etc/passwd' }))
  assert.match((await answerTo(here.place, wrong)).message, /no name of a node/)
  const half = requestOf()
  writeFileSync(join(dir, `${half.request_id}.json`), '{"request_id": "')
  assert.match((await answerTo(here.place, half)).message, /no whole JSON/)
  writeFileSync(join(dir, 'notes.txt'), 'hello')
  await until(() => here.said.some((text) => text.includes('"notes.txt" is no request')))
  assert.deepEqual(here.done, [])
})

test('a request that is written where it is looked for is given a moment', async (t) => {
  const here = await watched(t)
  await here.begin()
  const request = requestOf()
  const path = join(here.place.requests, `${request.request_id}.json`)
  const text = JSON.stringify(request, undefined, 2)
  writeFileSync(path, text.slice(0, 50))
  await sleep(150)
  writeFileSync(path, text)
  assert.equal((await answerTo(here.place, request)).success, true)
})

test('what waits when it ends is left to the next', async (t) => {
  const here = await watched(t)
  const gate = Promise.withResolvers<void>()
  here.deed = async () => {
    await gate.promise
    return { success: true, message: 'done' }
  }
  await here.begin({ parallelMax: 1 })
  const [runs, waits] = [requestOf(), requestOf({ target_node: 'node-02' })]
  await write(here.place, runs)
  await until(() => here.done.length === 1)
  await write(here.place, waits)
  await sleep(100)
  const closing = here.responder.close()
  gate.resolve()
  await closing
  assert.equal((await answerTo(here.place, runs)).success, true)
  assert.ok(!existsSync(join(here.place.responses, `${waits.request_id}.json`)))
  assert.equal(here.done.length, 1)
  await here.begin()
  assert.equal((await answerTo(here.place, waits)).success, true)
})
