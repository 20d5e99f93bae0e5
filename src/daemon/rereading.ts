/** Notices when the secrets files have changed, so that tokens can be rotated without a restart. */
import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

export interface Watching {
  close(): void
}

/**
 * Calls back when one of the files has changed and then been left alone for `settleMs`. Directories
 * are watched, because editors and secret managers put a new file in the place of the old one.
 * Where that cannot be done nothing is noticed; SIGHUP is there for that.
 */
export function watchFiles(
  files: readonly string[],
  changed: () => void,
  settleMs = 500,
): Watching {
  let timer: NodeJS.Timeout | undefined
  const watchers: FSWatcher[] = []
  for (const directory of new Set(files.map((file) => dirname(file)))) {
    const names = new Set(
      files.filter((file) => dirname(file) === directory).map((file) => basename(file)),
    )
    try {
      const watcher = watch(directory, (_event, name) => {
        if (name !== null && !names.has(name)) return
        clearTimeout(timer)
        timer = setTimeout(changed, settleMs)
      })
      watcher.on('error', () => watcher.close())
      watchers.push(watcher)
    } catch {
      // The directory is gone, or there are no watches left.
    }
  }
  return {
    close() {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}
