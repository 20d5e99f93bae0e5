/**
 * The lines of an audit log as one story: an end is told by the name of what was begun, and a
 * reading that repeats is told once, with how often and until when. The log itself keeps them all.
 */
import type { Line } from '../audit/chain.ts'
import { rowOf } from './audit-words.ts'
import { plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

export interface Story {
  /** Has to see every line, also one that is not told. */
  learn(line: Line): void
  tell(line: Line): void
  /** The last row is told as well. */
  end(): void
}

/** A reading that has been told so often, and was last. */
interface Held {
  readonly first: Line
  readonly last: Line
  readonly count: number
}

export function openStory({ out, paint }: Pick<Terminal, 'out' | 'paint'>): Story {
  /** What the rounds of fencings were for, which their verdicts do not say. */
  const actions = new Map<string, unknown>()
  let held: Held | undefined

  const end = (): void => {
    if (held !== undefined) out(`${rowOf(held.first, paint)}${timesOf(held)}`)
    held = undefined
  }

  return {
    learn(line) {
      if (line.kind === 'fence') actions.set(roundOf(line), line.facts.action)
    },
    tell(line) {
      if (held !== undefined && isSame(held.first, line)) {
        held = { ...held, last: line, count: held.count + 1 }
        return
      }
      end()
      if (line.kind === 'read') held = { first: line, last: line, count: 1 }
      else out(rowOf(line, paint, actions.get(roundOf(line))))
    },
    end,
  }
}

function roundOf({ facts: { id, round } }: Line): string {
  return `${id} ${round}`
}

function isSame(a: Line, b: Line): boolean {
  return (
    a.kind === b.kind && a.node === b.node && JSON.stringify(a.facts) === JSON.stringify(b.facts)
  )
}

function timesOf({ first, last, count }: Held): string {
  if (count === 1) return ''
  const [day, time = ''] = plain(last.at).split('T')
  const at = first.at.startsWith(`${day}T`) ? time : `${day} ${time}`
  return ` (${count} times, last at ${at})`
}
