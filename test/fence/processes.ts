/** What the processes that a test starts, and those that they start, hold where others can look. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Seen {
  /** The name of the program, without its folder. */
  readonly program: string
  readonly args: readonly string[]
  readonly environment: string
}

/** Looks at them again and again. `end` gives each program that was seen, with what it held. */
export function watchDescendants(): { end(): Promise<readonly Seen[]> } {
  const seen = new Map<string, Seen>()
  let over = false
  const watching = (async () => {
    while (!over) {
      for (const pid of descendants()) {
        const found = peek(pid)
        if (found !== undefined) seen.set(`${pid} ${found.args.join(' ')}`, found)
      }
      await sleep(1)
    }
  })()
  return {
    async end() {
      over = true
      await watching
      return [...seen.values()]
    },
  }
}

function descendants(): readonly string[] {
  const children = new Map<string, string[]>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const [, parent = ''] = /\) \S (\d+)/.exec(read(pid, 'stat')) ?? []
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const all: string[] = []
  const add = (pid: string): void => {
    for (const child of children.get(pid) ?? []) {
      all.push(child)
      add(child)
    }
  }
  add(`${process.pid}`)
  return all
}

function peek(pid: string): Seen | undefined {
  // In this order: what becomes another program in between is judged as that one.
  const environment = read(pid, 'environ')
  const args = read(pid, 'cmdline').split('\0').filter(Boolean)
  const program = args[0]?.split('/').at(-1)
  return program === undefined ? undefined : { program, args, environment }
}

function read(pid: string, file: 'stat' | 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
