/**
 * Notices that a service has ended by itself, without asking: the kernel tells when a control group
 * becomes empty, and Node.js when a program of ours exits. Where neither tells, the next monitor
 * does.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import type { Scopes } from './scope.ts'
import { serviceScopes } from './service.ts'

export interface ServiceWatch {
  /** The service runs from now on: its end is news. */
  begin(): void
  /** An operation begins: whatever ends now is its doing. */
  rest(): void
  /** A program that a start had launched has ended. */
  ended(sentence: string): void
}

export interface ServiceWatchOptions {
  readonly resource: string
  readonly scopes: Scopes
  readonly onDeath: (because: string) => void
}

/** A watch over one resource's service; at rest until `begin`. */
export function watchService({ resource, scopes, onDeath }: ServiceWatchOptions): ServiceWatch {
  let watchers: FSWatcher[] = []
  let round = 0
  let awake = false
  const rest = () => {
    awake = false
    round += 1
    for (const watcher of watchers) watcher.close()
    watchers = []
  }
  const tell = (because: string) => {
    if (!awake) return
    rest()
    onDeath(because)
  }
  const follow = async () => {
    const mine = round
    const files = (await serviceScopes(scopes, resource, false))
      .map((scope) => scopes.events(scope))
      .filter((file) => file !== undefined)
    if (mine !== round || files.length === 0) return
    const look = () => {
      if (files.every(isEmpty)) tell('none of its processes is left')
    }
    watchers = files.map((file) => watch(file, { persistent: false }, look))
    for (const watcher of watchers) watcher.on('error', () => watcher.close())
    look() // It may have ended before we began to watch.
  }
  return {
    begin() {
      rest()
      awake = true
      // Without it the next monitor finds out: no reason to fail an operation that has succeeded.
      follow().catch(() => undefined)
    },
    rest,
    ended: tell,
  }
}

function isEmpty(eventsFile: string): boolean {
  try {
    return /^populated 0$/m.test(readFileSync(eventsFile, 'utf8'))
  } catch {
    return true
  }
}
