/** The sites of the biased swarms: what about a cluster is another than in the common mix. */
import type { Rng } from './rng.ts'
import type { Site } from './world.ts'

/** A site with little room for fencings. */
export function tight(
  site: Site,
  minIntervalMs: number,
  stormMax: number,
  stormWindowMs: number,
): Site {
  const rules = { ...site.config.rules, minIntervalMs, stormMax, stormWindowMs }
  return { ...site, config: { ...site.config, rules } }
}

/** Two nodes, of which either may go on without the other. */
export function twoNodes(site: Site, lot: Rng): Site {
  const small = fewerNodes(site, 2)
  const twoNode = lot.chance(60)
  return { ...small, config: { ...small.config, halves: true }, twoNode, qdevice: !twoNode }
}

/** Four nodes with a quorum device, if the site has as many. */
export function twoHalves(site: Site): Site {
  if (site.config.nodes.length < 4) return site
  const small = fewerNodes(site, 4)
  return { ...small, config: { ...small.config, halves: true }, qdevice: true }
}

/** The first nodes of a site. */
export function fewerNodes(site: Site, count: number): Site {
  const nodes = site.config.nodes.slice(0, count)
  const ids = nodes.map(({ id }) => id)
  const resources = site.config.resources.map((resource) => {
    const left = resource.nodes.filter((id) => ids.includes(id))
    return { ...resource, nodes: left.length > 0 ? left : ids }
  })
  const devices = site.config.devices.filter(({ id }) => ids.includes(id.split('/')[0]!))
  const config = { ...site.config, halves: false, nodes, resources, devices }
  return { ...site, qdevice: false, config }
}

export function withDevices<D>(change: (device: Site['config']['devices'][number]) => D) {
  return (site: Site): Site => ({
    ...site,
    config: {
      ...site.config,
      devices: site.config.devices.map(change) as Site['config']['devices'],
    },
  })
}
