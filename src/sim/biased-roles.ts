/** Swarms of clusters in which some nodes only vote and fence (H19). */
import type { NodeConfig } from '../core/model.ts'
import { hostsAmong } from '../core/roles.ts'
import type { Bias } from './biased.ts'
import type { Rng } from './rng.ts'
import type { Site } from './world.ts'

export const roleBiases: Readonly<Record<string, Bias>> = {
  witnesses: {
    about: 'some nodes only vote and fence, and things are started there by hand',
    site: withWitnesses,
    faults: (faults) => ({
      ...faults,
      splitPercent: 8,
      healPercent: 30,
      powerOnPercent: 40,
      foreignPercent: 4,
      powerLossPercent: 6,
      intentPercent: 8,
    }),
  },
}

/** Its last node is a witness, and of five perhaps two are. */
function withWitnesses(site: Site, lot: Rng): Site {
  const { nodes, resources } = site.config
  const count = nodes.length > 4 && lot.chance(50) ? 2 : 1
  const first = nodes.length - count
  const cast = nodes.map(
    (node, index): NodeConfig =>
      index < first ? node : { ...node, role: 'witness', priority: 0, capacity: {} },
  )
  const hosts = cast.slice(0, first).map(({ id }) => id)
  const placed = resources.map((each) => {
    const left = hostsAmong(cast, each.nodes)
    const prefers = Object.entries(each.prefers).filter(([id]) => hosts.includes(id))
    return {
      ...each,
      nodes: left.length > 0 ? left : hosts,
      prefers: Object.fromEntries(prefers),
    }
  })
  return { ...site, config: { ...site.config, nodes: cast, resources: placed } }
}
