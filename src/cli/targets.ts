/**
 * What the devices of one driver could switch, asked from here with the credentials of the
 * configuration (`picket drivers NAME --targets`): for whoever knows the login and not the number.
 */
import { type ConfiguredBox, readBoxes, type Use } from '../config/boxes.ts'
import { problemText } from '../config/problem.ts'
import { type Listed, openBox } from '../fence/box.ts'
import type { Driver, Target } from '../fence/driver.ts'
import { driverNames, loadDriver } from '../fence/drivers/index.ts'
import { sameIdentity } from '../fence/identity.ts'
import { type ExitCode, UsageError } from './command.ts'
import { mark, plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

interface TargetsOptions {
  readonly name: string
  readonly config: string
  readonly json: boolean
}

/** What was found at one address, with all logins that the configuration has for it. */
interface Found {
  readonly at: string
  readonly ok: boolean
  /** Why nothing, or not all, was found. */
  readonly problems: readonly string[]
  readonly targets: readonly (Target & { readonly nodes: readonly string[] })[]
  /** Steps that name no target, or none that is in the list, or several. */
  readonly unmatched: readonly Use[]
}

export async function listTargets(
  { name, config, json }: TargetsOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const driver = await loadDriver(name)
  if (driver.list === undefined) throw new UsageError(await cannot(driver))
  const read = await terminal.during(`reading ${config}`, readBoxes(config, driver))
  if (!read.ok) {
    for (const problem of read.problems) terminal.err(problemText(problem))
    terminal.err(`No device was asked: ${config} does not say how to reach one.`)
    return 2
  }
  const found = await terminal.during(`asking the devices of ${name}`, ask(driver, read.boxes))
  const ok = found.every((each) => each.ok)
  if (json) {
    const boxes = found.map((each) => ({ ...each, targets: each.targets.map(withoutAliases) }))
    terminal.out(JSON.stringify({ driver: name, plug: driver.plug, ok, boxes }))
  } else print(driver, found, terminal)
  return ok ? 0 : 1
}

async function cannot({ name }: Driver): Promise<string> {
  const all = await Promise.all(driverNames.map(loadDriver))
  const able = all.filter(({ list }) => list !== undefined).map((driver) => driver.name)
  const others = able.sort().join(', ')
  return `${name} cannot tell what there is to switch, it switches one thing; these can: ${others}.`
}

/** Asks every box at once; what has one address is told as one. */
async function ask(driver: Driver, boxes: readonly ConfiguredBox[]): Promise<readonly Found[]> {
  const asked = await Promise.all(
    boxes.map(async ({ options, timeoutMs, uses }) => {
      const box = openBox({ id: uses[0]?.node ?? 'fence', driver, options })
      return { at: box.endpoint, uses, listed: await box.list({ timeoutMs }) }
    }),
  )
  return [...Map.groupBy(asked, ({ at }) => at)].map(([at, same]) =>
    foundAt(
      at,
      same.map(({ listed }) => listed),
      same.flatMap(({ uses }) => uses),
    ),
  )
}

const inOrder = new Intl.Collator('en', { numeric: true })

function foundAt(at: string, lists: readonly Listed[], uses: readonly Use[]): Found {
  const byPlug = new Map(lists.flatMap(({ targets }) => targets).map((each) => [each.plug, each]))
  const targets = [...byPlug.values()].sort((a, b) => inOrder.compare(a.plug, b.plug))
  // Once for each step: in a long list every look at all names of all targets counts.
  const meant = new Map(
    uses.map((use) => {
      const [only, ...others] = calledBy(use, targets)
      return [use, others.length === 0 ? only : undefined]
    }),
  )
  return {
    at,
    ok: lists.every(({ ok }) => ok),
    problems: [...new Set(lists.flatMap(({ detail }) => detail ?? []))],
    targets: targets.map((target) => ({
      ...target,
      nodes: uses.filter((use) => meant.get(use) === target).map(({ node }) => node),
    })),
    unmatched: uses.filter((use) => meant.get(use) === undefined),
  }
}

/** More than one where a step names none, or what several bear. */
function calledBy({ plug }: Use, targets: readonly Target[]): readonly Target[] {
  if (plug === undefined) return targets
  const exact = targets.filter((target) => target.plug === plug)
  return exact.length > 0 ? exact : targets.filter((target) => isCalled(target, plug))
}

function isCalled({ aliases = [], identity }: Target, wanted: string): boolean {
  if (aliases.includes(wanted)) return true
  return identity !== undefined && sameIdentity(identity, wanted)
}

const withoutAliases = ({ aliases: _, ...rest }: Found['targets'][number]) => rest

function print(driver: Driver, found: readonly Found[], { out, err, paint }: Terminal): void {
  const option = driver.plug ?? 'plug'
  for (const { at, problems, targets, unmatched } of found) {
    out(paint('strong', `${driver.name} at ${plain(at)}`))
    for (const line of table(option, targets, (head) => paint('dim', head))) out(`  ${line}`)
    // Where nothing could be asked, nothing is known of what the steps name either.
    for (const use of targets.length === 0 ? [] : unmatched) {
      const text = `${plain(use.node)} ${unmatchedText(use, option, targets)}`
      out(`  ${mark('wait', text, paint)}`)
    }
    for (const problem of problems) err(plain(problem))
  }
  if (found.some(({ targets }) => targets.length > 0)) {
    out(
      paint('dim', 'What our user may not see is not in it; and a power told here proves nothing.'),
    )
  }
}

function unmatchedText(use: Use, option: string, targets: readonly Target[]): string {
  if (use.plug === undefined) return `names no ${option}`
  const several = calledBy(use, targets).length > 1
  const why = several ? 'which several of these are called' : 'which is none of these'
  return `names ${option} ${plain(use.plug)}, ${why}`
}

/** Columns that nothing stands in are left out. */
function table(
  option: string,
  targets: Found['targets'],
  dim: (text: string) => string,
): readonly string[] {
  if (targets.length === 0) return []
  const rows = targets.map(({ plug, name, power, identity = '', nodes }) =>
    [plug, name, power, identity, nodes.join(', ')].map(plain),
  )
  const all = [[option, 'name', 'power', 'identity', 'node'], ...rows]
  const columns = all[0]!.flatMap((_, at) => (rows.some((row) => row[at] !== '') ? [at] : []))
  const widths = columns.map((at) => Math.max(...all.map((row) => row[at]!.length)))
  const lines = all.map((row) =>
    columns
      .map((at, index) => row[at]!.padEnd(widths[index]!))
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line, at) => (at === 0 ? dim(line) : line))
}
