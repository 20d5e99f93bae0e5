/**
 * The longest stop chain: how long it may take until everything on a node has stopped, when every
 * stop takes all the time and all the attempts that it is given (H25).
 *
 * What starts after another resource stops before it; whose first stop has failed is not waited
 * for, and goes on beside those that follow (H3).
 */
import type { NodeId, ResourceConfig, ResourceId, Timing } from './model.ts'
import { STOP_RETRY_MS } from './outcomes.ts'

/** One resource in the chain, the first to stop first. */
export interface Link {
  readonly id: ResourceId
  /** One stop and the probe that believes it. */
  readonly onceMs: number
}

export interface Chain {
  readonly links: readonly Link[]
  /** How often the last of them is tried, with so much between the attempts. */
  readonly attempts: number
  readonly pausesMs: number
  readonly totalMs: number
}

/** The chain that takes longest among the resources that this node may run. */
export function longestChain(
  all: readonly ResourceConfig[],
  node: NodeId,
  { stopAttemptsMax }: Pick<Timing, 'stopAttemptsMax'>,
): Chain {
  const own = all.filter(({ nodes }) => nodes.includes(node))
  const attempts = stopAttemptsMax
  const pausesMs = STOP_RETRY_MS * (2 ** (attempts - 1) - 1)
  const before = new Map<ResourceId, readonly Link[]>()
  /** What has to be over before this one stops; a ring of `after` is refused by the config. */
  const ahead = (resource: ResourceConfig, path: readonly ResourceId[]): readonly Link[] => {
    const known = before.get(resource.id)
    if (known !== undefined) return known
    let longest: readonly Link[] = []
    for (const each of own) {
      if (!each.after.includes(resource.id) || path.includes(each.id)) continue
      const links = [...ahead(each, [...path, resource.id]), linkOf(each)]
      if (sumMs(links) > sumMs(longest)) longest = links
    }
    before.set(resource.id, longest)
    return longest
  }
  const chains = own.map((resource): Chain => {
    const links = [...ahead(resource, []), linkOf(resource)]
    const lastMs = attempts * linkOf(resource).onceMs + pausesMs
    const totalMs = sumMs(links.slice(0, -1)) + lastMs
    return { links, attempts, pausesMs, totalMs }
  })
  const none: Chain = { links: [], attempts, pausesMs, totalMs: 0 }
  return chains.reduce((one, other) => (other.totalMs > one.totalMs ? other : one), none)
}

function linkOf({ id, stopMs, probeMs }: ResourceConfig): Link {
  return { id, onceMs: stopMs + probeMs }
}

function sumMs(links: readonly Link[]): number {
  return links.reduce((sum, { onceMs }) => sum + onceMs, 0)
}
