/**
 * All named failures of one configuration, one after the other: every case of each, some of them in
 * several lives, because durations are drawn. Nothing here waits; between two lives others may run.
 */
import { type Case, type Failure, type FailureName, failures } from './failures.ts'
import type { Plant } from './plant.ts'
import { type Outcome, runFailure } from './run.ts'
import { type Row, rowOf, verdictOf } from './summary.ts'

export interface Wanted {
  readonly names: readonly FailureName[]
  readonly node: string | undefined
  readonly seed: number
  /** In how many lives a case is tried from which all comes back. */
  readonly lives: number
}

/** Told after each life. */
export type Progress = (done: number, of: number) => void

export async function drill(plant: Plant, wanted: Wanted, progress: Progress): Promise<Row[]> {
  const cases = wanted.names.flatMap((name) =>
    casesOf(plant, name, wanted.node).map((each) => ({ name, each })),
  )
  const rows: Row[] = []
  for (const [index, { name, each }] of cases.entries()) {
    progress(index, cases.length)
    const outcomes: Outcome[] = []
    for (let life = 0; life < wanted.lives; life++) {
      const outcome = runFailure(plant, failures[name], each, wanted.seed + life)
      outcomes.push(outcome)
      // The dice draw durations: what does not come back in one life does not in the next.
      const verdict = verdictOf(outcome)
      if (verdict !== 'back' && verdict !== 'kept') break
      await new Promise((resolve) => setImmediate(resolve))
    }
    rows.push(rowOf(name, outcomes))
  }
  return rows
}

/** To whom a failure happens; a service counts for the node that it prefers. */
export function casesOf(
  plant: Plant,
  name: FailureName,
  node: string | undefined,
): readonly Case[] {
  const { cases }: Failure = failures[name]
  return cases(plant).filter((each) => node === undefined || each.node === node)
}
