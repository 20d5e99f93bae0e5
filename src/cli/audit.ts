/** `picket audit`: what was decided and tried on this node, and whether the log is as written. */
import { type Line, type Link, readLine } from '../audit/chain.ts'
import { headFile, headIn } from '../audit/files.ts'
import { type OpenFile, openReading } from '../audit/reading.ts'
import { findingText, type Verified, verify } from '../audit/verify.ts'
import { defaultStateDir } from '../config/paths.ts'
import { didYouMean } from '../config/suggest.ts'
import { concerns, rowOf } from './audit-words.ts'
import { defineCommand, type ExitCode, textOf, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

const actions = ['show', 'verify']

export const command = defineCommand({
  name: 'audit',
  words: ['show|verify'],
  about: `The audit log holds every decision that this node has seen take effect, and every attempt
that it made itself. picketd need not run.

show: one sentence a line, with its time (UTC).
verify: is the log whole, as picketd wrote it? If not: the first bad line, and what is wrong.`,
  flags: {
    since: {
      title: 'With show: from then on: 2026-01-31, 2026-01-31T12:00Z, 90s, 2h, 7d',
      value: 'T',
    },
    node: { title: 'With show: only what concerns this node', value: 'NODE' },
    head: { title: `With verify: a copy of ${headFile} that was kept elsewhere`, value: 'FILE' },
    state: { title: `picketd's state directory (${defaultStateDir})`, value: 'DIR' },
    json: { title: 'Print the lines as they are, or what verify found, as JSON' },
  },
  async run({ words: [action = ''], flags }, terminal) {
    if (!actions.includes(action)) {
      throw new UsageError(`there is no action "${action}".${didYouMean(action, actions)}`)
    }
    const foreign = action === 'verify' ? (['since', 'node'] as const) : (['head'] as const)
    for (const name of foreign) {
      if (flags[name] === undefined) continue
      throw new UsageError(`--${name} means nothing to ${action}: leave it out.`)
    }
    const { since, node, head, state: dir = defaultStateDir, json = false } = flags
    const wanted = { sinceMs: since === undefined ? -Infinity : instantOf(since, Date.now()), node }
    const copy = head === undefined ? undefined : copyOf(head)
    try {
      if (action === 'show') return await show(dir, wanted, json, terminal)
      return await check(dir, copy, json, terminal)
    } catch (error) {
      terminal.err(`picket audit: ${whyNot(dir, error)}`)
      return 1
    }
  },
})

/** The instant from which on lines are shown. */
function instantOf(text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d{1,6})(s|m|h|d)$/.exec(text) ?? []
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit]
  if (count !== undefined && unitMs !== undefined) return nowMs - Number(count) * unitMs
  const date = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  const atMs = date ? Date.parse(date[1] && !date[4] ? `${text}Z` : text) : Number.NaN
  if (Number.isFinite(atMs)) return atMs
  const taken = 'a time such as 2026-01-31T12:00Z or a span such as 90s, 30m, 2h or 7d'
  throw new UsageError(`--since takes ${taken}, not "${text}".`)
}

function copyOf(path: string): Link {
  const head = headIn(textOf('head', path))
  if (head !== 'damaged') return head
  throw new UsageError(`--head ${path}: that is no copy of an ${headFile}.`)
}

const none = (dir: string) =>
  `there is no audit log in ${dir}: picketd begins it when it joins its cluster; --state DIR ` +
  'names another place.'

function whyNot(dir: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return `there is no directory ${dir}: picketd has not run here, or --state DIR names another.`
  }
  if (code === 'EACCES') return `you may not read the audit log in ${dir}: run it as root.`
  return `the audit log in ${dir} cannot be read: ${message}.`
}

interface Wanted {
  readonly sinceMs: number
  readonly node: string | undefined
}

async function show(
  dir: string,
  wanted: Wanted,
  json: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const { files, close } = await openReading(dir)
  try {
    if (files.length > 0) return await showAll(files, wanted, json, terminal)
  } finally {
    await close()
  }
  terminal.err(`picket audit: ${none(dir)}`)
  return 1
}

async function showAll(
  files: readonly OpenFile[],
  { sinceMs, node }: Wanted,
  json: boolean,
  { out, err, paint }: Terminal,
): Promise<ExitCode> {
  const isWanted = (line: Line) =>
    Date.parse(line.at) >= sinceMs && (node === undefined || concerns(line, node))
  let [shown, unreadable] = [0, 0]
  for (const { name, isNewest, lines } of files) {
    for await (const { number, bytes, ended } of lines()) {
      if (!ended && isNewest) break
      const read = readLine(bytes)
      if (!read.ok) {
        unreadable++
        err(`${name}, line ${number}: ${read.fault}: ${read.because}.`)
      } else if (isWanted(read.line)) {
        shown++
        out(json ? String(bytes) : rowOf(read.line, paint))
      }
    }
  }
  if (shown === 0 && unreadable === 0 && !json) err('Nothing of that is in the audit log.')
  if (unreadable === 0) return 0
  err('`picket audit verify` names the first bad line.')
  return 1
}

async function check(
  dir: string,
  copy: Link | undefined,
  json: boolean,
  { out, err, paint, during }: Terminal,
): Promise<ExitCode> {
  const verified = await during('looking through the audit log', verify(dir, copy))
  if (verified === undefined) {
    err(`picket audit: ${none(dir)}`)
    return 1
  }
  const { finding, met } = verified
  const ok = finding === undefined && met
  if (json) {
    out(JSON.stringify({ ok, ...verified, text: finding && findingText(finding) }))
    return ok ? 0 : 1
  }
  const checked = `${counted(verified.lines, 'line')} in ${counted(verified.files, 'file')}`
  if (finding) {
    out(`${paint('bad', '✗')} ${findingText(finding)} ${checked} were checked.`)
  } else if (met) {
    out(`${paint('good', '✓')} ${checked}: all as picketd wrote them.`)
    for (const remark of remarksOn(verified)) out(`  ${remark}`)
  } else {
    out(
      `${paint('bad', '✗')} The line that this head names was dropped on purpose meanwhile: it ` +
        `cannot be compared. ${checked} fit together; take a newer copy.`,
    )
  }
  return ok ? 0 : 1
}

function remarksOn({ last, beyondHead, torn }: Verified): readonly string[] {
  const remarks = [`The last is number ${last.seq}, SHA-256 ${last.hash}.`]
  if (beyondHead > 0) {
    remarks.push(`${counted(beyondHead, 'line')} at the end are newer than the head.`)
  }
  if (torn) {
    remarks.push(
      'One more has no end yet: picketd is writing it, or died in the middle and will cut it off.',
    )
  }
  return remarks
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
