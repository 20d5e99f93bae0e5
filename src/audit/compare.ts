/**
 * Does a log hold the lines that heads from elsewhere name? Looks at one line after the other, the
 * oldest first, and judges at the end.
 */
import { chainOf, type Head, type Line, type Place, type Read, unknownChain } from './chain.ts'
import { headsFrom, isAmong, type Unlike } from './heads.ts'

/**
 * `dropped`: the log is long, and that line was deleted on purpose. `accepted`: a line of the log
 * says that an operator knows of it.
 */
export type Stand = 'held' | 'dropped' | 'accepted' | Unlike

export interface Judged {
  readonly head: Head
  readonly stand: Stand
  /** The line that is not the one that the head names, or the last one. */
  readonly place: Place
}

export interface Comparison {
  take(place: Place, read: Read): void
  /** All lines are taken. `chain`: which log it is, where its first line is not kept any more. */
  end(chain: string | undefined): readonly Judged[]
}

export function compare(heads: readonly Head[]): Comparison {
  const held = new Set<Head>()
  const places = new Map<Head, Place>()
  const accepted: Head[] = []
  let first: Line | undefined
  let began: string | undefined
  let beginning: Place | undefined
  let stands: Place = { file: 'audit.jsonl', line: 0 }
  let last = 0

  const judge = (head: Head, chain: string): Judged => {
    const { seq } = head
    if (isAmong(accepted, head)) return { head, stand: 'accepted', place: stands }
    if (chain !== unknownChain && head.chain !== unknownChain && head.chain !== chain) {
      return { head, stand: 'another log', place: beginning ?? stands }
    }
    if (held.has(head)) return { head, stand: 'held', place: stands }
    if (seq > last) return { head, stand: 'cut off', place: stands }
    if (first !== undefined && seq < first.seq) return { head, stand: 'dropped', place: stands }
    return { head, stand: 'edited', place: places.get(head) ?? stands }
  }

  return {
    take(place, read) {
      stands = place
      if (!read.ok) return
      const { line, link } = read
      if (first === undefined) {
        first = line
        beginning = place
        if (line.seq === 1) began = chainOf(link)
      }
      last = Math.max(last, line.seq)
      if (line.kind === 'accepted') accepted.push(...acceptedIn(line))
      for (const head of heads) {
        const { seq, hash } = head
        // A line is also known by the one that is tied to it, if it was there itself.
        if (link.seq === seq && link.hash === hash) held.add(head)
        else if (line !== first && line.seq === seq + 1 && line.prev === hash) held.add(head)
        else if (link.seq === seq) places.set(head, place)
      }
    },
    end: (chain) => heads.map((head) => judge(head, began ?? chain ?? unknownChain)),
  }
}

/** The heads that an operator has accepted as lost. */
function acceptedIn({ facts }: Line): readonly Head[] {
  return Array.isArray(facts.heads) ? (headsFrom(facts.heads) ?? []) : []
}
