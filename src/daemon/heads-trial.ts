/**
 * Compares what the other members have seen of this node's audit log with what the log holds, and
 * accuses: in the log of picketd, and in the audit log itself.
 *
 * What the log was told to be lately is known without a look. Whatever else somebody says is looked
 * up in the files, once in a while, however often it is said.
 */
import type { Head } from '../audit/chain.ts'
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

  const judge = (from: NodeId, judged: Judged): void => {
    const { head } = judged
    if (!isAgainst(judged)) return held.add(head)
    const word = said.get(from)
    if (own === undefined || word === undefined || isAmong(word.lost, head)) return
    said.set(from, { ...word, lost: withLost(word.lost, head) })
    save()
    accuse(options, { by: from, target: self, seen: head, ends: own.seq, unlike: judged.stand })
  }
  const look = async (): Promise<void> => {
    const asked = new Map(doubts)
    doubts.clear()
    try {
      const judged = await judgedIn(dir, [...asked.values()].flat())
      for (const [from, heads] of asked) {
        for (const each of judged) if (heads.includes(each.head)) judge(from, each)
      }
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
      const lost: Head[] = []
      for (const head of [...said.values()].flatMap((word) => word.lost)) {
        if (!held.has(head) && !isAmong(lost, head)) lost.push(head)
      }
      if (lost.length === 0) return 'nobody has seen lines of this log that it does not hold'
      for (let at = 0; at < lost.length; at += acceptedMax) {
        const heads = lost.slice(at, at + acceptedMax).map((head) => ({ ...head }))
        audit.note('accepted', { target: self, requester, reason, heads })
      }
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
  /** Who has seen that head. */
  readonly by: NodeId
  /** Whose log it is. */
  readonly target: NodeId
  readonly seen: Head
  /** The last line that there is now. */
  readonly ends: number
  readonly unlike: Unlike
}

/** An alarm, and a line in the audit log of this node. */
export function accuse({ self, say, audit }: HeadsOptions, accusation: Accusation): void {
  const { by, target, seen, ends, unlike } = accusation
  const who = by === self ? 'This node' : by
  const whose = target === self ? 'this node' : target
  const where = target === self ? '' : ` on ${target}`
  const found = {
    'cut off': `and it ends with line ${ends} now: its end was cut off, or its disk was set back`,
    edited: `and it holds another line ${seen.seq} now: it was written anew`,
    'another log':
      `and there is another log now, at line ${ends}: the former was taken away, ` +
      'or the disk is new',
  } as const satisfies Record<Unlike, string>
  const text = `${who} has seen line ${seen.seq} of the audit log of ${whose}, ${found[unlike]}`
  say('alarm', `${text}. Run \`picket audit verify\`${where}; if you know why, accept it there.`, {
    node: target,
  })
  const { chain, seq: line, hash } = seen
  audit.note('contradicted', { target, by, found: unlike, line, ends, chain, hash })
}
