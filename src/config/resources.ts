/** The `resources` section: each entry checked by its own type, no thing managed twice (S16). */
import type { Written } from '../core/clones.ts'
import type { NodeId, ResourceConfig, Wishes } from '../core/model.ts'
import { secretsOf } from '../foreign/mask.ts'
import { canonicalAddress } from '../resources/address.ts'
import type { ResourceType } from '../resources/resource.ts'
import { cloneProblems, groupOf, instancesOf, withInstances } from './clones.ts'
import { explain } from './explain.ts'
import { failingIn } from './failing.ts'
import { addressesOf, type Inputs } from './fence.ts'
import { misreadIn } from './misread.ts'
import { type Problem, shown } from './problem.ts'
import { readResourceSecrets, secretKeys } from './resource-secrets.ts'
import { hostsOf, roleProblems } from './roles.ts'
import { type ConfigFile, type FileResource, resourceKeys } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { ms } from './timing.ts'
import { readWishes } from './wishes.ts'
import type { Path, Source } from './yaml.ts'

/** One resource with what its type needs to know. */
export interface Resource {
  readonly id: string
  readonly type: string
  /** As they stand in the files, secrets included. */
  readonly options: Readonly<Record<string, unknown>>
  readonly secretKeys: readonly string[]
  /** The secret values alone. */
  readonly secrets: readonly string[]
  readonly config: ResourceConfig
}

/** A resource as it is written, before a clone becomes its instances. */
export interface WrittenResource extends Resource {
  readonly config: Written
  readonly whyNoClone: string
}

export async function readResources(
  inputs: Inputs,
): Promise<{ readonly resources: readonly Resource[]; readonly problems: readonly Problem[] }> {
  const { config, main: source, catalog } = inputs
  const problems: Problem[] = []
  const resources: WrittenResource[] = []
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
    const loaded = await catalog.loadResourceType(type)
    const opened = readOptions(entry, loaded, path, inputs)
    problems.push(...opened.problems)
    if (opened.thing === undefined) continue
    const { options, thing, whyNoClone, liveMs } = opened
    const secrets = { secretKeys: secretKeys(loaded), secrets: secretsOf(loaded.options, options) }
    const failing = failingIn(entry, config.timing)
    const live = liveMs !== undefined && { live: { boundMs: liveMs } }
    const hosts = hostsOf(config, entry)
    const group = groupOf(config, entry.id)
    const more = { ...failing, ...live, ...(group && { group: group.id }) }
    const common = { ...commonConfig(entry, thing, hosts, wishes.of(index)), ...more }
    const instances = instancesOf(config, entry, common.nodes.length)
    const written = { ...common, instances }
    resources.push({ id: entry.id, type, options, ...secrets, config: written, whyNoClone })
  }
  problems.push(
    ...wishes.problems,
    ...twice(config, resources, source),
    ...ofNodes(config, resources, source),
  )
  problems.push(...cloneProblems(config, resources, source), ...roleProblems(config, source))
  return { resources: withInstances(resources), problems }
}

/** The entry's own options, checked by the type's schema. */
function readOptions(
  entry: FileResource,
  type: ResourceType,
  path: Path,
  { main: source, secrets, origins }: Inputs,
) {
  const known = Object.keys(type.options.shape)
  const hidden = secretKeys(type)
  const own = Object.fromEntries(
    Object.entries(entry).filter(([key]) => !resourceKeys.includes(key)),
  )
  const found = readResourceSecrets({
    ...{ type, entry, path, main: source, origins },
    secrets: secrets.resources.get(entry.id),
  })
  const open = Object.entries(own).filter(([key]) => !hidden.includes(key))
  const options = { ...Object.fromEntries(open), ...found.options }
  const problems: Problem[] = []
  for (const key of Object.keys(own)) {
    if (known.includes(key)) continue
    const all = [...known, ...resourceKeys]
    const hint = didYouMean(key, all) || ` Known here: ${all.join(', ')}.`
    const message = `a resource of type ${type.name} has no option ${key}.${hint}`
    problems.push({ ...source.placeOfKey([...path, key]), message })
  }
  if (problems.length > 0) {
    const none = { thing: undefined, whyNoClone: '', liveMs: undefined }
    return { options, ...none, problems: [...problems, ...found.problems] }
  }
  problems.push(...found.problems)
  const misread = open.flatMap(([key, value]) => misreadIn(source, [...path, key], value, false))
  problems.push(...misread)
  const parsed = type.options.safeParse(options)
  for (const issue of parsed.error?.issues ?? []) {
    const [option, name] = issue.path.map(String)
    const secret = hidden.includes(option ?? '')
    const terms = { secret, keysAt: () => known }
    for (const { path: at, atKey, message } of explain(issue, options, entry.id, terms)) {
      const place = atKey ? source.placeOfKey([...path, ...at]) : source.placeOf([...path, ...at])
      const own = secret ? found.placeOf(option ?? '', name ?? '') : undefined
      problems.push({ ...(own ?? place), message })
    }
  }
  if (!parsed.success || problems.length > 0) {
    return { options, thing: undefined, whyNoClone: '', liveMs: undefined, problems }
  }
  const { thing, whyNoClone, liveMs } = type.open(options)
  return { options, thing, whyNoClone, liveMs, problems }
}

function commonConfig(
  { id, timeouts, monitor_every_seconds }: FileResource,
  thing: string,
  nodes: readonly NodeId[],
  wishes: Wishes,
): ResourceConfig {
  return {
    ...wishes,
    id,
    thing,
    nodes,
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

/** What answers for a node must not move: a lost node would answer on, and never be proven off. */
function ofNodes(
  { cluster, resources: entries }: ConfigFile,
  resources: readonly Resource[],
  source: Source,
): readonly Problem[] {
  const owners = new Map<string, string>(
    cluster.nodes.flatMap((node) =>
      addressesOf(node).map((address) => [`address ${unscoped(address)}`, node.name] as const),
    ),
  )
  return resources.flatMap(({ id, config: { thing } }): readonly Problem[] => {
    const owner = owners.get(thing)
    if (owner === undefined) return []
    const index = entries.findIndex((entry) => entry.id === id)
    const message = `${id} is an address of ${owner} itself (${thing}); give it one of its own`
    return [{ ...source.placeOf(['resources', index]), message }]
  })
}

/** As a `vip` would call it, which has no scope. */
function unscoped(address: string): string {
  return canonicalAddress(address.replace(/%.*/, ''))
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
