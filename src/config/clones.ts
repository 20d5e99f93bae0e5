/**
 * Clones in the config (H2): which resources may be one, what others may want of them, and the
 * resource that each of its nodes gets of one (core/clones.ts).
 */
import { expandClones } from '../core/clones.ts'
import type { Problem } from './problem.ts'
import type { Resource, WrittenResource } from './resources.ts'
import type { ConfigFile, FileResource } from './schema.ts'
import type { Source } from './yaml.ts'

/** Every instance is planned like a resource, and is in the report of its node. */
const INSTANCES_MAX = 1_000

type FileClone = FileResource['clone']

/** How many instances there may be at once; 0: it is no clone. A group speaks for its members. */
export function instancesOf(config: ConfigFile, entry: FileResource, nodes: number): number {
  const own = entry.clone || groupOf(config, entry.id)?.clone || false
  if (own === true) return nodes
  return own === false ? 0 : Math.min(own, nodes)
}

/** The group that a resource is in. */
export function groupOf(
  { groups }: ConfigFile,
  id: string,
): ConfigFile['groups'][number] | undefined {
  return groups.find(({ members }) => members.includes(id))
}

/** The instances of a clone are resources like any other. */
export function withInstances(written: readonly WrittenResource[]): readonly Resource[] {
  const named = new Map(written.map((each) => [each.id, each]))
  return expandClones(written.map(({ config }) => config)).flatMap((config): Resource[] => {
    const base = named.get(config.clone?.id ?? config.id)
    if (base === undefined) return []
    const { whyNoClone: _, ...resource } = base
    return [{ ...resource, id: config.id, config }]
  })
}

/** What cannot be, or would not come to what was meant. */
export function cloneProblems(
  config: ConfigFile,
  written: readonly WrittenResource[],
  source: Source,
): readonly Problem[] {
  const problems: Problem[] = []
  const clones = new Set(written.filter((each) => each.config.instances > 0).map(({ id }) => id))
  let count = 0
  for (const { id, whyNoClone, config: own } of written) {
    if (!clones.has(id)) continue
    const index = config.resources.findIndex((entry) => entry.id === id)
    const group = groupOf(config, id)
    const place = source.placeOf(
      config.resources[index]?.clone ? ['resources', index, 'clone'] : ['resources', index],
    )
    count += own.nodes.length
    if (whyNoClone !== '') {
      const message = `${id} cannot be a clone: ${whyNoClone}; leave \`clone\` out`
      problems.push({ ...place, message })
    }
    const asked = config.resources[index]?.clone ?? false
    if (group !== undefined && disagree(asked, group.clone)) {
      const message = `${id} and its group ${group.id} say \`clone\`, and not the same; keep one`
      problems.push({ ...place, message })
    }
    for (const { to, strength } of own.beside) {
      if (strength !== 'must' || clones.has(to) || !written.some((each) => each.id === to)) continue
      problems.push({ ...place, message: besideOne(id, to, group) })
    }
  }
  if (count > INSTANCES_MAX) {
    const message = `the clones come to ${count} instances, at most ${INSTANCES_MAX} are planned`
    problems.push({
      ...source.placeOf(['resources']),
      message: `${message}; give them fewer nodes`,
    })
  }
  return problems
}

/** `clone` of a member beside a group that is none is fine: then it is a clone by itself. */
const disagree = (own: FileClone, group: FileClone): boolean =>
  own !== false && group !== false && own !== group

function besideOne(id: string, to: string, group: { readonly id: string } | undefined): string {
  const one = `${id} is a clone and would run on one node only, beside ${to}`
  if (group === undefined) return `${one}; write \`beside: ${id}\` at ${to} instead`
  return `${one}; put it before ${to} in the group ${group.id}, or make the group a clone`
}
