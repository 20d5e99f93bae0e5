/** What the world has seen of live moves (H2). */
import type { NodeId } from '../core/model.ts'
import type { Machine, World } from './world.ts'

/** The machines between which an agent moves a thing: it sees to it that one of them works. */
export interface LiveNote {
  readonly from: NodeId
  readonly to: NodeId
}

/** Are these the two sides of the live move of a thing, with no start of it since? */
export function isMoveBetween(
  { witness }: World,
  thing: string,
  one: Machine,
  other: Machine,
): boolean {
  const note = witness.moves.get(thing)
  if (note === undefined) return false
  const ends: readonly NodeId[] = [note.from, note.to]
  return ends.includes(one.id) && ends.includes(other.id)
}
