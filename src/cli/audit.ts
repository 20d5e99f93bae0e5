/** `picket audit`: what was decided and tried on this node, and whether the log is as written. */
import { type Line, type Link, readLine } from '../audit/chain.ts'
import { headFile, headIn } from '../audit/files.ts'
import { type OpenFile, openReading } from '../audit/reading.ts'
import { findingText, isAgainst, type Verified, verify, type Witness } from '../audit/verify.ts'
import { defaultConfigFile, defaultStateDir } from '../config/paths.ts'
import { didYouMean } from '../config/suggest.ts'
import { noLog, type Writer, whyNot, writerIn } from './audit-place.ts'
import { openStory } from './audit-story.ts'
import { concerns, namesIn } from './audit-words.ts'
import { defineCommand, type ExitCode, textOf, UsageError } from './command.ts'
import { askOnce, ControlError, socketPath } from './control.ts'
import { plain } from './marks.ts'
import { requester } from './order.ts'
import type { Terminal } from './terminal.ts'

const actions = ['show', 'verify', 'accept'] as const
type Action = (typeof actions)[number]

/** What means nothing to an action. */
const foreign = {
  show: ['head', 'reason', 'socket'],
  verify: ['since', 'node', 'reason', 'socket'],
  accept: ['since', 'node', 'head', 'state'],
} as const satisfies Record<Action, readonly string[]>

export const command = defineCommand({
  name: 'audit',
  words: ['show|verify|accept'],
  about: `The audit log holds every decision that this node has seen take effect, and every attempt
that it made itself. To look at it, picketd need not run.

show: one sentence a line, with its time (UTC); a reading that repeats is told once. Exit code 2
for a NODE that neither the log nor the config of this machine knows.
verify: is the log whole, as picketd wrote it, and as the other members have seen it? If not: the
first bad line, and what is wrong. If so: up to which line which member vouches for it.
accept: tells picketd that you know why lines are gone which other members have seen, as after a
new disk. That and your reason are written into the log, and verify goes by it.`,
  flags: {
    since: {
      title: 'With show: from then on: 2026-01-31, 2026-01-31T12:00Z, 90s, 2h, 7d',
      value: 'T',
    },
    node: { title: 'With show: only what concerns this node', value: 'NODE' },
    head: { title: `With verify: a copy of ${headFile} that was kept elsewhere`, value: 'FILE' },
    reason: { title: 'With accept: why they are gone', value: 'TEXT' },
    socket: { title: "With accept: picketd's control socket", value: 'PATH' },
    state: {
      title: `Where the log is (${defaultStateDir}; of orders without picketd: …/orders/NODE)`,
      value: 'DIR',
    },
    json: { title: 'Print the lines as they are, or what came of it, as JSON' },
  },
  async run({ words: [action = ''], flags }, terminal) {
    if (!isAction(action)) {
      throw new UsageError(`there is no action "${action}".${didYouMean(action, actions)}`)
    }
    for (const name of foreign[action]) {
      if (flags[name] === undefined) continue
      throw new UsageError(`--${name} means nothing to ${action}: leave it out.`)
    }
    const { since, node, head, state: dir = defaultStateDir, json = false } = flags
    if (action === 'accept') return await accept(flags.reason, flags.socket, json, terminal)
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

function isAction(word: string): word is Action {
  return actions.some((action) => action === word)
}

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
    if (files.length > 0) return await showAll(files, { ...wanted, dir }, json, terminal)
  } finally {
    await close()
  }
  terminal.err(`picket audit: ${noLog(dir)}`)
  return 1
}

async function showAll(
  files: readonly OpenFile[],
  { sinceMs, node, dir }: Wanted & { readonly dir: string },
  json: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  const { out, err } = terminal
  const isWanted = (line: Line) =>
    Date.parse(line.at) >= sinceMs && (node === undefined || concerns(line, node))
  const story = openStory(terminal)
  const known = new Set<string>()
  let [shown, unreadable] = [0, 0]
  for (const { name, isNewest, lines } of files) {
    for await (const { number, bytes, ended } of lines()) {
      if (!ended && isNewest) break
      const read = readLine(bytes)
      if (!read.ok) {
        unreadable++
        story.end()
        err(`${name}, line ${number}: ${read.fault}: ${read.because}.`)
        continue
      }
      story.learn(read.line)
      if (node !== undefined) for (const each of namesIn(read.line)) known.add(each)
      if (!isWanted(read.line)) continue
      shown++
      if (json) out(String(bytes))
      else story.tell(read.line)
    }
  }
  story.end()
  if (unreadable > 0) err('`picket audit verify` names the first bad line.')
  if (node !== undefined && !known.has(node)) {
    const names = await configured()
    if (!names.includes(node)) {
      const hint = didYouMean(node, [...known, ...names])
      err(`picket audit: the log in ${dir} knows no node ${plain(node)}.${hint}`)
      return 2
    }
  }
  if (shown === 0 && unreadable === 0 && !json) err('Nothing of that is in the audit log.')
  return unreadable === 0 ? 0 : 1
}

/** The nodes of the config of this machine, where it has one: of some nothing is recorded yet. */
async function configured(): Promise<readonly string[]> {
  const { readSource } = await import('../config/load.ts')
  const { withoutFaults } = await import('../config/repair.ts')
  const read = readSource(defaultConfigFile)
  const config = read.ok ? withoutFaults(read.source.value) : undefined
  return config?.cluster.nodes.map(({ name }) => name) ?? []
}

async function check(
  dir: string,
  copy: Link | undefined,
  json: boolean,
  { out, err, paint, during }: Terminal,
): Promise<ExitCode> {
  const verified = await during('looking through the audit log', verify(dir, copy))
  if (verified === undefined) {
    err(`picket audit: ${noLog(dir)}`)
    return 1
  }
  const { finding, met } = verified
  const ok = finding === undefined && met
  if (json) {
    out(JSON.stringify({ ok, ...verified, text: finding && findingText(finding) }))
    return ok ? 0 : 1
  }
  const writer = writerIn(dir)
  const checked = `${counted(verified.lines, 'line')} in ${counted(verified.files, 'file')}`
  if (finding) {
    out(`${paint('bad', '✗')} ${findingText(finding)} ${checked} were checked.`)
    for (const remark of witnessed(verified)) out(`  ${remark}`)
  } else if (met) {
    out(`${paint('good', '✓')} ${checked}: all as ${writer} wrote them.`)
    for (const remark of remarksOn(verified, writer)) out(`  ${remark}`)
  } else {
    out(
      `${paint('bad', '✗')} The line that this head names was dropped on purpose meanwhile: it ` +
        `cannot be compared. ${checked} fit together; take a newer copy.`,
    )
  }
  return ok ? 0 : 1
}

function remarksOn(verified: Verified, writer: Writer): readonly string[] {
  const { last, peers, beyondHead, torn } = verified
  const remarks = [`The last is number ${last.seq}, SHA-256 ${last.hash}.`, ...witnessed(verified)]
  if (writer === 'picket fence') remarks.push('Only this machine knows of orders without picketd.')
  else if (peers.length === 0) {
    remarks.push('No other member has told yet what it has seen of it.')
  }
  if (beyondHead > 0) {
    remarks.push(`${counted(beyondHead, 'line')} at the end are newer than the head.`)
  }
  if (torn) {
    remarks.push(
      `One more has no end yet: ${writer} is writing it, or died over it, and will cut it off.`,
    )
  }
  return remarks
}

/** What each of the other members has seen. */
function witnessed({ peers }: Verified): readonly string[] {
  if (peers === 'damaged') return []
  const advice = 'If you know why: `picket audit accept --reason TEXT`, with picketd running.'
  return [...peers.map(witnessText), ...(peers.some(isAgainst) ? [advice] : [])]
}

function witnessText({ peer, head, stand }: Witness): string {
  switch (stand) {
    case 'held':
      return `${peer} vouches for it up to line ${head.seq}.`
    case 'dropped':
      return `${peer} has last seen line ${head.seq}, which was dropped on purpose since.`
    case 'accepted':
      return `${peer} has seen line ${head.seq}, which is gone; an operator knows why.`
    case 'cut off':
    case 'edited':
    case 'another log':
      return `${peer} has seen line ${head.seq} with SHA-256 ${head.hash}: not in this log.`
  }
}

/** Through picketd: nobody else writes its log. */
async function accept(
  reason: string | undefined,
  socket: string | undefined,
  json: boolean,
  terminal: Terminal,
): Promise<ExitCode> {
  if (reason === undefined || reason.trim() === '') {
    throw new UsageError('--reason is missing: say why the lines are gone.')
  }
  const request = { do: 'accept', requester: requester(), reason: reason.slice(0, 500) }
  try {
    const asked = askOnce(socketPath(socket), request)
    const answer = await terminal.during('waiting for picketd', asked)
    if (json) terminal.out(JSON.stringify(answer))
    if (answer.ok !== true) {
      if (!json) terminal.err(`Refused: ${plain(answer.because ?? 'no reason given')}.`)
      return 3
    }
    if (!json) terminal.out('Done: it is in the audit log. `picket audit verify` goes by it.')
    return 0
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    terminal.err(`picket audit: ${error.message}.`)
    return 1
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
