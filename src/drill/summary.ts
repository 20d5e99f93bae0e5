/** From what was seen to what it means: a verdict for each run, and a row for each case. */
import type { NodeId, ResourceId } from '../core/model.ts'
import type { Case } from './failures.ts'
import type { Reason } from './picture.ts'
import type { Instances, Outcome } from './run.ts'

/**
 * `broken`: a promise did not hold. `person`: a service waits for somebody, because nothing can
 * prove a node dead, or because it has failed and its `on_fail` is stop. `down`: it is down for
 * another reason. `back`: all services came back. `kept`: none of them was down at all.
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
  /** Of a clone: the fewest of all lives. */
  readonly instances?: Instances
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
    commands: commandsFor(worst),
    outcomes,
  }
}

export function verdictOf(outcome: Outcome): Verdict {
  const { broken, overlaps, unproven } = outcome
  if (broken.length + overlaps.length > 0) return 'broken'
  const { held, stopped } = waitingIn(outcome)
  if (held.length > 0) return unproven.length > 0 ? 'person' : 'down'
  if (stopped.length > 0) return 'person'
  return longestMs(outcome) > 0 ? 'back' : 'kept'
}

/** What is down at the end and was not so before: by what it is held, or stopped by the cluster. */
function waitingIn(outcome: Outcome): {
  readonly held: readonly Outcome['services'][number][]
  readonly stopped: readonly Reason[]
} {
  const down = stillDown(outcome.services, outcome.never)
  const stopped = outcome.stopped.filter(({ resource }) => down.some(({ id }) => id === resource))
  const held = down.filter(({ id }) => stopped.every(({ resource }) => resource !== id))
  return { held, stopped }
}

function commandsFor(outcome: Outcome): readonly string[] {
  const isWaiting = verdictOf(outcome) === 'person' && waitingIn(outcome).held.length > 0
  return [
    ...(isWaiting ? outcome.unproven.map((node) => `picket confirm ${node}`) : []),
    ...outcome.stopped.map(({ resource }) => `picket cleanup ${resource}`),
  ]
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
    const counts = own.flatMap(({ instances }) => instances ?? [])
    const [few] = counts.sort((a, b) => a.least - b.least)
    return { id, ...spread, stays, ...(few !== undefined && { instances: few }) }
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
    const { held, stopped } = waitingIn(outcome)
    const waits = held.length === 1 ? 'waits' : 'wait'
    const who = listOf(held.map(({ id }) => id))
    const dead = `${who} ${waits} for a person: nothing proves ${listOf(unproven)} dead`
    const ended = stopped.map(({ resource, because }) => {
      return `${resource} stays stopped until a person has looked: ${because}`
    })
    return [...(held.length > 0 ? [dead] : []), ...ended].join('; ')
  }
  if (verdict === 'down') {
    const because = [...new Set(down.map((each) => each.because))].join('; ')
    return `${names} ${down.length === 1 ? 'stays' : 'stay'} down: ${because}`
  }
  const kept = had.length === 0 ? 'nothing runs there' : 'no service is down at any moment'
  const well = verdict === 'kept' ? kept : backText([outcome], downMs)
  // Of a clone whose other instances serve on.
  const fewer = outcome.stopped.map(({ resource, because }) => {
    return `${resource} stays on fewer nodes until a person has looked: ${because}`
  })
  return [well, ...fewer].join('; ')
}

/** How long it took until all was back; how long in all, where something was down again. */
export function backText(outcomes: readonly Outcome[], downMs: Spread | undefined): string {
  const again = outcomes.some(({ services }) => services.some(({ gaps }) => gaps.length > 1))
  if (again) return `all is back; it was down for ${spreadText(downMs)}, all times together`
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

/** `a`, `a or b`, `a, b or c`. */
export function oneOf(nodes: readonly NodeId[]): string {
  const last = nodes.at(-1) ?? ''
  return nodes.length < 2 ? last : `${nodes.slice(0, -1).join(', ')} or ${last}`
}

/** How long a crash takes here. */
export function typical(rows: readonly Row[]): {
  readonly detectedMs: number | undefined
  readonly downMs: number | undefined
} {
  const crashes = rows.filter(({ failure, verdict }) => failure === 'crash' && verdict === 'back')
  const median = (pick: (row: Row) => number | undefined) => spreadOf(crashes.map(pick))?.medianMs
  return {
    detectedMs: median(({ detectedMs }) => detectedMs?.medianMs),
    downMs: median(({ downMs }) => downMs?.medianMs),
  }
}
