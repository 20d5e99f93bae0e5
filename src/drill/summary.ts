/** From what was seen to what it means: a verdict for each run, and a row for each case. */
import type { NodeId, ResourceId } from '../core/model.ts'
import type { Case } from './failures.ts'
import type { Outcome, Reason } from './run.ts'

/**
 * `broken`: a promise did not hold. `person`: a service waits for somebody to act on a node that
 * nothing can prove dead. `down`: it is down for another reason. `back`: all services came back.
 * `kept`: none of them was down at all.
 */
export type Verdict = 'broken' | 'person' | 'down' | 'back' | 'kept'

/** From the one that matters most. */
export const verdicts: readonly Verdict[] = ['broken', 'person', 'down', 'back', 'kept']

/** One case of one failure, over all the lives in which it was tried. */
export interface Row {
  readonly failure: string
  readonly victim: Case
  readonly verdict: Verdict
  /** What becomes of the services, in a sentence. */
  readonly text: string
  readonly services: readonly Downtime[]
  /** Of the service that was down the longest; `undefined` where one is still down. */
  readonly downMs: Spread | undefined
  readonly detectedMs: Spread | undefined
  readonly provenMs: Spread | undefined
  /** What was broken, each once. */
  readonly broken: readonly string[]
  /** What a person would do. */
  readonly commands: readonly string[]
  readonly outcomes: readonly Outcome[]
}

export interface Spread {
  readonly medianMs: number
  readonly worstMs: number
}

export interface Downtime extends Spread {
  readonly id: ResourceId
  /** It is down at the end, until a person acts. */
  readonly stays: boolean
}

export function rowOf(failure: string, outcomes: readonly Outcome[]): Row {
  const told = outcomes.map((outcome) => ({ outcome, verdict: verdictOf(outcome) }))
  const verdict = verdicts.find((each) => told.some((one) => one.verdict === each)) ?? 'kept'
  const worst = told.find((one) => one.verdict === verdict)?.outcome
  if (worst === undefined) throw new RangeError('a row has at least one outcome')
  const downMs =
    verdict === 'person' || verdict === 'down' ? undefined : spreadOf(outcomes.map(longestMs))
  return {
    failure,
    victim: worst.victim,
    verdict,
    text: textOf(verdict, worst, downMs),
    services: downtimes(outcomes),
    downMs,
    detectedMs: spreadOf(outcomes.map((each) => each.detectedMs)),
    provenMs: spreadOf(outcomes.map((each) => each.provenMs)),
    broken: [...new Set(outcomes.flatMap(brokenTexts))],
    commands: verdict === 'person' ? worst.unproven.map((node) => `picket confirm ${node}`) : [],
    outcomes,
  }
}

export function verdictOf({ broken, overlaps, services, never, unproven }: Outcome): Verdict {
  if (broken.length + overlaps.length > 0) return 'broken'
  if (stillDown(services, never).length > 0) return unproven.length > 0 ? 'person' : 'down'
  return longestMs({ services, never }) > 0 ? 'back' : 'kept'
}

/** How long the service was down that was down the longest, of those that ran before. */
function longestMs({ services, never }: Pick<Outcome, 'services' | 'never'>): number {
  const ran = services.filter(({ id }) => never.every(({ resource }) => resource !== id))
  return Math.max(0, ...ran.map(({ downMs }) => downMs))
}

/** What is down at the end, and was not so before. */
function stillDown(
  services: Outcome['services'],
  never: readonly Reason[],
): readonly Outcome['services'][number][] {
  return services.filter(
    ({ id, home }) => home === undefined && never.every(({ resource }) => resource !== id),
  )
}

function downtimes(outcomes: readonly Outcome[]): readonly Downtime[] {
  const [first] = outcomes
  return (first?.services ?? []).map(({ id }) => {
    const own = outcomes.flatMap(({ services }) => services.filter((each) => each.id === id))
    const spread = spreadOf(own.map(({ downMs }) => downMs)) ?? { medianMs: 0, worstMs: 0 }
    const stays = own.some(({ home }) => home === undefined)
    return { id, ...spread, stays }
  })
}

/** The one in the middle, and the longest. */
export function spreadOf(spans: readonly (number | undefined)[]): Spread | undefined {
  const known = spans.filter((each) => each !== undefined).sort((a, b) => a - b)
  const medianMs = known[Math.floor((known.length - 1) / 2)]
  const worstMs = known.at(-1)
  return medianMs === undefined || worstMs === undefined ? undefined : { medianMs, worstMs }
}

function textOf(verdict: Verdict, outcome: Outcome, downMs: Spread | undefined): string {
  const { services, never, unproven, had, overlaps } = outcome
  const down = stillDown(services, never)
  const names = listOf(down.map(({ id }) => id))
  if (verdict === 'broken') {
    const [overlap] = overlaps
    if (overlap === undefined) return `a promise is broken: ${outcome.broken[0]?.text ?? ''}`
    const { nodes, fromMs, toMs = outcome.lastsMs } = overlap
    const what = listOf([...new Set(overlaps.map(({ resource }) => resource))])
    return `${listOf(nodes)} run ${what} at the same time, for ${spanText(toMs - fromMs)}`
  }
  if (verdict === 'person') {
    const waits = down.length === 1 ? 'waits' : 'wait'
    return `${names} ${waits} for a person: nothing proves ${listOf(unproven)} dead`
  }
  if (verdict === 'down') {
    const because = [...new Set(down.map((each) => each.because))].join('; ')
    return `${names} ${down.length === 1 ? 'stays' : 'stay'} down: ${because}`
  }
  if (verdict === 'kept') {
    return had.length === 0 ? 'nothing runs there' : 'no service is down at any moment'
  }
  return `all is back within ${spreadText(downMs)}`
}

/** What was broken in one life, as sentences that name who and what, but no instants. */
export function brokenTexts({ broken, overlaps, lastsMs }: Outcome): readonly string[] {
  const twice = overlaps.map(({ resource, nodes, fromMs, toMs }) => {
    const until = toMs === undefined ? 'to the end' : `until ${clockText(toMs)}`
    const span = `${spanText((toMs ?? lastsMs) - fromMs)}, from ${clockText(fromMs)} ${until}`
    return `${resource} runs on ${listOf(nodes)} at the same time for ${span}`
  })
  const seen = new Set<string>()
  const others = broken.flatMap(({ promise, text, atMs }) => {
    if (seen.has(promise + text)) return []
    seen.add(promise + text)
    return [`at ${clockText(atMs)} ${promise}, ${text}`]
  })
  return [...twice, ...others]
}

/** `4.2 s`, `57 s`, `2 min 10 s`. */
export function spanText(spanMs: number): string {
  if (spanMs < 10_000) return `${(spanMs / 1_000).toFixed(1)} s`
  const seconds = Math.round(spanMs / 1_000)
  if (seconds < 60) return `${seconds} s`
  const rest = seconds % 60
  return `${Math.floor(seconds / 60)} min${rest === 0 ? '' : ` ${rest} s`}`
}

/** An instant of a run: seconds since the failure. */
export function clockText(atMs: number): string {
  return `${(atMs / 1_000).toFixed(1)} s`
}

export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-'
  const [median, worst] = [spanText(spread.medianMs), spanText(spread.worstMs)]
  return median === worst ? median : `${median}, at worst ${worst}`
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(names: readonly string[]): string {
  const last = names.at(-1) ?? ''
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`
}

/** The nodes to which the same happens. */
export function nodesOf(rows: readonly Row[]): readonly NodeId[] {
  return [...new Set(rows.map(({ victim }) => victim.node))]
}
