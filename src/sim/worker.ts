/**
 * Lives, in a thread of their own. The core is loaded here, and with a mutant in the thread's data
 * it is loaded wrong in one place.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Core } from './core.ts'
import { type Mutant, mutate } from './mutant.ts'
import type { Batch, Outcome, Scene } from './pool.ts'

const { biased, strict, mutant } = workerData as {
  biased: string | undefined
  strict: boolean
  mutant: Mutant | undefined
}

void serve()

/** Plays what it is asked to, until the thread is ended. */
async function serve(): Promise<void> {
  const port = parentPort
  if (port === null) throw new Error('worker.ts runs in a worker thread only')
  // Before anything loads the core: the world itself imports a part of it.
  const applied = mutant === undefined ? () => true : mutate(mutant)
  const core = (await import('../core/cluster.ts')) as unknown as Core
  const { simulate } = await import('./run.ts')
  const { play } = await import('./scenario.ts')
  if (!applied()) throw new Error(`the mutant ${mutant?.name} was never loaded`)

  port.on('message', (task: Batch | Scene) => {
    if ('scenario' in task) {
      port.postMessage(play(core, task.scenario))
      return
    }
    const { first, count } = task
    const outcomes: Outcome[] = []
    for (let seed = first; seed < first + count; seed++) {
      const { trace: _, ...outcome } = simulate(seed, { core, biased, strict })
      outcomes.push(outcome)
    }
    port.postMessage(outcomes)
  })
}
