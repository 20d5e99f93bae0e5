/** H8 and H9: what operators want is kept, and nothing starts where they do not want it. */
import { isFulfilled, whyUnwanted, withOrder } from '../core/intents.ts'
import { isReal } from './core.ts'
import type { Invariant, Moments } from './invariants.ts'
import { decidingRing } from './witness.ts'
import type { WantNote } from './witness-wants.ts'
import type { World } from './world.ts'

/** How long the members of an undisturbed ring may take to be of one mind. */
const SETTLED_MS = 5_000

export const intentPromises: readonly Invariant[] = [
  {
    id: 'H8',
    says: 'nothing starts where an operator does not want it',
    onStart: unwanted,
  },
  {
    id: 'H9',
    says: 'what an operator was told is kept, is kept',
    onScan: forgotten,
  },
]

function unwanted(
  world: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const { witness, nowMs } = world
  const who = `${machine.id} starts ${resource}`
  const known = whyUnwanted(daemon.mind.ledger?.intents ?? [], resource, machine.id)
  if (known !== '') return `${who}, and knows that ${known}`
  if (witness.forgetful) return undefined
  // Who acts has heard itself so lately, and with it everything that was said before.
  const lateMs = daemon.config.timing.echoMs + SETTLED_MS
  const told = [...witness.wants.values()].filter(({ told, atMs }) => told && nowMs - atMs > lateMs)
  const intents = told.flatMap(({ message }) => withOrder([], message, 'an operator', ''))
  const why = whyUnwanted(intents, resource, machine.id)
  return why === '' ? undefined : `${who}, and ${why}`
}

function forgotten(world: World): string | undefined {
  const { witness, nowMs } = world
  for (const note of witness.wants.values()) note.told ||= wasTold(world, note)
  const ring = decidingRing(world)
  if (ring === undefined || witness.forgetful) return undefined
  if (nowMs - witness.disturbedMs < SETTLED_MS) return undefined
  for (const { message, told, atMs } of witness.wants.values()) {
    if (!told || nowMs - atMs < SETTLED_MS) continue
    for (const { alive, mind, machine } of ring.joined) {
      if (!alive || !isReal(mind)) continue
      const { session, ledger } = mind
      if (!session?.open || !session.adopted) continue
      if (isFulfilled(ledger.intents, message)) continue
      const { action, resource, node } = message
      return `${machine.id} has forgotten: ${[action, resource, node].join(' ')}`
    }
  }
  return undefined
}

function wasTold({ machines }: World, { message }: WantNote): boolean {
  return machines.some(({ daemon }) => {
    if (daemon === undefined || !isReal(daemon.mind)) return false
    // What half of the nodes keep is kept as long as they do, and its operator is told so.
    return daemon.mind.orders.some(
      ({ id, at, partly }) => id === message.id && at === 'done' && partly !== true,
    )
  })
}
