import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { Effect } from '../../src/core/effect.ts'
import type { Event } from '../../src/core/event.ts'
import { monotonic } from '../../src/daemon/clock.ts'
import { type Hands, runNode, type Tell } from '../../src/daemon/runner.ts'
import { toyAtFirst, toyCore } from './toy.ts'

const core = toyCore()
const pause = (forMs: number) => new Promise((done) => setTimeout(done, forMs))

function start(perform: (effect: Effect, tell: Tell) => void = () => {}) {
  const trace: string[] = []
  const hands: Hands = {
    perform(effect, tell) {
      trace.push(`act ${effect.do}`)
      perform(effect, tell)
    },
  }
  const journal = {
    append: (event: Event) => void trace.push(`journal ${event.kind}`),
    did: (effects: readonly Effect[]) => void trace.push(`did ${effects.length}`),
  }
  const first = { state: toyAtFirst, effects: [] }
  const node = runNode({ core, first, hands, clock: monotonic, journal })
  return { node, trace }
}

test('news is put down at once, journalled before it is acted on, and taken one at a time', async (t) => {
  const { node, trace } = start((_effect, tell) => tell({ kind: 'saved', id: 9, ok: true }))
  t.after(() => node.stop())
  node.tell({ kind: 'saved', id: 1, ok: true })
  node.tell({ kind: 'saved', id: 2, ok: true })
  assert.equal(node.state().beats, 0)
  await pause(40)
  // A busy machine may get to the first tick by now.
  assert.deepEqual(trace.slice(1, 8), [
    'journal saved',
    'did 0',
    'journal saved',
    'did 1',
    'act say',
    'journal saved',
    'did 0',
  ])
  assert.equal(node.state().beats, 3)
})

test('the core gets the tick that it asked for, not before its time, and only that one', async (t) => {
  const { node, trace } = start()
  t.after(() => node.stop())
  node.tell({ kind: 'saved', id: 1, ok: true })
  await pause(120)
  assert.equal(node.state().ticks, 1)
  assert.equal(trace.filter((line) => line === 'journal tick').length, 1)
})

test('what was due for long, and is waited for only now, is no lag', async (t) => {
  const hands = { perform: () => {} }
  const journal = { append: () => {}, did: () => {} }
  const first = { state: { ...toyAtFirst, dueMs: monotonic.nowMs() - 60_000 }, effects: [] }
  const node = runNode({ core, first, hands, clock: monotonic, journal })
  t.after(() => node.stop())
  await pause(40)
  assert.equal(node.state().ticks, 1)
  assert.ok(node.lag().worstMs < 10_000, `${node.lag().worstMs} ms`)
})

test('a stall of the process shows as lag', async (t) => {
  const { node } = start()
  t.after(() => node.stop())
  node.tell({ kind: 'saved', id: 1, ok: true })
  await pause(5)
  const untilMs = monotonic.nowMs() + 150
  while (monotonic.nowMs() < untilMs);
  await pause(30)
  assert.ok(node.lag().worstMs >= 50, `${node.lag().worstMs} ms`)
})

test('after `stop` nothing is taken and nothing rings', async () => {
  const { node, trace } = start()
  node.tell({ kind: 'saved', id: 1, ok: true })
  await pause(5)
  node.stop()
  node.tell({ kind: 'saved', id: 2, ok: true })
  await pause(60)
  assert.equal(node.state().beats, 1)
  assert.equal(trace.filter((line) => line.startsWith('journal')).length, 1)
})

test('S20 a core that throws ends the process at once, although a worker thread is busy', async () => {
  const program = new URL('throws.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program])
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const beganMs = monotonic.nowMs()
  const [code] = await once(child, 'close')
  assert.equal(code, 70)
  assert.ok(monotonic.nowMs() - beganMs < 10_000, 'it waited for its worker thread')
  assert.equal(errors.trim().split('\n').length, 1)
  assert.match(errors, /the toy breaks: on purpose/)
})
