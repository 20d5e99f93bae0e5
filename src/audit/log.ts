/**
 * picketd's side of the audit log: takes what happened, at once, and puts it on disk soon.
 *
 * Nothing waits for it, and a disk that takes nothing is an alarm, not a stop: a node that cannot
 * be fenced because a log is full would be worse than a gap in the log. What could not be kept is
 * counted, and the count is the first thing that is written when there is space again. Lines are
 * gathered for a moment, so that a fencing, which syncs a record of its own before every press,
 * does not share its disk with one sync for each line.
 */
import { type Book, openBook } from './book.ts'
import { bounded, type Clean } from './bound.ts'
import type { Entry, Facts, Head } from './chain.ts'

export interface Audit {
  /** Writes this down, soon and in order. Never throws, never waits. */
  note(kind: string, facts: Facts): void
  /** Everything that was noted is on disk, or the disk has refused it. */
  settled(): Promise<void>
  /** The same, and then nothing is written any more. */
  close(): Promise<void>
}

export interface AuditOptions {
  readonly dir: string
  /** The node that writes. */
  readonly node: string
  /** The program that writes, where it is not picketd. */
  readonly writer?: string
  readonly say: (level: 'info' | 'warn' | 'alarm', text: string) => void
  readonly clean: Clean
  /**
   * Told up to where the log is durable, whenever that changes. `opened`: the log was opened just
   * now, and may be another one than before.
   */
  readonly onHead?: (head: Head, opened: boolean) => void
  /** A file that is longer is put aside. */
  readonly bytesMax?: number
  /** How many files there are at most, the one being written included; two or more. */
  readonly filesMax?: number
  /** How long lines are gathered for one write. */
  readonly gatherMs?: number
  /** How long a disk that took nothing is left alone. */
  readonly retryMs?: number
  /** How many lines wait for a disk that takes nothing. */
  readonly queueMax?: number
}

/** So many lines go into one write. */
const batchMax = 256

export function openAudit(options: AuditOptions): Audit {
  const {
    dir,
    say,
    onHead = () => {},
    bytesMax = 8 * 2 ** 20,
    filesMax = 8,
    gatherMs = 100,
    retryMs = 1_000,
  } = options
  const queue = queueOf(options)
  const rest = restful()
  let book: Book | undefined
  let opened = false
  let working: Promise<void> | undefined
  let failing = false

  const tell = (): void => {
    const head = book?.head()
    if (head === undefined) return
    onHead(head, opened)
    opened = false
  }

  /** One write, or whatever has to be done before it. Throws what the disk says. */
  const advance = async (): Promise<void> => {
    if (book !== undefined && !(await book.untouched())) {
      const touched = book
      book = undefined
      await touched.close()
    }
    if (book === undefined) {
      book = await openTold(options, queue)
      opened = true
      tell()
    }
    const batch = queue.first(batchMax)
    await book.append(batch)
    queue.kept(batch.length)
    await book.cover()
    tell()
    if (book.size() >= bytesMax) {
      await book.rotate(filesMax, (facts) => queue.entryOf('dropped', facts))
    }
  }

  const work = async (): Promise<void> => {
    await rest.pause(gatherMs)
    while (!queue.isEmpty() || book?.covered() === false) {
      try {
        await advance()
        if (failing) say('info', `The audit log in ${dir} is written again.`)
        failing = false
      } catch (error) {
        const because = error instanceof Error ? error.message : String(error)
        const text = `The audit log in ${dir} cannot be written: ${because}.`
        if (!failing) say('alarm', `${text} Free space on its disk, or mend it.`)
        failing = true
        if (rest.isOver()) break
        await rest.pause(retryMs)
      }
    }
    working = undefined
  }

  const settled = async (): Promise<void> => {
    rest.end()
    await working
    rest.again()
  }

  return {
    note(kind, facts) {
      queue.add(kind, facts)
      working ??= work()
    },
    settled,
    async close() {
      await settled()
      await book?.close()
      book = undefined
    },
  }
}

interface Queue {
  add(kind: string, facts: Facts): void
  /** Before all others. */
  addFirst(kind: string, facts: Facts): void
  first(count: number): readonly Entry[]
  /** So many of the first are on disk. */
  kept(count: number): void
  isEmpty(): boolean
  entryOf(kind: string, facts: Facts): Entry
}

/** What waits for the disk, within a bound: what is beyond it is counted. */
function queueOf({ node, clean, queueMax = 4_096 }: AuditOptions): Queue {
  const entries: Entry[] = []
  let lost = 0
  const entryOf = (kind: string, facts: Facts): Entry => {
    return { at: new Date().toISOString(), node, kind, facts: bounded(facts, clean) }
  }
  const tellGap = (): void => {
    if (lost > 0) entries.push(entryOf('gap', { lines: lost }))
    lost = 0
  }
  return {
    entryOf,
    add(kind, facts) {
      if (entries.length >= queueMax) {
        lost++
        return
      }
      tellGap()
      entries.push(entryOf(kind, facts))
    },
    addFirst: (kind, facts) => void entries.unshift(entryOf(kind, facts)),
    first: (count) => entries.slice(0, count),
    kept(count) {
      entries.splice(0, count)
      if (entries.length === 0) tellGap()
    },
    isEmpty: () => entries.length === 0,
  }
}

/** What an earlier life left, or somebody else did, is said, and written down before the rest. */
async function openTold(
  { dir, say, writer = 'picketd' }: AuditOptions,
  queue: Queue,
): Promise<Book> {
  const book = await openBook(dir)
  for (const { kind, facts } of book.notes) {
    queue.addFirst(kind, facts)
    if (kind === 'torn') {
      say('warn', `In the audit log in ${dir} ${facts.found}: ${writer} died while it wrote it.`)
    } else {
      const text = `The audit log in ${dir} is not as ${writer} left it: ${facts.found}.`
      say('alarm', `${text} It goes on; \`picket audit verify\` names the first bad line.`)
    }
  }
  return book
}

/** Pauses that the end of the daemon cuts short, and that keep no process alive. */
function restful() {
  let over = false
  let wake = () => {}
  return {
    isOver: () => over,
    async pause(spanMs: number): Promise<void> {
      if (over) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      const timer = setTimeout(resolve, spanMs).unref()
      await promise
      clearTimeout(timer)
    },
    end() {
      over = true
      wake()
    },
    again() {
      over = false
    },
  }
}
