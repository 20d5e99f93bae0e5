/** One health check on its own, opened as the daemon opens it. */
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Checks, openChecks } from '../../src/health/runner.ts'
import { makeRoom, type Room } from '../resources/room.ts'

export interface Stand {
  readonly room: Room
  readonly checks: Checks
  /** Why the answer may be another one, as it was told. */
  readonly stirred: string[]
  /** The answer: `good: status 200`. */
  ask(timeoutMs?: number, resource?: string): Promise<string>
}

export const LONG_MS = 5_000

/** Opens one check of a type; everything is cleaned up with the test. */
export async function checkOf(
  t: TestContext,
  type: string,
  options: object | ((room: Room) => object),
): Promise<Stand> {
  const room = makeRoom(t)
  const stirred: string[] = []
  const given = typeof options === 'function' ? options(room) : options
  const checks = await openChecks({
    stateDir: join(room.dir, 'checks'),
    checks: [{ id: 'it', type, options: given }],
    say: (_, text) => room.said.push(text),
    onStirred: (_, because) => stirred.push(because),
  })
  t.after(() => checks.close())
  const ask = async (timeoutMs = LONG_MS, resource = '') => {
    const { ok, detail } = await checks.ask('it', resource, timeoutMs)
    return `${ok ? 'good' : 'bad'}: ${detail}`
  }
  return { room, checks, stirred, ask }
}
