/**
 * Health checks on this node (H4): which ones are due, and what their answers make of it. One
 * answer proves little: a verdict falls after `fall` bad ones in a row, and rises after `rise` good
 * ones. What keeps falling has to be good for longer each time, so that a check that flaps sends
 * nothing back and forth.
 *
 * A check is asked for two reasons. For a node, whether anything runs there or not: does it attract
 * the resources that need it (look.ts)? And for a resource that runs here: has it failed, although
 * it is there (outcomes.ts)?
 */
import { isLeftAlone } from './maintenance.ts'
import type { CheckReport } from './message.ts'
import type { CheckConfig, CheckId, ResourceConfig, ResourceId } from './model.ts'
import { failResource } from './outcomes.ts'
import { freshId, type State, say, set, type Turn } from './state.ts'

/** One check for one reason, as its last answers have left it. */
export interface Health {
  readonly check: CheckId
  /** Whose health it is about; empty where it is about this node. */
  readonly resource: ResourceId
  readonly verdict: 'unknown' | 'healthy' | 'failing'
  /** Since when; for what runs here, since it has run. */
  readonly sinceMs: number
  /** How many answers in a row have spoken against the verdict. */
  readonly against: number
  /** How often it has fallen without being healthy for long in between. */
  readonly falls: number
  /** The last bad answer; empty while all are good. */
  readonly detail: string
  readonly asked: { readonly id: number; readonly atMs: number } | undefined
  readonly nextMs: number
}

/** How long after its own bound an answer may take: what it has begun is killed and proven gone. */
const REAP_MS = 10_000
/** Who has been healthy for this long has never fallen. */
const CALM_MS = 600_000
/** The good answers that it takes double with every fall, up to so many times. */
const DOUBLINGS_MAX = 4
/** The least time for the others to be heard of, before what has fallen here is acted upon. */
const SETTLE_MS = 500
/** What others are told of an answer. */
const DETAIL_CHARS = 160

/** How many good answers in a row make a failing check healthy again. */
export function risesAt({ rise }: CheckConfig, { falls }: Health): number {
  return rise * 2 ** Math.min(Math.max(0, falls - 1), DOUBLINGS_MAX)
}

/** The next instant at which a check is due, or is not believed to answer any more. */
export function healthDeadlineMs(state: State): number {
  const { health } = state
  let earliestMs = Infinity
  for (const key in health) earliestMs = Math.min(earliestMs, dueMs(state, health[key]!))
  return earliestMs
}

function dueMs({ config, detaching }: State, { check, asked, nextMs }: Health): number {
  if (asked !== undefined) return asked.atMs + configOf(config.checks, check).timeoutMs + REAP_MS
  // A daemon that makes way begins nothing new, no question either.
  return detaching === undefined ? nextMs : Infinity
}

/** Time has passed: asks what is due. True when there is news for the others. */
export function tickHealth(turn: Turn): boolean {
  let news = false
  for (const [key, each] of Object.entries(turn.state.health)) {
    if (turn.nowMs < dueMs(turn.state, each)) continue
    if (each.asked === undefined) ask(turn, key)
    else if (conclude(turn, key, false, 'it does not end')) news = true
  }
  return news
}

/** Something may have happened to what a check is about: it is asked now. */
export function onStirred(turn: Turn, check: CheckId): void {
  if (turn.state.detaching !== undefined) return
  for (const [key, each] of Object.entries(turn.state.health)) {
    if (each.check === check && each.asked === undefined) ask(turn, key)
  }
}

/** A check has answered; only the last question counts. True when there is news for the others. */
export function onAnswer(
  turn: Turn,
  { id, ok, detail }: { id: number; ok: boolean; detail: string },
): boolean {
  const [key] = Object.entries(turn.state.health).find(([, each]) => each.asked?.id === id) ?? []
  return key !== undefined && conclude(turn, key, ok, detail)
}

function conclude(turn: Turn, key: string, ok: boolean, detail: string): boolean {
  const { config, health, resources } = turn.state
  const before = health[key]!
  const check = configOf(config.checks, before.check)
  const nextMs = Math.max(turn.nowMs, (before.asked?.atMs ?? turn.nowMs) + check.everyMs)
  const bad = detail.slice(0, DETAIL_CHARS)
  const after = { ...judged(check, before, ok, bad, turn.nowMs), asked: undefined, nextMs }
  put(turn, key, after)
  const { resource: id } = after
  const changed = after.verdict !== before.verdict
  const resource = config.resources.find((each) => each.id === id)
  if (resource !== undefined && after.verdict === 'failing' && !ok) {
    if (runsHere(resources, resource)) onFallen(turn, resource, after, changed)
  }
  if (!changed) return after.against !== before.against
  if (id === '') {
    const text = `the check ${check.id}`
    const facts = { check: check.id }
    if (after.verdict === 'failing') say(turn, 'warn', `${text} fails here: ${bad}`, facts)
    else if (before.verdict === 'failing') say(turn, 'info', `${text} is healthy again here`, facts)
  }
  return true
}

/** A check of what runs here fails: at once, or for as long as nothing could be done about it. */
function onFallen(
  turn: Turn,
  resource: ResourceConfig,
  { check, detail }: Health,
  isNew: boolean,
): void {
  const { id } = resource
  const because = `its check ${check} fails: ${detail}`
  if (isLeftAlone(turn.state, id)) {
    if (!isNew) return
    const text = `${id} does not do what it should, and is in maintenance: ${because}`
    return say(turn, 'warn', text, { resource: id })
  }
  // A daemon that makes way begins nothing new; the next one asks for itself.
  if (turn.state.detaching === undefined) failResource(turn, resource, because)
}

/** What one more answer makes of a verdict. */
function judged(
  check: CheckConfig,
  before: Health,
  ok: boolean,
  detail: string,
  nowMs: number,
): Health {
  const { verdict, sinceMs } = before
  const agrees = verdict === 'unknown' ? false : ok === (verdict === 'healthy')
  if (agrees) return { ...before, against: 0, detail: ok ? '' : detail }
  if (ok) {
    // The first good answer of all is believed.
    const against = before.against + 1
    if (verdict === 'failing' && against < risesAt(check, before)) return { ...before, against }
    return { ...before, verdict: 'healthy', against: 0, detail: '', sinceMs: nowMs }
  }
  const against = before.against + 1
  if (against < check.fall) return { ...before, against, detail }
  const calm = verdict === 'healthy' && nowMs - sinceMs >= CALM_MS
  const falls = (calm ? 0 : before.falls) + 1
  return { ...before, verdict: 'failing', against: 0, falls, detail, sinceMs: nowMs }
}

function ask(turn: Turn, key: string): void {
  const { check, resource } = turn.state.health[key]!
  const { timeoutMs } = configOf(turn.state.config.checks, check)
  const id = freshId(turn)
  put(turn, key, { asked: { id, atMs: turn.nowMs } })
  turn.effects.push({ do: 'check', id, check, resource, timeoutMs })
}

/** After every event: which checks are asked here, as things start and stop. */
export function followHealth(turn: Turn): void {
  const { config, health, resources, self } = turn.state
  if (config.checks.length === 0) return
  const wanted = new Map<string, Health>()
  const want = (check: CheckId, resource: ResourceId): void => {
    const key = resource === '' ? check : `${check} of ${resource}`
    wanted.set(key, health[key] ?? fresh(turn, check, resource))
  }
  for (const resource of config.resources) {
    if (!resource.nodes.includes(self)) continue
    for (const check of resource.onlyWhere) want(check, '')
    if (!runsHere(resources, resource)) continue
    for (const check of resource.health) want(check, resource.id)
  }
  const same = [...wanted].every(([key, each]) => health[key] === each)
  if (same && wanted.size === Object.keys(health).length) return
  set(turn, { health: Object.fromEntries(wanted) })
}

function runsHere(resources: State['resources'], { id }: ResourceConfig): boolean {
  const local = resources[id]
  return local?.at === 'running' && local.mustStop === ''
}

/** Of a node nothing is known at first. What has just started is taken at its word. */
function fresh({ state, nowMs }: Turn, check: CheckId, resource: ResourceId): Health {
  const { everyMs } = configOf(state.config.checks, check)
  const of = { check, resource, sinceMs: nowMs, against: 0, falls: 0, detail: '' }
  if (resource === '') return { ...of, verdict: 'unknown', asked: undefined, nextMs: nowMs }
  return { ...of, verdict: 'healthy', asked: undefined, nextMs: nowMs + everyMs }
}

/**
 * What ails all nodes ails each of them at another moment: how long after one has fallen each of
 * the others has had at least one bad answer, too.
 */
function settledAfterMs({ everyMs, timeoutMs, fall }: CheckConfig): number {
  return Math.max(SETTLE_MS, timeoutMs + (2 - fall) * everyMs)
}

/** Has it had the time for a first answer, and none that was good? */
function isLateAtFirst({ timeoutMs }: CheckConfig, { verdict, against }: Health, forMs: number) {
  return verdict === 'unknown' && (against > 0 || forMs >= timeoutMs + SETTLE_MS)
}

/** What the others are told: all that is not plainly well. */
export function healthReport({ config, health }: State, nowMs: number): readonly CheckReport[] {
  return Object.values(health).flatMap((each): readonly CheckReport[] => {
    const { check, resource, verdict, against, detail, sinceMs } = each
    if (verdict === 'healthy' && against === 0) return []
    const own = configOf(config.checks, check)
    const fails = verdict === 'failing'
    const forMs = Math.max(0, Math.round(nowMs - sinceMs))
    const settled = fails ? forMs >= settledAfterMs(own) : isLateAtFirst(own, each, forMs)
    const needed = fails ? risesAt(own, each) : 0
    return [{ check, resource, verdict, settled, forMs, against, needed, detail }]
  })
}

/** What the plan depends on in a report of checks, as one word. */
export function healthKey(checks: readonly CheckReport[]): string {
  const ours = checks.filter(({ resource }) => resource === '')
  return ours
    .map(({ check, verdict, settled, detail }) => `${check} ${verdict} ${settled} ${detail}`)
    .join('\n')
}

/** Which of the checks that a resource needs is known to fail on a node: it attracts nothing. */
export function whyFailing(checks: readonly CheckReport[], needed: readonly CheckId[]): string {
  return failingText(among(checks, needed, ({ verdict }) => verdict === 'failing'))
}

/** Which of them has failed where it runs for long enough that it had better be elsewhere. */
export function whyAiling(checks: readonly CheckReport[], needed: readonly CheckId[]): string {
  return failingText(
    among(checks, needed, ({ verdict, settled }) => {
      return verdict === 'failing' && settled
    }),
  )
}

/** Which of them has failed just now: a node to go to if need be, and no better one. */
export function whyWavering(checks: readonly CheckReport[], needed: readonly CheckId[]): string {
  const found = among(checks, needed, ({ verdict }) => verdict === 'healthy')
  return found === undefined ? '' : `the check ${found.check} has just failed there`
}

/** Which of them has not succeeded yet: nobody can tell. */
export function whyUnsure(checks: readonly CheckReport[], needed: readonly CheckId[]): string {
  const found = among(checks, needed, ({ verdict }) => verdict === 'unknown')
  return found === undefined ? '' : `the check ${found.check} has not succeeded there yet`
}

/** Is the first answer of one of them still to come? */
export function isPending(checks: readonly CheckReport[], needed: readonly CheckId[]): boolean {
  return (
    among(checks, needed, ({ verdict, settled }) => verdict === 'unknown' && !settled) !== undefined
  )
}

function failingText(found: CheckReport | undefined): string {
  return found === undefined ? '' : `the check ${found.check} fails there: ${found.detail}`
}

function among(
  checks: readonly CheckReport[],
  needed: readonly CheckId[],
  test: (report: CheckReport) => boolean,
): CheckReport | undefined {
  return checks.find((each) => each.resource === '' && needed.includes(each.check) && test(each))
}

/** A check that is not plainly well, in a clause for people. */
export function checkText({
  check,
  resource,
  verdict,
  forMs,
  against,
  needed,
  detail,
}: CheckReport): string {
  const of = resource === '' ? check : `${check} of ${resource}`
  const why = detail === '' ? '' : `: ${detail}`
  const seconds = Math.round(forMs / 1_000)
  switch (verdict) {
    case 'unknown':
      return `${of} has not succeeded yet${why}`
    case 'healthy':
      return `${of} has failed ${against === 1 ? 'once' : `${against} times in a row`}${why}`
    case 'failing': {
      const good = against === 0 ? '' : `, ${against} of them there`
      const takes = `it takes ${needed} good answers in a row${good}`
      return `${of} has been failing for ${seconds} s${why}; ${takes}`
    }
  }
}

function configOf(checks: readonly CheckConfig[], id: CheckId): CheckConfig {
  const found = checks.find((each) => each.id === id)
  if (found === undefined) throw new Error(`there is no check ${id}`)
  return found
}

function put(turn: Turn, key: string, change: Partial<Health>): void {
  const { health } = turn.state
  set(turn, { health: { ...health, [key]: { ...health[key]!, ...change } } })
}
