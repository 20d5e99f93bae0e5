/**
 * The files of an audit log: their names and their order, their lines as a stream, and the head.
 *
 * `audit.jsonl` is the one that is written, `audit.1.jsonl` the one before, and so on. `audit.head`
 * stands beside them, and not in them, so that whoever cuts the log has to forge two files.
 */
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type Head, unknownChain } from './chain.ts'

export const newestFile = 'audit.jsonl'
export const headFile = 'audit.head'
/** Longer than any line that is written. */
const lineBytesMax = 64 * 2 ** 10

/** The name of the file that was put aside so many rotations ago; 0 is the newest. */
export function fileName(age: number): string {
  return age === 0 ? newestFile : `audit.${age}.jsonl`
}

/** The files that are there, the oldest first, with their ages. Throws where it cannot look. */
export async function filesIn(dir: string): Promise<readonly { name: string; age: number }[]> {
  const found = (await readdir(dir)).flatMap((name) => {
    const match = /^audit(?:\.([1-9]\d{0,3}))?\.jsonl$/.exec(name)
    return match ? [{ name, age: Number(match[1] ?? 0) }] : []
  })
  return found.sort((a, b) => b.age - a.age)
}

/** What stands between two newlines. */
export interface RawLine {
  /** From 1, in its file. */
  readonly number: number
  /** `undefined`: longer than any line that is written. */
  readonly bytes: Buffer | undefined
  /** Where it begins in the file. */
  readonly offset: number
  /** Has it a newline? The last one of a file may have none. */
  readonly ended: boolean
}

/** The lines of a file, however large the file is; one that is open stays open. */
export async function* linesOf(file: string | FileHandle): AsyncGenerator<RawLine> {
  let [number, offset, length] = [1, 0, 0]
  let parts: Buffer[] = []
  const add = (part: Buffer) => {
    length += part.length
    if (length <= lineBytesMax) parts.push(part)
    else parts = []
  }
  const line = (ended: boolean): RawLine => {
    const bytes = length <= lineBytesMax ? Buffer.concat(parts) : undefined
    return { number, bytes, offset, ended }
  }
  const stream =
    typeof file === 'string'
      ? createReadStream(file)
      : file.createReadStream({ start: 0, autoClose: false })
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0
    for (let to = chunk.indexOf(10); to >= 0; to = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, to))
      yield line(true)
      number++
      offset += length + 1
      length = 0
      parts = []
      from = to + 1
    }
    if (from < chunk.length) add(chunk.subarray(from))
  }
  if (length > 0) yield line(false)
}

/** The head; `missing` where there is none, `damaged` where it tells nothing. */
export async function readHead(dir: string): Promise<Head | 'missing' | 'damaged'> {
  try {
    return headIn(await readFile(join(dir, headFile), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
}

/** What the text of a head says. */
export function headIn(text: string): Head | 'damaged' {
  try {
    const { lines, hash, chain } = JSON.parse(text) as Record<string, unknown>
    if (typeof lines !== 'number' || !Number.isSafeInteger(lines) || lines < 0) return 'damaged'
    if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) return 'damaged'
    const named = typeof chain === 'string' && /^[0-9a-f]{16}$/.test(chain)
    return { seq: lines, hash, chain: named ? chain : unknownChain }
  } catch {
    return 'damaged'
  }
}

/** Makes a head durable, in one piece. */
export async function writeHead(dir: string, { seq, hash, chain }: Head): Promise<void> {
  await writeWhole(dir, headFile, `${JSON.stringify({ lines: seq, hash, chain })}\n`)
}

/** Makes a small file durable: the old text or the new one, whatever happens meanwhile. */
export async function writeWhole(dir: string, name: string, text: string): Promise<void> {
  const path = join(dir, name)
  // Where a link or a pipe lies in its way nothing is written elsewhere, and nobody hangs.
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK
  const file = await open(`${path}.tmp`, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
  await syncDirectory(dir)
}

/** New names are durable only with their directory. */
export async function syncDirectory(dir: string): Promise<void> {
  const directory = await open(dir, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
