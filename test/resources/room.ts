/**
 * What the tests of resources share: a state directory of their own, programs that are easy to find
 * among all processes, and the certainty that none of them is left behind.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MechanismKind } from '../../src/resources/mechanism.ts'
import { openResources, type Resources } from '../../src/resources/runner.ts'
import { openScopes } from '../../src/resources/scope.ts'

export interface Room {
  readonly dir: string
  readonly stateDir: string
  /** An argument for `sleep` that no other process has. */
  readonly mark: string
  readonly said: string[]
  readonly deaths: string[]
  /** Writes an executable shell script and returns its path. */
  script(name: string, body: string): string
  open(resources: readonly Listed[], options?: OpenOptions): Promise<Resources>
  /** Live processes that run `sleep MARK`, or `sleep` with another argument. */
  alive(argument?: string): number[]
}

interface Listed {
  readonly id: string
  readonly type?: string
  readonly options: unknown
}

interface OpenOptions {
  readonly mechanism?: MechanismKind
  readonly killBoundMs?: number
  readonly sweep?: boolean
}

let rooms = 0

/** A room that cleans itself up with its test. */
export function makeRoom(t: TestContext): Room {
  const dir = mkdtempSync(join(tmpdir(), 'picket-resources-'))
  const mark = `9${process.pid}.${++rooms}`
  const said: string[] = []
  const deaths: string[] = []
  const opened: Resources[] = []
  const alive = (argument = mark) => sleepers((given) => given === argument)
  t.after(async () => {
    for (const one of opened) await one.close()
    for (const pid of sleepers((given) => given.startsWith(mark))) process.kill(pid, 'SIGKILL')
    await forgetScopes(stateDir)
    // A log file may still be written to by what dies at this moment.
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  })
  const stateDir = join(dir, 'state')
  return {
    ...{ dir, stateDir, mark, said, deaths, alive },
    script(name, body) {
      const path = join(dir, name)
      writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 })
      return path
    },
    async open(resources, { sweep = true, ...options } = {}) {
      const one = await openResources({
        ...options,
        stateDir,
        resources: resources.map((listed) => ({ type: 'exec', ...listed })),
        say: (_, text) => void said.push(text),
        onDeath: (resource, because) => void deaths.push(`${resource}: ${because}`),
      })
      opened.push(one)
      if (sweep) await one.sweep()
      return one
    },
  }
}

async function forgetScopes(stateDir: string): Promise<void> {
  for (const mechanism of ['cgroup2', 'cgroup1'] as const) {
    try {
      const scopes = openScopes({ stateDir, mechanism, warn: () => {} })
      const names = (await scopes.list()).map(({ scope }) => scope)
      await scopes.clear(names, { graceMs: 0, boundMs: 1000 })
    } catch {
      // It cannot be used here, so nothing of it is left.
    }
  }
}

function sleepers(isOurs: (argument: string) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [program, argument, ...more] = commandLine(pid)
      return program === 'sleep' && argument !== undefined && more.length === 1 && isOurs(argument)
    })
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')
  } catch {
    return []
  }
}

/** Waits until something is so; throws when it is not so in ten seconds. */
export async function until(what: string, so: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (await so()) return
    await sleep(10)
  }
  throw new Error(`not within ten seconds: ${what}`)
}
