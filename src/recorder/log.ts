/**
 * The three logs of a recorder, written by many short lives side by side: each takes a lock that
 * dies with it, finds the end of the chain, and puts its events behind it.
 *
 * The detailed log is an audit log like picketd's, with fields of its own in front: each line names
 * the one before it, `audit.head` names the last, and each also names the lines that belong to it
 * in the two other logs, so that these are held by the same chain. logrotate may put all three
 * aside at any moment; the chain goes on from the head.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  chained,
  chainOf,
  type Link,
  origin,
  readLine,
  sha256,
  unknownChain,
} from '../audit/chain.ts'
import { readHead, writeHead } from '../audit/files.ts'
import { lockFile } from '../daemon/libc.ts'
import { type Event, fieldsOf, operationalLines, readableLine } from './event.ts'
import { makeOurs } from './place.ts'

export const operationalLog = 'fence-events.log'
export const readableLog = 'fence-events-readable.log'
export const detailedLog = 'fence-events-detailed.jsonl'
const lockName = '.fence-events.lock'
/** A log that is held for longer by somebody else gets no line of ours. */
const patienceMs = 10_000
/** The last line of a log lies within this. */
const tailBytes = 128 * 2 ** 10

/**
 * Puts these behind what is there. Throws where it cannot, or once the signal says that nobody
 * waits for the log any longer.
 */
export async function writeEvents(
  dir: string,
  events: readonly Event[],
  hurry?: AbortSignal,
): Promise<void> {
  makeOurs(dir)
  const release = await lock(dir, hurry)
  try {
    await appendAll(dir, events)
  } finally {
    release()
  }
}

async function lock(dir: string, hurry: AbortSignal | undefined): Promise<() => void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK
  const fd = openSync(join(dir, lockName), flags, 0o600)
  const beganMs = performance.now()
  while (!lockFile(fd)) {
    const heldMs = performance.now() - beganMs
    if (heldMs > patienceMs || hurry?.aborted) {
      closeSync(fd)
      throw new Error(`somebody else has held ${dir} for ${Math.round(heldMs / 1_000)} s`)
    }
    await sleep(2 + 4 * Math.random())
  }
  return () => closeSync(fd)
}

async function appendAll(dir: string, events: readonly Event[]): Promise<void> {
  const [detailed, readable, operational] = await Promise.all(
    [detailedLog, readableLog, operationalLog].map((name) => openLog(join(dir, name))),
  )
  if (!detailed || !readable || !operational) throw new Error('a log is missing')
  try {
    const end = await endOf(dir, detailed)
    let [last, chain] = [end.last, end.chain]
    const texts: [string, string, string] = ['', '', '']
    for (const event of events) {
      const [plain, more] = [readableLine(event), operationalLines(event)]
      const { atMs, request_id, recorder_node: node, status: kind } = event
      const facts = { request_id, readable: sha256(plain), operational: sha256(more) }
      const entry = { at: new Date(atMs).toISOString(), node, kind, facts }
      const { text, link } = chained(last, entry, fieldsOf(event))
      last = link
      if (link.seq === 1) chain = chainOf(link)
      texts[0] += `${text}\n`
      texts[1] += plain
      texts[2] += more
    }
    await detailed.appendFile(texts[0])
    await detailed.datasync()
    await readable.appendFile(texts[1])
    await operational.appendFile(texts[2])
    await writeHead(dir, { ...last, chain })
  } finally {
    await Promise.all([detailed, readable, operational].map((file) => file.close()))
  }
}

async function openLog(path: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw new Error(`${path} is no regular file`)
}

/** Behind which line the chain goes on. What does not fit the head stays visible for ever. */
async function endOf(dir: string, file: FileHandle): Promise<{ last: Link; chain: string }> {
  const head = await readHead(dir)
  const tail = await tailOf(file)
  if (typeof head === 'string') return { last: tail ?? origin, chain: unknownChain }
  const { chain } = head
  // Whoever wrote it was killed before the head could name it.
  if (tail !== undefined && (tail.seq > head.seq || tail.hash === head.hash)) {
    return { last: tail, chain }
  }
  return { last: head, chain }
}

/** The last line that is whole; half of one, of a writer that was killed, is cut off. */
async function tailOf(file: FileHandle): Promise<Link | undefined> {
  const { size } = await file.stat()
  const from = Math.max(0, size - tailBytes)
  const bytes = Buffer.alloc(size - from)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
  const text = bytes.subarray(0, bytesRead)
  const end = text.lastIndexOf(10)
  if (end + 1 < text.length) await file.truncate(from + end + 1)
  if (end < 0) return undefined
  const begin = text.lastIndexOf(10, end - 1)
  const read = readLine(text.subarray(begin + 1, end))
  return read.ok ? read.link : undefined
}

/** How this machine calls itself in the logs. */
export const recorderNode = (): string => hostname().slice(0, 255)
