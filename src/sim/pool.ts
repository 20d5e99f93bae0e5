/** Many lives on all cores: threads that each take a few seeds at a time. */
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Mutant } from './mutant.ts'
import type { Verdict } from './run.ts'

/** A verdict without its trace, which any thread can make again from the seed. */
export type Outcome = Omit<Verdict, 'trace'>

export interface Batch {
  readonly first: number
  readonly count: number
}

/** A transcript to be played. */
export interface Scene {
  readonly scenario: string
}

export interface Lives {
  readonly first: number
  readonly count: number
  readonly workers?: number | undefined
  readonly biased?: string | undefined
  readonly strict?: boolean
  readonly mutant?: Mutant | undefined
  /** Stop when so many lives have failed. */
  readonly failuresMax?: number
  /** Called now and then with how many lives are over, and those that broke a promise. */
  readonly progress?: (lives: number, failures: readonly Outcome[]) => void
}

const BATCH = 10
/** A life takes some milliseconds; a thread that is silent for this long hangs in one. */
const SILENT_MS = 120_000

/** Beside this file: `.ts` in a checkout, `.js` in a release. */
const thread = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)

/** The outcomes by seed; fewer than asked for when enough have failed. */
export async function live(lives: Lives): Promise<Outcome[]> {
  const { first, count, failuresMax = Infinity } = lives
  const outcomes: Outcome[] = []
  let next = first
  const failures: Outcome[] = []
  const take = (): Batch | undefined => {
    const left = first + count - next
    if (left <= 0 || failures.length >= failuresMax) return undefined
    const batch = { first: next, count: Math.min(BATCH, left) }
    next += batch.count
    return batch
  }
  const give = (more: readonly Outcome[]) => {
    outcomes.push(...more)
    failures.push(...more.filter(({ violation }) => violation !== undefined))
    lives.progress?.(outcomes.length, failures)
  }
  const workers = Math.min(lives.workers ?? availableParallelism(), Math.ceil(count / BATCH))
  await Promise.all(Array.from({ length: workers }, () => employ(lives, take, give)))
  return outcomes.sort((a, b) => a.seed - b.seed)
}

/** One thread, from its first batch to its last. */
function employ(
  { biased, strict = false, mutant }: Lives,
  take: () => Batch | undefined,
  give: (outcomes: readonly Outcome[]) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(thread, {
      workerData: { biased, strict, mutant },
    })
    let batch: Batch | undefined
    let timer: NodeJS.Timeout | undefined
    const end = (error?: Error) => {
      clearTimeout(timer)
      worker.removeAllListeners()
      void worker.terminate()
      if (error === undefined) resolve()
      else reject(error)
    }
    const more = () => {
      clearTimeout(timer)
      batch = take()
      if (batch === undefined) return end()
      const { first, count } = batch
      const text = `a thread hangs in one of the lives ${first} to ${first + count - 1}`
      timer = setTimeout(() => end(new Error(text)), SILENT_MS)
      worker.postMessage(batch)
    }
    worker.on('message', (outcomes: Outcome[]) => {
      give(outcomes)
      more()
    })
    worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', (code) => end(new Error(`a thread ended by itself with ${code}`)))
    more()
  })
}

/** Plays a scenario on a mutant, in a thread of its own; the transcript as it turns out. */
export function playMutant(mutant: Mutant, scenario: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(thread, {
      workerData: { biased: undefined, strict: false, mutant },
    })
    const timer = setTimeout(() => end(new Error('a scenario hangs')), SILENT_MS)
    const end = (result: string | Error) => {
      clearTimeout(timer)
      void worker.terminate()
      if (typeof result === 'string') resolve(result)
      else reject(result)
    }
    worker.on('message', (transcript: string) => end(transcript))
    worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))))
    worker.postMessage({ scenario } satisfies Scene)
  })
}
