/**
 * P6, P10, S7, S8, S17 and H16: what the ledger of the deciding ring must not forget, must not
 * believe, and must not leave as it is.
 */
import { compareEpochs, digestOf, type Ledger, type Standing } from '../core/ledger.ts'
import { whySpared } from '../core/maintenance.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import { type State, sessionId } from '../core/state.ts'
import { accusersNeeded, patienceMs, roundMs } from './bounds.ts'
import type { Ring } from './cpg.ts'
import type { Daemon } from './daemons.ts'
import { decidingRing } from './deciding.ts'
import type { Invariant, Moments } from './invariants.ts'
import type { Machine, World } from './world.ts'

export const memoryPromises: readonly Invariant[] = [
  {
    id: 'S7',
    says: 'a node counts as fenced or left only by the word of somebody who was there',
    onScan: outdated,
  },
  {
    id: 'P6',
    says: 'every round of a fencing ends in a verdict or a stated wait within its bound',
    onScan: endless,
  },
  {
    id: 'P10',
    says: 'no lost or condemned node is forgotten',
    onScan: forgotten,
  },
  {
    id: 'P10',
    says: 'a condemned node serves again only after it was off',
    onScan: forgiven,
  },
  {
    id: 'S8',
    says: 'a disk is said to keep only what it keeps',
    onMessage: boasting,
  },
  {
    id: 'S17',
    says: 'two ledgers of one epoch are equal',
    onScan: twoOfOneEpoch,
  },
  {
    id: 'S17',
    says: 'whoever was left out of a session leaves its ledger alone',
    onScan: keepsBooks,
  },
  {
    id: 'H16',
    says: 'a daemon that is silent while its ring lives on is condemned',
    onScan: borne,
  },
]

/** A proof of an earlier time, or from a disk, proves nothing now. */
function outdated(world: World): string | undefined {
  const { witness } = world
  const ring = decidingRing(world)
  if (ring === undefined || world.nowMs - witness.disturbedMs < 5_000) return undefined
  for (const { alive, config, mind } of ring.joined) {
    const { ledger } = mind
    const common = alive && config.hash === world.site.config.hash
    if (!common || ledger === undefined || !isOf(ledger, ring)) continue
    for (const [node, { standing }] of Object.entries(ledger.nodes)) {
      if (standing !== 'fenced' && standing !== 'left') continue
      // It was given up, and is off until it is installed anew.
      if (world.machine(node).gone === true) continue
      const proof = witness.proofs.get(node)
      if (!ring.joined.some((daemon) => proof?.knowing.has(daemon))) {
        return `${node} counts as ${standing}`
      }
    }
  }
  return undefined
}

/** Whoever counts on a disk counts on what it holds of this very ring. */
function boasting(world: World, { daemon, message }: Moments['onMessage']): string | undefined {
  const { machine } = daemon
  const { id } = machine.corosync!.ring!
  const step = claimOf(message)
  if (step < 0 || world.witness.forgetful) return undefined
  // What was said before the daemon knew of this ring is void in it.
  if (!message.session.startsWith(`${id.rep}.${id.seq}/`)) return undefined
  const { seq, rep, step: kept } = machine.disk.ledger?.epoch ?? { seq: 0, rep: 0, step: 0 }
  if (seq === id.seq && rep === id.rep && kept >= step) return undefined
  return `${machine.id} says step ${step}, and has step ${kept} of ring ${rep}.${seq}`
}

function claimOf(message: Message): number {
  switch (message.say) {
    case 'ack':
      return message.step
    case 'report':
    case 'goodbye':
      return message.report.saved
    default:
      return -1
  }
}

/** How long has the same been true in the ledger of the deciding ring, undisturbed? */
export function lasting(world: World, name: string): number {
  const { witness, nowMs } = world
  const sinceMs = Math.max(witness.standing.get(name) ?? nowMs, witness.disturbedMs)
  if (!witness.standing.has(name)) witness.standing.set(name, nowMs)
  return nowMs - sinceMs
}

function endless(world: World): string | undefined {
  const { witness } = world
  const ledger = commonLedger(world)
  if (ledger === undefined) return undefined
  const present = new Set<string>()
  let broken: string | undefined
  for (const [node, { fencing, deferred }] of Object.entries(ledger.nodes)) {
    if (fencing === undefined || !fenceable(world, node)) continue
    // A rule holds it back and says so; whether for ever, the calm will show (P7).
    if (fencing.owner === undefined && deferred !== '') continue
    const { id, round, owner } = fencing
    if (owner === undefined && awaitsFinger(ledger, node)) continue
    const name = `fencing ${node} ${id} ${round} ${owner ?? ''}`
    present.add(name)
    const boundMs =
      owner === undefined ? patienceMs(world.site.config) : roundMs(world.site.config, node)
    if (lasting(world, name) > boundMs) {
      const who = owner === undefined ? 'nobody presses' : `${owner} presses`
      broken = `round ${round} of ${id} (${node}): ${who}, for more than ${boundMs} ms`
    }
  }
  forget(witness.standing, 'fencing ', present)
  return broken
}

/**
 * A node that is back is admitted when nobody's finger is on its button any more. A finger that has
 * vanished is a node to be fenced itself, and that fencing is judged for its own.
 */
function awaitsFinger({ nodes }: Ledger, node: NodeId): boolean {
  const { standing, fencing } = nodes[node]!
  if (isOpen(standing)) return false
  return (fencing?.dangling ?? []).some((finger) => isOpen(nodes[finger.node]?.standing))
}

function isOpen(standing: Standing | undefined): boolean {
  return standing === 'lost' || standing === 'condemned'
}

/** Without a level only a person can help. */
function fenceable(world: World, node: string): boolean {
  return world.site.config.nodes.some(({ id, levels }) => id === node && levels.length > 0)
}

function forgotten(world: World): string | undefined {
  const { witness } = world
  const ledger = commonLedger(world)
  if (ledger === undefined) return undefined
  const present = new Set<string>()
  let broken: string | undefined
  for (const { id } of world.site.config.nodes) {
    const entry = ledger.nodes[id]
    if (entry === undefined || !isOpen(entry.standing) || entry.fencing !== undefined) continue
    if (!fenceable(world, id)) continue
    // It is said that it waits, and for what.
    if (entry.deferred !== '' && entry.deferred === whySpared(ledger, id)) continue
    // Another daemon may follow one that has detached, for as long as its ring lives on.
    const inRing = decidingRing(world)?.members.some((machine) => machine.id === id) === true
    const awaitedMs = entry.detached && inRing ? world.site.config.timing.detachMs : 0
    const name = `open ${id} ${inRing}`
    present.add(name)
    if (lasting(world, name) > patienceMs(world.site.config) + awaitedMs) {
      broken = `${id} is ${entry.standing} (${entry.because}), and nobody fences it`
    }
  }
  forget(witness.standing, 'open ', present)
  return broken
}

export function forget(
  standing: Map<string, number>,
  kind: string,
  present: ReadonlySet<string>,
): void {
  for (const name of standing.keys()) {
    if (name.startsWith(kind) && !present.has(name)) standing.delete(name)
  }
}

/** Was it written in this very ring? */
export function isOf({ epoch }: Ledger, { id }: Ring): boolean {
  return epoch.seq === id.seq && epoch.rep === id.rep
}

/** The newest ledger in the deciding ring: whoever was left out holds an older one. */
export function commonLedger(world: World): Ledger | undefined {
  const joined = decidingRing(world)?.joined.filter(({ alive }) => alive) ?? []
  const ledgers = joined.flatMap(({ mind }) => mind.ledger ?? [])
  return ledgers.toSorted((a, b) => compareEpochs(b.epoch, a.epoch))[0]
}

/**
 * Whoever was condemned, and has not booted since it last took part, is still condemned, where a
 * majority has it in mind and on disk.
 */
function forgiven(world: World): string | undefined {
  const { witness } = world
  const ring = decidingRing(world)
  const ledger = commonLedger(world)
  if (ring === undefined || ledger === undefined || !isOf(ledger, ring)) return undefined
  for (const machine of world.machines) {
    const { standing, boot = '' } = ledger.nodes[machine.id] ?? {}
    const known = witness.condemned.get(machine)
    if (standing === 'condemned') {
      const keeping = ring.joined.filter((daemon) => keepsCondemned(daemon, machine))
      const kept = keeping.length * 2 > world.machines.length
      witness.condemned.set(machine, { boot, kept, keeping: new Set(keeping) })
      continue
    }
    if (known === undefined) continue
    witness.condemned.delete(machine)
    const knows = ring.joined.some((daemon) => daemon.alive && known.keeping.has(daemon))
    if (!knows || !known.kept || witness.forgetful) continue
    if (standing !== 'member' || known.boot !== boot) continue
    return `${machine.id} is a member again`
  }
  return undefined
}

function keepsCondemned({ mind, machine: { disk } }: Daemon, machine: Machine): boolean {
  const copies = [mind.ledger, disk.ledger]
  return copies.every((ledger) => ledger?.nodes[machine.id]?.standing === 'condemned')
}

const digests = new WeakMap<Ledger, string>()

/**
 * Everybody in an open session applies the same decisions to the same ledger. What was adopted in a
 * session that never opened may be of the same epoch; no decision was ever applied to it.
 */
function twoOfOneEpoch(world: World): string | undefined {
  const seen = new Map<string, { readonly digest: string; readonly by: NodeId }>()
  for (const { daemon, id } of world.machines) {
    const { ledger, session } = mindOf(daemon)
    if (ledger === undefined || session?.open !== true || !session.adopted) continue
    const { rep, seq, step, half = 'most' } = ledger.epoch
    const name = `${rep}.${seq}.${step} of ${half}`
    const digest = digests.get(ledger) ?? digestOf(ledger)
    digests.set(ledger, digest)
    const other = seen.get(name)
    if (other !== undefined && other.digest !== digest) {
      return `${other.by} and ${id} differ at step ${step} of ring ${rep}.${seq}`
    }
    seen.set(name, { digest, by: id })
  }
  return undefined
}

const leftOut = new WeakMap<Daemon, { readonly session: string; readonly ledger: Ledger }>()

/** Whoever was left out of the open session does not apply its decisions to an older ledger. */
function keepsBooks(world: World): string | undefined {
  for (const { daemon, id } of world.machines) {
    const { ledger, session } = mindOf(daemon)
    if (daemon === undefined || ledger === undefined) continue
    if (session?.open !== true || session.adopted) {
      leftOut.delete(daemon)
      continue
    }
    const key = sessionId(session)
    const before = leftOut.get(daemon)
    if (before?.session !== key) leftOut.set(daemon, { session: key, ledger })
    else if (before.ledger !== ledger) return `${id} goes on with its ledger in ${key}`
  }
  return undefined
}

/** What a real core would tell; puppets of tests have a ledger only. */
function mindOf(daemon: Daemon | undefined): {
  readonly ledger?: Ledger | undefined
  readonly session?: State['session']
} {
  return daemon?.mind ?? {}
}

/** A frozen daemon in the midst of awake ones. */
function borne(world: World): string | undefined {
  const { witness, nowMs } = world
  const ring = decidingRing(world)
  const { timing } = world.site.config
  const boundMs = 2 * timing.silentMs + 4 * timing.beatMs + timing.echoMs
  for (const machine of world.machines) {
    if (
      ring === undefined ||
      !sleepsAlone(
        world,
        machine,
        ring.joined.map((each) => each.machine),
      )
    ) {
      witness.silent.delete(machine)
      continue
    }
    const before = witness.silent.get(machine)
    const sinceMs = before?.ring === ring ? before.sinceMs : nowMs
    witness.silent.set(machine, { ring, sinceMs })
    const other = ring.joined.find((daemon) => daemon.machine !== machine)
    const standing = other?.mind.ledger?.nodes[machine.id]?.standing
    if (nowMs - sinceMs > boundMs && standing === 'member') {
      return `${machine.id} is taken for a member, and has said nothing for ${boundMs} ms`
    }
  }
  return undefined
}

/** Is its daemon frozen, while enough others are in the group and nothing ails them? */
function sleepsAlone(world: World, machine: Machine, joined: readonly Machine[]): boolean {
  if (machine.frozen.daemon === 0 || !joined.includes(machine)) return false
  const others = joined.filter((each) => each !== machine)
  const well = others.every(
    ({ frozen, disk, daemon }) =>
      frozen.corosync + frozen.daemon === 0 &&
      !disk.full &&
      !disk.slow &&
      daemon?.config.hash === world.site.config.hash,
  )
  return well && others.length >= accusersNeeded(world.site.config)
}
