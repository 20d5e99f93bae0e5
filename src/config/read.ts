/**
 * Reads a configuration file with every bound that a file from elsewhere needs: it has to be a
 * regular file, small, UTF-8, and where it holds secrets nobody else may read it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import type { Problem } from './problem.ts'

/** No configuration is larger. */
const configBytesMax = 1 << 20

export type TextFile =
  | { readonly ok: true; readonly text: string; readonly stats: Stats }
  | { readonly ok: false; readonly missing: boolean; readonly problem: Problem }

/** Read a whole file; with `secret` only if its owner and mode keep others out. */
export function readText(file: string, secret: boolean, bytesMax = configBytesMax): TextFile {
  let handle: number
  try {
    // Without O_NONBLOCK a named pipe would hold us for ever.
    handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return refuse(file, openSentence(code), code === 'ENOENT')
  }
  try {
    const stats = fstatSync(handle)
    if (stats.isDirectory()) return refuse(file, 'this is a directory; name a file in it')
    if (!stats.isFile()) return refuse(file, 'this is not a regular file')
    const lax = secret ? laxness(file, stats) : undefined
    if (lax !== undefined) return refuse(file, lax)
    const bytes = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (let got = -1; got !== 0 && length <= bytesMax; length += got) {
      got = readSync(handle, bytes, length, bytes.length - length, null)
    }
    if (length > bytesMax) {
      return refuse(file, tooLarge(bytesMax))
    }
    return decode(file, bytes.subarray(0, length), stats)
  } catch (error) {
    return refuse(file, `cannot be read: ${(error as Error).message}`)
  } finally {
    closeSync(handle)
  }
}

function tooLarge(bytesMax: number): string {
  return bytesMax === configBytesMax
    ? `this is larger than ${bytesMax >> 20} MiB, which no configuration is`
    : `this is larger than ${bytesMax >> 10} KiB`
}

function openSentence(code: string | undefined): string {
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'you may not read it; try as root'
  return `cannot be opened (${code})`
}

/** Why others could get at the secrets, with the command that mends it. */
function laxness(file: string, { mode, uid }: Stats): string | undefined {
  const self = process.getuid?.() ?? 0
  if (uid !== 0 && uid !== self) {
    const owner = self === 0 ? 'root' : `root or by user ${self}`
    return `holds secrets and has to be owned by ${owner}, not by user ${uid}: chown root '${file}'`
  }
  if ((mode & 0o177) !== 0) {
    const octal = (mode & 0o7777).toString(8).padStart(4, '0')
    return `holds secrets and has mode ${octal}, which is laxer than 0600: chmod 0600 '${file}'`
  }
  return undefined
}

function decode(file: string, bytes: Buffer, stats: Stats): TextFile {
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), stats }
  } catch {
    const lossy = new TextDecoder('utf-8').decode(bytes)
    const before = lossy.slice(0, lossy.indexOf('\ufffd')).split('\n')
    const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 }
    const message = 'this is not UTF-8 text; save the file in UTF-8'
    return { ok: false, missing: false, problem: { file, ...place, message } }
  }
}

function refuse(file: string, message: string, missing = false): TextFile {
  return { ok: false, missing, problem: { file, line: 0, column: 0, message } }
}
