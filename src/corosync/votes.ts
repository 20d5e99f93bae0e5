/** The votequorum service: by which rules a ring is quorate, and how many votes it expects. */
import { type Connection, connect, type Patience } from './connection.ts'
import { callback, type Handle, type Native } from './native.ts'
import { trackAll } from './quorum.ts'

/** What this node's votequorum said when the connection was opened. */
export interface Rules {
  readonly twoNode: boolean
  readonly waitForAll: boolean
  readonly lastManStanding: boolean
  readonly autoTieBreaker: boolean
  readonly allowDownscale: boolean
  /** A quorum device is registered. */
  readonly qdevice: boolean
}

export interface Votes extends Connection {
  /** The local node's id. */
  readonly nodeid: number
  readonly rules: Rules
  /** Votes that quorum is computed from at the moment; `corosync-quorumtool -e` changes it. */
  expectedVotes(): number
}

/** Bits of `votequorum_info.flags`. */
const flag = {
  twoNode: 1,
  waitForAll: 4,
  lastManStanding: 8,
  autoTieBreaker: 16,
  allowDownscale: 32,
  qdevice: 64,
} as const

const thisNode = 0

const asService = (callbacks: readonly bigint[], onExpected: bigint | null) => ({
  name: 'votequorum',
  file: 'libvotequorum.so.8',
  prefix: 'votequorum',
  initialize: `int votequorum_initialize(_Out_ uint64_t *handle,
      const votequorum_callbacks_t *callbacks)`,
  given: [{ onVerdict: null, onExpected, onNodes: null }],
  callbacks,
})

/**
 * Tells votequorum, on all nodes of this ring, to expect so many votes until its next start. Over a
 * connection of its own, since nothing that stays open waits for Corosync.
 */
export async function expectVotes(
  native: Native,
  patience: Patience,
  votes: number,
): Promise<void> {
  const connection = await connect(native, patience, asService([], null), async ({ asking }) => {
    const set = asking('int votequorum_setexpected(uint64_t handle, uint32_t expected_votes)')
    await set(votes)
  })
  connection.close()
}

/** Opens the service. */
export async function openVotes(native: Native, patience: Patience): Promise<Votes> {
  let expected: number | undefined
  const onExpected = callback(
    native,
    'OnExpected',
    (_handle: Handle, _context: Handle, votes: number) => {
      expected = votes
    },
  )
  const info = { node_id: 0, flags: 0, node_expected_votes: 0 }
  const service = asService([onExpected], onExpected)
  const connection = await connect(native, patience, service, async ({ asking }) => {
    const track = asking(`int votequorum_trackstart(uint64_t handle, uint64_t context,
      uint32_t flags)`)
    const getInfo = asking(`int votequorum_getinfo(uint64_t handle, uint32_t nodeid,
      _Out_ votequorum_info *info)`)
    await track(0, trackAll)
    await getInfo(thisNode, info)
  })
  const has = (bit: number) => (info.flags & bit) !== 0
  return {
    ...connection,
    nodeid: info.node_id,
    rules: {
      twoNode: has(flag.twoNode),
      waitForAll: has(flag.waitForAll),
      lastManStanding: has(flag.lastManStanding),
      autoTieBreaker: has(flag.autoTieBreaker),
      allowDownscale: has(flag.allowDownscale),
      qdevice: has(flag.qdevice),
    },
    expectedVotes: () => expected ?? info.node_expected_votes,
  }
}
