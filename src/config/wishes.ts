/**
 * What resources want of each other and of their nodes (H3): beside whom, apart from whom, after
 * whom, where rather than elsewhere. A group is short for "beside and after the one before". What
 * can never come true is an error that names everybody in it.
 */
import type { NodeId, Pull, ResourceId, Wishes } from '../core/model.ts'
import { type Problem, shown } from './problem.ts'
import { hostsOf } from './roles.ts'
import type { ConfigFile, FileResource } from './schema.ts'
import { didYouMean } from './suggest.ts'
import type { Path, Source } from './yaml.ts'

export interface ReadWishes {
  /** Of the resource at this place in the file. */
  of(index: number): Wishes
  readonly problems: readonly Problem[]
}

type Kind = 'beside' | 'apart_from' | 'after'

interface Named {
  readonly id: ResourceId
  readonly wishes: Wishes
  readonly path: Path
}

export function readWishes(config: ConfigFile, source: Source): ReadWishes {
  const problems: Problem[] = []
  const inGroups = groupWishes(config, source, problems)
  const named = config.resources.map((entry, index): Named => {
    const own = wishesOf(entry)
    const group = inGroups.get(entry.id) ?? { beside: [], after: [] }
    const wishes = {
      ...own,
      beside: [...own.beside, ...group.beside],
      after: [...new Set([...own.after, ...group.after])],
    }
    return { id: entry.id, wishes, path: ['resources', index] }
  })
  const all = new Map(named.map((each) => [each.id, each]))
  for (const [index, entry] of config.resources.entries()) {
    problems.push(...strangers(entry, index, config, source))
    problems.push(...nodeFaults(entry, index, config, source))
  }
  if (problems.length === 0) problems.push(...impossible(config, all, source))
  return { of: (index) => named[index]!.wishes, problems }
}

function wishesOf(entry: FileResource): Wishes {
  const { prefers, stickiness, priority, needs } = entry
  return {
    beside: pullsOf(entry.beside),
    apart: pullsOf(entry.apart_from),
    after: [entry.after].flat(),
    prefers,
    stays: stickiness ?? 'must',
    priority,
    needs,
    health: [...new Set([entry.health].flat())],
    onlyWhere: [...new Set([entry.only_where].flat())],
  }
}

type FilePull = FileResource['beside']

function pullsOf(written: FilePull): readonly Pull[] {
  return [written].flat().map((each): Pull => {
    if (typeof each === 'string') return { to: each, strength: 'must' }
    return { to: each.resource, strength: each.strength ?? 'must' }
  })
}

/** Each member goes with the one before it. */
function groupWishes(
  { groups, resources }: ConfigFile,
  source: Source,
  problems: Problem[],
): ReadonlyMap<ResourceId, Pick<Wishes, 'beside' | 'after'>> {
  const found = new Map<ResourceId, Pick<Wishes, 'beside' | 'after'>>()
  const grouped = new Map<ResourceId, string>()
  const ids = resources.map(({ id }) => id)
  for (const [index, { id: group, members }] of groups.entries()) {
    const named = groups.findIndex((each) => each.id === group)
    const taken = ids.includes(group) ? 'a resource' : named < index ? 'another group' : ''
    if (taken !== '') {
      const place = source.placeOf(['groups', index, 'id'])
      problems.push({ ...place, message: `${group} is ${taken}, too; give the group its own name` })
    }
    for (const [at, id] of members.entries()) {
      const place = source.placeOf(['groups', index, 'members', at])
      const before = grouped.get(id)
      grouped.set(id, group)
      if (!ids.includes(id)) {
        problems.push({ ...place, message: `there is no resource ${shown(id)}.${hint(id, ids)}` })
      } else if (before !== undefined) {
        const message = `${id} is in the group ${before} already, and may be in one alone`
        problems.push({ ...place, message })
      }
      const leader = members[at - 1]
      if (leader === undefined || before !== undefined) continue
      found.set(id, { beside: [{ to: leader, strength: 'must' }], after: [leader] })
    }
  }
  return found
}

/** Names of resources that are none, or the own one. */
function strangers(
  entry: FileResource,
  index: number,
  { resources, groups }: ConfigFile,
  source: Source,
): readonly Problem[] {
  const ids = resources.map(({ id }) => id)
  const names: readonly (readonly [Kind, readonly ResourceId[]])[] = [
    ['beside', pullsOf(entry.beside).map(({ to }) => to)],
    ['apart_from', pullsOf(entry.apart_from).map(({ to }) => to)],
    ['after', [entry.after].flat()],
  ]
  return names.flatMap(([kind, wanted]) =>
    wanted.flatMap((id): Problem[] => {
      const place = source.placeOf(['resources', index, kind])
      if (id === entry.id) return [{ ...place, message: `${kind} names ${id} itself` }]
      if (ids.includes(id)) return []
      const group = groups.find((each) => each.id === id)
      if (group !== undefined) {
        const members = group.members.join(', ')
        return [{ ...place, message: `${id} is a group; name one of its members: ${members}` }]
      }
      return [{ ...place, message: `there is no resource ${shown(id)}.${hint(id, ids)}` }]
    }),
  )
}

const hint = (id: string, ids: readonly string[]): string =>
  didYouMean(id, ids) || ` There are: ${ids.join(', ')}.`

function nodeFaults(
  entry: FileResource,
  index: number,
  config: ConfigFile,
  source: Source,
): readonly Problem[] {
  const { id, prefers, needs } = entry
  const own = hostsOf(config, entry)
  const problems: Problem[] = Object.keys(prefers)
    .filter((node) => !own.includes(node))
    .map((node) => {
      const message = `${shown(node)} is not among the nodes of ${id}.${hint(node, own)}`
      return { ...source.placeOfKey(['resources', index, 'prefers', node]), message }
    })
  for (const [kind, amount] of Object.entries(needs)) {
    const able = config.cluster.nodes.filter(({ name, capacity }) => {
      return own.includes(name) && amount <= (capacity[kind] ?? Infinity)
    })
    if (able.length > 0) continue
    const message = `${id} needs ${amount} of ${kind}, which none of its nodes has`
    problems.push({ ...source.placeOfKey(['resources', index, 'needs', kind]), message })
  }
  return problems
}

// ---- what can never come true ----

function impossible(
  config: ConfigFile,
  all: ReadonlyMap<ResourceId, Named>,
  source: Source,
): readonly Problem[] {
  const problems: Problem[] = []
  const tell = (path: Path, message: string) => problems.push({ ...source.placeOf(path), message })
  const circles = new Set<string>()
  for (const { id, path } of all.values()) {
    const circle = circleFrom(id, (each) => leadersOf(all.get(each)))
    if (circle === undefined || circles.has(canonical(circle))) continue
    circles.add(canonical(circle))
    tell(path, `these wait for each other: ${[...circle, circle[0]].join(' -> ')}; cut the circle`)
  }
  if (problems.length > 0) return problems
  const nodesOf = new Map(config.resources.map((each) => [each.id, listOf(config, each)]))
  for (const { id, path } of all.values()) {
    const company = companyOf(id, all)
    const enemies = [...company].flatMap((each) => enemiesOf(each, all).map((to) => [each, to]))
    const [one, other] = enemies.find(([, to]) => company.has(to!)) ?? []
    if (one !== undefined) {
      tell(path, `${one} and ${other} must be apart, and ${id} must run beside both`)
      continue
    }
    const lists = [...company].map((each) => nodesOf.get(each)).filter((list) => list !== undefined)
    const common = lists.reduce(
      (left, list) => left.filter((node) => list.includes(node)),
      [...(lists[0] ?? [])],
    )
    if (lists.length > 0 && common.length === 0) {
      tell(path, `${[...company].join(', ')} must run on one node, and none is in all their lists`)
    }
  }
  return problems
}

/** A list without a host in it is told of elsewhere (roles.ts). */
function listOf(config: ConfigFile, entry: FileResource): readonly NodeId[] | undefined {
  const hosts = hostsOf(config, entry)
  return entry.nodes === undefined || hosts.length === 0 ? undefined : hosts
}

function leadersOf(named: Named | undefined): readonly ResourceId[] {
  if (named === undefined) return []
  const { beside, after } = named.wishes
  const whom = beside.filter(({ strength }) => strength === 'must').map(({ to }) => to)
  return [...whom, ...after]
}

/** A way from a resource back to itself; `undefined` where there is none. */
function circleFrom(
  start: ResourceId,
  next: (id: ResourceId) => readonly ResourceId[],
): readonly ResourceId[] | undefined {
  const seen = new Set<ResourceId>()
  const walk = (id: ResourceId, way: readonly ResourceId[]): readonly ResourceId[] | undefined => {
    for (const to of next(id)) {
      if (to === start) return [...way, id]
      if (seen.has(to)) continue
      seen.add(to)
      const found = walk(to, [...way, id])
      if (found !== undefined) return found
    }
    return undefined
  }
  return walk(start, [])
}

const canonical = (circle: readonly string[]): string => circle.toSorted().join(' ')

/** It, and all that it must run beside. */
function companyOf(id: ResourceId, all: ReadonlyMap<ResourceId, Named>): ReadonlySet<ResourceId> {
  const company = new Set<ResourceId>()
  const visit = (each: ResourceId): void => {
    if (company.has(each)) return
    company.add(each)
    for (const { to, strength } of all.get(each)?.wishes.beside ?? []) {
      if (strength === 'must') visit(to)
    }
  }
  visit(id)
  return company
}

function enemiesOf(id: ResourceId, all: ReadonlyMap<ResourceId, Named>): readonly ResourceId[] {
  return (all.get(id)?.wishes.apart ?? [])
    .filter(({ strength }) => strength === 'must')
    .map(({ to }) => to)
}
