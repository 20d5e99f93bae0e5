import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lotsOf, rng } from '../../src/sim/rng.ts'

const draws = (lot: { next(): number }, count = 20) =>
  Array.from({ length: count }, () => lot.next())

test('the same seed and name give the same numbers, another seed or name gives others', () => {
  assert.deepEqual(draws(rng(7, 'disk')), draws(rng(7, 'disk')))
  assert.notDeepEqual(draws(rng(7, 'disk')), draws(rng(8, 'disk')))
  assert.notDeepEqual(draws(rng(7, 'disk')), draws(rng(7, 'ring')))
})

test('a draw in one stream does not change the others', () => {
  const [quiet, busy] = [lotsOf(3), lotsOf(3)]
  draws(busy.device, 1_000)
  assert.deepEqual(draws(busy.ring), draws(quiet.ring))
})

test('integers stay within both ends and reach them', () => {
  const lot = rng(1)
  const seen = new Set(Array.from({ length: 500 }, () => lot.int(3, 6)))
  assert.deepEqual([...seen].sort(), [3, 4, 5, 6])
})

test('a chance of 30 percent comes about 30 times in a hundred, one of 0 never', () => {
  const lot = rng(2)
  const hits = Array.from({ length: 10_000 }, () => lot.chance(30)).filter(Boolean).length
  assert.ok(hits > 2_700 && hits < 3_300, `${hits} of 10000`)
  assert.equal(lot.chance(0), false)
})

test('a shuffle keeps every item and leaves its argument alone', () => {
  const items = [1, 2, 3, 4, 5]
  const shuffled = rng(4).shuffle(items)
  assert.deepEqual([...shuffled].sort(), items)
  assert.deepEqual(items, [1, 2, 3, 4, 5])
})

test('neighbouring seeds draw different fates', () => {
  const first = Array.from({ length: 200 }, (_, seed) => rng(seed, 'swarm').next())
  assert.equal(new Set(first).size, first.length)
  const mean = first.reduce((sum, x) => sum + x, 0) / first.length
  assert.ok(mean > 0.4 && mean < 0.6, `mean ${mean}`)
})
