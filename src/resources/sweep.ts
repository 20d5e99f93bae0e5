/**
 * What a new daemon does before it looks at anything: it ends the operations that a former daemon
 * left half done, because an orphan of a start that finishes after the probe would run unnoticed
 * (safety.md, S10). Services of finished starts are left alone: they are adopted.
 */

import { describe } from './process.ts'
import { type HalfDone, leavesService, type Records } from './record.ts'
import { fileName, type ScopeName, type Scopes } from './scope.ts'

export interface SweepOptions {
  readonly scopes: Scopes
  readonly records: Records
  readonly resources: readonly string[]
  readonly killBoundMs: number
}

export interface Swept {
  /** What was done, for the log. */
  readonly sentences: readonly string[]
  /** Scopes that are not proven gone, by resource. */
  readonly leftovers: ReadonlyMap<string, readonly string[]>
}

/** How long the service of a resource that no config names any more has to end by itself. */
const ORPHAN_GRACE_MS = 5000

/** Kills what is half done and proves it gone. */
export async function sweep(options: SweepOptions): Promise<Swept> {
  const { scopes, records, resources } = options
  const found = await scopes.list({ marked: true })
  const halfDone = records.halfDone()
  const sentences: string[] = []
  const leftovers = new Map<string, readonly string[]>()
  const idOf = new Map(resources.map((id) => [fileName(id), id]))
  const names = new Set([...found, ...halfDone].map(({ resource }) => resource))
  await Promise.all(
    [...names].map(async (name) => {
      const half = halfDone.find(({ resource }) => resource === name)
      const mine = found.filter(({ resource }) => resource === name)
      const id = idOf.get(name)
      const { sentence, stuck } = await sweepOne(options, { name, id, half, mine })
      sentences.push(...sentence)
      if (stuck.length === 0) records.forget(name)
      else leftovers.set(id ?? name, stuck)
    }),
  )
  return { sentences, leftovers }
}

interface Remains {
  readonly name: string
  /** `undefined` when the config does not name it any more. */
  readonly id: string | undefined
  readonly half: HalfDone | undefined
  readonly mine: readonly ScopeName[]
}

async function sweepOne(
  { scopes, killBoundMs }: SweepOptions,
  { name, id, half, mine }: Remains,
): Promise<{ sentence: string[]; stuck: readonly string[] }> {
  // A record that makes no sense is taken for the worst it could be.
  const startHalfDone = half !== undefined && leavesService(half.record?.op ?? 'start')
  const doomed = mine.filter(({ op }) => op !== 'start' || startHalfDone || id === undefined)
  const who = id ?? name
  if (doomed.length === 0) {
    if (half !== undefined) return { sentence: [`${cutShort(half, who)}, left nothing`], stuck: [] }
    const pids = await scopes.pids(mine.map(({ scope }) => scope))
    const adopted = `${who}: its service was found running and is adopted: ${describe(pids)}`
    return { sentence: pids.length > 0 ? [adopted] : [], stuck: [] }
  }
  const unnamed = id === undefined && doomed.some(({ op }) => op === 'start')
  const names = doomed.map(({ scope }) => scope)
  const { gone, found, because } = await scopes.clear(names, {
    graceMs: unnamed ? ORPHAN_GRACE_MS : 0,
    boundMs: killBoundMs,
    strays: true,
  })
  const why = unnamed
    ? `${who}: the config does not name it any more, so its service was ended`
    : half === undefined
      ? `${who}: an operation without a record was found`
      : cutShort(half, who)
  const what =
    found.length === 0 ? 'nothing of it was alive' : `found ${found.slice(0, 5).join(', ')}`
  const end = gone ? 'proven gone' : `NOT GONE: ${because}`
  return { sentence: [`${why}; ${what}; ${end}`], stuck: gone ? [] : names }
}

function cutShort({ record }: HalfDone, who: string): string {
  if (record === undefined)
    return `${who}: an operation was cut short, and its record is unreadable`
  return `${who}: a ${record.op} begun at ${record.begun} was cut short when the daemon ended`
}
