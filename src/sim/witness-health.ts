/** What the checks of nodes have answered, and how often they have fallen: see witness.ts. */
import type { CheckId } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Daemon } from './daemons.ts'
import type { Moments } from './invariants.ts'
import type { World } from './world.ts'

/** Who has been healthy for this long has never fallen: the core says so as well. */
const CALM_MS = 600_000
/** More than any verdict depends on. */
const ANSWERS_MAX = 100

/** One check, as one daemon has asked it. */
export interface Asked {
  /** In their order; a question that was given up counts as a bad answer. */
  readonly answers: readonly boolean[]
  readonly open: number | undefined
  readonly falls: number
  readonly fails: boolean
  readonly sinceMs: number
}

export type AskedOf = Map<Daemon, Map<CheckId, Asked>>

const never: Asked = { answers: [], open: undefined, falls: 0, fails: false, sinceMs: 0 }

export function askedOf({ witness }: World, daemon: Daemon, check: CheckId): Asked {
  return witness.asked.get(daemon)?.get(check) ?? never
}

export function noteCheck(world: World, { daemon, check, resource, id }: Moments['onCheck']): void {
  if (resource !== '') return
  const known = askedOf(world, daemon, check)
  const answers = known.open === undefined ? known.answers : [...known.answers, false]
  put(world, daemon, check, { ...known, answers, open: id })
}

export function noteChecked(world: World, { daemon, check, id, ok }: Moments['onChecked']): void {
  const known = askedOf(world, daemon, check)
  if (known.open !== id) return
  put(world, daemon, check, { ...known, answers: [...known.answers, ok], open: undefined })
}

function put(world: World, daemon: Daemon, check: CheckId, asked: Asked): void {
  if (!isReal(daemon.mind)) return
  const { nowMs, witness } = world
  const fails = daemon.mind.health[check]?.verdict === 'failing'
  const calm = !asked.fails && nowMs - asked.sinceMs >= CALM_MS
  const changed = fails !== asked.fails
  const falls = changed && fails ? (calm ? 1 : asked.falls + 1) : asked.falls
  const sinceMs = changed ? nowMs : asked.sinceMs
  const answers = asked.answers.slice(-ANSWERS_MAX)
  const all = witness.asked.get(daemon) ?? new Map<CheckId, Asked>()
  witness.asked.set(daemon, all.set(check, { ...asked, answers, falls, fails, sinceMs }))
}
