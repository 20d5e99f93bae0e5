/**
 * Looks through a whole audit log, the oldest file first, and finds the first line that is not as
 * picketd wrote it. Only reads, needs no daemon, and holds one line at a time.
 */
import { join } from 'node:path'
import { type Finding, type Link, type Place, walk } from './chain.ts'
import { filesIn, linesOf, newestFile, readHead } from './files.ts'

export interface Verified {
  readonly lines: number
  readonly files: number
  /** The last line that follows from all before it: what to compare with a copy of the head. */
  readonly last: Link
  /** Lines that were written just before picketd ended, and that the head does not name yet. */
  readonly beyondHead: number
  /** The last line has no end: picketd is writing it, or died while it did. */
  readonly torn: boolean
  readonly finding: Finding | undefined
  /** Was the line that the head names still there? Not where an old copy of a head is compared. */
  readonly met: boolean
}

/** A log that is being written may change under the reader: it is looked at again. */
const attempts = 3

/**
 * Looks through the log; `undefined` where there is none. Throws where it cannot be read. With a
 * copy of the head that was kept elsewhere, that one is believed.
 */
export async function verify(dir: string, copy?: Link): Promise<Verified | undefined> {
  for (let attempt = 1; ; attempt++) {
    const before = await standing(dir)
    const verified = await lookThrough(dir, copy)
    if (!verified?.finding || attempt === attempts) return verified
    if ((await standing(dir)) === before) return verified
  }
}

/** What differs when picketd has written or put a file aside meanwhile. */
async function standing(dir: string): Promise<string> {
  const [files, head] = [await filesIn(dir), await readHead(dir)]
  return JSON.stringify([files, head])
}

async function lookThrough(dir: string, copy?: Link): Promise<Verified | undefined> {
  // The head first: a line is on disk before the head names it.
  const found = await readHead(dir)
  const head = copy ?? (typeof found === 'string' ? undefined : found)
  const files = await filesIn(dir)
  if (files.length === 0 && found === 'missing') return undefined
  const walking = walk(head)
  let torn: Place | undefined
  for (const { name } of files) {
    for await (const { bytes, number, ended } of linesOf(join(dir, name))) {
      const place = { file: name, line: number }
      if (!ended && name === newestFile) torn = place
      else walking.take(place, bytes)
    }
  }
  const { lines, last, finding, met } = walking.end(torn)
  return {
    lines,
    files: files.length,
    last,
    beyondHead: head === undefined ? 0 : Math.max(0, last.seq - head.seq),
    torn: torn !== undefined,
    finding,
    met,
  }
}

/** The finding in a sentence. */
export function findingText({ file, line, fault, because }: Finding): string {
  const where = line === 0 ? `${file}, before its first line` : `${file}, line ${line}`
  return `${where}: ${faults[fault]}: ${because}.`
}

const faults = {
  edited: 'edited',
  removed: 'something is removed before it',
  reordered: 'reordered',
  inserted: 'inserted',
  'cut off': 'cut off behind it',
  unreadable: 'unreadable',
  unproven: 'unproven',
} as const satisfies Record<Finding['fault'], string>
