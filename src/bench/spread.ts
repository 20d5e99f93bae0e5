/** What many runs of one thing come to: the median, and how far the runs lie apart. */

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly runs: number
}

/** NaN throughout where there was no run. */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b)
  const [low = Number.NaN, high = Number.NaN] = [sorted[0], sorted.at(-1)]
  return { median: median(numbers), low, high, runs: sorted.length }
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Nineteen of twenty took no longer: the nearest rank, which of a few runs is the worst. */
export function p95(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN
}
