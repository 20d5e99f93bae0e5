/** That the mutants fit the sources; `npm run mutants` shows that each of them is caught. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { biases } from '../../src/sim/biased.ts'
import { type Mutant, mutated } from '../../src/sim/mutant.ts'
import { mutants } from '../../src/sim/mutants/index.ts'
import { live, playMutant } from '../../src/sim/pool.ts'

test('the text that each mutant replaces occurs exactly once, and its swarm exists', () => {
  for (const mutant of mutants) {
    mutated(mutant)
    if (mutant.swarm !== undefined) assert.ok(biases[mutant.swarm], mutant.name)
  }
})

test('mutants have names of their own', () => {
  const names = mutants.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
})

const sleepless: Mutant = {
  name: 'sleepless',
  rule: 'P8',
  file: 'core/cluster.ts',
  find: 'Math.min(state.nextBeatMs, deviceDeadlineMs(state))',
  replace: '-1e15',
  because: 'the loop is always busy',
}

test('a mutant is loaded in its own threads only, and is caught there', async () => {
  const [wrong] = await live({ first: 3, count: 1, mutant: sleepless })
  assert.equal(wrong?.promise, 'P8')
  const [sound] = await live({ first: 3, count: 1 })
  assert.equal(sound?.promise, undefined)
})

test('a mutant that names a scenario is caught in it', async () => {
  for (const mutant of mutants) {
    if (mutant.scenario === undefined) continue
    const file = new URL(`../scenarios/${mutant.scenario}.txt`, import.meta.url)
    assert.match(await playMutant(mutant, readFileSync(file, 'utf8')), /^BROKEN /m, mutant.name)
  }
})

test('a mutant whose text does not occur exactly once is refused', async () => {
  for (const find of ['no such text', 'state']) {
    const misfit = { ...sleepless, find }
    assert.throws(() => mutated(misfit), /occurs \d+ times in src\/core.*exactly once/)
    await assert.rejects(live({ first: 1, count: 1, mutant: misfit }), /exactly once/)
  }
})

test('a mutant of a file that the core does not load is refused', async () => {
  const unused = { ...sleepless, file: 'cli/terminal.ts', find: 'Colour is only ever an addition' }
  await assert.rejects(live({ first: 1, count: 1, mutant: unused }), /was never loaded/)
})
