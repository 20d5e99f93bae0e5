/** All connections that we keep to the local Corosync: opened together, or not at all. */
import { type Mirror, openMirror } from './cmap.ts'
import { type Connection, untilAnswered } from './connection.ts'
import { type Cpg, openCpg } from './cpg.ts'
import type { Inbox } from './inbox.ts'
import type { Native } from './native.ts'
import { linkKeysOf, prefixes } from './nodelist.ts'
import { openQuorum, type Quorum } from './quorum.ts'
import { openVotes, type Votes } from './votes.ts'

export interface Services {
  readonly quorum: Quorum
  readonly votes: Votes
  /** Configuration. */
  readonly config: Mirror
  /** State of the links. */
  readonly stats: Mirror
  readonly cpg: Cpg
  readonly all: readonly Connection[]
}

export interface ServicesOptions {
  readonly group: string
  readonly openMs: number
  readonly inbox: Pick<Inbox, 'put'>
  /** A key of the configuration has changed. */
  onConfig(): void
}

/** Connects to all services; the group comes last, so that we join it when all else is well. */
export async function openServices(
  native: Native,
  { group, openMs, inbox, onConfig }: ServicesOptions,
): Promise<Services> {
  const patience = { endsAtMs: performance.now() + openMs }
  const all: Connection[] = []
  const opened = <C extends Connection>(connection: C): C => {
    all.push(connection)
    return connection
  }
  await untilAnswered(patience)
  try {
    const quorum = opened(
      await openQuorum(native, patience, (word) => inbox.put({ kind: 'verdict', word })),
    )
    const votes = opened(await openVotes(native, patience))
    const config = opened(
      await openMirror(native, patience, { map: 'icmap', prefixes, onChange: onConfig }),
    )
    const stats = opened(
      await openMirror(native, patience, {
        map: 'stats',
        single: linkKeysOf(config.keys, votes.nodeid),
        onChange: () => inbox.put({ kind: 'links' }),
      }),
    )
    const cpg = opened(
      await openCpg(native, patience, group, {
        onChange: (members, changes) => inbox.put({ kind: 'change', members, changes }),
        onRing: (ring, nodeids) => inbox.put({ kind: 'ring', ring, nodeids }),
        onDeliver: (from, bytes) => inbox.put({ kind: 'delivery', from, bytes }),
      }),
    )
    return { quorum, votes, config, stats, cpg, all }
  } catch (error) {
    for (const connection of all) connection.close()
    throw error
  }
}
