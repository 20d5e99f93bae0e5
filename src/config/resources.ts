/** The `resources` section: each entry checked by its own type, no thing managed twice (S16). */
import type { NodeId, ResourceConfig, Wishes } from '../core/model.ts'
import type { Catalog } from './catalog.ts'
import { explain } from './explain.ts'
import { type Problem, shown } from './problem.ts'
import { type ConfigFile, type FileResource, resourceKeys } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { ms } from './timing.ts'
import { readWishes } from './wishes.ts'
import type { Path, Source } from './yaml.ts'

/** One resource with what its type needs to know. */
export interface Resource {
  readonly id: string
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
  readonly config: ResourceConfig
}

export async function readResources(
  config: ConfigFile,
  source: Source,
  catalog: Catalog,
): Promise<{ readonly resources: readonly Resource[]; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = []
  const resources: Resource[] = []
  const nodes = config.cluster.nodes.map(({ name }) => name)
  const wishes = readWishes(config, source)
  for (const [index, entry] of config.resources.entries()) {
    const path = ['resources', index]
    problems.push(...nodeProblems(entry, nodes, source, path))
    const { type } = entry
    if (!catalog.resourceTypeNames.includes(type)) {
      const known = catalog.resourceTypeNames.join(', ')
      const hint = didYouMean(type, catalog.resourceTypeNames)
      const message = `there is no resource type ${shown(type)}; there are: ${known}.${hint}`
      problems.push({ ...source.placeOf([...path, 'type']), message })
      continue
    }
    const opened = await readOptions(entry, source, path, catalog)
    problems.push(...opened.problems)
    if (opened.thing === undefined) continue
    const common = commonConfig(entry, opened.thing, nodes, wishes.of(index))
    resources.push({ id: entry.id, type, options: opened.options, config: common })
  }
  problems.push(...wishes.problems, ...twice(config, resources, source))
  return { resources, problems }
}

/** The entry's own options, checked by the type's schema. */
async function readOptions(entry: FileResource, source: Source, path: Path, catalog: Catalog) {
  const type = await catalog.loadResourceType(entry.type)
  const known = Object.keys(type.options.shape)
  const options = Object.fromEntries(
    Object.entries(entry).filter(([key]) => !resourceKeys.includes(key)),
  )
  const problems: Problem[] = []
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const all = [...known, ...resourceKeys]
    const hint = didYouMean(key, all) || ` Known here: ${all.join(', ')}.`
    const message = `a resource of type ${type.name} has no option ${key}.${hint}`
    problems.push({ ...source.placeOfKey([...path, key]), message })
  }
  if (problems.length > 0) return { options, thing: undefined, problems }
  const parsed = type.options.safeParse(options)
  for (const issue of parsed.error?.issues ?? []) {
    const terms = { secret: false, keysAt: () => known }
    for (const { path: at, atKey, message } of explain(issue, options, entry.id, terms)) {
      const place = atKey ? source.placeOfKey([...path, ...at]) : source.placeOf([...path, ...at])
      problems.push({ ...place, message })
    }
  }
  if (!parsed.success) return { options, thing: undefined, problems }
  return { options, thing: type.open(options).thing, problems }
}

function commonConfig(
  { id, nodes, timeouts, monitor_every_seconds }: FileResource,
  thing: string,
  all: readonly NodeId[],
  wishes: Wishes,
): ResourceConfig {
  return {
    ...wishes,
    id,
    thing,
    nodes: nodes ?? all,
    startMs: ms(timeouts.start_seconds),
    stopMs: ms(timeouts.stop_seconds),
    probeMs: ms(timeouts.monitor_seconds),
    monitorEveryMs: ms(monitor_every_seconds),
  }
}

function nodeProblems(
  { id, nodes = [] }: FileResource,
  known: readonly NodeId[],
  source: Source,
  path: Path,
): readonly Problem[] {
  return nodes.flatMap((node, index): Problem[] => {
    const at = source.placeOf([...path, 'nodes', index])
    if (!known.includes(node)) {
      const hint = didYouMean(node, known)
      const all = known.join(', ')
      const message = `there is no node ${shown(node)} in this cluster; there are: ${all}.${hint}`
      return [{ ...at, message }]
    }
    if (nodes.indexOf(node) === index) return []
    return [{ ...at, message: `${node} stands twice among the nodes of ${id}; take one out` }]
  })
}

/** Two ids for one thing would be started beside each other without anybody noticing (S16). */
function twice(
  config: ConfigFile,
  resources: readonly Resource[],
  source: Source,
): readonly Problem[] {
  const holders = new Map<string, string>()
  return resources.flatMap(({ id, config: { thing } }): Problem[] => {
    const before = holders.get(thing)
    holders.set(thing, before ?? id)
    if (before === undefined || before === id) return []
    const index = config.resources.findIndex((entry) => entry.id === id)
    const message = `${id} is the same thing as ${before} (${thing}); keep one of them`
    return [{ ...source.placeOf(['resources', index]), message }]
  })
}
