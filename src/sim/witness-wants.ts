/** What operators want, and who detaches, as the ring has put it in order: see witness.ts. */
import { meanings, OURSELVES } from '../core/intents.ts'
import type { Wanted } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Ring } from './cpg.ts'
import type { Daemon } from './daemons.ts'
import type { Witness } from './witness.ts'
import { noteForgiven } from './witness-failures.ts'

export interface WantNote {
  readonly message: Wanted
  readonly atMs: number
  /** The orders before it about the same. */
  readonly earlier: readonly string[]
  /** Has its operator been told that it is kept? */
  told: boolean
}

/** One that is repeated after a newer one may be void or not: nobody can tell which one counts. */
export function noteWant(
  { wants, failures }: Pick<Witness, 'wants' | 'failures'>,
  message: Wanted,
  atMs: number,
): void {
  noteForgiven(failures, message, atMs)
  const { kind } = meanings[message.action]
  if (kind === undefined) return
  const key = [kind, message.resource, kind === 'moved' ? '' : message.node].join('/')
  const before = wants.get(key)
  // Where an operator has disabled it, that stands.
  const ours = message.requester === OURSELVES && message.action === 'disable'
  if (ours && before?.message.action === 'disable') return
  if (before?.message.id === message.id) return
  if (before?.earlier.includes(message.id)) return void wants.delete(key)
  const earlier = before === undefined ? [] : [...before.earlier, before.message.id]
  wants.set(key, { message, atMs, earlier, told: false })
}

/** When a daemon has gone for another one, in which ring, and in which of its machine's lives. */
export interface DetachNote {
  readonly atMs: number
  readonly ring: Ring | undefined
  readonly lives: number
}

/** Has it just gone for another one, as a member, when the others had been told? */
export function hasDetached({ mind, machine }: Daemon): boolean {
  if (!isReal(mind) || !mind.exited || !mind.detaching?.told) return false
  return mind.session?.merged?.members.includes(machine.id) === true
}

export function noteDetach(detached: Map<NodeId, DetachNote>, daemon: Daemon, atMs: number): void {
  if (!hasDetached(daemon)) return
  const { id, corosync, lives } = daemon.machine
  detached.set(id, { atMs, ring: corosync?.ring, lives })
}
