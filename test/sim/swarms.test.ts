/** Some lives of every biased swarm on every run: misfortunes that plain storms seldom come by. */
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { biases } from '../../src/sim/biased.ts'
import { live } from '../../src/sim/pool.ts'
import { BIASED, FIRST_SEED, hold } from './lives.ts'

test(`every promise holds in ${BIASED} lives of each biased swarm`, async () => {
  const swarms = Object.keys(biases).values()
  // A swarm for each core: none of them waits for the last lives of another one's swarm.
  const cores = Array.from({ length: availableParallelism() }, async () => {
    for (const biased of swarms) {
      hold(await live({ first: FIRST_SEED, count: BIASED, biased, workers: 1 }), BIASED, biased)
    }
  })
  await Promise.all(cores)
})
