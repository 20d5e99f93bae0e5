/**
 * The journal: every event, on disk before anything acts on it, so that `replay` can tell later
 * what this node saw and why it did what it did. JSON Lines, of four kinds:
 *
 *     {"begin":…,"time":…}    a life of the daemon begins, with all that the core was given
 *     {"state":…,"time":…}    the core's whole state: a new file, or a gap before it
 *     {"event":…}             what happened; `atMs` tells when
 *     {"did":"digest","do":[…]}   what the core answered to the line above; absent for nothing
 *
 * It is for learning, not for safety: it is not synced, and a disk that takes no more of it is an
 * alarm, never the end of the daemon. Each file can be replayed alone.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import type { Effect } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import { encode } from './encode.ts'
import type { Say } from './log.ts'

export interface Journal {
  readonly path: string
  begin(begin: object): void
  append(event: Event): void
  did(effects: readonly Effect[]): void
  close(): void
}

export interface JournalOptions {
  readonly path: string
  /** The core's state as it is before the next event. */
  readonly state: () => unknown
  readonly say: Say
  /** A file that is longer is put aside. */
  readonly bytesMax?: number
  /** How many files there are at most, the one being written included. */
  readonly filesMax?: number
  /** How long a disk that took nothing is left alone. */
  readonly retryMs?: number
}

interface File {
  readonly fd: number
  /** Bytes up to the end of the last whole line. */
  size: number
}

export function openJournal({
  path,
  state,
  say,
  bytesMax = 16 * 2 ** 20,
  filesMax = 3,
  retryMs = 1_000,
}: JournalOptions): Journal {
  let file: File | undefined
  /** Set while the disk takes nothing: when it was last tried. */
  let failedAtMs: number | undefined
  let nowMs = 0

  const fresh = (): File => {
    if (file) closeSync(file.fd)
    file = undefined
    rotate(path, filesMax)
    file = open(path)
    return file
  }

  /**
   * Writes a line, or says once that it cannot. A line may follow only what was written just before
   * it; `whole`, which stands for itself, takes its place in a new file and after a gap.
   */
  const write = (line: object, whole?: () => readonly object[]): void => {
    if (failedAtMs !== undefined && (whole === undefined || nowMs < failedAtMs + retryMs)) return
    try {
      file ??= open(path)
      const begins = whole !== undefined && file.size >= bytesMax
      if (begins) file = fresh()
      put(file, whole && (begins || failedAtMs !== undefined) ? whole() : [line])
      if (failedAtMs !== undefined) say('info', `The journal ${path} is written again.`)
      failedAtMs = undefined
    } catch (error) {
      if (failedAtMs === undefined) {
        const because = error instanceof Error ? error.message : String(error)
        say('alarm', `The journal ${path} cannot be written: ${because}. Free space on its disk.`)
      }
      failedAtMs = nowMs
    }
  }

  const time = () => new Date().toISOString()
  return {
    path,
    begin(begin) {
      const line = { begin: encode(begin), time: time() }
      write(line, () => [line])
    },
    append(event) {
      nowMs = event.atMs
      write({ event }, () => [{ state: encode(state()), time: time() }, { event }])
    },
    did(effects) {
      if (effects.length > 0) write({ did: digestOf(effects), do: effects.map(nameOf) })
    },
    close() {
      if (file) closeSync(file.fd)
      file = undefined
    },
  }
}

/** What tells one answer of the core from another. */
export function digestOf(effects: readonly Effect[]): string {
  return createHash('sha256').update(JSON.stringify(effects)).digest('hex').slice(0, 16)
}

/** An effect in a few words, for a person who reads the journal. */
export function nameOf(effect: Effect): string {
  switch (effect.do) {
    case 'send':
      return `send ${effect.message.say}`
    case 'run':
      return `run ${effect.op} of ${effect.resource}`
    case 'abort':
    case 'prepare':
      return `${effect.do} ${effect.resource}`
    case 'check':
      return `check ${effect.check}`
    case 'expect':
      return `expect ${effect.votes} votes`
    case 'press':
      return `press ${effect.action} of ${effect.target} on ${effect.device}`
    case 'read':
    case 'identify':
      return `${effect.do} ${effect.target} on ${effect.device}`
    case 'listen':
      return `listen for ${effect.target}`
    case 'say':
      return `say ${effect.text}`
    case 'save':
    case 'arm':
    case 'lease':
    case 'disarm':
    case 'handOver':
    case 'exit':
      return effect.do
  }
}

function open(path: string): File {
  const fd = openSync(path, 'a+', 0o600)
  const { size } = fstatSync(fd)
  const file = { fd, size }
  // The daemon died in the middle of a line: end it, so that the next one stands alone.
  const last = Buffer.alloc(1)
  const torn = size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a
  if (torn) file.size += writeSync(fd, '\n')
  return file
}

function put(file: File, lines: readonly object[]): void {
  const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  let done = 0
  try {
    while (done < bytes.length) done += writeSync(file.fd, bytes, done)
  } catch (error) {
    ftruncateSync(file.fd, file.size)
    throw error
  }
  file.size += bytes.length
}

function rotate(path: string, filesMax: number): void {
  const name = (age: number) => (age === 0 ? path : `${path}.${age}`)
  rmSync(name(filesMax - 1), { force: true })
  for (let age = filesMax - 2; age >= 0; age--) {
    try {
      renameSync(name(age), name(age + 1))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}
