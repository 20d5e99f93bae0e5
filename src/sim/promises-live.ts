/**
 * H2: live moves. For its length the agent sees to it that one machine works at a time, so that
 * source and target count as one (P1). All else is the cluster's: that nobody else has it, that
 * whoever decides next knows of both, and that nothing counts as running before it was taken over.
 */
import type { NodeId } from '../core/model.ts'
import type { Daemon } from './daemons.ts'
import type { Invariant, Moments } from './invariants.ts'
import { othersWith, whyUnkept } from './promises-service.ts'
import type { World } from './world.ts'

export const livePromises: readonly Invariant[] = [
  {
    id: 'H2',
    says: 'a thing moves live only from the one machine that has it, to one that may have it',
    onRun: (world, operation) =>
      operation.op === 'migrate_to' ? unready(world, operation) : undefined,
  },
  {
    id: 'H2',
    says: 'a thing is taken over only when all of it was sent',
    onRun: (world, { op, machine, thing, move }) => {
      if (op !== 'migrate_from' || move === undefined) return undefined
      const source = world.machine(move.source)
      const sends = [...source.operations].some((each) => {
        return each.op === 'migrate_to' && each.thing === thing
      })
      return sends ? `${machine.id} takes ${thing} over while ${source.id} sends it` : undefined
    },
  },
  {
    id: 'H2',
    says: 'what has come in by half of a live move does not count as running',
    onMessage: (_, { daemon, message }) => {
      if (message.say !== 'report') return undefined
      const { machine } = daemon
      for (const { thing, state } of Object.values(message.report.resources)) {
        if (state !== 'running' || machine.things.get(thing)?.half !== true) continue
        return `${machine.id} says that it runs ${thing}, which nobody has taken over`
      }
      return undefined
    },
  },
]

function unready(
  world: World,
  { daemon, machine, thing, move }: Moments['onRun'],
): string | undefined {
  const what = `${machine.id} moves ${thing} live to ${move?.target}`
  const [third] = othersWith(world, machine, thing)
  if (third !== undefined) return `${what}, and it is active on ${third.id}`
  for (const other of world.machines) {
    if (other === machine || !other.powered) continue
    const busy = [...other.operations].find((each) => each.thing === thing && each.op !== 'probe')
    if (busy !== undefined) return `${what}, and ${busy.op} of it runs on ${other.id}`
    if (world.witness.unproven.get(other)?.has(thing)) {
      return `${what}, and ${other.id} had it when it was separated, and was never off since`
    }
  }
  return move && unknownTarget(world, daemon, move.target, thing, what)
}

/** Whoever decides next has to know that the target may have it (S8). */
function unknownTarget(
  world: World,
  daemon: Daemon,
  target: NodeId,
  thing: string,
  what: string,
): string | undefined {
  const keeping = whyUnkept(world, daemon, target, thing)
  return keeping && `${what}, of which ${keeping}`
}
