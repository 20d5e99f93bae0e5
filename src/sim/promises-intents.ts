/**
 * H8 and H9: what operators want is kept, nothing starts where they do not want it, and what is in
 * maintenance is left alone.
 */
import { isFulfilled, maintenanceOf, whyUnwanted, withOrder } from '../core/intents.ts'
import { roundMs } from './bounds.ts'
import { isReal } from './core.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant, Moments } from './invariants.ts'
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
    id: 'H8',
    says: 'what is in maintenance is not stopped',
    onRun: ended,
  },
  {
    id: 'H8',
    says: 'a node in maintenance is fenced only on the word of an operator',
    onPress: shot,
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

/** What was under way when it began is brought to its end: a start that fails, a stop once more. */
function ended(
  world: World,
  { daemon, machine, resource, op }: Moments['onRun'],
): string | undefined {
  if (op !== 'stop' || !isReal(daemon.mind)) return undefined
  const { ledger, leaving, resources } = daemon.mind
  const { standing, barred, quarantined } = ledger.nodes[machine.id] ?? {}
  if (standing === 'condemned' || barred || quarantined) return undefined
  if (resources[resource]!.attempts > 0) return undefined
  const known = maintenanceOf(ledger.intents, resource, machine.id)
  if (known === undefined) return undefined
  if (leaving !== undefined && maintenanceOf(ledger.intents, '', machine.id) === undefined) {
    return undefined
  }
  const { startMs = 0 } = daemon.config.resources.find(({ id }) => id === resource) ?? {}
  const note = [...world.witness.wants.values()].find(({ message, told }) => {
    const { action, resource: named, node } = message
    return told && action === 'maintain' && named === known.resource && node === known.node
  })
  // A start that was under way when it was told may have slept meanwhile.
  const sinceMs = Math.max(note?.atMs ?? Infinity, machine.thawedMs)
  const long = world.nowMs - sinceMs > startMs + SETTLED_MS
  return long ? `${machine.id} stops ${resource}` : undefined
}

function shot(world: World, { daemon, press }: Moments['onPress']): string | undefined {
  const { witness, nowMs, site } = world
  if (press.action === 'on' || witness.forgetful || !isReal(daemon.mind)) return undefined
  const { staysOff, action } = daemon.mind.ledger.nodes[press.target]?.fencing ?? {}
  if (staysOff || action === 'reboot') return undefined
  const lateMs = roundMs(site.config, press.target) + SETTLED_MS
  const told = [...witness.wants.values()].filter(({ told, atMs }) => told && nowMs - atMs > lateMs)
  const intents = told.flatMap(({ message }) => withOrder([], message, 'an operator', ''))
  if (maintenanceOf(intents, '', press.target) === undefined) return undefined
  return `${daemon.machine.id} presses ${press.action} of ${press.target}`
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
