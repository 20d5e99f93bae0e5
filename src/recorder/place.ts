/**
 * The directory over which a recorder and a responder speak, and every way in which a file in it is
 * read and written. It belongs to us alone (0700): who may write there may fence. What is found
 * there is read as if anybody had put it there all the same: a link, a pipe, a file of somebody
 * else, one without end or one that is no text is refused, with the reason.
 *
 *     requests/ID.json    what is to be done; it goes when it is over
 *     responses/ID.json   what came of it; it goes with its request
 *     claims/ID.json      what a responder has taken up, for as long as it may be asked for again
 *     kept/               both, when it is over, for whoever looks into it later
 *     responder.json      who answers here, and since when
 */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeWhole } from '../audit/files.ts'
import { readStrangersFile } from '../fence/plain-file.ts'
import { fileBytesMax, fileName } from './message.ts'

export interface Place {
  readonly dir: string
  readonly requests: string
  readonly responses: string
  readonly claims: string
  readonly kept: string
}

/** So many files are kept for those who look into a fencing later: two for each. */
export const keptMax = 1_000

/** Makes what is missing. Throws a sentence where somebody else may write there. */
export function openPlace(dir: string): Place {
  const below = (name: string) => join(dir, name)
  const place = {
    dir,
    requests: below('requests'),
    responses: below('responses'),
    claims: below('claims'),
    kept: below('kept'),
  }
  for (const each of Object.values(place)) makeOurs(each)
  return place
}

/** A directory that nobody but us writes to. */
export function makeOurs(dir: string): void {
  try {
    if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(dir, 0o700)
  } catch (error) {
    throw new Error(`${dir} cannot be made: ${codeOf(error)}`)
  }
  const found = lstatSync(dir)
  const mend = `make it a directory of its own with mode 0700`
  if (!found.isDirectory()) throw new Error(`${dir} is no directory: ${mend}`)
  if (!isOurUser(found.uid)) throw new Error(`${dir} belongs to user ${found.uid}: ${mend}`)
  if ((found.mode & 0o022) !== 0) throw new Error(`others may write to ${dir}: ${mend}`)
}

const isOurUser = (uid: number): boolean => uid === 0 || uid === process.geteuid?.()

/** What a file holds; `undefined` where there is none; a sentence why it is refused. */
export type Text =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly because: string }

/** Reads a file that anybody may have put there. Never throws, and never waits. */
export function readText(path: string): Text | undefined {
  try {
    return { ok: true, text: readStrangersFile(path, fileBytesMax) }
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return undefined
    return { ok: false, because: refusals[code] ?? `it cannot be read (${code})` }
  }
}

const refusals: Readonly<Record<string, string>> = {
  ELOOP: 'it is a link',
  EINVAL: 'it is no regular file',
  ENXIO: 'it is no regular file',
  EFBIG: `it is longer than ${fileBytesMax / 2 ** 10} KiB`,
  EPERM: 'it belongs to somebody else, or others may write to it',
  EILSEQ: 'it is no text in UTF-8',
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

/** Puts a file there in one piece, durably: nobody ever sees half of it. */
export async function put(dir: string, id: string, text: string): Promise<void> {
  await writeWhole(dir, fileName(id), text)
}

/** Takes a request and its response away from where they are looked for, and keeps them. */
export async function keep(place: Place, id: string): Promise<void> {
  const name = fileName(id)
  const moved = await Promise.all([
    moveAside(join(place.requests, name), join(place.kept, `${id}.request.json`)),
    moveAside(join(place.responses, name), join(place.kept, `${id}.response.json`)),
  ])
  if (moved.some(Boolean)) await syncDirectory(place.requests)
}

async function moveAside(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    // A link to a directory, or a directory: nothing that anybody would want to look into.
    if (codeOf(error) !== 'ENOENT') await rm(from, { recursive: true, force: true })
    return false
  }
}

/** Throws the oldest files away where there are more than so many. */
export async function prune(dir: string, filesMax: number): Promise<void> {
  const names = await readdir(dir)
  // Only now and then: looking at each of them costs more than keeping some.
  if (names.length <= filesMax * 1.1) return
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(dir, name)
      return { path, atMs: (await stat(path).catch(() => undefined))?.mtimeMs ?? 0 }
    }),
  )
  const old = found.sort((a, b) => a.atMs - b.atMs).slice(0, names.length - filesMax)
  await Promise.all(old.map(({ path }) => rm(path, { recursive: true, force: true })))
}
