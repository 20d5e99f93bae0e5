/**
 * What the events of the logs come to, without a disk: how often, on which nodes, about which
 * filesystems, and how long a fencing took from being asked for to being told.
 */
export interface LoggedEvent {
  readonly atMs: number
  readonly timestamp: string
  readonly action: string
  readonly target_node: string
  readonly gfs2_filesystems: readonly string[]
  readonly status: string
  readonly details: string
  readonly recorder_node: string
  /** Empty where the log was written by somebody who names none. */
  readonly request_id: string
}

export interface Counts {
  readonly name: string
  readonly requested: number
  readonly completed: number
  readonly failed: number
}

export interface Latency {
  readonly action: string
  readonly count: number
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface Summary {
  readonly events: number
  /** Lines that are none. */
  readonly unreadable: number
  readonly first: string
  readonly last: string
  readonly statuses: Readonly<Record<string, number>>
  readonly nodes: readonly Counts[]
  readonly filesystems: readonly Counts[]
  readonly latencies: readonly Latency[]
  /** Requests of which no end is logged. */
  readonly open: number
}

/** One line of the detailed log, by whomever it was written; `undefined` where it is none. */
export function eventIn(text: string): LoggedEvent | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { timestamp, action, target_node, status, at } = value as Record<string, unknown>
  const { gfs2_filesystems, details = '', recorder_node = '' } = value as Record<string, unknown>
  const words = [timestamp, action, target_node, status, details, recorder_node]
  if (!words.every((word) => typeof word === 'string')) return undefined
  const precise = typeof at === 'string' ? Date.parse(at) : Number.NaN
  const atMs = Number.isFinite(precise) ? precise : Date.parse(String(timestamp))
  if (!Number.isFinite(atMs)) return undefined
  const list = Array.isArray(gfs2_filesystems) ? gfs2_filesystems : []
  return {
    atMs,
    ...{ timestamp: String(timestamp), action: String(action), target_node: String(target_node) },
    gfs2_filesystems: list.filter((name) => typeof name === 'string'),
    ...{ status: String(status), details: String(details), recorder_node: String(recorder_node) },
    request_id: idIn(value),
  }
}

function idIn(value: object): string {
  const { request_id, facts } = value as { request_id?: unknown; facts?: unknown }
  const { request_id: inFacts } = Object(facts) as { request_id?: unknown }
  const id = request_id ?? inFacts
  return typeof id === 'string' ? id : ''
}

export function summarise(events: readonly LoggedEvent[], unreadable: number): Summary {
  const spans = spansOf(events)
  return {
    events: events.length,
    unreadable,
    first: events[0]?.timestamp ?? '',
    last: events.at(-1)?.timestamp ?? '',
    statuses: Object.fromEntries(
      [...Map.groupBy(events, ({ status }) => status)].map(([name, some]) => [name, some.length]),
    ),
    nodes: countsOf(events, ({ target_node }) => [target_node]),
    filesystems: countsOf(events, ({ gfs2_filesystems }) => gfs2_filesystems),
    latencies: [...Map.groupBy(spans.ended, ({ action }) => action)]
      .map(([action, some]) =>
        latencyOf(
          action,
          some.map(({ tookMs }) => tookMs),
        ),
      )
      .sort((a, b) => b.count - a.count),
    open: spans.open,
  }
}

function countsOf(
  events: readonly LoggedEvent[],
  namesOf: (event: LoggedEvent) => readonly string[],
): readonly Counts[] {
  const found = new Map<string, { requested: number; completed: number; failed: number }>()
  for (const event of events) {
    for (const name of namesOf(event)) {
      const counts = found.get(name) ?? { requested: 0, completed: 0, failed: 0 }
      const { status } = event
      if (status === 'requested' || status === 'completed' || status === 'failed') counts[status]++
      found.set(name, counts)
    }
  }
  return [...found]
    .map(([name, counts]) => ({ name, ...counts }))
    .sort((a, b) => b.requested - a.requested || (a.name < b.name ? -1 : 1))
}

/** From `requested` to the end. Where requests have no names, one for a node follows the other. */
function spansOf(events: readonly LoggedEvent[]) {
  const begun = new Map<string, LoggedEvent>()
  const ended: { action: string; tookMs: number }[] = []
  for (const event of events) {
    const key = event.request_id || `${event.target_node} ${event.action}`
    if (event.status === 'requested') begun.set(key, event)
    if (event.status !== 'completed' && event.status !== 'failed') continue
    const from = begun.get(key)
    begun.delete(key)
    if (from === undefined || event.status === 'failed') continue
    ended.push({ action: event.action, tookMs: Math.max(0, event.atMs - from.atMs) })
  }
  return { ended, open: begun.size }
}

function latencyOf(action: string, tookMs: readonly number[]): Latency {
  const sorted = [...tookMs].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0
  return {
    ...{ action, count: sorted.length, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) },
    maxMs: sorted.at(-1) ?? 0,
  }
}

/** Events as rows for a spreadsheet, with a first one that names the columns. */
export function csvOf(events: readonly LoggedEvent[]): readonly string[] {
  const rows = events.map((event) =>
    [
      ...[event.timestamp, event.action, event.target_node, event.gfs2_filesystems.join(' ')],
      ...[event.status, event.details, event.recorder_node, event.request_id],
    ].map(cell),
  )
  const head =
    'timestamp,action,target_node,gfs2_filesystems,status,details,recorder_node,request_id'
  return [head, ...rows.map((row) => row.join(','))]
}

/** A cell that begins like a formula would be run by a spreadsheet. */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
