/**
 * Counts the lives of the daemon that ended without a word. An event that makes every replica throw
 * would otherwise be met again after every restart, for ever, by all of them.
 *
 * Every life writes down its start and takes it back when it ends in order. A start that is still
 * there was a crash. Old ones do not count, so that a long life clears the account by itself. The
 * account lies in the run directory, which does not survive a boot: a node that lost its power, or
 * was fenced, has not crashed.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const crashesMax = 5
const windowMs = 10 * 60_000

export interface Life {
  /** Why this life should only watch, in a sentence; `undefined` for a normal life. */
  readonly passive: string | undefined
  /** This life ends in order. `forgive`: the former crashes are forgotten, too. */
  end(how: 'in order' | 'forgive'): void
}

/** Counts this start. Times are wall-clock, which every process reads alike. */
export function countStart(runDir: string, nowMs: number): Life {
  const path = join(runDir, 'starts.json')
  // After a step of the clock a start may lie in the future, where it would count for ever.
  const crashes = startsIn(path).filter((atMs) => atMs > nowMs - windowMs && atMs <= nowMs)
  keep(path, [...crashes, nowMs])
  const passive =
    crashes.length < crashesMax
      ? undefined
      : `picketd crashed ${crashes.length} times within ${windowMs / 60_000} minutes; it watches ` +
        'and touches nothing until it is restarted (systemctl restart picketd)'
  return {
    passive,
    end: (how) => keep(path, how === 'forgive' ? [] : crashes),
  }
}

function startsIn(path: string): readonly number[] {
  try {
    const starts: unknown = JSON.parse(readFileSync(path, 'utf8').slice(0, 10_000))
    return Array.isArray(starts) ? starts.filter((start) => Number.isFinite(start)) : []
  } catch {
    return []
  }
}

/** A disk that takes no file must not keep the daemon from starting: then nothing is counted. */
function keep(path: string, starts: readonly number[]): void {
  try {
    if (starts.length === 0) {
      rmSync(path, { force: true })
      return
    }
    writeFileSync(`${path}.tmp`, JSON.stringify(starts.slice(-2 * crashesMax)), { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  } catch {}
}
