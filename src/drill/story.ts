/**
 * One life as people read it: the lines of the trace from the failure on, with what clients see of
 * the services, and what was broken, in between.
 */
import type { NodeId } from '../core/model.ts'
import type { Outcome } from './run.ts'
import { brokenTexts, listOf, spanText } from './summary.ts'

export type Tone = 'plain' | 'good' | 'bad'

export interface StoryLine {
  readonly atMs: number
  readonly tone: Tone
  readonly text: string
}

export function storyOf(outcome: Outcome, nodes: readonly NodeId[]): readonly StoryLine[] {
  const traced = outcome.trace.flatMap((line): Told[] => {
    const [, ms = '0', text = ''] = /^ *(-?\d+) {2}(.*)$/.exec(line) ?? []
    const told = worded(text)
    if (told === undefined) return []
    const [, who = '', words = told] = /^(\S+): (.*)$/.exec(told) ?? []
    const speaks = nodes.includes(who)
    return [{ atMs: Number(ms), who: speaks ? [who] : [], words: speaks ? words : told }]
  })
  const said = together(traced).map(({ atMs, who, words }): StoryLine => {
    return { atMs, tone: 'plain', text: who.length === 0 ? words : `${who.join(', ')}: ${words}` }
  })
  const lines = [...said, ...seenByClients(outcome), ...brokenIn(outcome)]
  // Equal instants stay in this order: first what happens, then what comes of it.
  return lines.sort((a, b) => Math.round(a.atMs) - Math.round(b.atMs))
}

interface Told {
  readonly atMs: number
  /** Who says it; nobody where it is what happens. */
  readonly who: readonly NodeId[]
  readonly words: string
}

/** What several say of the same within so long is one line. */
const TOGETHER_MS = 200

function together(lines: readonly Told[]): readonly Told[] {
  const out: Told[] = []
  for (const line of lines) {
    const at = out.findLastIndex(({ atMs, who, words }) => {
      return words === line.words && who.length > 0 && line.atMs - atMs < TOGETHER_MS
    })
    const twin = line.who.length === 0 ? undefined : out[at]
    if (twin === undefined || line.who.every((id) => twin.who.includes(id))) out.push(line)
    else out[at] = { ...twin, who: [...twin.who, ...line.who] }
  }
  return out
}

/** A line of the trace in the words of people; nothing where another line says the same. */
function worded(text: string): string | undefined {
  if (/: \S+ is (started|stopped)$/.test(text)) return undefined
  const [, members = '', quorate = ''] = /^ring \S+ \[(.*)\](.*)$/.exec(text) ?? []
  if (members === '') return text
  const names = members.split(',')
  const who = names.length === 1 ? `${members} is alone` : `${listOf(names)} form a ring`
  return `Corosync: ${who}, ${quorate === ' quorate' ? 'with' : 'without'} quorum`
}

function seenByClients({ services }: Outcome): readonly StoryLine[] {
  return services.flatMap(({ id, gaps, home }) =>
    gaps.flatMap(({ fromMs, toMs }, at): StoryLine[] => {
      const down: StoryLine = { atMs: fromMs, tone: 'bad', text: `${id} is not served any more` }
      if (toMs === undefined) return [down]
      const where = at === gaps.length - 1 && home !== undefined ? ` by ${home}` : ''
      const text = `${id} is served again${where}, after ${spanText(toMs - fromMs)}`
      return [down, { atMs: toMs, tone: 'good', text }]
    }),
  )
}

function brokenIn(outcome: Outcome): readonly StoryLine[] {
  const { broken, overlaps } = outcome
  const told = brokenTexts({ ...outcome, broken: [] })
  const seen = new Set<string>()
  return [
    ...overlaps.map(
      ({ fromMs }, at): StoryLine => ({
        atMs: fromMs,
        tone: 'bad',
        text: `BROKEN: ${told[at]}`,
      }),
    ),
    ...broken.flatMap(({ promise, text, atMs }): StoryLine[] => {
      if (seen.has(promise + text)) return []
      seen.add(promise + text)
      return [{ atMs, tone: 'bad', text: `BROKEN ${promise}: ${text}` }]
    }),
  ]
}
