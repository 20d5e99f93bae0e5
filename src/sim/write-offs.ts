/**
 * An operator who gives up machines that are lost for good (H26), and tells the truth: each of them
 * is off, and comes back with an empty disk or not at all. And the judge of what the others do.
 */
import type { Order } from '../core/event.ts'
import type { NodeId } from '../core/model.ts'
import { isReal } from './core.ts'
import type { Ring } from './cpg.ts'
import { type Daemon, tell } from './daemons.ts'
import type { Invariant } from './invariants.ts'
import { switchOn } from './machines.ts'
import { ringsOf } from './rings.ts'
import type { Machine, World } from './world.ts'

/** Who was given up for good, and in which boot everybody else was. */
export interface GivenUp {
  readonly nodes: readonly NodeId[]
  readonly boots: ReadonlyMap<Machine, number>
  /** One of them has taken part again since. */
  over: boolean
}

/** Gives up all machines that the daemon of this one cannot see. False where it has no ring. */
export function giveUp(world: World, via: Machine): boolean {
  const { daemon, corosync } = via
  const ring = corosync?.ring
  if (daemon === undefined || ring === undefined) return false
  const gone = world.machines.filter((machine) => !ring.members.includes(machine))
  const nodes = gone.map(({ id }) => id)
  const { id } = ring
  const votes = ring.members.length
  const order: Order = {
    id: `order-${via.id}-${Math.round(world.nowMs)}`,
    action: 'recover',
    target: nodes.join(', '),
    requester: 'operator',
    reason: 'they burn',
    recovery: { nodes, votes, ring: `${id.rep}.${id.seq}` },
  }
  world.say(`operator: ${nodes.join(' ')} are lost for good, to ${via.id}`)
  for (const machine of gone) machine.gone = true
  const boots = new Map(ring.members.map((machine) => [machine, machine.boot]))
  world.witness.words.push({ nodes, boots, over: false })
  // What only the lost machines knew nobody can be held to.
  world.witness.forgetful = true
  tell(world, daemon, { kind: 'order', order })
  return true
}

/**
 * Somebody gives up what is off, where a few machines are left that can do nothing; or brings one
 * back that was given up.
 */
export function giveUpSome(world: World): void {
  const back = world.machines.find(({ gone }) => gone)
  if (back !== undefined && world.lots.fate.chance(20)) {
    reinstall(world, back)
    return switchOn(world, back, 'operator')
  }
  const off = world.machines.filter(({ powered }) => !powered)
  for (const ring of ringsOf(world)) {
    const [first] = ring.members
    const rest = ring.members.length + off.length === world.machines.length
    const few = ring.members.length * 2 < world.machines.length && ring.verdict === false
    if (first !== undefined && rest && few && ring.joined.length === ring.members.length) {
      giveUp(world, first)
    }
  }
}

/** The machine is made new: nothing of what it knew is on its disk. */
export function reinstall(world: World, machine: Machine): void {
  if (machine.gone !== true) return
  machine.gone = false
  machine.disk.ledger = undefined
  machine.ringSeq = 0
  world.say(`${machine.id} is installed anew`)
}

/** Against the word that was given: the machine is back, with all that it knew. */
export function bringBack(world: World, machine: Machine): void {
  machine.gone = false
  world.say(`${machine.id} is brought back as it was`)
}

/** Corosync takes a number of votes for all of this ring, until its next start. */
export function expectVotes(world: World, { machine }: Daemon, votes: number): number | undefined {
  const ring = machine.corosync?.ring
  if (ring === undefined || ring.members.length > votes) return undefined
  world.say(`ring ${ring.id.rep}.${ring.id.seq} expects ${votes} votes`)
  for (const { corosync } of ring.members) if (corosync?.ring === ring) corosync.expected = votes
  return votes
}

/**
 * Said once more, and not asked of the core: fewer than most decide only by a word that covers all
 * others, while none of those is in the ring or has taken part since, and one of them has been up
 * since it was given.
 */
export const writeOffPromises: readonly Invariant[] = [
  {
    id: 'H26',
    says: 'too few nodes start something only where all others were given up, and stay away',
    onStart: (world, { daemon, machine, resource }) => {
      const ring = machine.corosync?.ring
      const { halves } = world.site.config
      // What it decided in a ring that is just over is another matter (P1, P3).
      if (ring === undefined || !knows(daemon, ring)) return undefined
      if (halves || ring.members.length * 2 > world.machines.length) {
        return whyIntruded(world, daemon, resource)
      }
      const covers = world.witness.words.some(({ nodes, boots, over }) => {
        if (over) return false
        const others = world.machines.filter((each) => !ring.members.includes(each))
        const all = others.every(({ id }) => nodes.includes(id))
        return all && ring.members.some((each) => boots.get(each) === each.boot)
      })
      return covers ? undefined : `${machine.id} starts ${resource} with too few`
    },
    onScan: (world) => {
      for (const word of world.witness.words) word.over ||= isOver(world, word)
      return undefined
    },
  },
]

/** Has one of those who were given up been agreed with since? */
function isOver({ machines }: World, { nodes, boots }: GivenUp): boolean {
  return machines.some((machine) => {
    const { daemon } = machine
    if (!boots.has(machine) || daemon?.alive !== true || !isReal(daemon.mind)) return false
    const { session } = daemon.mind
    const members = session?.open === true && session.adopted ? session.merged?.members : []
    return members?.some((member) => nodes.includes(member)) === true
  })
}

/** Has CPG told it of this ring? */
function knows({ mind }: Daemon, { id }: Ring): boolean {
  if (!isReal(mind) || mind.group === undefined) return false
  const { seq, rep } = mind.group.ring
  return seq === id.seq && rep === id.rep
}

/** Most are in the ring, and yet only those decide who had given up one of them. */
function whyIntruded(world: World, daemon: Daemon, resource: string): string | undefined {
  const ring = daemon.machine.corosync?.ring
  const members = ring?.joined.length ?? 0
  if (members * 2 > world.machines.length || world.witness.words.length === 0) return undefined
  const back = ring?.members.find(({ daemon: other }) => !other?.joined)
  return back && `${daemon.machine.id} starts ${resource}, and ${back.id} is in its ring`
}
