/**
 * Compares what the other members have seen of this node's audit log with what the log holds, and
 * accuses: in the log of picketd, and in the audit log itself.
 *
 * What the log was told to be lately is known without a look. Whatever else somebody says is looked
 * up in the files, once in a while, however often it is said.
 */
import type { Facts, Head } from '../audit/chain.ts'
import type { Judged } from '../audit/compare.ts'
import { isAmong, isSame, type Unlike, type Word, withLost } from '../audit/heads.ts'
import { isAgainst, judgedIn } from '../audit/verify.ts'
import type { NodeId } from '../core/model.ts'
import type { HeadsOptions, KeptFile } from './heads.ts'

/** So many heads are remembered that the log is known to hold. */
const heldMax = 1_024
/** So many heads of one member wait to be compared. */
const doubtsMax = 8
/** So many heads are accepted by one line, well within its bound. */
const acceptedMax = 16

export interface Trial {
  hear(from: NodeId, word: Word): void
  own(head: Head, opened: boolean): void
  accept(requester: string, reason: string): Promise<number | string>
  settled(): Promise<void>
}

/** Compares what the others have seen of the own log with what it holds. */
export function trialOf(options: HeadsOptions, { said, save }: KeptFile): Trial {
  const { dir, self, audit, clock, gatherMs = 1_000, restMs = 60_000 } = options
  const held = memory()
  const doubts = new Map<NodeId, readonly Head[]>()
  let own: Head | undefined
  let nextMs = -Infinity
  let timer: NodeJS.Timeout | undefined
  let working = Promise.resolve()

  /** Keeps that this member has seen what the log does not hold; was it not known yet? */
  const isNews = (from: NodeId, { head }: Judged): boolean => {
    const word = said.get(from)
    if (word === undefined || isAmong(word.lost, head)) return false
    said.set(from, { ...word, lost: withLost(word.lost, head) })
    save()
    return true
  }
  /** One accusation for a head, however many have seen it. */
  const judge = (judged: readonly Judged[], asked: ReadonlyMap<NodeId, readonly Head[]>): void => {
    for (const each of judged) {
      const { head } = each
      if (!isAgainst(each)) held.add(head)
      if (!isAgainst(each) || own === undefined) continue
      const by = [...asked].filter(([, heads]) => isAmong(heads, head)).map(([from]) => from)
      const news = by.filter((from) => isNews(from, each))
      accuse(options, { by: news, target: self, seen: head, ends: own.seq, unlike: each.stand })
    }
  }
  const look = async (): Promise<void> => {
    const asked = new Map(doubts)
    doubts.clear()
    try {
      judge(await judgedIn(dir, [...asked.values()].flat()), asked)
    } catch {
      // A disk that cannot be read is an alarm of the audit log itself; the others say it again.
    }
  }
  const begin = (): void => {
    clearTimeout(timer)
    timer = undefined
    nextMs = clock.nowMs() + restMs
    working = working.then(look).then(lookSoon)
  }
  const lookSoon = (): void => {
    if (timer !== undefined || own === undefined || doubts.size === 0) return
    timer = setTimeout(begin, Math.max(gatherMs, nextMs - clock.nowMs())).unref()
  }

  return {
    hear(from, { head, lost }) {
      const before = said.get(from)
      if (before === undefined || !isSame(before.head, head)) {
        said.set(from, { head, lost: before?.lost ?? [] })
        save()
      }
      const known = before?.lost ?? []
      const open = [head, ...lost].filter((each) => !held.has(each) && !isAmong(known, each))
      if (open.length === 0) return
      // What is in doubt stays so until it is looked at, also when a newer head takes its place.
      const doubted = doubts.get(from) ?? []
      const more = open.filter((each) => !isAmong(doubted, each))
      doubts.set(from, [...doubted, ...more].slice(0, doubtsMax))
      lookSoon()
    },
    own(head, opened) {
      own = head
      if (opened) held.clear()
      held.add(head)
      lookSoon()
    },
    async accept(requester, reason) {
      const lost = distinct([...said.values()].flatMap((word) => word.lost)).filter(
        (head) => !held.has(head),
      )
      if (lost.length === 0) return 'nobody has seen lines of this log that it does not hold'
      noteAccepted(options, lost, { requester, reason })
      await audit.settled()
      for (const head of lost) held.add(head)
      return lost.length
    },
    async settled() {
      if (timer !== undefined && nextMs <= clock.nowMs()) begin()
      await working
    },
  }
}

/** Each of them once. */
function distinct(heads: readonly Head[]): readonly Head[] {
  return heads.filter((head, at) => heads.findIndex((each) => isSame(each, head)) === at)
}

/** In as many lines as it takes. */
function noteAccepted({ self, audit }: HeadsOptions, lost: readonly Head[], why: Facts): void {
  for (let at = 0; at < lost.length; at += acceptedMax) {
    const heads = lost.slice(at, at + acceptedMax).map((head) => ({ ...head }))
    audit.note('accepted', { target: self, ...why, heads })
  }
}

/** Heads that need no look; the newest of them. */
function memory() {
  const keys = new Set<string>()
  const keyOf = ({ chain, seq, hash }: Head) => `${chain} ${seq} ${hash}`
  return {
    has: (head: Head) => keys.has(keyOf(head)),
    clear: () => keys.clear(),
    add(head: Head): void {
      keys.add(keyOf(head))
      for (const oldest of keys) {
        if (keys.size <= heldMax) break
        keys.delete(oldest)
      }
    },
  }
}

export interface Accusation {
  /** Who has seen that head; nobody, and nothing is said. */
  readonly by: readonly NodeId[]
  /** Whose log it is. */
  readonly target: NodeId
  readonly seen: Head
  /** The last line that there is now. */
  readonly ends: number
  readonly unlike: Unlike
}

/** An alarm, and a line in the audit log of this node for each who has seen it. */
export function accuse({ self, say, audit }: HeadsOptions, accusation: Accusation): void {
  const { by, target, seen, ends, unlike } = accusation
  if (by.length === 0) return
  const name = (node: NodeId) => (node === self ? 'this node' : node)
  const found = {
    'cut off': `and the log ends with line ${ends} now: it was cut off, or its disk was set back`,
    edited: `and the log holds another line ${seen.seq} now: it was written anew`,
    'another log':
      `and there is another log now, at line ${ends}: the former was taken away, ` +
      'or the disk is new',
  } as const satisfies Record<Unlike, string>
  const who = by.map(name).join(', ')
  const text = `Line ${seen.seq} of the audit log of ${name(target)} was seen by ${who}`
  const advice = `Run \`picket audit verify\`${target === self ? '' : ` on ${target}`}`
  say('alarm', `${text}, ${found[unlike]}. ${advice}; if you know why, accept it there.`, {
    node: target,
  })
  const { chain, seq: line, hash } = seen
  for (const each of by) {
    audit.note('contradicted', { target, by: each, found: unlike, line, ends, chain, hash })
  }
}
