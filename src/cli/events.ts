/** `picket events`: what the logs of a recorder tell, and whether they are as they were written. */
import { findingText } from '../audit/verify.ts'
import { linesOf } from '../recorder/history.ts'
import { detailedLog } from '../recorder/log.ts'
import { defaultLogDirectory } from '../recorder/names.ts'
import {
  type Counts,
  csvOf,
  eventIn,
  type LoggedEvent,
  type Summary,
  summarise,
} from '../recorder/summary.ts'
import { verifyLogs } from '../recorder/verify.ts'
import { defineCommand, type ExitCode, UsageError } from './command.ts'
import { plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

export const command = defineCommand({
  name: 'events',
  about: `Sums up the fencings that \`fence_recorder\` has logged: by node, by filesystem, how long
they took. What logrotate has put aside counts as well. Reads the files alone, also those that
another recorder of the same form has written.
--timeline: one line for each event instead. --verify: are the logs as they were written? If not,
the first bad line, and exit code 1.`,
  flags: {
    node: { value: 'NODE', title: 'Only what concerns this node' },
    filesystem: { value: 'NAME', title: 'Only what concerns this filesystem' },
    since: { value: 'T', title: 'Only from then on: 2026-01-31T12:00Z, 90s, 2h, 7d' },
    'last-hour': { title: 'The same as --since 1h' },
    timeline: { title: 'Each event in its order' },
    json: { title: 'Answer in JSON' },
    csv: { title: 'Each event as a row, for a spreadsheet' },
    verify: { title: 'Look whether the logs are as they were written' },
    'log-dir': { value: 'DIR', title: `Where the logs are (${defaultLogDirectory})` },
  },
  async run({ flags }, terminal) {
    const { 'log-dir': dir = defaultLogDirectory, json = false, csv = false } = flags
    const { timeline = false, 'last-hour': lastHour = false } = flags
    if (json && csv) throw new UsageError('--json and --csv are two forms: leave one of them out.')
    if (lastHour && flags.since !== undefined) {
      throw new UsageError('--last-hour is --since 1h: leave one of them out.')
    }
    const since = lastHour ? '1h' : flags.since
    const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : instantOf(since, Date.now())
    try {
      if (flags.verify === true) return await check(dir, json, terminal)
      const isWanted = ({ atMs, target_node, gfs2_filesystems }: LoggedEvent): boolean =>
        atMs >= sinceMs &&
        (flags.node === undefined || target_node === flags.node) &&
        (flags.filesystem === undefined || gfs2_filesystems.includes(flags.filesystem))
      const { events: wanted, unreadable } = await readEvents(dir, isWanted)
      if (unreadable > 0) {
        terminal.err(`${unreadable} lines of ${detailedLog} are none of a recorder's.`)
      }
      show(wanted, unreadable, { json, csv, timeline }, terminal)
      return 0
    } catch (error) {
      terminal.err(`picket events: ${whyNot(dir, error)}`)
      return 1
    }
  },
})

const spans = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function instantOf(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,6})(s|m|h|d)$/.exec(text) ?? []
  if (count !== undefined) return nowMs - Number(count) * spans[unit as keyof typeof spans]
  const date = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  const atMs = date ? Date.parse(date[1] && !date[4] ? `${text}Z` : text) : Number.NaN
  if (Number.isFinite(atMs)) return atMs
  const taken = 'a time such as 2026-01-31T12:00Z or a span such as 90s, 30m, 2h or 7d'
  throw new UsageError(`--since takes ${taken}, not "${text}".`)
}

function whyNot(dir: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return `there is no directory ${dir}: --log-dir DIR names another one`
  if (code === 'EACCES') return `you may not read the logs in ${dir}: run it as root`
  return `the logs in ${dir} cannot be read: ${message}`
}

/** Only what is wanted is held: the logs of years may be larger than the memory. */
async function readEvents(dir: string, isWanted: (event: LoggedEvent) => boolean) {
  const events: LoggedEvent[] = []
  let unreadable = 0
  for await (const { bytes } of linesOf(dir, detailedLog)) {
    const event = eventIn(bytes.toString('utf8'))
    if (event === undefined) unreadable++
    else if (isWanted(event)) events.push(event)
  }
  return { events: events.sort((a, b) => a.atMs - b.atMs), unreadable }
}

async function check(dir: string, json: boolean, { out }: Terminal): Promise<ExitCode> {
  const { lines, gone, finding } = await verifyLogs(dir)
  const text = finding && findingText(finding)
  if (json) out(JSON.stringify({ ok: finding === undefined, lines, gone, finding: text ?? null }))
  else if (text !== undefined) out(`The logs in ${dir} are not as they were written. ${text}`)
  else {
    const before = gone === 0 ? '' : ` ${gone} before them are there no more.`
    out(`The logs in ${dir} are as they were written: ${lines} events.${before}`)
  }
  return finding === undefined ? 0 : 1
}

interface Form {
  readonly json: boolean
  readonly csv: boolean
  readonly timeline: boolean
}

function show(
  events: readonly LoggedEvent[],
  unreadable: number,
  { json, csv, timeline }: Form,
  { out }: Terminal,
): void {
  if (csv) {
    for (const row of csvOf(events)) out(row)
    return
  }
  if (timeline) {
    for (const event of events) out(json ? JSON.stringify(event) : timelineText(event))
    return
  }
  const summary = summarise(events, unreadable)
  if (json) out(JSON.stringify(summary))
  else for (const line of summaryLines(summary)) out(line)
}

function timelineText(event: LoggedEvent): string {
  const { timestamp, action, target_node, status, gfs2_filesystems: names, details } = event
  const about = names.length === 0 ? '' : ` [${names.join(', ')}]`
  return plain(`${timestamp}  ${status.padEnd(9)}  ${action} ${target_node}${about}  ${details}`)
}

function* summaryLines(summary: Summary): Generator<string> {
  const { events, first, last, open, nodes, filesystems, latencies } = summary
  if (events === 0) return yield 'No event of that kind is logged.'
  yield plain(`${events} events from ${first} to ${last}`)
  if (open > 0) yield `${open} of which no end is logged: they are under way, or were cut short`
  yield* table('node', nodes)
  yield* table('filesystem', filesystems)
  if (latencies.length === 0) return
  yield ''
  yield columns(['completed', 'count', 'p50', 'p90', 'p99', 'max'])
  for (const { action, count, p50Ms, p90Ms, p99Ms, maxMs } of latencies) {
    const times = [p50Ms, p90Ms, p99Ms, maxMs].map((ms) => `${ms} ms`)
    yield columns([plain(action), `${count}`, ...times])
  }
}

function* table(what: string, rows: readonly Counts[]): Generator<string> {
  if (rows.length === 0) return
  yield ''
  yield columns([what, 'requested', 'completed', 'failed'])
  for (const { name, requested, completed, failed } of rows) {
    yield columns([plain(name), `${requested}`, `${completed}`, `${failed}`])
  }
}

const columns = ([first = '', ...rest]: readonly string[]): string =>
  `${first.padEnd(28)}${rest.map((cell) => cell.padStart(11)).join('')}`
