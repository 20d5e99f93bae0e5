/**
 * The ledger on disk, so that what this node has acknowledged survives its daemon and its machine.
 *
 * A save is one synced write behind the ledgers that the file holds (`ledger-file.ts`). The first
 * save of a life, the one for which there is no space, and the one after a failure, or after
 * somebody has touched the file, make a new one: written beside, synced, renamed, and the directory
 * synced. A crash leaves the old ledger or the new one. What cannot be trusted to the last byte is
 * put aside, never used: the disk may add obligations, not proof, and half an obligation is none.
 */
import {
  close,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  open as openFile,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  write,
} from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Ledger } from '../core/ledger.ts'
import {
  type Found,
  fileBytesMax,
  readFile,
  renderFile,
  renderLedger,
  spaceEnd,
} from './ledger-file.ts'
import type { Say } from './log.ts'

export type Saved = { readonly ok: true } | { readonly ok: false; readonly because: string }

export interface Store {
  /** What the disk held at the start; `undefined`: nothing that can be trusted. */
  readonly ledger: Ledger | undefined
  /**
   * Makes a ledger durable. Saves end in the order in which they were asked for. While one is
   * under way only the newest of the others waits; it answers for those that it replaced.
   */
  save(ledger: Ledger): Promise<Saved>
  /** All saves have been answered. */
  settled(): Promise<void>
}

/** How many untrusted files are kept for a person to look at. */
const asideMax = 5

/** Reads the ledger of this cluster, and opens the way to save newer ones. */
export function openStore(stateDir: string, cluster: string, say: Say): Store {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const path = join(stateDir, 'ledger.json')
  rmSync(`${path}.tmp`, { force: true, recursive: true })
  const found = read(path, cluster)
  if (found.because !== undefined) putAside(path, found.because, say)

  const keep = writerOf(stateDir, path)
  let waiting: { record: Buffer; answers: ((saved: Saved) => void)[] } | undefined
  let working: Promise<void> | undefined

  async function work(): Promise<void> {
    while (waiting) {
      const { record, answers } = waiting
      waiting = undefined
      const saved = await keep(record)
      for (const answer of answers) answer(saved)
    }
    working = undefined
  }

  return {
    ledger: found.ledger,
    save(ledger) {
      const { promise, resolve } = Promise.withResolvers<Saved>()
      const answers = [...(waiting?.answers ?? []), resolve]
      waiting = { record: renderLedger(cluster, ledger), answers }
      working ??= work()
      return promise
    },
    settled: () => working ?? Promise.resolve(),
  }
}

function read(path: string, cluster: string): Found {
  try {
    const bytes = readBounded(path)
    return bytes === undefined
      ? { because: `is longer than ${fileBytesMax} bytes` }
      : readFile(bytes, cluster)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    return { because: `cannot be read (${error instanceof Error ? error.message : error})` }
  }
}

function readBounded(path: string): Buffer | undefined {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    if (size > fileBytesMax) return
    const bytes = Buffer.alloc(size)
    const length = size === 0 ? 0 : readSync(fd, bytes, 0, size, 0)
    return bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

function putAside(path: string, because: string, say: Say): void {
  const places = Array.from({ length: asideMax }, (_, index) => `${path}.corrupt-${index + 1}`)
  const place = places.find((name) => ageOf(name) === undefined) ?? oldest(places)
  let where = `kept as ${place}`
  try {
    renameSync(path, place)
  } catch (error) {
    where = `it cannot be put aside (${error instanceof Error ? error.message : error})`
  }
  say(
    'alarm',
    `The ledger ${path} ${because}; ${where}. This node starts without a ledger and takes the ` +
      "other members' word.",
  )
}

function ageOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

function oldest(places: readonly string[]): string {
  return places.reduce((a, b) => ((ageOf(b) ?? 0) < (ageOf(a) ?? 0) ? b : a))
}

// A number lasts for the whole life of the daemon; a FileHandle wants somebody who closes it.
const openFd = promisify(openFile)
const closeFd = promisify(close)
const writeFd = promisify(write)

/** The file of this life, with space for more ledgers. */
interface Space {
  readonly fd: number
  /** What the file was like after the last save: nobody else is to have touched it. */
  mark: string
  readonly endByte: number
  atByte: number
}

/** Every write is durable as it ends: one call, and one wait. */
const { O_WRONLY, O_CREAT, O_TRUNC, O_DSYNC } = constants
const synced = O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC

/** What makes a record durable, one after the other. Never rejects. */
function writerOf(stateDir: string, path: string): (record: Buffer) => Promise<Saved> {
  let space: Space | undefined
  return async (record) => {
    const known = space
    // Whatever fails below, nobody knows what the file holds behind its last whole ledger.
    space = undefined
    try {
      const added = known !== undefined && (await add(path, known, record))
      space = added ? known : await begin(stateDir, path, record)
      return { ok: true }
    } catch (error) {
      return { ok: false, because: error instanceof Error ? error.message : String(error) }
    } finally {
      if (known !== undefined && space !== known) await closeFd(known.fd).catch(() => {})
    }
  }
}

/** Behind the others, if there is space, and if the file is as the last save left it. */
async function add(path: string, space: Space, record: Buffer): Promise<boolean> {
  if (space.atByte + record.length > space.endByte || markOf(path) !== space.mark) return false
  await writeAll(space.fd, record, space.atByte)
  space.atByte += record.length
  space.mark = markOf(path)
  return true
}

/** It was looked at a moment ago, and so it is in memory: nobody waits for the disk. */
function markOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? '' : `${found.dev}/${found.ino} ${found.size} ${found.mtimeMs}`
}

/** A new file, in the place of the old one. */
async function begin(stateDir: string, path: string, record: Buffer): Promise<Space> {
  const bytes = renderFile(record)
  if (bytes === undefined) throw new Error(`the ledger is longer than ${fileBytesMax} bytes`)
  const directory = await open(stateDir, 'r')
  let fd: number | undefined
  try {
    fd = await openFd(`${path}.tmp`, synced, 0o600)
    await writeAll(fd, bytes, 0)
    await rename(`${path}.tmp`, path)
    // The new name is durable only with its directory.
    await directory.sync()
    return { fd, mark: markOf(path), endByte: spaceEnd(bytes), atByte: record.length }
  } catch (error) {
    if (fd !== undefined) await closeFd(fd).catch(() => {})
    throw error
  } finally {
    // A start waits for the answer, and nobody for this.
    void directory.close().catch(() => {})
  }
}

/** A disk that is nearly full takes a part, and tells only of the rest why. */
async function writeAll(fd: number, bytes: Buffer, atByte: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const rest = bytes.length - done
    const { bytesWritten } = await writeFd(fd, bytes, done, rest, atByte + done)
    if (bytesWritten === 0) throw new Error('the disk took nothing')
    done += bytesWritten
  }
}
