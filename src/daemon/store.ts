/**
 * The ledger on disk, so that what this node has acknowledged survives its daemon and its machine.
 *
 * One file of two lines, a header and the ledger. A save is atomic: written beside, synced,
 * renamed, and the directory synced; a crash at any point leaves the old ledger or the new one.
 * What cannot be trusted to the last byte is put aside, never used: the disk may add obligations,
 * not proof, and half an obligation is none.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Ledger } from '../core/ledger.ts'
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

const version = 2
const bytesMax = 16 * 2 ** 20
/** How many untrusted files are kept for a person to look at. */
const asideMax = 5

/** Reads the ledger of this cluster, and opens the way to save newer ones. */
export function openStore(stateDir: string, cluster: string, say: Say): Store {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const path = join(stateDir, 'ledger.json')
  rmSync(`${path}.tmp`, { force: true })
  const found = read(path, cluster)
  if (found.because !== undefined) putAside(path, found.because, say)

  let waiting: { text: string; answers: ((saved: Saved) => void)[] } | undefined
  let working: Promise<void> | undefined

  async function work(): Promise<void> {
    while (waiting) {
      const { text, answers } = waiting
      waiting = undefined
      const saved = await write(stateDir, path, text)
      for (const answer of answers) answer(saved)
    }
    working = undefined
  }

  return {
    ledger: found.ledger,
    save(ledger) {
      const { promise, resolve } = Promise.withResolvers<Saved>()
      waiting = { text: render(cluster, ledger), answers: [...(waiting?.answers ?? []), resolve] }
      working ??= work()
      return promise
    },
    settled: () => working ?? Promise.resolve(),
  }
}

function render(cluster: string, ledger: Ledger): string {
  const body = JSON.stringify(ledger)
  return `${headerOf(cluster, body)}\n${body}\n`
}

function headerOf(cluster: string, body: string): string {
  const crc = crc32(body, crc32(cluster)).toString(16).padStart(8, '0')
  return JSON.stringify({ picket: 'ledger', version, cluster, crc, length: body.length })
}

interface Found {
  readonly ledger?: Ledger
  /** Why the file cannot be used; absent where there is none. */
  readonly because?: string
}

function read(path: string, cluster: string): Found {
  try {
    const text = readBounded(path)
    return text === undefined
      ? { because: `is longer than ${bytesMax} bytes` }
      : parse(text, cluster)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    return { because: `cannot be read (${error instanceof Error ? error.message : error})` }
  }
}

function readBounded(path: string): string | undefined {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    if (size > bytesMax) return
    const bytes = Buffer.alloc(size)
    const length = size === 0 ? 0 : readSync(fd, bytes, 0, size, 0)
    // A byte that is not UTF-8 becomes another one here, and the checksum tells.
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

function parse(text: string, cluster: string): Found {
  const [header = '', body = '', end, ...rest] = text.split('\n')
  const fields = fieldsOf(header)
  if (fields?.picket === 'ledger' && fields.version !== version) {
    return {
      because: `was written in version ${String(fields.version)} of the format, not ${version}`,
    }
  }
  const owner = fields?.cluster
  if (typeof owner === 'string' && headerOf(owner, body) === header && end === '' && !rest.length) {
    if (owner !== cluster) return { because: `is of the cluster "${owner}", not "${cluster}"` }
    return { ledger: JSON.parse(body) as Ledger }
  }
  return { because: 'is damaged (its checksum does not match)' }
}

function fieldsOf(header: string): { readonly [name: string]: unknown } | undefined {
  try {
    const fields: unknown = JSON.parse(header)
    return typeof fields === 'object' && fields !== null ? { ...fields } : undefined
  } catch {
    return undefined
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

async function write(stateDir: string, path: string, text: string): Promise<Saved> {
  const handles = [open(`${path}.tmp`, 'w', 0o600), open(stateDir, 'r')] as const
  try {
    const [file, directory] = await Promise.all(handles)
    await file.writeFile(text)
    await file.sync()
    await rename(`${path}.tmp`, path)
    // The new name is durable only with its directory.
    await directory.sync()
    return { ok: true }
  } catch (error) {
    return { ok: false, because: error instanceof Error ? error.message : String(error) }
  } finally {
    // A start waits for the answer, and nobody for this: all of it is on the disk.
    for (const handle of handles) handle.then((each) => each.close()).catch(() => {})
  }
}
