/**
 * Small files that a config names: what is no regular file (a pipe holds whoever opens it, a device
 * never ends) or is too long is refused.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'

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
