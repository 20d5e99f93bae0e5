/** What is wrong with a configuration: a place in a file, and a sentence. */
import { gathered, type Lack } from './missing.ts'

export interface Place {
  readonly file: string
  /** Counted from 1; 0 where the file as a whole is meant. */
  readonly line: number
  readonly column: number
}

export interface Problem extends Place {
  readonly message: string
  /** What it is that stands nowhere. */
  readonly lack?: Lack
}

/** A place as it may stand in a sentence, and as editors can follow it: `file:line:column`. */
export function placeText({ file, line, column }: Place): string {
  return line === 0 ? file : `${file}:${line}:${column}`
}

/** One problem as a line that editors and people can follow: `file:line:column: sentence`. */
export function problemText(problem: Problem): string {
  // What stands in a file must not steer the terminal of whoever checks it.
  return `${placeText(problem)}: ${problem.message}`.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
}

/** Nobody mends more of them in one go. */
const toldMax = 100

/**
 * The same problem found by two ways is one problem, and what one driver lacks is one; they are
 * told in the order of the file.
 */
export function tidyProblems(problems: readonly Problem[]): readonly Problem[] {
  const once = new Map(gathered(problems).map((problem) => [problemText(problem), problem]))
  const sorted = [...once.values()].sort(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column,
  )
  const last = sorted[toldMax]
  if (last === undefined) return sorted
  const message = `${sorted.length - toldMax} more problems begin here`
  return [...sorted.slice(0, toldMax), { ...last, message }]
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A value as it may stand in a sentence: on one line, and not endless. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
