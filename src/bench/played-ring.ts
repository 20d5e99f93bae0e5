/**
 * Corosync as it is on a good day, for the benchmarks: every message comes back at once, in one
 * order, and the other members say the same as we do.
 */
import type { News } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'

export function playedRing(self: NodeId, echoes: readonly NodeId[], targets: readonly NodeId[]) {
  let tell: (news: News) => void = () => undefined
  let seq = 0
  let present: readonly NodeId[] = []
  const pids = new Map<NodeId, number>([self, ...echoes, ...targets].map((id) => [id, 1]))
  const pidOf = (id: NodeId) => pids.get(id) ?? 0

  const announce = () => {
    seq += 4
    const ring = { rep: 1, seq }
    const members = present.map((id) => ({ node: id, pid: pidOf(id) }))
    tell({ kind: 'group', ring, ringMembers: present, members })
    tell({ kind: 'quorum', ring, quorate: true })
  }
  return {
    begin(listener: typeof tell) {
      tell = listener
      present = [self, ...echoes, ...targets]
      announce()
    },
    /** The ring without these nodes. Who comes back has another daemon than before. */
    lose(nodes: readonly NodeId[]) {
      const before = new Set(present)
      present = [self, ...echoes, ...targets].filter((id) => !nodes.includes(id))
      for (const id of present) if (!before.has(id)) pids.set(id, pidOf(id) + 1)
      announce()
    },
    authority: () => ({ ring: { rep: 1, seq }, quorate: true }),
    send(message: Message) {
      tell({ kind: 'message', from: self, pid: pidOf(self), message })
      for (const id of present) {
        const said = id === self ? undefined : echoOf(id, pidOf(id), message)
        if (said !== undefined) tell({ kind: 'message', from: id, pid: pidOf(id), message: said })
      }
    },
  }
}

/** What another member says when it hears this; nothing to most messages. */
function echoOf(id: NodeId, pid: number, message: Message): Message | undefined {
  switch (message.say) {
    case 'sync': {
      const life = `${id}.${pid}`
      const { sync } = message
      const report = { ...sync.report, pressing: [] }
      return { ...message, sync: { ...sync, identity: { incarnation: life, boot: life }, report } }
    }
    case 'report':
      return { ...message, report: { ...message.report, pressing: [] } }
    case 'ready':
    case 'ack':
      return message
    default:
      return undefined
  }
}
