/**
 * Keeps the log files of services small. A service holds its log file open for life and must not
 * notice, so a file that has grown too large is copied (its end only) and emptied in place; the
 * service appends, so it goes on at the new beginning.
 */
import { open, readdir, rename, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const LOG_MAX_BYTES = 1 << 20
const KEEP_BYTES = 256 << 10
const LOOK_EVERY_MS = 500

/** Starts watching a directory of log files; the function it returns ends it. */
export function boundLogs(dir: string, warn: (text: string) => void): () => void {
  let busy = false
  let warned = false
  const look = async () => {
    if (busy) return
    busy = true
    try {
      for (const file of await logFiles(dir)) await bound(file)
    } catch (error) {
      if (!warned) warn(`the logs in ${dir} cannot be kept small: ${(error as Error).message}`)
      warned = true
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

async function logFiles(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir))
      .filter((name) => name.endsWith('.log'))
      .map((name) => join(dir, name))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function bound(file: string): Promise<void> {
  const { size } = await stat(file)
  if (size <= LOG_MAX_BYTES) return
  try {
    const end = await readEnd(file, size)
    await writeFile(`${file}.1.new`, end, { mode: 0o600 })
    await rename(`${file}.1.new`, `${file}.1`)
  } finally {
    // Also when the copy fails: a disk that is full is the reason to empty the file.
    await truncate(file)
  }
}

async function readEnd(file: string, size: number): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const buffer = Buffer.alloc(Math.min(KEEP_BYTES, size))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size - buffer.length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}
