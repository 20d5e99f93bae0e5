/**
 * Makes facts fit for a line: without secrets, without control characters, and no longer than a
 * line may be. Much of what is written down comes from devices and other people's programs.
 */
import type { Fact, Facts } from './chain.ts'

/** Takes secrets out of a text that stands in this field. */
export type Clean = (text: string, field: string) => string

/** A reader takes no longer line for one of picketd's: see `files.ts`. */
export const factBytesMax = 16 * 2 ** 10
const textMax = 1_000
const listMax = 32

/** The same facts, cleaned and cut. What was cut ends in `…`. */
export function bounded(facts: Facts, clean: Clean): Facts {
  for (let max = textMax; ; max = Math.floor(max / 2)) {
    const kept = Object.fromEntries(
      Object.entries(facts).map(([name, fact]) => [name, cut(fact, max, clean, name)]),
    )
    if (max === 0 || Buffer.byteLength(JSON.stringify(kept)) <= factBytesMax) return kept
  }
}

function cut(fact: Fact, max: number, clean: Clean, field: string): Fact {
  if (typeof fact === 'string') return flat(clean(fact, field), max)
  if (typeof fact !== 'object' || fact === null) return fact
  if (Array.isArray(fact)) {
    const list: readonly Fact[] = fact
    return list.slice(0, Math.min(listMax, max)).map((each) => cut(each, max, clean, field))
  }
  return Object.fromEntries(
    Object.entries(fact).map(([name, each]) => [name, cut(each, max, clean, name)]),
  )
}

/** One line, so that nobody writes a second one in our name. */
function flat(text: string, max: number): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ')
  return line.length <= max ? line : `${line.slice(0, max)} …`
}
