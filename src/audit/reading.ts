/**
 * Opens a whole audit log for reading, also while picketd writes it and puts files aside: all files
 * are open before the first is read, so that no name can come to mean another one meanwhile.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Head } from './chain.ts'
import { filesIn, linesOf, newestFile, type RawLine, readHead } from './files.ts'

export interface Reading {
  /** As it was before the first file was opened: a line is on disk before the head names it. */
  readonly head: Head | 'missing' | 'damaged'
  /** The oldest first. */
  readonly files: readonly OpenFile[]
  close(): Promise<void>
}

export interface OpenFile {
  readonly name: string
  /** Is it the one that is written? Only its last line may lack its end. */
  readonly isNewest: boolean
  lines(): AsyncGenerator<RawLine>
}

/** A log that is put aside faster than it can be opened is read as it is. */
const attempts = 50

/** Opens the log in this directory. Throws where it cannot. */
export async function openReading(dir: string): Promise<Reading> {
  for (let attempt = 1; ; attempt++) {
    const head = await readHead(dir)
    const before = await opened(dir)
    const after = await opened(dir)
    await closeAll(after)
    if (attempt < attempts && idsOf(before) !== idsOf(after)) {
      await closeAll(before)
      continue
    }
    const files = before.map(({ name, file }) => {
      return { name, isNewest: name === newestFile, lines: () => linesOf(file) }
    })
    return { head, files, close: () => closeAll(before) }
  }
}

interface Held {
  readonly name: string
  readonly file: FileHandle
  readonly id: string
}

/** The files under their names of this moment; without one that has just lost its own. */
async function opened(dir: string): Promise<readonly Held[]> {
  const held: Held[] = []
  try {
    for (const { name } of await filesIn(dir)) {
      const file = await openThere(join(dir, name))
      if (file === undefined) continue
      held.push({ name, file, id: '' })
      const { dev, ino } = await file.stat()
      held[held.length - 1] = { name, file, id: `${dev} ${ino}` }
    }
    return held
  } catch (error) {
    await closeAll(held)
    throw error
  }
}

async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function idsOf(held: readonly Held[]): string {
  return held.map(({ name, id }) => `${name} ${id}`).join('\n')
}

async function closeAll(held: readonly Held[]): Promise<void> {
  for (const { file } of held) await file.close()
}
