/** What the checks of nodes have answered, and how often they have fallen: see witness.ts. */
import { isLeftAlone } from '../core/maintenance.ts'
import type { CheckId } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Daemon } from './daemons.ts'
import type { Moments } from './invariants.ts'
import { noteFailed } from './witness-failures.ts'
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

/** It goes with the daemon. */
const asked = new WeakMap<Daemon, Map<CheckId, Asked>>()

const never: Asked = { answers: [], open: undefined, falls: 0, fails: false, sinceMs: 0 }

export function askedOf(daemon: Daemon, check: CheckId): Asked {
  return asked.get(daemon)?.get(check) ?? never
}

/** How the moments of checks are remembered. */
export const healthNotes = { onCheck: noteCheck, onChecked: noteChecked }

function noteCheck(world: World, { daemon, check, resource, id }: Moments['onCheck']): void {
  if (resource !== '') return
  const known = askedOf(daemon, check)
  const answers = known.open === undefined ? known.answers : [...known.answers, false]
  put(world, daemon, check, { ...known, answers, open: id })
}

function noteChecked(world: World, seen: Moments['onChecked']): void {
  const { daemon, before, check, id } = seen
  noteFallen(world, seen)
  const known = askedOf(daemon, check)
  if (known.open !== id) return
  // What was given up before its answer came has counted as a bad one.
  const ok = seen.ok && isReal(before) && before.health[check]?.asked?.id === id
  put(world, daemon, check, { ...known, answers: [...known.answers, ok], open: undefined })
}

/** A bad answer about what runs is a failure of that, once there were enough of them in a row. */
function noteFallen(
  { witness, nowMs }: World,
  { daemon, before, id, ok }: Moments['onChecked'],
): void {
  if (ok || !isReal(before) || before.detaching !== undefined) return
  const asked = Object.values(before.health).find((each) => each.asked?.id === id)
  const resource = daemon.config.resources.find((each) => each.id === asked?.resource)
  if (asked === undefined || resource === undefined || isLeftAlone(before, resource.id)) return
  const { fall } = daemon.config.checks.find((each) => each.id === asked.check)!
  const { at, mustStop } = before.resources[resource.id]!
  const falls = asked.verdict === 'failing' || asked.against + 1 >= fall
  if (!falls || at !== 'running' || mustStop !== '') return
  noteFailed(witness.failures, daemon, resource, { op: 'monitor', atMs: nowMs })
}

function put({ nowMs }: World, daemon: Daemon, check: CheckId, seen: Asked): void {
  if (!isReal(daemon.mind)) return
  const fails = daemon.mind.health[check]?.verdict === 'failing'
  const calm = !seen.fails && nowMs - seen.sinceMs >= CALM_MS
  const changed = fails !== seen.fails
  const falls = changed && fails ? (calm ? 1 : seen.falls + 1) : seen.falls
  const sinceMs = changed ? nowMs : seen.sinceMs
  const answers = seen.answers.slice(-ANSWERS_MAX)
  const all = asked.get(daemon) ?? new Map<CheckId, Asked>()
  asked.set(daemon, all.set(check, { ...seen, answers, falls, fails, sinceMs }))
}
