/**
 * Small files that a config names: what is no regular file (a pipe holds whoever opens it, a device
 * never ends) or is too long is refused.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs'

/** Its text. Throws the error of the system, or `EFBIG` and `EINVAL` for what is none. */
export function readPlainFile(path: string, bytesMax: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw withCode('EINVAL', `${path} is no regular file`)
    if (stats.size > bytesMax) throw withCode('EFBIG', `${path} is too long`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

const withCode = (code: string, text: string): Error => Object.assign(new Error(text), { code })

/**
 * The text of a file that a stranger may have put there: besides what is refused above a link, a
 * file that belongs to nobody we trust or that others may write to (`EPERM`), and what is no UTF-8
 * (`EILSEQ`).
 */
export function readStrangersFile(path: string, bytesMax: number): string {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants
  const fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  try {
    const stats = fstatSync(fd)
    const { size, uid, mode } = stats
    if (!stats.isFile()) throw withCode('EINVAL', `${path} is no regular file`)
    if ((uid !== 0 && uid !== process.geteuid?.()) || (mode & 0o022) !== 0) {
      throw withCode('EPERM', `others may write to ${path}`)
    }
    if (size > bytesMax) throw withCode('EFBIG', `${path} is too long`)
    // It may grow while it is read: no more than that is taken in.
    const bytes = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (let got = -1; got !== 0 && length < bytes.length; length += got) {
      got = readSync(fd, bytes, length, bytes.length - length, null)
    }
    if (length > bytesMax) throw withCode('EFBIG', `${path} is too long`)
    return utf8(path, bytes.subarray(0, length))
  } finally {
    closeSync(fd)
  }
}

function utf8(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw withCode('EILSEQ', `${path} is no text`)
  }
}
