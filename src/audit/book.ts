/**
 * The audit log as it lies on disk, opened for writing: appends whole lines, puts a file aside when
 * it is long, and finds its place again after a crash.
 *
 * After a crash the head is believed, and not the file. A last line without its end that the head
 * does not know of was never promised to anybody: it is cut off, and the chain tells so. Anything
 * else that does not fit the head is not mended: the chain goes on from where the head says, so
 * that what is missing or changed stays visible for as long as the files are kept.
 */
import type { Stats } from 'node:fs'
import { type FileHandle, open, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import {
  chained,
  chainOf,
  type Entry,
  type Head,
  type Link,
  origin,
  readLine,
  unknownChain,
} from './chain.ts'
import {
  fileName,
  filesIn,
  headFile,
  linesOf,
  newestFile,
  readHead,
  syncDirectory,
  writeHead,
} from './files.ts'

/** What was found of an earlier life and belongs into the chain. */
export interface Note {
  readonly kind: 'torn' | 'damage'
  readonly facts: { readonly found: string; readonly headless?: true }
}

export interface Book {
  readonly notes: readonly Note[]
  /** Is everything that was appended covered by the head? */
  readonly covered: () => boolean
  /** Up to where the log is durable, head and all; `undefined` before its first line. */
  readonly head: () => Head | undefined
  readonly size: () => number
  /** Is the file that is written still the one that was opened, and as it was left? */
  readonly untouched: () => Promise<boolean>
  /** Puts these behind the last line, durably, all or none. */
  readonly append: (entries: readonly Entry[]) => Promise<void>
  /** Makes the head name the last line. */
  readonly cover: () => Promise<void>
  /** Puts the file aside and begins a new one; only so many files are kept. */
  readonly rotate: (filesMax: number, entry: (facts: Entry['facts']) => Entry) => Promise<void>
  readonly close: () => Promise<void>
}

/** Finds the end of the chain and opens the log there. */
export async function openBook(dir: string): Promise<Book> {
  const found = await endOf(dir)
  let { last } = found
  let headed: Link | undefined = found.head
  if (headed === undefined && last === origin) {
    // Before the first line: from now on a log without a head has lost it.
    await writeHead(dir, { ...origin, chain: unknownChain })
    headed = origin
  }
  let chain = (await chainIn(dir)) ?? found.head?.chain ?? unknownChain
  const path = join(dir, newestFile)
  let file = await open(path, 'a', 0o600)
  let size = (await statOf(path))?.size ?? 0
  /** Set while the file may hold half of what could not be written. */
  let dirty = false
  let announced = -1

  const append = async (entries: readonly Entry[]): Promise<void> => {
    if (entries.length === 0) return
    let link = last
    let begun = chain
    const lines = entries.map((entry) => {
      const next = chained(link, entry)
      link = next.link
      if (link.seq === 1) begun = chainOf(link)
      return `${next.text}\n`
    })
    const bytes = Buffer.from(lines.join(''))
    if (dirty) await file.truncate(size)
    dirty = true
    await writeAll(file, bytes)
    await file.sync()
    dirty = false
    size += bytes.length
    last = link
    chain = begun
  }
  const cover = async (): Promise<void> => {
    if (headed === last) return
    const link = last
    await writeHead(dir, { ...link, chain })
    headed = link
  }

  return {
    notes: found.notes,
    covered: () => headed === last,
    head: () => (headed && headed.seq > 0 ? { ...headed, chain } : undefined),
    size: () => size,
    async untouched() {
      const [there, own] = [await statOf(path), await file.stat()]
      if (there?.ino !== own.ino || there.dev !== own.dev) return false
      return dirty || there.size === size
    },
    append,
    cover,
    async rotate(filesMax, entry) {
      const files = await filesIn(dir)
      const dropped = files.slice(0, Math.max(0, files.length - filesMax + 1))
      const oldest = files[dropped.length]
      if (dropped.length > 0 && oldest !== undefined) {
        const { through, hash } = await beforeFile(join(dir, oldest.name))
        // Not again when what follows has failed and is tried once more.
        if (announced !== through) await append([entry({ through, hash })])
        announced = through
        await cover()
        for (const { name } of dropped) await rm(join(dir, name), { force: true })
      }
      for (const { name, age } of files.slice(dropped.length)) {
        await rename(join(dir, name), join(dir, fileName(age + 1)))
      }
      await syncDirectory(dir)
      const fresh = await open(path, 'a', 0o600)
      await file.close()
      file = fresh
      size = 0
    },
    close: () => file.close(),
  }
}

/** One write for all; the rest of a short one follows, or the error that made it short. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done)).bytesWritten
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What the first line of a file says of the lines before it. */
async function beforeFile(path: string): Promise<{ through: number; hash: string }> {
  for await (const { bytes } of linesOf(path)) {
    const read = readLine(bytes)
    if (read.ok) return { through: read.line.seq - 1, hash: read.line.prev }
    break
  }
  return { through: 0, hash: '' }
}

interface End {
  readonly last: Link
  /** What the head says; `undefined`: there is none yet, or none that can be read. */
  readonly head: Head | undefined
  readonly notes: readonly Note[]
}

async function endOf(dir: string): Promise<End> {
  const head = await readHead(dir)
  const names = await filledIn(dir)
  const newest = names.at(-1)
  if (newest === undefined) {
    if (head === 'missing') return { last: origin, head: undefined, notes: [] }
    if (head === 'damaged') return headless(origin, `${headFile} cannot be read`)
    if (head.seq === 0) return { last: head, head, notes: [] }
    return behead(head, `${headFile} counts ${head.seq} lines, and there is none`)
  }
  const path = join(dir, newest)
  const known = typeof head === 'string' ? undefined : head
  const { last, tail, torn } = await scanOf(dir, names.slice(-2), known)
  if (tail !== undefined && torn === undefined) return { last: tail, head: known, notes: [] }
  if (tail !== undefined && torn !== undefined && newest === newestFile) {
    await truncate(path, torn.offset)
    const found = `the last line of ${newest} had no end (${torn.bytes} bytes) and was cut off`
    return { last: tail, head: known, notes: [{ kind: 'torn', facts: { found } }] }
  }
  if (torn !== undefined) await end(path)
  if (known === undefined) {
    const what = head === 'missing' ? 'was missing' : 'could not be read'
    return headless(last ?? origin, `${headFile} ${what}, and ${newest} holds lines`)
  }
  return behead(known, `${newest} does not end with line ${known.seq} as ${headFile} names it`)
}

/** The chain goes on from where the head says. */
function behead(head: Head, found: string): End {
  return { last: head, head, notes: [{ kind: 'damage', facts: { found } }] }
}

/** Without a head nobody can tell whether the file ends where it ended. */
function headless(last: Link, found: string): End {
  return { last, head: undefined, notes: [{ kind: 'damage', facts: { found, headless: true } }] }
}

/** Which log it is, as its first line tells, if that is still kept. */
async function chainIn(dir: string): Promise<string | undefined> {
  const [oldest] = await filledIn(dir)
  if (oldest === undefined) return undefined
  for await (const { bytes } of linesOf(join(dir, oldest))) {
    const read = readLine(bytes)
    return read.ok && read.link.seq === 1 ? chainOf(read.link) : undefined
  }
  return undefined
}

/** A line that lost its end stays as it is, and what follows stands on lines of its own. */
async function end(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.write('\n')
  } finally {
    await file.close()
  }
}

/** The files that hold anything, the newest last. */
async function filledIn(dir: string): Promise<readonly string[]> {
  const names: string[] = []
  for (const { name } of await filesIn(dir)) {
    if (((await statOf(join(dir, name)))?.size ?? 0) > 0) names.push(name)
  }
  return names
}

interface Scan {
  /** The last line that can be read. */
  readonly last: Link | undefined
  /** The last line, if all from the one that the head names are as they should be. */
  readonly tail: Link | undefined
  /** Where a last line without its end begins, and how long it is. */
  readonly torn: { readonly offset: number; readonly bytes: number } | undefined
}

/** Looks at the last files: the newest alone may hold nothing but its first line, half written. */
async function scanOf(dir: string, names: readonly string[], head?: Link): Promise<Scan> {
  let last: Link | undefined
  let tail = head?.seq === 0 ? head : undefined
  let torn: Scan['torn']
  let broken = false
  for (const name of names) {
    const path = join(dir, name)
    for await (const { bytes, offset, ended } of linesOf(path)) {
      if (!ended && name === names.at(-1)) {
        torn = { offset, bytes: ((await statOf(path))?.size ?? offset) - offset }
        break
      }
      const read = readLine(bytes)
      if (!read.ok) {
        broken ||= tail !== undefined
        continue
      }
      const { line, link } = read
      last = link
      if (link.seq === head?.seq && link.hash === head.hash) tail = link
      else if (tail && line.seq === tail.seq + 1 && line.prev === tail.hash) tail = link
      else broken ||= tail !== undefined
    }
  }
  return { last, tail: broken ? undefined : tail, torn }
}
