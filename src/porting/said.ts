/**
 * What of a CIB has no place in a config of Picket's, told once and with what Picket does instead.
 */
import type { Cib, CibLocation } from './cib.ts'
import type { Remark } from './draft.ts'
import { hostsOf } from './hosts.ts'

/** Cluster options about fencing, and what Picket does where they say something else. */
const options: Readonly<Record<string, { lost: (value: string) => boolean; text: string }>> = {
  'stonith-enabled': {
    lost: isOff,
    text: 'Picket fences; to switch that off, write fence.enabled: false',
  },
  'fencing-enabled': {
    lost: isOff,
    text: 'Picket fences; to switch that off, write fence.enabled: false',
  },
  'stonith-action': { lost: () => false, text: 'Picket switches off, proves it, then on again' },
  'fencing-action': { lost: () => false, text: 'Picket switches off, proves it, then on again' },
  'stonith-timeout': { lost: () => false, text: 'each step has a bound (timeout_seconds)' },
  'fencing-timeout': { lost: () => false, text: 'each step has a bound (timeout_seconds)' },
  'stonith-max-attempts': {
    lost: () => false,
    text: 'Picket tries until it is proven, with growing gaps (timing.retry_max_seconds)',
  },
  'concurrent-fencing': {
    lost: () => false,
    text: 'nodes are fenced at once, under fence.storm_limit',
  },
  'startup-fencing': {
    lost: isOff,
    text: 'nodes that never show up are fenced after timing.start_grace_seconds',
  },
  'stonith-watchdog-timeout': {
    lost: (value) => value !== '0' && value !== '0s',
    text: 'a watchdog is a net here and no proof: see the section watchdog',
  },
  'priority-fencing-delay': {
    lost: (value) => value !== '0' && value !== '0s',
    text: 'give nodes a priority, and set fence.priority_delay_seconds',
  },
  'no-quorum-policy': {
    lost: (value) => value !== 'stop' && value !== 'suicide',
    text: 'without quorum Picket fences nobody; resources may be left running: no_quorum: freeze',
  },
}

function isOff(value: string): boolean {
  return /^(0|no|off|false)$/i.test(value)
}

export function sayOfCluster({ properties, others, devices }: Cib): readonly Remark[] {
  const told = Object.entries(options).flatMap(([name, { lost, text }]): readonly Remark[] => {
    const value = properties.get(name)
    if (value === undefined) return []
    return [{ lost: lost(value), line: 0, text: `${name} is not carried over: ${text}` }]
  })
  const more: Remark[] = []
  if (devices.some(({ monitored }) => monitored)) {
    const text =
      'the monitor operations of the devices are not carried over: Picket checks each of them ' +
      'every timing.check_every_seconds'
    more.push({ lost: false, line: 0, text })
  }
  if (others.length > 0) {
    const shown = others.slice(0, 10).join(', ')
    const rest = others.length > 10 ? ` and ${others.length - 10} more` : ''
    const text = `only fencing is carried over, and no resource: ${shown}${rest}`
    more.push({ lost: false, line: 0, text })
  }
  return [...told, ...more]
}

/** Picket lets any member press any device; one that cannot reach it is found by its checks. */
export function sayOfLocations(cib: Cib): readonly Remark[] {
  const nodes = cib.nodes.map(({ name }) => name)
  const ids = cib.devices.map(({ id }) => id)
  const own = cib.locations.flatMap((location) => {
    const id = location.resources.find((each) => ids.includes(each))
    return id === undefined ? [] : [{ location, id }]
  })
  const isNeedless = (id: string, { node, score, ruled }: CibLocation): boolean => {
    const device = cib.devices.find((each) => each.id === id)
    if (device === undefined || ruled || score !== '-INFINITY') return false
    const { named, strangers } = hostsOf(device, nodes)
    return [...(named ?? []), ...strangers].includes(node)
  }
  const needless = own.filter(({ location, id }) => isNeedless(id, location))
  const others = own.filter(({ location, id }) => !isNeedless(id, location))
  const text = (locations: readonly { location: CibLocation }[]) =>
    locations.map(({ location }) => location.id).join(', ')
  const remarks: Remark[] = []
  if (needless.length > 0) {
    remarks.push({
      ...{ lost: false, line: needless[0]?.location.line ?? 0 },
      text:
        `location constraints that keep a device off its own target are not needed: a node never ` +
        `presses its own (${text(needless)})`,
    })
  }
  if (others.length > 0) {
    remarks.push({
      ...{ lost: false, line: others[0]?.location.line ?? 0 },
      text:
        `location constraints of devices are not carried over: any member may press, and one ` +
        `whose checks fail is passed over (${text(others)})`,
    })
  }
  return remarks
}
