/**
 * Everything that a program has started, for those that are no process group of their own. It
 * carries a mark in its environment, which all that it starts inherits, whatever becomes of their
 * parents and groups.
 */
import { readdirSync, readFileSync } from 'node:fs'

const variable = 'PICKET_RUN'

export const markedEnv = (mark: string): Readonly<Record<string, string>> => ({ [variable]: mark })

/** What is started while we look is found when we look again. */
const looks = 4

/** Ends all that carry the mark, or one that begins with it and a dot. Never throws. */
export function endMarked(mark: string): void {
  for (let look = 0; look < looks; look++) {
    const found = carriersOf(mark)
    if (found.length === 0) return
    for (const pid of found) kill(pid)
  }
}

function carriersOf(mark: string): readonly number[] {
  const wanted = [`${variable}=${mark}\0`, `${variable}=${mark}.`]
  return pids().filter((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
      return wanted.some((each) => environment.includes(each))
    } catch {
      // It has ended, or is somebody else's.
      return false
    }
  })
}

function pids(): readonly number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
