/**
 * Looks through a whole audit log, the oldest file first, and finds the first line that is not as
 * picketd wrote it. Only reads, needs no daemon, and holds one line at a time.
 */
import { type Finding, type Head, type Link, type Place, readLine, walk } from './chain.ts'
import { compare, type Judged } from './compare.ts'
import { newestFile } from './files.ts'
import { isAmong, type Unlike, type Words } from './heads.ts'
import { noPeers, type Peers, peersFile, readPeers } from './peers.ts'
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
  /** What the other members have seen of this log; `damaged` where that cannot be read. */
  readonly peers: readonly Witness[] | 'damaged'
  /** Was the line that the head names still there? Not where an old copy of a head is compared. */
  readonly met: boolean
}

/** What one member has seen of the log, and how the log stands to it. */
export interface Witness extends Judged {
  readonly peer: string
}

/**
 * Looks through the log; `undefined` where there is none. Throws where it cannot be read. With a
 * copy of the head that was kept elsewhere, that one is believed.
 */
export async function verify(dir: string, copy?: Link): Promise<Verified | undefined> {
  // Before the log: a line is on disk before anybody hears of it.
  const peers = readPeers(dir)
  const reading = await openReading(dir)
  try {
    return await lookThrough(reading, peers, copy)
  } finally {
    await reading.close()
  }
}

async function lookThrough(
  { head: found, files }: Reading,
  peers: Peers | 'damaged',
  copy?: Link,
): Promise<Verified | undefined> {
  const head = copy ?? (typeof found === 'string' ? undefined : found)
  const seen = seenIn(peers === 'damaged' ? noPeers.said : peers.said)
  if (files.length === 0 && found === 'missing' && seen.length === 0) return undefined
  const own = found === 'missing' ? undefined : found
  const walking = copy ? walk(copy, 'the copy of the head') : walk(own)
  const comparison = compare(seen.map((each) => each.head))
  let torn: Place | undefined
  for (const { name, isNewest, lines } of files) {
    for await (const { bytes, number, ended } of lines()) {
      const place = { file: name, line: number }
      if (!ended && isNewest) torn = place
      else comparison.take(place, walking.take(place, bytes))
    }
  }
  const { lines, last, finding, met } = walking.end(torn)
  const judged = comparison.end(typeof found === 'string' ? undefined : found.chain)
  const witnesses = seen.flatMap(({ peer }, at) =>
    judged.slice(at, at + 1).map((each) => ({ peer, ...each })),
  )
  return {
    lines,
    files: files.length,
    last,
    beyondHead: head === undefined ? 0 : Math.max(0, last.seq - head.seq),
    torn: torn !== undefined,
    finding:
      finding ??
      aloneIn(files.length, last.seq - lines) ??
      contradictionIn(witnesses, last.seq) ??
      unreadable(peers),
    peers: peers === 'damaged' ? peers : witnesses,
    met,
  }
}

/** Every head that a member has seen, and which member. */
function seenIn(said: Words): readonly { peer: string; head: Head }[] {
  return [...said].flatMap(([peer, { head, lost }]) => {
    const heads = isAmong(lost, head) ? lost : [head, ...lost]
    return heads.map((each) => ({ peer, head: each }))
  })
}

/** Has it seen what the log does not hold, and nobody knows why? */
export function isAgainst<J extends Judged>(judged: J): judged is J & { readonly stand: Unlike } {
  const { stand } = judged
  return stand !== 'held' && stand !== 'dropped' && stand !== 'accepted'
}

/** The first line that a member has seen otherwise, or that is not there any more. */
function contradictionIn(witnesses: readonly Witness[], last: number): Finding | undefined {
  for (const { peer, head, stand, place } of witnesses.filter(isAgainst)) {
    const { seq } = head
    const because = {
      'cut off': `${peer} has seen line ${seq} of it, and it ends with line ${last}`,
      edited:
        `${peer} has seen another line ${seq}: this one, or all from an earlier one on, ` +
        'is changed',
      'another log': `${peer} has seen line ${seq} of a log of this node that began otherwise`,
    } as const satisfies Record<Unlike, string>
    return { ...place, fault: stand, because: because[stand] }
  }
  return undefined
}

/** The oldest file goes when there are too many: others are always left before the newest one. */
function aloneIn(files: number, missing: number): Finding | undefined {
  if (files !== 1 || missing <= 0) return undefined
  const gone = missing === 1 ? 'line 1 is' : `lines 1 to ${missing} are`
  const because = `${gone} missing before it, and none are dropped on purpose of a log of one file`
  return { file: newestFile, line: 1, fault: 'removed', because }
}

function unreadable(peers: Peers | 'damaged'): Finding | undefined {
  if (peers !== 'damaged') return undefined
  const because = 'nobody can tell what the other members have seen: the file is damaged'
  return { file: peersFile, line: 1, fault: 'unreadable', because }
}

/** How the log stands to these heads. */
export async function judgedIn(dir: string, heads: readonly Head[]): Promise<readonly Judged[]> {
  const { head, files, close } = await openReading(dir)
  try {
    const comparison = compare(heads)
    for (const { name, lines } of files) {
      for await (const { bytes, number } of lines()) {
        comparison.take({ file: name, line: number }, readLine(bytes))
      }
    }
    return comparison.end(typeof head === 'string' ? undefined : head.chain)
  } finally {
    await close()
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
  'another log': 'another log',
  unreadable: 'unreadable',
  unproven: 'unproven',
} as const satisfies Record<Finding['fault'], string>
