/** The outside checker's reading of what the services wrote: it cries when it must, and only then. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interruption, overlapsIn } from '../../src/demo/witness.ts'

const lines = (...entries: string[]) => `${entries.join('\n')}\n`

test('lives one after the other are no overlap, also where a booted node counts again', () => {
  const writes = lines(
    '100 node1 137 begin',
    '200 node1 137 write',
    '300 node2 149 begin',
    '400 node2 149 write',
    '500 node1 137 begin',
    '600 node1 137 write',
  )
  assert.deepEqual(overlapsIn(writes), [])
  assert.deepEqual(overlapsIn(''), [])
})

test('a frozen life that goes on after another has begun is an overlap', () => {
  const writes = lines(
    '100 node1 137 begin',
    '200 node1 137 write',
    '300 node2 149 begin',
    '400 node2 149 write',
    '500 node1 137 write',
  )
  assert.deepEqual(overlapsIn(writes), [
    'node1 (process 137) and node2 (process 149) wrote at the same time',
  ])
})

test('two lives on one node are an overlap, and so is a lock that was taken', () => {
  const twice = lines('100 node1 7 begin', '200 node1 8 begin', '300 node1 7 write')
  assert.deepEqual(overlapsIn(twice), [
    'node1 (process 7) and node1 (process 8) wrote at the same time',
  ])
  const locked = lines('100 node1 7 begin', '200 node2 8 begin-while-locked')
  assert.deepEqual(overlapsIn(locked), [
    'node2 (process 8) began while another writer held the lock',
  ])
})

test('the longest silence counts, and only after the fault', () => {
  const answers = [0, 500, 520, 540, 900, 920].map((atMs) => ({
    askedMs: atMs - 1,
    answeredMs: atMs,
    node: atMs < 900 ? 'node1' : 'node2',
  }))
  assert.deepEqual(interruption(answers, 530), { forMs: 360, untilMs: 900, node: 'node2' })
  assert.equal(interruption([], 0), undefined)
})
