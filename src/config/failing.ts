/**
 * What the failures of a resource come to, and what becomes of it without quorum: `on_fail`,
 * `failures_max`, `failure_timeout_seconds`, `no_quorum` (H3, H20). What could not be carried out,
 * or not safely, is refused.
 */
import type { DeviceConfig, Level, NodeId, ResourceConfig } from '../core/model.ts'
import type { Topology } from './fence.ts'
import type { Problem } from './problem.ts'
import { hostsOf } from './roles.ts'
import type { ConfigFile, FileResource, FileTiming } from './schema.ts'
import { ms } from './timing.ts'
import type { Source } from './yaml.ts'

/** For the core. */
export function failingIn(
  { on_fail, failures_max, failure_timeout_seconds, no_quorum }: FileResource,
  { cool_down_seconds }: FileTiming,
): Pick<ResourceConfig, 'failing' | 'noQuorum'> {
  const mends = on_fail === 'restart'
  return {
    failing: {
      action: on_fail,
      monitorsMax: mends ? (failures_max ?? 2) : 1,
      // What did not come up is tried elsewhere first, unless somebody wants it otherwise.
      startsMax: mends ? (failures_max ?? 1) : 1,
      timeoutMs: ms(failure_timeout_seconds ?? cool_down_seconds),
    },
    noQuorum: no_quorum,
  }
}

/** What of it cannot be. */
export function failingProblems(
  config: ConfigFile,
  topology: Topology,
  resources: readonly Pick<ResourceConfig, 'id' | 'after'>[],
  source: Source,
): readonly Problem[] {
  return config.resources.flatMap((entry, index): readonly Problem[] => {
    const { id, on_fail, failures_max, no_quorum } = entry
    const problems: Problem[] = []
    const tell = (key: string, message: string) =>
      problems.push({ ...source.placeOf(['resources', index, key]), message })
    if (failures_max !== undefined && on_fail !== 'restart') {
      const what = `on_fail of ${id} is ${on_fail}, which its first failure brings about`
      tell('failures_max', `${what}; take failures_max out, or write on_fail: restart`)
    }
    if (on_fail === 'fence') {
      const [node] = nodesOf(entry, config).filter((each) => levelsOf(topology, each).length === 0)
      if (node !== undefined)
        tell('on_fail', `on_fail of ${id} is fence, ${unfenced(config, node)}`)
    }
    if (no_quorum === 'freeze') {
      const why = whyNotFrozen(entry, config, topology) ?? whyStopped(id, config, resources)
      if (why !== undefined) tell('no_quorum', `no_quorum of ${id} is freeze, ${why}`)
    }
    return problems
  })
}

const nodesOf = (entry: FileResource, config: ConfigFile): readonly NodeId[] =>
  hostsOf(config, entry)

const levelsOf = ({ levels }: Topology, node: NodeId): readonly Level[] => levels.get(node) ?? []

function unfenced({ fence }: ConfigFile, node: NodeId): string {
  if (!fence.enabled) return 'and fence.enabled is false: nothing is fenced at all'
  return `and ${node} has no fence level; give it one, or leave it out of nodes`
}

/**
 * A node that is cut off runs it on. So nothing but a power that was read back as off may be taken
 * for the end of it there: not in any level, because any of them may be the one that is proven.
 */
function whyNotFrozen(
  entry: FileResource,
  config: ConfigFile,
  topology: Topology,
): string | undefined {
  for (const node of nodesOf(entry, config)) {
    const levels = levelsOf(topology, node)
    if (levels.length === 0) return unfenced(config, node)
    for (const [index, { devices }] of levels.entries()) {
      const used = topology.devices.map((each) => each.config).filter(isIn(devices))
      // What is wrong with a device itself is told elsewhere.
      if (used.length < devices.length) continue
      if (used.some(({ isolation }) => isolation === 'power' || isolation === 'cooperative'))
        continue
      const names = used.map((each) => `${each.id} (${each.driver})`).join(', ')
      const level = `level ${index + 1} of ${node}: ${names}`
      return `and no step cuts the power in ${level}. A node that is cut off runs it on: only a \
confirmed power off makes a start elsewhere safe; add a step that cuts it, or take that level out`
    }
  }
  return undefined
}

const isIn =
  (devices: readonly string[]) =>
  ({ id }: DeviceConfig): boolean =>
    devices.includes(id)

/** Whoever starts after another one stops before it, also without quorum. */
function whyStopped(
  id: string,
  config: ConfigFile,
  resources: readonly Pick<ResourceConfig, 'id' | 'after'>[],
): string | undefined {
  const { after = [] } = resources.find((each) => each.id === id) ?? {}
  const stops = (leader: string) =>
    config.resources.some((each) => each.id === leader && each.no_quorum === 'stop')
  const leader = after.find(stops)
  if (leader === undefined) return undefined
  return `and ${leader}, after which it starts, stops without quorum, and ${id} before it; write \
no_quorum: freeze for ${leader} too`
}
