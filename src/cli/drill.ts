/**
 * `picket simulate` for those who run a cluster: their configuration, put through failures in
 * virtual time. No secret is read, no device and no machine is touched.
 */
import type { Loaded } from '../config/load.ts'
import { defaultConfigFile } from '../config/paths.ts'
import { problemText } from '../config/problem.ts'
import { didYouMean } from '../config/suggest.ts'
import { type Advice, advise } from '../drill/advice.ts'
import { casesOf, drill } from '../drill/drill.ts'
import { type FailureName, failureNames, failures } from '../drill/failures.ts'
import { assumptions } from '../drill/pace.ts'
import { type Plant, plantOf } from '../drill/plant.ts'
import { runFailure } from '../drill/run.ts'
import { failureOf, readScript } from '../drill/script.ts'
import { storyOf } from '../drill/story.ts'
import { brokenTexts, type Row, rowOf, verdicts } from '../drill/summary.ts'
import { type ExitCode, textOf, UsageError } from './command.ts'
import { reportOf } from './drill-report.ts'
import {
  adviceLines,
  markOf,
  type Page,
  serviceLines,
  storyLines,
  tableLines,
  wrapped,
} from './simulate-screen.ts'
import type { Terminal } from './terminal.ts'

/** In so many lives a case is tried; durations differ from one to the next. */
const LIVES = 3
/** From so many pairs of a node and a service on, one life has to do. */
const MANY = 30
const TOKEN_MS = 1_000
const COLUMNS = 100

export interface Ask {
  readonly file: string
  readonly words: readonly string[]
  readonly node: string | undefined
  readonly script: string | undefined
  readonly seed: number
  readonly tokenMs: number | undefined
  readonly all: boolean
  readonly json: boolean
}

export async function runDrill(ask: Ask, terminal: Terminal): Promise<ExitCode> {
  const names = namesIn(ask.words)
  const loaded = await load(ask.file, terminal)
  if (loaded === undefined) return 2
  const plant = plantOf(loaded, ask.tokenMs ?? TOKEN_MS)
  checkNode(plant, ask.node)
  if (plant.config.resources.length === 0) {
    terminal.err(`${ask.file} has no resources: there is nothing that could be down.`)
  }
  const rows =
    ask.script === undefined
      ? await failuresOf(plant, names, ask, terminal)
      : scriptRows(plant, ask.script, ask.seed, terminal)
  if (rows === undefined) return 2
  const { enabled, verify } = loaded.details.config.fence
  const advice = advise(plant, rows, { enabled, verify })
  const isStory = ask.script !== undefined || names.length === 1
  if (ask.json) terminal.out(JSON.stringify(reportOf(plant, rows, advice, assumed(plant)), null, 2))
  else show(plant, rows, advice, { isStory, all: ask.all, file: ask.file }, terminal)
  return rows.every(({ verdict }) => verdict === 'back' || verdict === 'kept') ? 0 : 1
}

function namesIn(words: readonly string[]): readonly FailureName[] {
  for (const word of words) {
    if (failureNames.some((name) => name === word)) continue
    const hint = didYouMean(word, failureNames) || ` There are ${failureNames.join(', ')}.`
    throw new UsageError(`there is no failure "${word}".${hint}`)
  }
  return failureNames.filter((name) => words.length === 0 || words.includes(name))
}

/** As `picket config check` tells it, but without the secrets. */
async function load(file: string, terminal: Terminal): Promise<Loaded | undefined> {
  const { loadConfig } = await import('../config/load.ts')
  const work = loadConfig(file, { withoutSecrets: true })
  const result = await terminal.during(`reading ${file}`, work)
  if (result.ok) return result.loaded
  for (const problem of result.problems) terminal.err(problemText(problem))
  const count = result.problems.length
  terminal.err(`${file} is not valid: ${counted(count, 'problem')}.`)
  if (file === defaultConfigFile) terminal.err('`--config FILE` reads another one.')
  return undefined
}

function checkNode({ config }: Plant, node: string | undefined): void {
  const ids = config.nodes.map(({ id }) => id)
  if (node === undefined || ids.includes(node)) return
  const hint = didYouMean(node, ids) || ` There are ${ids.join(', ')}.`
  throw new UsageError(`there is no node "${node}" in this configuration.${hint}`)
}

async function failuresOf(
  plant: Plant,
  names: readonly FailureName[],
  { node, seed }: Ask,
  terminal: Terminal,
): Promise<readonly Row[]> {
  if (names.every((name) => casesOf(plant, name, node).length === 0)) {
    const where = node === undefined ? 'This configuration' : node
    throw new UsageError(`${where} has nothing to which ${names.join(', ')} could happen.`)
  }
  let what = 'simulating'
  const { nodes, resources } = plant.config
  const lives = nodes.length * resources.length > MANY ? 1 : LIVES
  const work = drill(plant, { names, node, seed, lives }, (done, of) => {
    what = `simulating: ${done} of ${of} cases`
  })
  return await terminal.during(() => what, work)
}

/** The one row of a script; undefined, and all that is wrong told, where it cannot be played. */
function scriptRows(
  plant: Plant,
  path: string,
  seed: number,
  terminal: Terminal,
): readonly Row[] | undefined {
  const { commands, mistakes } = readScript(textOf('scenario', path), plant)
  for (const { line, column, message } of mistakes) {
    terminal.err(problemText({ file: path, line, column, message }))
  }
  if (mistakes.length > 0) return undefined
  const [first] = plant.config.nodes
  const about = { node: first?.id ?? '' }
  return [rowOf('script', [runFailure(plant, { ...failureOf(commands), asIs: true }, about, seed)])]
}

function assumed({ config, site, drivers, types, tokenMs }: Plant): readonly string[] {
  const known = [...new Set(drivers.values())].sort()
  const used = [...new Set(types.values())].sort()
  const weak = config.devices.filter(({ isolation }) => {
    return isolation === 'fabric' || isolation === 'rescue-boot'
  })
  const more = weak.map(({ id }) => `${id} cuts the power, although it proves less than that`)
  return [...assumptions(known, used, tokenMs, site.twoNode), ...more]
}

interface View {
  readonly isStory: boolean
  readonly all: boolean
  readonly file: string
}

function show(
  plant: Plant,
  rows: readonly Row[],
  advice: readonly Advice[],
  { isStory, all, file }: View,
  { out, paint }: Terminal,
): void {
  const page: Page = { paint, columns: Math.max(60, process.stdout.columns ?? COLUMNS) }
  const say = (lines: readonly string[]) => lines.forEach((line) => void out(line))
  const { cluster, nodes, resources } = plant.config
  const lives = rows.reduce((sum, { outcomes }) => sum + outcomes.length, 0)
  const counts = `${counted(nodes.length, 'node')}, ${counted(resources.length, 'service')}`
  const times = lives === 1 ? 'once' : `${lives} times`
  out(`${paint('strong', cluster)}: ${counts}; simulated ${times}\n`)
  const [worst] = [...rows].sort(
    (a, b) => verdicts.indexOf(a.verdict) - verdicts.indexOf(b.verdict),
  )
  if (isStory && worst !== undefined) {
    say(story(plant, worst, page))
    if (rows.length > 1) out('')
  }
  if (rows.length > 1) {
    say(tableLines(rows, all, page))
    out('')
    say(serviceLines(rows, page))
  }
  if (advice.length > 0) {
    out(`\n${paint('strong', 'What to change')}`)
    say(adviceLines(advice, page))
  }
  out('')
  say(
    wrapped(`Assumed: ${assumed(plant).join('; ')}.`, page.columns).map((one) => paint('dim', one)),
  )
  if (!isStory && worst !== undefined) {
    const { failure, victim } = worst
    const of = file === defaultConfigFile ? '' : ` --config ${file}`
    say(['Second by second:', `  picket simulate ${failure} --node ${victim.node}${of}`])
  }
}

/** One life of the row, its outcome, and what a person would do. */
function story(plant: Plant, row: Row, page: Page): readonly string[] {
  const outcome = row.outcomes.at(-1)
  if (outcome === undefined) return []
  const { victim, had, never } = outcome
  const { paint } = page
  const isScript = row.failure === 'script'
  const about = isScript ? '' : failures[row.failure as FailureName].about
  const where = victim.box === undefined ? victim.node : `${victim.node}, ${victim.box.name}`
  const what = victim.resource === undefined ? where : `${victim.resource} on ${victim.node}`
  const title = isScript ? 'A script' : `${paint('strong', row.failure)} of ${what}: ${about}`
  const ran = had.length === 0 ? 'Nothing runs there.' : `There run ${had.join(', ')}.`
  const nodes = plant.config.nodes.map(({ id }) => id)
  return [
    ...wrapped(title, page.columns),
    ...(isScript ? [] : wrapped(ran, page.columns)),
    ...never.map(({ resource, because }) => `${resource} runs nowhere before that: ${because}.`),
    '',
    ...storyLines(storyOf(outcome, nodes), page),
    '',
    ...wrapped(`${markOf(row, paint)} ${row.text}`, page.columns),
    ...brokenTexts(outcome).flatMap((text) => indented(text, page)),
    ...row.commands.map((command) => `  When you have seen it off: ${paint('strong', command)}`),
  ]
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function indented(text: string, { columns }: Page): readonly string[] {
  return wrapped(text, columns - 4).map((line) => `    ${line}`)
}
