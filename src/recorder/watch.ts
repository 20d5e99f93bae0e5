/**
 * News of a directory: by inotify, and beside it a look every second, because inotify tells nothing
 * of what another machine has put into a directory that is shared. Where inotify cannot be had, the
 * looks come ten times a second.
 */
import { type FSWatcher, watch } from 'node:fs'

export interface Watch {
  /** By what is it told? */
  readonly by: () => 'inotify' | 'polling'
  close(): void
}

export interface WatchOptions {
  /** Without inotify, for directories of which it tells nothing at all. */
  readonly polling?: boolean
}

const lookEveryMs = 1_000
const pollEveryMs = 100

/** `seen` is told the name of a file that may be new, or nothing: then any of them may. */
export function watchDirectory(
  dir: string,
  seen: (name?: string) => void,
  { polling = false }: WatchOptions = {},
): Watch {
  let watcher: FSWatcher | undefined
  let timer: NodeJS.Timeout
  const look = (everyMs: number) => {
    clearInterval(timer)
    timer = setInterval(() => seen(), everyMs)
  }
  const fall = () => {
    watcher?.close()
    watcher = undefined
    look(pollEveryMs)
  }
  try {
    if (!polling) watcher = watch(dir, (_, name) => seen(name ?? undefined))
    watcher?.on('error', fall)
  } catch {
    // No inotify here, or no watch left.
  }
  look(watcher === undefined ? pollEveryMs : lookEveryMs)
  return {
    by: () => (watcher === undefined ? 'polling' : 'inotify'),
    close() {
      watcher?.close()
      clearInterval(timer)
    },
  }
}
