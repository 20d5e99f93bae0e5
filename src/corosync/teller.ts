/** Makes news out of what Corosync has said. */
import type { NodeId } from '../core/model.ts'
import { createComplaints } from './complaints.ts'
import type { CorosyncOptions } from './corosync.ts'
import { messageBytesMax } from './cpg.ts'
import { type Address, createGroup, type View } from './group.ts'
import type { Item } from './inbox.ts'
import type { Link } from './nodelist.ts'
import type { Outbox } from './outbox.ts'
import { readMessage } from './validate.ts'

export interface TellerOptions {
  readonly self: Address
  nameOf(nodeid: number): NodeId
  readonly outbox: Pick<Outbox, 'onEcho'>
  links(): readonly Link[]
  readonly options: CorosyncOptions
}

/** A listener for the inbox. */
export function createTeller(given: TellerOptions): (item: Item) => void {
  const { self, nameOf, outbox, links } = given
  const { onNews, onAside, onLost, onLinks, onWarning } = given.options
  const group = createGroup(self)
  const complain = createComplaints((text) => onWarning?.(text))

  function onView(view: View | undefined): void {
    if (view === undefined) return
    const members = view.members.map(({ nodeid, pid }) => ({ node: nameOf(nodeid), pid }))
    onNews({ kind: 'group', ring: view.ring, ringMembers: view.nodeids.map(nameOf), members })
  }

  function onDelivery(from: Address, bytes: Uint8Array | undefined): void {
    if (from.nodeid === self.nodeid && from.pid === self.pid) outbox.onEcho()
    const node = nameOf(from.nodeid)
    if (bytes === undefined) {
      return complain(from, node, `it is longer than ${messageBytesMax} bytes`)
    }
    const received = readMessage(bytes)
    if (!received.ok) return complain(from, node, received.because)
    onNews({ kind: 'message', from: node, pid: from.pid, message: received.message })
    if (received.aside !== undefined) onAside?.(node, received.aside)
  }

  return (item) => {
    switch (item.kind) {
      case 'verdict':
        return onNews({ kind: 'quorum', ring: item.word.ring, quorate: item.word.quorate })
      case 'change':
        return onView(group.onChange(item.members, item.changes))
      case 'ring':
        return onView(group.onRing(item.ring, item.nodeids))
      case 'delivery':
        return onDelivery(item.from, item.bytes)
      case 'links':
        return onLinks?.(links())
      case 'lost':
        return onLost(item.because)
    }
  }
}
