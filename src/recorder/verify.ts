/**
 * Are the three logs as they were written? The detailed one is an audit log, and is walked along as
 * one is; each of its lines also names those that belong to it in the other two, by their hash.
 */
import { type Finding, type Line, sha256, walk } from '../audit/chain.ts'
import { headFile, readHead } from '../audit/files.ts'
import { linesOf } from './history.ts'
import { detailedLog, operationalLog, readableLog } from './log.ts'

export interface VerifiedLogs {
  /** Of the detailed log. */
  readonly lines: number
  /** So many before them are there no more: logrotate throws the oldest away, and so may others. */
  readonly gone: number
  readonly finding: Finding | undefined
}

export async function verifyLogs(dir: string): Promise<VerifiedLogs> {
  // Before the log: a line is on disk before the head names it.
  const head = await readHead(dir)
  const walking = walk(head === 'missing' ? undefined : head, headFile, { thrownAway: true })
  const expected: Line[] = []
  let first: Line | undefined
  for await (const { file, line, bytes } of linesOf(dir, detailedLog)) {
    const read = walking.take({ file, line }, bytes)
    if (!read.ok) continue
    first ??= read.line
    expected.push(read.line)
  }
  const { lines, finding } = walking.end()
  const gone = first === undefined ? 0 : first.seq - 1
  const beside = async () =>
    (await unlike(dir, readableLog, 'readable', expected, gone === 0)) ??
    (await unlike(dir, operationalLog, 'operational', expected, gone === 0))
  return { lines, gone, finding: finding ?? (await beside()) }
}

/**
 * The first line, from the end, that is not the one which the chain names. What is older than the
 * chain itself, or was thrown away with its oldest file, is nobody's to judge.
 */
async function unlike(
  dir: string,
  name: string,
  field: 'readable' | 'operational',
  expected: readonly Line[],
  whole: boolean,
): Promise<Finding | undefined> {
  const hashes = expected.map(({ facts }) => facts[field])
  const blocks = await blocksOf(dir, name)
  const common = Math.min(hashes.length, blocks.length)
  for (let back = 1; back <= common; back++) {
    const block = blocks.at(-back)
    if (block === undefined || block.hash === hashes.at(-back)) continue
    const because = `it is not what line ${expected.at(-back)?.seq} of ${detailedLog} belongs to`
    return { file: block.file, line: block.line, fault: 'edited', because }
  }
  const missing = blocks.length < hashes.length
  // All three are thrown away together: what one of them still tells, the others have to.
  if (blocks.length === hashes.length || (missing && !whole)) return undefined
  const because = missing
    ? `${hashes.length - blocks.length} that ${detailedLog} names are missing`
    : `${blocks.length - hashes.length} are not named by ${detailedLog}`
  return { file: name, line: 1, fault: missing ? 'removed' : 'inserted', because }
}

interface Block {
  readonly file: string
  readonly line: number
  readonly hash: string
}

/** In the operational log an event ends with the line that says that it was recorded. */
async function blocksOf(dir: string, name: string): Promise<readonly Block[]> {
  const blocks: Block[] = []
  let open: { file: string; line: number; text: string } | undefined
  for await (const { file, line, bytes } of linesOf(dir, name)) {
    const text = `${bytes.toString('utf8')}\n`
    open = open === undefined ? { file, line, text } : { ...open, text: open.text + text }
    if (name === operationalLog && !/\] Recorded fence event: /.test(text)) continue
    blocks.push({ file: open.file, line: open.line, hash: sha256(open.text) })
    open = undefined
  }
  if (open !== undefined) blocks.push({ ...open, hash: sha256(open.text) })
  return blocks
}
