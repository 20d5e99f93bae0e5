/**
 * Tells the other members the head of this node's audit log, keeps theirs, and finds out from them
 * when lines of its own log are gone that it once had.
 *
 * It rides on messages that are sent anyway, beside them, and the core knows nothing of it. Nothing
 * is decided by it either: whatever a member says here costs at most an alarm.
 */
import type { Head } from '../audit/chain.ts'
import {
  asideFrom,
  asideJson,
  isObject,
  isSame,
  kept as keptOf,
  unlikeKept,
  type Word,
  withLost,
} from '../audit/heads.ts'
import type { Audit } from '../audit/log.ts'
import { noPeers, type Peers, peersFile, readPeers, writePeers } from '../audit/peers.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import type { Clock } from './clock.ts'
import { accuse, trialOf } from './heads-trial.ts'
import type { Say } from './log.ts'

export interface Heads {
  /** What goes with this message; `undefined` for nothing. */
  asideOf(message: Message): object | undefined
  /** What came with a message of that node. */
  heard(from: NodeId, aside: unknown): void
  /**
   * An operator knows why lines of this log are gone: that is noted in the log, and they are no
   * fault of it any more. How many heads there were, once that is on disk, or why not.
   */
  accept(requester: string, reason: string): Promise<number | string>
  /** The log of this node is durable up to here: see `AuditOptions.onHead`. */
  own(head: Head, opened: boolean): void
  /** Everything that is kept is on disk, or the disk has refused it. */
  settled(): Promise<void>
}

export interface HeadsOptions {
  /** Where the audit log is. */
  readonly dir: string
  readonly self: NodeId
  /** All nodes of the config: of nobody else anything is kept. */
  readonly nodes: readonly NodeId[]
  readonly audit: Pick<Audit, 'note' | 'settled'>
  readonly say: Say
  readonly clock: Pick<Clock, 'nowMs'>
  /** How long changes are gathered for one write. */
  readonly gatherMs?: number
  /** What has not changed is told again after so long: somebody may have missed it. */
  readonly repeatMs?: number
  /** The least time between two alarms about one node, and between two looks through the log. */
  readonly restMs?: number
}

export function openHeads(options: HeadsOptions): Heads {
  const { self, nodes, say, clock, repeatMs = 10_000, restMs = 60_000 } = options
  const file = openFile(options)
  const { kept } = file
  const trial = trialOf(options, file)
  const alarmedMs = new Map<NodeId, number>()
  const deaf = new Set<NodeId>()
  /** What was kept when it was last told, so far as that has come back. */
  const told = new Map([...kept].map(([node, { head }]) => [node, head]))
  let own: Head | undefined
  let changed = true
  let toldMs = -Infinity

  const keep = (from: NodeId, head: Head): void => {
    const word = kept.get(from)
    const next = keptOf(word, head)
    if (next === word) return
    const unlike = word && unlikeKept(word, head)
    if (word && unlike) {
      // What is told too often is not believed, and not forgotten either: the head stays.
      if (clock.nowMs() < (alarmedMs.get(from) ?? -Infinity) + restMs) return
      alarmedMs.set(from, clock.nowMs())
      accuse(options, { by: [self], target: from, seen: word.head, ends: head.seq, unlike })
    }
    kept.set(from, next)
    changed = true
    file.save()
  }

  /**
   * With the head that was told before the present one: a node that comes back with another log may
   * have told its new head before it has heard of the one that it had.
   */
  const words = () =>
    [...kept].map(([node, { head, lost }]): [NodeId, Word] => {
      const before = told.get(node)
      return [node, { head, lost: before && !isSame(before, head) ? withLost(lost, before) : lost }]
    })

  return {
    asideOf({ say: kind }) {
      const due = changed || clock.nowMs() >= toldMs + repeatMs
      // A new session is where members meet who have not heard of each other for long.
      if (kind !== 'sync' && !(kind === 'report' && due)) return undefined
      if (own === undefined && kept.size === 0) return undefined
      if (kind === 'report') {
        changed = false
        toldMs = clock.nowMs()
      }
      return { audit: asideJson({ head: own, kept: new Map(words()) }) }
    },
    heard(from, value) {
      if (!nodes.includes(from) || !isObject(value) || value.audit === undefined) return
      const aside = asideFrom(value.audit)
      if (from === self) {
        for (const [node, { head }] of aside?.kept ?? []) told.set(node, head)
        return
      }
      if (aside === undefined) {
        const text = `What ${from} tells of audit logs cannot be read, and is left aside.`
        if (!deaf.has(from)) say('warn', `${text} Install one version of Picket everywhere.`)
        deaf.add(from)
        return
      }
      if (aside.head) keep(from, aside.head)
      const word = aside.kept.get(self)
      if (word) trial.hear(from, word)
    },
    accept: trial.accept,
    own(head, opened) {
      own = head
      changed = true
      trial.own(head, opened)
    },
    async settled() {
      await trial.settled()
      await file.settled()
    },
  }
}

/** What is kept, as it is on disk or soon will be. */
export interface KeptFile {
  readonly kept: Map<NodeId, Word>
  readonly said: Map<NodeId, Word>
  /** Soon. */
  save(): void
  settled(): Promise<void>
}

function openFile({ dir, self, nodes, say, gatherMs = 1_000 }: HeadsOptions): KeptFile {
  const known = readKnown(dir, say)
  const others = nodes.filter((node) => node !== self)
  const of = (words: Peers['kept']) => new Map([...words].filter(([node]) => others.includes(node)))
  const [kept, said] = [of(known.kept), of(known.said)]
  let timer: NodeJS.Timeout | undefined
  let working = Promise.resolve()
  let failing = false

  const write = async (): Promise<void> => {
    try {
      await writePeers(dir, { kept, said })
      if (failing) say('info', `${peersFile} in ${dir} is written again.`)
      failing = false
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error)
      const text = `${peersFile} in ${dir} cannot be written: ${because}`
      if (!failing) say('alarm', `${text}. Free space on its disk, or mend it.`)
      failing = true
    }
  }
  const begin = (): void => {
    clearTimeout(timer)
    timer = undefined
    working = working.then(write)
  }
  return {
    kept,
    said,
    save() {
      timer ??= setTimeout(begin, gatherMs).unref()
    },
    async settled() {
      if (timer !== undefined) begin()
      await working
    },
  }
}

function readKnown(dir: string, say: Say): Peers {
  let because = 'it is damaged'
  try {
    const peers = readPeers(dir)
    if (peers !== 'damaged') return peers
  } catch (error) {
    because = error instanceof Error ? error.message : String(error)
  }
  const text = `${peersFile} in ${dir} cannot be read: ${because}.`
  const lost = 'What this node has kept of the audit logs of others is lost'
  say('alarm', `${text} ${lost}, and begins anew with what they tell.`)
  return noPeers
}
