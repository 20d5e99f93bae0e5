/**
 * What the members of a cluster keep of each other's audit logs, without a disk and without a
 * network: the newest head that each has been told, and the heads that a log has gone back behind.
 *
 * A head that another machine keeps is the one thing about a log that root on its own machine
 * cannot write anew. All of it comes from outside, or from a file that anybody may have changed:
 * it is read here, bounded, or refused.
 */
import type { Head } from './chain.ts'

/** What one node keeps of one log. */
export interface Word {
  /** The newest head; it never goes back within one log. */
  readonly head: Head
  /** Heads that the log does not follow any more, the newest last. */
  readonly lost: readonly Head[]
}

export type Words = ReadonlyMap<string, Word>

/** What goes with a message of a member: the head of its own log, and what it keeps of others. */
export interface Aside {
  readonly head: Head | undefined
  readonly kept: Words
}

/** So many lost heads of one log are kept; their lines in the audit log stay. */
export const lostMax = 4
/** A cluster has far fewer nodes. */
const nodesMax = 256
const nameMax = 255

/** How a head stands to one that was kept before it. */
export type Unlike = 'cut off' | 'edited' | 'another log'

/** In which way does a log that now has this head not follow from what was kept of it? */
export function unlikeKept({ head: kept }: Word, now: Head): Unlike | undefined {
  if (now.chain !== kept.chain) return 'another log'
  if (now.seq < kept.seq) return 'cut off'
  return now.seq === kept.seq && now.hash !== kept.hash ? 'edited' : undefined
}

/** What is kept when a log tells its head: the newest one, and what it does not follow. */
export function kept(word: Word | undefined, now: Head): Word {
  if (word === undefined) return { head: now, lost: [] }
  if (isSame(word.head, now)) return word
  const unlike = unlikeKept(word, now)
  if (unlike === undefined) return { ...word, head: now }
  const lost = withLost(word.lost, word.head)
  const head = unlike === 'another log' ? now : word.head
  return lost === word.lost && head === word.head ? word : { head, lost }
}

/** The same with one more, each of them once; the oldest gives way. */
export function withLost(lost: readonly Head[], head: Head): readonly Head[] {
  return isAmong(lost, head) ? lost : [...lost, head].slice(-lostMax)
}

export function isSame(a: Head, b: Head): boolean {
  return a.chain === b.chain && a.seq === b.seq && a.hash === b.hash
}

export function isAmong(heads: readonly Head[], head: Head): boolean {
  return heads.some((each) => isSame(each, head))
}

/** What came with a message; `undefined`: nothing that can be used. */
export function asideFrom(value: unknown): Aside | undefined {
  if (!isObject(value)) return undefined
  const head = headFrom(value.head)
  const words = wordsFrom(value.kept)
  if (words === undefined || (value.head !== undefined && head === undefined)) return undefined
  return { head, kept: words }
}

/** As it goes with a message. */
export function asideJson({ head, kept: words }: Aside): object {
  return { ...(head && { head }), kept: Object.fromEntries(words) }
}

/** Words from JSON; `undefined` when one of them is none. */
export function wordsFrom(value: unknown): Words | undefined {
  if (!isObject(value)) return undefined
  const entries = Object.entries(value)
  if (entries.length > nodesMax) return undefined
  const words = new Map<string, Word>()
  for (const [name, each] of entries) {
    const word = wordFrom(each)
    if (word === undefined || !isName(name)) return undefined
    words.set(name, word)
  }
  return words
}

/** Names are shown to people, and from a file that anybody may have changed. */
function isName(name: string): boolean {
  return name.length <= nameMax && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name)
}

function wordFrom(value: unknown): Word | undefined {
  if (!isObject(value) || !Array.isArray(value.lost) || value.lost.length > lostMax)
    return undefined
  const head = headFrom(value.head)
  const lost = headsFrom(value.lost)
  return head && lost && { head, lost }
}

/** Heads from a list of JSON; `undefined` when one of them is none. */
export function headsFrom(values: readonly unknown[]): readonly Head[] | undefined {
  const heads = values.map(headFrom)
  return heads.every((head) => head !== undefined) ? heads : undefined
}

function headFrom(value: unknown): Head | undefined {
  if (!isObject(value)) return undefined
  const { chain, seq, hash } = value
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) return undefined
  if (typeof chain !== 'string' || !/^[0-9a-f]{16}$/.test(chain)) return undefined
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return undefined
  return { chain, seq, hash }
}

/** An object of JSON, and neither a list nor nothing. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
