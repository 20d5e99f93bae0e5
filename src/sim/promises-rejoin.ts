/** P4, where the config asks for it (H14): who was fenced waits for a person's word. */
import { isOrdered } from '../core/ledger.ts'
import type { NodeId } from '../core/model.ts'
import type { Daemon } from './daemons.ts'
import type { Invariant, Moments } from './invariants.ts'
import type { World } from './world.ts'

export const rejoinPromises: readonly Invariant[] = [
  {
    id: 'P4',
    says: 'with `rejoin: manual` a node that was fenced serves nothing before `picket unfence`',
    onMessage: noteFenced,
    onStart: serves,
  },
]

/** Nodes that were proven off and not let in again since, with the daemons that were told. */
const keptOut = new WeakMap<World, Map<NodeId, ReadonlySet<Daemon>>>()

function noteFenced(world: World, { daemon, message }: Moments['onMessage']): undefined {
  if (world.site.config.rules.rejoin !== 'manual') return undefined
  const nodes = keptOut.get(world) ?? new Map<NodeId, ReadonlySet<Daemon>>()
  keptOut.set(world, nodes)
  if (message.say === 'unfence') nodes.delete(message.node)
  if (message.say !== 'verdict' || !message.verdict.proven) return undefined
  const { ring } = daemon.machine.corosync ?? {}
  const record = daemon.mind.ledger?.nodes[message.node]?.fencing
  // A verdict that was said in an older ring is void in this one.
  const { rep, seq } = ring?.id ?? { rep: 0, seq: 0 }
  if (ring === undefined || !message.session.startsWith(`${rep}.${seq}/`)) return undefined
  const same = record?.id === message.id && record.round === message.round
  if (same && !isOrdered(record)) nodes.set(message.node, new Set(ring.joined))
  return undefined
}

/** Somebody in its ring has been told: then all who decide there know of it. */
function serves(world: World, { machine, resource }: Moments['onStart']): string | undefined {
  const told = keptOut.get(world)?.get(machine.id)
  if (told === undefined || world.witness.forgetful) return undefined
  const { ring } = machine.corosync ?? {}
  const known = ring?.joined.some((daemon) => daemon.alive && told.has(daemon))
  return known ? `${machine.id} starts ${resource}` : undefined
}
