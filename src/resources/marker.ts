/**
 * Scopes by a mark in the environment, where no control group can be written. Every process
 * inherits `PICKET_SCOPE`, also over forks and new sessions. Weaker than a control group: a program
 * that wipes its environment is found through its parent or its session only. That is why picket
 * says so when it has to fall back on this.
 *
 * The search itself is done by a child (`grep`), because reading the environment of a process that
 * is stuck in the kernel can hang, and that must not hang the daemon.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mechanism } from './mechanism.ts'
import { allPids, lives, type ProcessStat, signal, statOf } from './process.ts'

export const MARKER = 'PICKET_SCOPE'

/** How long one search may take before it counts as "cannot tell". */
const SEARCH_MS = 3000
const SEARCH_MAX_BYTES = 4 << 20

/** Scopes by marker; the gates are files below the state directory. */
export function openMarker(node: string, stateDir: string): Mechanism {
  const gates = join(stateDir, 'gates')
  const gate = (name: string) => join(gates, name.replace('/', '@'))
  const pids = async (names: readonly string[]) => {
    const marked = await markedProcesses(node)
    return withFamily([...marked].filter(([, name]) => names.includes(name)).map(([pid]) => pid))
  }
  return {
    kind: 'marker',
    place: 'the environment of the processes',
    create(name) {
      mkdirSync(gates, { recursive: true, mode: 0o700 })
      writeFileSync(gate(name), '')
    },
    gate,
    async list() {
      const open = existsSync(gates) ? readdirSync(gates) : []
      const marked = (await markedProcesses(node)).values()
      return [...new Set([...open.map((name) => name.replace('@', '/')), ...marked])]
    },
    pids,
    async kill(names) {
      for (const pid of await pids(names)) signal(pid, 'SIGKILL')
    },
    async remove(name) {
      rmSync(gate(name), { force: true })
      return (await pids([name])).length === 0
    },
    events: () => undefined,
  }
}

/** Every live process that carries a mark of this node, with the scope that the mark names. */
export async function markedProcesses(node: string): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  for (const line of await grepEnvironments(`^${MARKER}=${node}/`)) {
    const match = /^\/proc\/(\d+)\/environ:[^=]*=[^/]*\/(.+)$/.exec(line)
    const pid = Number(match?.[1])
    const name = match?.[2]
    // A daemon that somebody starts from within a scope must not hunt itself.
    if (name !== undefined && pid !== process.pid && lives(statOf(pid))) found.set(pid, name)
  }
  return found
}

function grepEnvironments(pattern: string): Promise<string[]> {
  const script = 'exec grep -azHse "$1" /proc/[0-9]*/environ'
  const options = {
    timeout: SEARCH_MS,
    killSignal: 'SIGKILL',
    maxBuffer: SEARCH_MAX_BYTES,
    encoding: 'latin1',
    env: { LC_ALL: 'C', PATH: process.env.PATH ?? '/usr/bin:/bin' },
  } as const
  return new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-c', script, 'sh', pattern], options, (error, stdout) => {
      // 1 is "nothing found"; 2 is "some process ended while I looked", which is no news.
      if (error === null || error.code === 1 || error.code === 2) resolve(stdout.split('\0'))
      else reject(new Error(`the processes of a scope cannot be searched: ${error.message}`))
    })
  })
}

/** Adds children and session members: they belong to it even if they wiped their environment. */
function withFamily(marked: readonly number[]): number[] {
  if (marked.length === 0) return []
  const stats = new Map<number, ProcessStat>()
  for (const pid of allPids()) {
    const stat = statOf(pid)
    if (stat !== undefined && lives(stat) && pid !== process.pid) stats.set(pid, stat)
  }
  const family = new Set(marked)
  for (let before = 0; before !== family.size; ) {
    before = family.size
    for (const [pid, { parent, session }] of stats) {
      if (family.has(parent) || family.has(session)) family.add(pid)
    }
  }
  return [...family]
}
