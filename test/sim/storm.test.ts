/** Thousands of lives on every run; `picket simulate` lives as many as you like. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { live } from '../../src/sim/pool.ts'
import { simulate } from '../../src/sim/run.ts'
import { FIRST_SEED, hold, SEEDS } from './lives.ts'
import { realCore } from './real-core.ts'

test(`every promise holds in ${SEEDS} lives`, async () => {
  const outcomes = await live({ first: FIRST_SEED, count: SEEDS })
  hold(outcomes, SEEDS)
  // A storm in which nothing happens would prove nothing.
  const presses = outcomes.reduce((sum, outcome) => sum + outcome.presses, 0)
  const starts = outcomes.reduce((sum, outcome) => sum + outcome.starts, 0)
  assert.ok(presses > SEEDS, `only ${presses} presses`)
  assert.ok(starts > 3 * SEEDS, `only ${starts} starts`)
})

test('the state is never changed in place, and nothing relies on what JSON would lose', async () => {
  hold(await live({ first: FIRST_SEED, count: 40, strict: true }), 40)
})

test('the same seed is the same life, in a thread or not', async () => {
  const one = simulate(7, { core: realCore })
  const other = simulate(7, { core: realCore })
  assert.deepEqual(one, other)
  const [threaded] = await live({ first: 7, count: 1 })
  const { trace: _, ...outcome } = one
  assert.deepEqual(threaded, outcome)
})

test('another seed is another life', () => {
  assert.notDeepEqual(simulate(7, { core: realCore }).trace, simulate(8, { core: realCore }).trace)
})
