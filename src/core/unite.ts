/**
 * Ledgers of two halves that have both decided something, as they meet again (halves.ts). One of
 * them counts, and what the others oblige to is added: what an absent node may hold, commands that
 * may still be on their way, and what counts for the storm limit. Obligations too many cost a
 * moment; one too few could cost the data.
 */
import {
  compareEpochs,
  entryOf,
  type FencingRecord,
  type Hold,
  isOpen,
  type Ledger,
  type NodeEntry,
  type Shot,
} from './ledger.ts'
import type { Sync } from './message.ts'
import type { Config, NodeId } from './model.ts'

type Syncs = Readonly<Record<NodeId, Sync>>

/**
 * Which member's ledger counts: the newest. Of two nodes, one that the other has proven off, and
 * has not lost sight of since, has decided nothing that binds, however new its ledger is.
 */
export function newest(
  { halves, nodes }: Config,
  members: readonly NodeId[],
  syncs: Syncs,
): NodeId | undefined {
  const outdone = (id: NodeId) =>
    members.some((other) => {
      const { ledger, chain } = syncs[other]!
      return chain && ledger !== undefined && entryOf(ledger, id).standing === 'fenced'
    })
  const two = halves && nodes.length === 2
  let best: NodeId | undefined
  for (const id of members) {
    const { ledger, chain } = syncs[id]!
    if (ledger === undefined || (two && outdone(id))) continue
    if (best === undefined) {
      best = id
      continue
    }
    const order = compareEpochs(ledger.epoch, syncs[best]!.ledger!.epoch)
    if (order > 0 || (order === 0 && chain && !syncs[best]!.chain)) best = id
  }
  return best
}

/**
 * The ledger that counts, with the obligations of the others. What a member holds it says itself;
 * what another ledger once gave it is no right to it.
 */
export function unite(
  ledger: Ledger,
  others: readonly Ledger[],
  members: readonly NodeId[],
): Ledger {
  const nodes = Object.entries(ledger.nodes).map(([id, entry]) => {
    if (!isOpen(entry) && entry.standing !== 'member') return [id, entry]
    const more = withMore(
      entry,
      others.map((other) => entryOf(other, id)),
    )
    return [id, members.includes(id) ? { ...more, holds: entry.holds } : more]
  })
  const shots = [ledger, ...others].flatMap((each) => each.shots)
  return { ...ledger, nodes: Object.fromEntries(nodes), shots: withoutTwins(shots) }
}

function withMore(entry: NodeEntry, others: readonly NodeEntry[]): NodeEntry {
  const all = [entry, ...others]
  const fencing = all.map((each) => each.fencing).find((each) => each && isAtWork(each))
  return {
    ...entry,
    holds: all.some(({ holds }) => holds === 'anything') ? 'anything' : holdsOf(all),
    late: all.some(({ late }) => late),
    rests: all.some(({ rests }) => rests),
    fencing: entry.fencing ?? fencing,
  }
}

/** May one of its commands be on its way? */
function isAtWork({ action, owner, dangling }: FencingRecord): boolean {
  return action !== 'on' && (owner !== undefined || dangling.length > 0)
}

function holdsOf(entries: readonly NodeEntry[]): readonly Hold[] {
  const found = new Map<string, Hold>()
  for (const { holds } of entries) {
    for (const hold of holds === 'anything' ? [] : holds) {
      if (!found.has(hold.thing)) found.set(hold.thing, hold)
    }
  }
  return [...found.values()]
}

function withoutTwins(shots: readonly Shot[]): readonly Shot[] {
  const nameOf = ({ id, round }: Shot) => `${id}:${round}`
  return [...new Map(shots.map((shot) => [nameOf(shot), shot])).values()]
}
