/**
 * The chain of the audit log, without a disk: how a line is tied to the one before it, and how a
 * walk along the lines finds the first one that is not as it was written.
 *
 *     {"seq":7,"at":"…","node":"a","kind":"fence","facts":{…},"prev":"…","hash":"…"}
 *
 * `prev` is the SHA-256 of the whole line before, `hash` that of this line without its `hash`. The
 * one ties the lines together, the other tells which of two lines was changed. The head says how
 * many lines there are, and the SHA-256 of the last: without it a cut-off tail would leave no
 * trace.
 */
import { createHash } from 'node:crypto'

export type Fact = string | number | boolean | readonly Fact[] | Facts
export interface Facts {
  readonly [name: string]: Fact
}

/** What happened, before it has its place in the chain. */
export interface Entry {
  /** Wall time, ISO 8601 in UTC. */
  readonly at: string
  /** The node that writes this log. */
  readonly node: string
  readonly kind: string
  readonly facts: Facts
}

/** A line as its successor names it; of the last line it is the head. */
export interface Link {
  readonly seq: number
  /** SHA-256 of the whole line. */
  readonly hash: string
}

/** The end of a log, and which log it is. */
export interface Head extends Link {
  /** What tells this log of a node from every other one: the beginning of its first line's hash. */
  readonly chain: string
}

export interface Line extends Entry {
  readonly seq: number
  readonly prev: string
}

/** What stands before the first line. */
export const origin: Link = { seq: 0, hash: '0'.repeat(64) }

/** The log that begins with this line. */
export function chainOf({ hash }: Link): string {
  return hash.slice(0, 16)
}

/** Of a log whose first line nobody knows any more. */
export const unknownChain = chainOf(origin)

/** Where a line stands: in which file, and there the how manieth, from 1. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** `unproven`: without a head nobody can tell whether lines were cut off. */
export type Fault =
  | 'edited'
  | 'removed'
  | 'reordered'
  | 'inserted'
  | 'cut off'
  | 'another log'
  | 'unreadable'
  | 'unproven'

/** The first line that is not as it was written, and how that shows. */
export interface Finding extends Place {
  readonly fault: Fault
  readonly because: string
}

const tailBytes = ',"hash":""}'.length + 64

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/**
 * The line that keeps this entry behind `last`, without its newline. `more` are fields for others
 * who read the same line.
 */
export function chained(
  last: Link,
  { at, node, kind, facts }: Entry,
  more: Facts = {},
): { text: string; link: Link } {
  const seq = last.seq + 1
  const body = JSON.stringify({ ...more, seq, at, node, kind, facts, prev: last.hash })
  const text = `${body.slice(0, -1)},"hash":"${sha256(body)}"}`
  return { text, link: { seq, hash: sha256(text) } }
}

export type Read =
  | { readonly ok: true; readonly line: Line; readonly link: Link }
  | { readonly ok: false; readonly fault: 'edited' | 'unreadable'; readonly because: string }

/** Reads a line back; `undefined` stands for one that is longer than any that is written. */
export function readLine(bytes: Uint8Array | undefined): Read {
  if (bytes === undefined) return unreadable('it is longer than any line that is written')
  const body = Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - tailBytes)))
  const tail = Buffer.from(bytes.subarray(body.length)).toString('latin1')
  const line = fieldsOf(Buffer.from(bytes).toString('utf8'))
  if (line === undefined) return unreadable('it is no line of an audit log')
  if (tail !== `,"hash":"${sha256(Buffer.concat([body, Buffer.from('}')]))}"}`) {
    return { ok: false, fault: 'edited', because: 'its text does not have the hash that it names' }
  }
  return { ok: true, line, link: { seq: line.seq, hash: sha256(bytes) } }
}

function unreadable(because: string): Read {
  return { ok: false, fault: 'unreadable', because }
}

function fieldsOf(text: string): Line | undefined {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof line !== 'object' || line === null) return undefined
  const { seq, at, node, kind, facts, prev } = line as Record<string, unknown>
  const named = [at, node, kind, prev].every((field) => typeof field === 'string')
  if (!named || !Number.isSafeInteger(seq) || typeof facts !== 'object' || facts === null) {
    return undefined
  }
  return line as Line
}

/** What a walk along a whole log has come to. */
export interface Walked {
  /** Lines that were looked at, whole or not. */
  readonly lines: number
  /** The last line that follows from all before it. */
  readonly last: Link
  readonly finding: Finding | undefined
  /** Was the line that the head names among them? An old head may name one that was dropped. */
  readonly met: boolean
}

export interface Walk {
  take(place: Place, bytes: Uint8Array | undefined): Read
  /** All lines are taken; `torn` is where the last one lacks its end, if it does. */
  end(torn?: Place): Walked
}

/** A finding that a later line may still make more exact. */
interface Doubt {
  readonly finding: Finding
  readonly resolve?: (later: Pick<Line, 'seq' | 'prev'> & Partial<Link>) => Finding | undefined
}

interface Seen {
  readonly place: Place
  readonly line: Line
  readonly link: Link
}

/**
 * Walks along the lines of a log, the oldest first, with the head as it was read before, and from
 * where. `thrownAway`: somebody else throws the oldest files away, and no line tells of it.
 */
export function walk(
  found: Link | 'damaged' | undefined,
  headName = 'audit.head',
  { thrownAway = false }: { readonly thrownAway?: boolean } = {},
): Walk {
  const head = found === 'damaged' ? undefined : found
  let lines = 0
  let first: Seen | undefined
  let last: Seen | undefined
  let doubt: Doubt | undefined
  let stands: Place = { file: 'audit.jsonl', line: 0 }
  let met = head?.seq === 0
  /** The line that the head means by its hash, where it is none that the head names. */
  let meant: Link | undefined
  /** Up to where the chain itself says that lines were dropped on purpose. */
  const dropped = new Map<unknown, unknown>()

  return {
    take(place, bytes) {
      lines++
      stands = place
      const read = readLine(bytes)
      if (!read.ok) {
        doubt ??= { finding: { ...place, fault: read.fault, because: read.because } }
        return read
      }
      const { line, link } = read
      const seen = { place, line, link }
      if (line.kind === 'dropped') dropped.set(line.facts.through, line.facts.hash)
      if (lines === 1) first = seen
      met ||= head?.seq === line.seq
      if (head?.hash === link.hash && head.seq !== link.seq) meant ??= link
      if (doubt) {
        doubt = { ...doubt, finding: doubt.resolve?.({ ...line, ...link }) ?? doubt.finding }
        return read
      }
      doubt = last ? doubtOf(last, seen) : undefined
      doubt ??= unlikeHead(seen, head, headName) ?? headless(seen)
      if (!doubt) last = seen
      return read
    },
    end(torn) {
      // The head names the last line as a successor would.
      if (doubt && head) {
        const finding = doubt.resolve?.({ seq: head.seq + 1, prev: head.hash })
        doubt = { finding: finding ?? doubt.finding }
      }
      const link = last?.link ?? origin
      const ending = { place: torn ?? stands, last: link, torn: torn !== undefined }
      const cut = doubt ? undefined : cutOff(ending, found, meant, headName)
      const lost = thrownAway ? undefined : beheaded(first, dropped)
      const finding = lost ?? doubt?.finding ?? cut
      return { lines, last: link, finding, met }
    },
  }
}

/** Does a line follow from the one before it? If not: which of the two is bad, and why? */
function doubtOf(last: Seen, seen: Seen): Doubt | undefined {
  const { place, line, link } = seen
  const expected = last.line.seq + 1
  if (line.seq === expected && line.prev === last.link.hash) return undefined
  if (line.seq === expected) {
    const edited = (at: Place, other: string): Finding => {
      return { ...at, fault: 'edited', because: `it is not the line that ${other} was tied to` }
    }
    return {
      finding: edited(last.place, 'the next one'),
      resolve: (later) =>
        later.seq === line.seq + 1 && later.prev !== link.hash
          ? edited(place, 'the one behind it')
          : undefined,
    }
  }
  if (line.seq < expected) return twice(last, seen)
  const gone = expected === line.seq - 1 ? `line ${expected}` : `${expected} to ${line.seq - 1}`
  return {
    finding: {
      ...place,
      fault: 'removed',
      because: `it is number ${line.seq}, and ${gone} before it is missing`,
    },
    resolve: (later) =>
      later.seq === expected
        ? {
            ...place,
            fault: 'reordered',
            because: `it is number ${line.seq}, and number ${expected} stands behind it`,
          }
        : undefined,
  }
}

/** A number that was there already: the line that no successor is tied to was put in. */
function twice(last: Seen, { place, line, link }: Seen): Doubt {
  const same = line.seq === last.line.seq && link.hash !== last.link.hash
  return {
    finding: numberTwice(place, line.seq),
    resolve: (later) =>
      same && later.seq === line.seq + 1 && later.prev === link.hash
        ? numberTwice(last.place, line.seq)
        : undefined,
  }
}

function numberTwice(at: Place, seq: number): Finding {
  return { ...at, fault: 'inserted', because: `its number ${seq} stands there twice` }
}

/** The line that the head names has to be the one that the head means. */
function unlikeHead({ place, link }: Seen, head: Link | undefined, name: string) {
  if (head === undefined || link.seq !== head.seq || link.hash === head.hash) return undefined
  const because =
    'the head names another line: this one is changed, or all from an earlier one on, or ' +
    `${name} itself`
  const doubt: Doubt = {
    finding: { ...place, fault: 'edited', because },
    resolve: (later) => {
      if (later.hash !== head.hash) return undefined
      return later.seq === link.seq ? numberTwice(place, link.seq) : unfit(head, later, name)
    },
  }
  return doubt
}

/** The head names one line by its number, and another one by its hash. */
function unfit({ seq }: Link, meant: Pick<Link, 'seq'>, file: string): Finding {
  const because = `it names line ${seq}, and the SHA-256 in it is that of line ${meant.seq}`
  return { file, line: 1, fault: 'edited', because }
}

/** picketd itself wrote down that it found no head: nobody knows what had been cut off by then. */
function headless({ place, line }: Seen): Doubt | undefined {
  if (line.kind !== 'damage' || line.facts.headless !== true) return undefined
  const because = 'there was no head when it was written: lines before it may be missing'
  return { finding: { ...place, fault: 'unproven', because } }
}

/** Whatever is missing at the beginning has to be told by the chain as dropped on purpose. */
function beheaded(
  first: Seen | undefined,
  dropped: ReadonlyMap<unknown, unknown>,
): Finding | undefined {
  if (first === undefined) return undefined
  const { place, line } = first
  const before = line.seq - 1
  if (before === 0 && line.prev !== origin.hash) {
    return { ...place, fault: 'edited', because: 'it is the first one, and names one before it' }
  }
  if (before === 0 || dropped.get(before) === line.prev) return undefined
  const gone = before === 1 ? 'line 1 is' : `lines 1 to ${before} are`
  const because = `${gone} missing before it, and no line says that they were dropped on purpose`
  return { ...place, fault: 'removed', because }
}

interface Ending {
  readonly place: Place
  readonly last: Link
  /** The last line has no end. */
  readonly torn: boolean
}

function cutOff(
  { place, last, torn }: Ending,
  head: Link | 'damaged' | undefined,
  meant: Link | undefined,
  name: string,
): Finding | undefined {
  if (head === 'damaged') {
    const because = 'it is no head of an audit log, so that nobody can tell what was cut off'
    return { file: name, line: 1, fault: 'unreadable', because }
  }
  if (head === undefined) {
    const because = `there is no head (${name}), so that nobody can tell what stood behind it`
    return { ...place, fault: 'unproven', because }
  }
  if (last.seq < head.seq && meant !== undefined) return unfit(head, meant, name)
  if (last.seq >= head.seq) return undefined
  const count = head.seq - last.seq
  const because = torn
    ? 'it has no end, and the head says that it once was whole'
    : `the head counts ${head.seq} lines: ${count} behind it ${count === 1 ? 'is' : 'are'} missing`
  return { ...place, fault: 'cut off', because }
}
