/** What `picket simulate` shows: tables and stories that fit the terminal, and need no colour. */
import type { Advice } from '../drill/advice.ts'
import type { StoryLine } from '../drill/story.ts'
import {
  backText,
  type Downtime,
  nodesOf,
  type Row,
  spanText,
  spreadOf,
  type Verdict,
} from '../drill/summary.ts'
import type { Paint } from './marks.ts'
import type { Colour } from './terminal.ts'

const marks: Readonly<Record<Verdict, readonly [Colour, string]>> = {
  broken: ['bad', '✗'],
  person: ['wait', '…'],
  down: ['bad', '✗'],
  back: ['good', '✓'],
  kept: ['good', '✓'],
}

export interface Page {
  readonly paint: Paint
  readonly columns: number
}

/** One line for each thing that becomes of a failure, with the nodes to which it does. */
export function tableLines(rows: readonly Row[], all: boolean, page: Page): readonly string[] {
  const groups = all ? rows.map((row) => [row]) : together(rows)
  const names = groups.map(([row]) => row?.failure ?? '')
  const width = Math.max(...names.map((name) => name.length))
  return groups.flatMap((group, at) => {
    const [row] = group
    if (row === undefined) return []
    const [colour, mark] = marks[row.verdict]
    const name = names[at - 1] === row.failure ? '' : row.failure
    const head = `${page.paint(colour, mark)} ${page.paint('strong', name.padEnd(width))}  `
    const text = `${whoIn(group)}: ${textOf(group)}`
    const lines = wrapped(text, page.columns - width - 4)
    const below = ' '.repeat(width + 4)
    return lines.map((line, index) => (index === 0 ? head : below) + line)
  })
}

/** Rows of one failure that end alike, but for their seconds, and but for names. */
function together(rows: readonly Row[]): readonly (readonly Row[])[] {
  const key = (row: Row) => {
    const { verdict, failure, victim } = row
    const { had = [] } = row.outcomes[0] ?? {}
    const still = row.services.flatMap(({ id, stays }) => (stays ? [id] : []))
    const how = verdict === 'back' && row.commands.length === 0 ? '' : plainText(row)
    return JSON.stringify([failure, verdict, how, still, victim.others, had.length === 0])
  }
  return [...Map.groupBy(rows, key).values()]
}

/** The sentence of a row with its node and its seconds taken out. */
function plainText({ text, verdict }: Row): string {
  if (verdict === 'person') return text.replace(/\bnothing proves .*? dead\b/, 'nothing does')
  return verdict === 'broken' ? '' : text
}

function whoIn(rows: readonly Row[]): string {
  const boxes = new Set(rows.map(({ victim }) => victim.box?.name))
  const resources = [...new Set(rows.flatMap(({ victim }) => victim.resource ?? []))]
  const [box] = boxes
  const others = rows[0]?.victim.others ?? []
  const at = box !== undefined && boxes.size === 1 ? ` with ${box}` : ''
  const nodes = [...nodesOf(rows), ...others.map((id) => `(${id})`)].join(' ')
  return resources.length > 0 ? resources.join(' ') : nodes + at
}

function textOf(rows: readonly Row[]): string {
  const [row] = rows
  if (row === undefined || rows.length === 1) return row?.text ?? ''
  if (row.verdict === 'back') {
    const medianMs = spreadOf(rows.map((each) => each.downMs?.medianMs))?.medianMs ?? 0
    const worstMs = Math.max(...rows.map((each) => each.downMs?.worstMs ?? 0))
    const outcomes = rows.flatMap((each) => each.outcomes)
    return backText(outcomes, { medianMs, worstMs })
  }
  if (row.verdict === 'person') {
    return row.text.replace(/: nothing proves .*? dead\b/, ': nothing proves the node dead')
  }
  if (row.verdict === 'broken') {
    const [overlap] = row.outcomes.flatMap(({ overlaps }) => overlaps)
    if (overlap === undefined) return row.text
    return `${overlap.resource} runs there and elsewhere at the same time`
  }
  return row.text
}

/** For each service: how long it is down where it comes back, and where it does not. */
export function serviceLines(rows: readonly Row[], page: Page): readonly string[] {
  const [first] = rows
  if (first === undefined || first.services.length === 0) return []
  const width = Math.max('service'.length, ...first.services.map(({ id }) => id.length))
  const head = `${'service'.padEnd(width)}  ${'median'.padStart(10)}  ${'worst'.padStart(10)}`
  const lines = first.services.flatMap(({ id }) => {
    const own = rows.flatMap(({ failure, services }) =>
      services.flatMap((each) => (each.id === id ? [{ failure, ...each }] : [])),
    )
    const back = own.filter(({ stays, worstMs }) => !stays && worstMs > 0)
    const median = spreadOf(back.map(({ medianMs }) => medianMs))?.medianMs
    const worst = spreadOf(back.map(({ worstMs }) => worstMs))?.worstMs
    const stays = [...new Set(own.flatMap((each) => (each.stays ? [each.failure] : [])))]
    const spans = [median, worst].map((ms) => (ms === undefined ? '-' : spanText(ms)).padStart(10))
    const start = `${id.padEnd(width)}  ${spans.join('  ')}  `
    const always = stays.length === 0 ? 'always' : `not after ${stays.join(', ')}`
    const text = [always, ...fewestIn(own)].join('; ')
    const [line = '', ...more] = wrapped(text, page.columns - start.length)
    return [start + line, ...more.map((each) => ' '.repeat(start.length) + each)]
  })
  return [page.paint('dim', `${head}  comes back by itself`), ...lines]
}

/** Of a clone: where it is down for a while, and how many nodes are left to serve it elsewhere. */
function fewestIn(own: readonly (Downtime & Pick<Row, 'failure'>)[]): readonly string[] {
  const kept = own
    .filter(({ worstMs }) => worstMs === 0)
    .flatMap(({ instances }) => instances ?? [])
  const [few] = kept.sort((a, b) => a.least - b.least)
  if (few === undefined || few.least === few.usual) return []
  const back = own.filter(({ stays, worstMs }) => !stays && worstMs > 0)
  const names = [...new Set(back.map(({ failure }) => failure))]
  const down = names.length === 0 ? '' : `down for a while in ${names.join(', ')}, else `
  return [`${down}on ${few.least} of ${few.usual} nodes at least`]
}

export function adviceLines(advice: readonly Advice[], page: Page): readonly string[] {
  return advice.flatMap(({ place, text }) => [
    `${page.paint('wait', '→')} ${page.paint('strong', place)}`,
    ...wrapped(text, page.columns - 4).map((line) => `    ${line}`),
  ])
}

/** A life, line by line, with the seconds since the failure. */
export function storyLines(story: readonly StoryLine[], page: Page): readonly string[] {
  return story.flatMap(({ atMs, tone, text }) => {
    const [first = '', ...more] = wrapped(text, page.columns - 13)
    const colour = (line: string) => (tone === 'plain' ? line : page.paint(tone, line))
    const clock = (atMs / 1_000).toFixed(2).padStart(8)
    const mark = tone === 'plain' ? ' ' : tone === 'good' ? '✓' : '✗'
    const head = `${page.paint('dim', `${clock} s`)} ${colour(mark)} `
    return [head + colour(first), ...more.map((line) => ' '.repeat(13) + colour(line))]
  })
}

export function markOf({ verdict }: Row, paint: Paint): string {
  const [colour, mark] = marks[verdict]
  return paint(colour, mark)
}

/** Broken at blanks; a word that is wider than that stands alone. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
