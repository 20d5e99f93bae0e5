/** H2: an instance of a clone is on its own node, and there are never too many of them. */
import { targetsOf } from '../core/clones.ts'
import type { Invariant, Moments } from './invariants.ts'
import type { World } from './world.ts'

export const clonePromises: readonly Invariant[] = [
  {
    id: 'H2',
    says: 'an instance of a clone is started, stopped and looked for on its own node alone',
    onRun: strayed,
  },
  {
    id: 'H2',
    says: 'a clone has not more instances at once than it may have',
    onStart: tooMany,
  },
]

function strayed(
  _: World,
  { daemon, machine, resource, op }: Moments['onRun'],
): string | undefined {
  const config = daemon.config.resources.find(({ id }) => id === resource)
  if (config?.clone === undefined || config.nodes.includes(machine.id)) return undefined
  return `${machine.id} runs ${op} of ${resource}`
}

/** As of a thing that runs once (P1): who has it, who starts it, who may have it unproven. */
function tooMany(
  { machines, witness }: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const { resources } = daemon.config
  const clone = resources.find(({ id }) => id === resource)?.clone
  if (clone === undefined) return undefined
  const others = targetsOf(resources, clone.id).flatMap(({ thing, nodes }) =>
    machines.filter((other) => {
      if (other === machine || !other.powered || !nodes.includes(other.id)) return false
      const starting = [...other.operations].some((each) => {
        return each.op === 'start' && each.thing === thing
      })
      const active = other.things.get(thing)?.foreign === false
      return starting || active || witness.unproven.get(other)?.has(thing) === true
    }),
  )
  if (others.length < clone.max) return undefined
  const where = others.map(({ id }) => id).join(', ')
  return `${machine.id} starts ${resource}, which is on ${where} and may be on ${clone.max}`
}
