/**
 * `picket simulate` for those who work on Picket: lives of clusters that the dice have drawn, each
 * judged by every promise, and transcripts.
 */
import { biases } from '../sim/biased.ts'
import type { Core } from '../sim/core.ts'
import { type Lives, live, type Outcome } from '../sim/pool.ts'
import { simulate } from '../sim/run.ts'
import { play } from '../sim/scenario.ts'
import { textOf, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const SEEDS = 1_000

/** A line of the help for each swarm. */
export const swarms = Object.entries(biases).map(
  ([name, { about }]) => `  ${name.padEnd(17)}  ${about}`,
)

export interface LivesFlags {
  readonly seeds?: string
  readonly seed?: string
  readonly biased?: string
  readonly workers?: string
  readonly verbose?: boolean
}

export async function runLives(flags: LivesFlags, terminal: Terminal): Promise<0 | 1> {
  if (flags.biased !== undefined && biases[flags.biased] === undefined) {
    throw new UsageError(`there is no swarm "${flags.biased}"; --help lists them.`)
  }
  const first = numberOf('seed', flags.seed) ?? 1
  const count = numberOf('seeds', flags.seeds) ?? (flags.seed === undefined ? SEEDS : 1)
  const workers = numberOf('workers', flags.workers)
  const { biased, verbose = false } = flags
  if (count === 1) return showOne(first, biased, verbose, terminal)
  return liveThrough({ first, count, workers, biased }, verbose, terminal)
}

export async function playFile(path: string, terminal: Terminal): Promise<0> {
  terminal.out(play(await loadCore(), textOf('scenario', path)))
  return 0
}

async function showOne(
  seed: number,
  biased: string | undefined,
  verbose: boolean,
  terminal: Terminal,
): Promise<0 | 1> {
  const verdict = simulate(seed, { core: await loadCore(), biased, verbose })
  terminal.out(verdict.trace.join('\n'))
  const { violation } = verdict
  terminal.out(violation ? `Broken in seed ${seed}: ${violation}` : 'Every promise held.')
  return verdict.violation === undefined ? 0 : 1
}

/** Lives through all of them and tells how it went; 1 when a promise was broken. */
export async function liveThrough(
  lives: Lives,
  verbose: boolean,
  terminal: Terminal,
): Promise<0 | 1> {
  const { count, biased } = lives
  const beganMs = performance.now()
  let what = `0 of ${count} lives`
  const progress: Lives['progress'] = (over, failures) => {
    const seeds = failures.slice(0, 5).map(({ seed }) => seed)
    const where = seeds.length > 0 ? ` (seed ${seeds.join(', ')})` : ''
    what = `${over} of ${count} lives, ${failures.length} broke a promise${where}`
  }
  const outcomes = await terminal.during(() => what, live({ ...lives, progress }))
  const tookMs = performance.now() - beganMs
  const failed = outcomes.find(({ violation }) => violation !== undefined)
  if (failed !== undefined) {
    const core = await loadCore()
    const verdict = simulate(failed.seed, { core, biased, verbose })
    terminal.out(verdict.trace.join('\n'))
    terminal.out(`Broken in seed ${failed.seed}: ${failed.violation ?? ''}`)
    const bias = biased === undefined ? '' : ` --biased ${biased}`
    terminal.out(`Again: picket simulate --seed ${failed.seed}${bias}`)
  }
  terminal.out(summary(outcomes, tookMs))
  return failed === undefined ? 0 : 1
}

async function loadCore(): Promise<Core> {
  return (await import('../core/cluster.ts')) as unknown as Core
}

function summary(outcomes: readonly Outcome[], tookMs: number): string {
  const sum = (pick: (outcome: Outcome) => number) =>
    outcomes.reduce((total, outcome) => total + pick(outcome), 0)
  const virtualMs = sum(({ virtualMs }) => virtualMs)
  const failures = outcomes.filter(({ violation }) => violation !== undefined)
  const kinds = new Map<string, number[]>()
  for (const { promise = '', seed } of failures) {
    kinds.set(promise, [...(kinds.get(promise) ?? []), seed])
  }
  const lines = [
    `${outcomes.length} lives, ${failures.length} broke a promise; ` +
      `${sum((o) => o.events)} events, ` +
      `${sum((o) => o.presses)} presses, ${sum((o) => o.starts)} starts.`,
    `${(virtualMs / 3_600_000).toFixed(1)} virtual hours in ${(tookMs / 1_000).toFixed(1)} s: ` +
      `${((outcomes.length / tookMs) * 1_000).toFixed(0)} lives/s.`,
  ]
  for (const [promise, seeds] of [...kinds].sort((a, b) => b[1].length - a[1].length)) {
    lines.push(`  ${promise}: ${seeds.length}, first in seeds ${seeds.slice(0, 5).join(', ')}`)
  }
  return lines.join('\n')
}

export function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) {
    throw new UsageError(`--${name} is a whole number from 1 on, not "${text}".`)
  }
  return Number(text)
}
