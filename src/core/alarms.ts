/**
 * What stands in every status until somebody mends it (H18): nodes that may run something and that
 * no device can prove off, as their config accepts, and nodes of which no device has ever worked
 * from here. No start waits for either: what starts is proven to run nowhere else, and a device is
 * needed only once its node is lost. After a power cut the switch before it may boot last.
 */
import { unchecked } from './devices.ts'
import type { NodeConfig, NodeId } from './model.ts'
import { recoveryAlarm } from './recovery.ts'
import type { State } from './state.ts'

/** The alarms that stand, in sentences that say what to do. */
export function alarmsOf(state: State): readonly string[] {
  const { nodes } = state.config
  const bare = nodes.filter((node) => node.levels.length === 0 && mayRun(state, node.id))
  const idle = nodes.filter((node) => node.id !== state.self && isUnproven(state, node))
  return [
    ...recoveryAlarm(state),
    ...(bare.length === 0 ? [] : [bareText(bare.map(({ id }) => id))]),
    ...idle.map(({ id }) => {
      return (
        `no fence device of ${id} has ever worked from ${state.self} since picketd started here: ` +
        `${id} may not be proven off when it is lost; picket fence check ${id}`
      )
    }),
  ]
}

function bareText(ids: readonly NodeId[]): string {
  const [have, they] = ids.length === 1 ? ['has', 'it is'] : ['have', 'they are']
  return (
    `${ids.join(', ')} ${have} no fence device: when ${they} lost, what was there waits for a ` +
    'person (picket confirm); give a step in fence'
  )
}

function mayRun({ config }: State, node: NodeId): boolean {
  return config.resources.some(({ nodes }) => nodes.includes(node))
}

/** All of its devices have been asked, and no level of them has ever worked as a whole. */
function isUnproven({ devices }: State, { levels }: NodeConfig): boolean {
  const known = levels.map((level) => level.devices.map((id) => devices[id] ?? unchecked))
  if (known.length === 0 || !known.flat().every(({ checked }) => checked)) return false
  return !known.some((level) => level.every(({ verified }) => verified))
}
