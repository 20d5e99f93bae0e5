/** Thousands of lives on every run; `picket simulate` lives as many as you like. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { biases } from '../../src/sim/biased.ts'
import { live, type Outcome } from '../../src/sim/pool.ts'
import { simulate } from '../../src/sim/run.ts'
import { realCore } from './real-core.ts'

const SEEDS = Number(process.env.SEEDS ?? 2_000)
const FIRST_SEED = Number(process.env.FIRST_SEED ?? 1)
/** Each biased swarm lives a part of that. */
const BIASED = Math.ceil(SEEDS / 40)

function hold(outcomes: readonly Outcome[], count: number, biased?: string): void {
  assert.equal(outcomes.length, count)
  const broken = outcomes.filter(({ violation }) => violation !== undefined)
  const [first] = broken
  if (first === undefined) return
  const { trace } = simulate(first.seed, { core: realCore, biased })
  const again = `picket simulate --seed ${first.seed}${biased ? ` --biased ${biased}` : ''}`
  const seeds = broken.map(({ seed }) => seed).slice(0, 20)
  const text = `${broken.length} of ${count} lives break a promise (seeds ${seeds}).`
  assert.fail(`${text}\n${trace.slice(-40).join('\n')}\n${first.violation}\nAgain: ${again}`)
}

test(`every promise holds in ${SEEDS} lives`, async () => {
  const outcomes = await live({ first: FIRST_SEED, count: SEEDS })
  hold(outcomes, SEEDS)
  // A storm in which nothing happens would prove nothing.
  const presses = outcomes.reduce((sum, outcome) => sum + outcome.presses, 0)
  const starts = outcomes.reduce((sum, outcome) => sum + outcome.starts, 0)
  assert.ok(presses > SEEDS, `only ${presses} presses`)
  assert.ok(starts > 3 * SEEDS, `only ${starts} starts`)
})

test(`every promise holds in ${BIASED} lives of each biased swarm`, async () => {
  for (const biased of Object.keys(biases)) {
    hold(await live({ first: FIRST_SEED, count: BIASED, biased }), BIASED, biased)
  }
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
