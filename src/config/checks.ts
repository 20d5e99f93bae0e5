/**
 * The `checks` section (H4): each entry checked by its own type, and the names by which resources
 * call them. A check of what runs that takes longer to fail than failures are remembered would
 * restart its resource in place for ever: that is refused.
 */
import type { CheckConfig } from '../core/model.ts'
import type { CheckType } from '../health/check.ts'
import { explain } from './explain.ts'
import type { Inputs } from './fence.ts'
import { misreadIn } from './misread.ts'
import { type Problem, shown } from './problem.ts'
import { type ConfigFile, checkKeys, type FileCheck } from './schema.ts'
import { keysAt } from './schema-keys.ts'
import { didYouMean } from './suggest.ts'
import { ms } from './timing.ts'
import type { Path, Source } from './yaml.ts'

/** One check with what its type needs to know. */
export interface Check {
  readonly id: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
  readonly config: CheckConfig
}

export async function readChecks({
  config,
  main: source,
  catalog,
}: Omit<Inputs, 'secrets'>): Promise<{
  readonly checks: readonly Check[]
  readonly problems: readonly Problem[]
}> {
  const problems: Problem[] = []
  const checks: Check[] = []
  for (const [index, entry] of config.checks.entries()) {
    const path = ['checks', index]
    const { id, type } = entry
    if (!catalog.checkTypeNames.includes(type)) {
      const known = catalog.checkTypeNames.join(', ')
      const hint = didYouMean(type, catalog.checkTypeNames)
      const message = `there is no check type ${shown(type)}; there are: ${known}.${hint}`
      problems.push({ ...source.placeOf([...path, 'type']), message })
      continue
    }
    const read = readOptions(entry, await catalog.loadCheckType(type), path, source)
    problems.push(...read.problems)
    checks.push({ id, type, options: read.options, config: coreCheck(entry) })
  }
  return { checks, problems: [...problems, ...namesIn(config, source), ...slow(config, source)] }
}

function coreCheck({ id, every_seconds, timeout_seconds, rise, fall }: FileCheck): CheckConfig {
  return { id, everyMs: ms(every_seconds), timeoutMs: ms(timeout_seconds), rise, fall }
}

/** The entry's own options, checked by the type's schema. */
function readOptions(entry: FileCheck, type: CheckType, path: Path, source: Source) {
  const known = Object.keys(type.options.shape)
  const options = Object.fromEntries(
    Object.entries(entry).filter(([key]) => !checkKeys.includes(key)),
  )
  const strange = Object.keys(options).filter((key) => !known.includes(key))
  if (strange.length > 0) {
    const all = [...known, ...checkKeys]
    const problems = strange.map((key): Problem => {
      const hint = didYouMean(key, all) || ` Known here: ${all.join(', ')}.`
      const message = `a check of type ${type.name} has no option ${key}.${hint}`
      return { ...source.placeOfKey([...path, key]), message }
    })
    return { options, problems }
  }
  const misread = Object.entries(options).flatMap(([key, value]) =>
    misreadIn(source, [...path, key], value, false),
  )
  const issues = type.options.safeParse(options).error?.issues ?? []
  const terms = { secret: false, keysAt: (at: Path) => keysAt(type.options, at) }
  const problems = issues.flatMap((issue) =>
    explain(issue, options, entry.id, terms).map(({ path: at, atKey, message }) => ({
      ...(atKey ? source.placeOfKey([...path, ...at]) : source.placeOf([...path, ...at])),
      message,
    })),
  )
  return { options, problems: [...misread, ...problems] }
}

const uses = ['health', 'only_where'] as const

/** Names of checks that are none. */
function namesIn({ checks, resources }: ConfigFile, source: Source): readonly Problem[] {
  const ids = checks.map(({ id }) => id)
  return resources.flatMap((entry, index) =>
    uses.flatMap((key) =>
      [entry[key]].flat().flatMap((name): readonly Problem[] => {
        if (ids.includes(name)) return []
        const there = ids.length === 0 ? ' There are none.' : ` There are: ${ids.join(', ')}.`
        const message = `there is no check ${shown(name)}.${didYouMean(name, ids) || there}`
        return [{ ...source.placeOf(['resources', index, key]), message }]
      }),
    ),
  )
}

/**
 * The failure that sends a resource away has to come while the ones before it are remembered, or it
 * never moves.
 */
function slow({ checks, resources, timing }: ConfigFile, source: Source): readonly Problem[] {
  return resources.flatMap((entry, index): readonly Problem[] => {
    const { id, on_fail, failures_max = 2, failure_timeout_seconds } = entry
    // What leaves its node at the first failure need not remember any.
    if (on_fail !== 'restart') return []
    const kept = failure_timeout_seconds ?? timing.cool_down_seconds
    const option =
      failure_timeout_seconds === undefined
        ? 'timing.cool_down_seconds'
        : 'its failure_timeout_seconds'
    return [entry.health].flat().flatMap((name): readonly Problem[] => {
      const check = checks.find((each) => each.id === name)
      if (check === undefined) return []
      const { fall, every_seconds, timeout_seconds } = check
      const tookSeconds = fall * Math.max(every_seconds, timeout_seconds)
      if (tookSeconds * (failures_max - 1) < kept) return []
      const message =
        `${name} takes ${tookSeconds} s to fail (fall × every_seconds), and a failure of ${id} ` +
        `is remembered for ${kept} s (${option}), so ${failures_max} of them never count ` +
        'together: it would be restarted in place for ever; make the first one smaller, or the ' +
        'other one larger'
      return [{ ...source.placeOf(['resources', index, 'health']), message }]
    })
  })
}

/** Checks that nobody asks. */
export function unusedChecks({ checks, resources }: ConfigFile): readonly string[] {
  const used = new Set(resources.flatMap((entry) => uses.flatMap((key) => [entry[key]].flat())))
  return checks
    .filter(({ id }) => !used.has(id))
    .map(({ id }) => `The check ${id} is asked by nobody: name it in health or only_where.`)
}
