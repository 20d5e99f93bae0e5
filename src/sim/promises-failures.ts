/** H3 and H20: what failures of resources come to, and what runs on without quorum. */
import { failingOf, isDisabled } from '../core/failures.ts'
import { entryOf, mayHold } from '../core/ledger.ts'
import { isReal } from './core.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant, Moments } from './invariants.ts'
import { awayUntilMs } from './witness-failures.ts'
import type { Machine, World } from './world.ts'

/** How long the members of an undisturbed ring may take to act on a failure. */
const ACTS_WITHIN_MS = 10_000
/** An order to forget may reach a node this much later than the others. */
const LATE_MS = 30_000

export const failurePromises: readonly Invariant[] = [
  {
    id: 'H3',
    says: 'what has failed on a node too often is not started there before that is forgotten',
    onStart: tooSoon,
  },
  {
    id: 'H3',
    says: 'what is to stay stopped after a failure is disabled, and whom it condemns is condemned',
    onScan: unanswered,
  },
  {
    id: 'H20',
    says: 'without quorum nothing starts',
    onStart: (_, { daemon, machine, resource }) => {
      if (!isReal(daemon.mind) || daemon.mind.quorum?.quorate !== false) return undefined
      return `${machine.id} starts ${resource}`
    },
  },
  {
    id: 'H20',
    says: 'what is to freeze runs on when quorum is lost',
    onRun: thawed,
  },
]

function tooSoon(
  { witness, nowMs }: World,
  { daemon, machine, resource }: Moments['onStart'],
): string | undefined {
  const config = daemon.config.resources.find(({ id }) => id === resource)
  const found = witness.failures.notes.get(`${machine.id}/${resource}`)
  if (config === undefined || found?.daemon !== daemon) return undefined
  const failing = failingOf(daemon.config, config)
  const cleanedMs = witness.failures.cleaned.get(resource) ?? -Infinity
  if (nowMs - cleanedMs < failing.timeoutMs + LATE_MS) return undefined
  const untilMs = awayUntilMs(found.list, failing)
  if (nowMs >= untilMs - 1) return undefined
  return `${machine.id} starts ${resource} ${Math.ceil(untilMs - nowMs)} ms too soon`
}

function unanswered(world: World): string | undefined {
  const { witness, nowMs } = world
  const ring = decidingRing(world)
  if (ring === undefined || witness.forgetful) return undefined
  if (nowMs - witness.disturbedMs < ACTS_WITHIN_MS) return undefined
  for (const { alive, mind, machine, config } of ring.joined) {
    if (!alive || !isReal(mind) || mind.session?.open !== true || !mind.session.adopted) continue
    for (const resource of config.resources) {
      const { id } = resource
      const grave = witness.failures.grave.get(`${machine.id}/${id}`)
      if (grave?.daemon !== machine.daemon || nowMs - grave!.atMs < ACTS_WITHIN_MS) continue
      const cleanedMs = witness.failures.cleaned.get(id) ?? -Infinity
      if (grave!.atMs - cleanedMs < LATE_MS) continue
      const { action } = failingOf(config, resource)
      if (action === 'stop' && !isDisabled(mind.ledger.intents, id)) {
        return `${id} failed on ${machine.id}, and is not disabled`
      }
      const { standing, fencing } = entryOf(mind.ledger, machine.id)
      const leaves = world.machines.some((each) => each.resting)
      const member = standing === 'member' && fencing === undefined && !leaves
      if (action === 'fence' && grave!.op === 'monitor' && member) {
        return `${id} failed on ${machine.id}, which is not condemned`
      }
    }
  }
  return undefined
}

function thawed(
  world: World,
  { daemon, machine, thing, op }: Moments['onRun'],
): string | undefined {
  const { mind, config } = daemon
  if (op !== 'stop' || !isReal(mind) || !hasRun(world, machine, thing)) return undefined
  const resource = config.resources.find((each) => each.thing === thing)
  if (resource?.noQuorum !== 'freeze' || mind.quorum?.quorate !== false) return undefined
  if (mind.leaving !== undefined || mind.corosyncLost !== '') return undefined
  if (mind.resources[resource.id]?.mustStop !== 'quorum is lost') return undefined
  const { standing, barred, boot, holds } = entryOf(mind.ledger, machine.id)
  const own = holds !== 'anything' && mayHold(entryOf(mind.ledger, machine.id), thing)
  const rightful = standing === 'member' && !barred && boot === mind.identity.boot && own
  return rightful ? `${machine.id} stops ${resource.id}` : undefined
}

/** Did it run there, and well, when quorum was lost? */
function hasRun({ witness }: World, machine: Machine, thing: string): boolean {
  const sinceMs = witness.inquorateMs.get(machine)
  const found = machine.things.get(thing)
  return sinceMs !== undefined && found?.foreign === false && found.sinceMs < sinceMs - 20_000
}
