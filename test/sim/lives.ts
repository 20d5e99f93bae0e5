/** How many lives a run of the tests lives, and how one that breaks a promise is told. */
import assert from 'node:assert/strict'
import type { Outcome } from '../../src/sim/pool.ts'
import { simulate } from '../../src/sim/run.ts'
import { realCore } from './real-core.ts'

export const SEEDS = Number(process.env.SEEDS ?? 2_000)
export const FIRST_SEED = Number(process.env.FIRST_SEED ?? 1)
/** Each biased swarm lives a part of that. */
export const BIASED = Math.ceil(SEEDS / 40)

/** Fails at the first broken promise, with the end of that life and how to live it again. */
export function hold(outcomes: readonly Outcome[], count: number, biased?: string): void {
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
