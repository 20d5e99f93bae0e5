/**
 * Looks through a whole audit log, the oldest file first, and finds the first line that is not as
 * picketd wrote it. Only reads, needs no daemon, and holds one line at a time.
 */
import { type Finding, type Link, type Place, walk } from './chain.ts'
import { openReading, type Reading } from './reading.ts'

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

/**
 * Looks through the log; `undefined` where there is none. Throws where it cannot be read. With a
 * copy of the head that was kept elsewhere, that one is believed.
 */
export async function verify(dir: string, copy?: Link): Promise<Verified | undefined> {
  const reading = await openReading(dir)
  try {
    return await lookThrough(reading, copy)
  } finally {
    await reading.close()
  }
}

async function lookThrough({ head: found, files }: Reading, copy?: Link) {
  const head = copy ?? (typeof found === 'string' ? undefined : found)
  if (files.length === 0 && found === 'missing') return undefined
  const walking = walk(head)
  let torn: Place | undefined
  for (const { name, isNewest, lines } of files) {
    for await (const { bytes, number, ended } of lines()) {
      const place = { file: name, line: number }
      if (!ended && isNewest) torn = place
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
