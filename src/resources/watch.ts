/**
 * Notices that a service has ended by itself, without asking: the kernel tells when a control group
 * becomes empty, Node.js when a program of ours exits, and a resource type may know a way of its
 * own. Where nothing tells, the next monitor does.
 */
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import type { OpenResource } from './resource.ts'
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
  /** The type's own way to be told. */
  readonly own: OpenResource['watch']
  readonly onDeath: (because: string) => void
}

/** What comes and goes may not keep the node busy: no two hints within this. */
const HINT_GAP_MS = 1000

/** A watch over one resource's service; at rest until `begin`. */
export function watchService({
  resource,
  scopes,
  own,
  onDeath,
}: ServiceWatchOptions): ServiceWatch {
  let watchers: FSWatcher[] = []
  let round = 0
  let awake = false
  let ownWatch: AbortController | undefined
  let later: NodeJS.Timeout | undefined
  let toldMs = Number.NEGATIVE_INFINITY
  const rest = () => {
    awake = false
    round += 1
    clearTimeout(later)
    ownWatch?.abort()
    for (const watcher of watchers) watcher.close()
    watchers = []
  }
  const tell = (because: string) => {
    if (!awake) return
    rest()
    const waitMs = toldMs + HINT_GAP_MS - performance.now()
    const now = () => {
      toldMs = performance.now()
      onDeath(because)
    }
    if (waitMs <= 0) now()
    else later = setTimeout(now, waitMs).unref()
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
      ownWatch = new AbortController()
      const { signal } = ownWatch
      own?.({ signal, tell: (because) => signal.aborted || tell(because) })
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
