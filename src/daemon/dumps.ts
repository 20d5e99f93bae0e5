/**
 * Whose crash kernel speaks: a message counts for the node that has the address it came from, in
 * Corosync's nodelist or in the config, and reaches the core once a second at most. Names in the
 * nodelist are looked up again and again, and never while anybody waits.
 */
import { lookup } from 'node:dns/promises'
import { isIP, SocketAddress } from 'node:net'
import type { Config, NodeId } from '../core/model.ts'
import type { ClusterNode } from '../corosync/nodelist.ts'
import { type KdumpEars, openKdumpEars } from '../net/kdump.ts'
import type { Log } from './log.ts'
import type { Mailbox } from './mailbox.ts'

const LOOK_UP_EVERY_MS = 60_000
const TELL_EVERY_MS = 1_000

export interface DumpsOptions {
  readonly port: number
  readonly self: NodeId
  readonly config: Pick<Config, 'nodes'>
  /** As Corosync has it now. */
  readonly listed: () => readonly ClusterNode[]
  readonly tell: Mailbox['tell']
  readonly say: Log['say']
}

/** Listens for the crash kernels of the other nodes, until it is closed. */
export function listenForDumps({ port, self, config, listed, tell, say }: DumpsOptions): KdumpEars {
  let nodeAt: ReadonlyMap<string, NodeId> = new Map()
  const toldMs = new Map<NodeId, number>()
  const refresh = async () => {
    const known = await addressesOf(config, listed())
    nodeAt = known
  }
  void refresh()
  const timer = setInterval(() => void refresh(), LOOK_UP_EVERY_MS).unref()
  const ears = openKdumpEars({
    port,
    heard(address) {
      const node = nodeAt.get(canonical(address))
      const nowMs = performance.now()
      if (node === undefined || node === self) return
      if (nowMs - (toldMs.get(node) ?? -Infinity) < TELL_EVERY_MS) return
      toldMs.set(node, nowMs)
      tell({ kind: 'dumping', node })
    },
    deaf(because) {
      const text = `The crash kernels of other nodes are not heard here: ${because}.`
      say('alarm', `${text} Their fencing waits for the other members' ears alone.`)
    },
  })
  return {
    close() {
      clearInterval(timer)
      ears.close()
    },
  }
}

/** Every address of every node. One that two of them claim says nothing of either. */
async function addressesOf(
  { nodes }: Pick<Config, 'nodes'>,
  listed: readonly ClusterNode[],
): Promise<ReadonlyMap<string, NodeId>> {
  const named = [
    ...nodes.map(({ id, addresses }) => [id, addresses] as const),
    ...listed.map(({ name, addresses }) => [name, addresses] as const),
  ]
  const pairs = named.flatMap(([node, addresses]) => addresses.map((text) => [node, text] as const))
  const found = new Map<string, NodeId>()
  const claimed = new Set<string>()
  for (const [node, text] of pairs) {
    for (const address of await resolved(text)) {
      if ((found.get(address) ?? node) !== node) claimed.add(address)
      found.set(address, node)
    }
  }
  for (const address of claimed) found.delete(address)
  return found
}

async function resolved(text: string): Promise<readonly string[]> {
  if (isIP(text) !== 0) return [canonical(text)]
  try {
    return (await lookup(text, { all: true })).map(({ address }) => canonical(address))
  } catch {
    // Looked up again in a minute; until then nothing from there counts.
    return []
  }
}

/** One spelling for each address, without the interface that a link-local one came in by. */
function canonical(text: string): string {
  const [address = ''] = text.split('%')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  return new SocketAddress({ address, family }).address
}
