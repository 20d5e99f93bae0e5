/**
 * The local Corosync, as the rest of the daemon sees it: news in, messages out, and the newest
 * word on quorum at any moment.
 *
 * Once open, nothing here waits for Corosync, also when it is frozen: configuration and links are
 * mirrored by events, messages under way are few, dispatching never waits, and connections end
 * without asking. A frozen Corosync looks like silence; to the others this node then looks lost,
 * and here the own beat no longer comes back (S3).
 */
import type { News } from '../core/event.ts'
import type { Message } from '../core/message.ts'
import type { NodeId } from '../core/model.ts'
import type { Connection } from './connection.ts'
import { createInbox, type Inbox, type Item, isOfGroup } from './inbox.ts'
import { createNames } from './names.ts'
import { loadNative, type Native } from './native.ts'
import {
  type ClusterNode,
  type Link,
  linksOf,
  nodesOf,
  optionsOf,
  type QuorumOptions,
  type Totem,
  totemOf,
} from './nodelist.ts'
import { createOutbox } from './outbox.ts'
import { createPump } from './pump.ts'
import type { Word } from './quorum.ts'
import { openServices, type Services } from './services.ts'
import { createTeller } from './teller.ts'
import { writeMessage } from './validate.ts'
import { expectVotes } from './votes.ts'

export type { ClusterNode, Link, QuorumOptions, Totem } from './nodelist.ts'
export type { Word } from './quorum.ts'

export interface Corosync {
  /** The local node's name in Corosync's nodelist. */
  readonly self: NodeId
  /** Corosync's nodelist as it is now; a reload of its configuration may change it. */
  readonly nodes: readonly ClusterNode[]
  readonly totem: Totem
  readonly options: QuorumOptions
  /**
   * The newest word of the local Corosync, after all that it has said by now: also what the event
   * loop has had no time to hear yet. Not quorate while the newest ring has no verdict, and when
   * Corosync is gone. `undefined` before its first word.
   */
  authority(): Word | undefined
  /** The links to the other nodes, as Corosync sees them; empty without knet. */
  links(): readonly Link[]
  /**
   * Multicasts a message, in agreed order; it comes back to us too. `false`: nothing can be sent
   * any more. Throws when the message is longer than Corosync takes in one piece.
   */
  send(message: Message): boolean
  /**
   * Tells Corosync to expect so many votes, on all nodes of the ring and until its next start.
   * Rejects with a sentence where it does not.
   */
  expect(votes: number): Promise<void>
  /** Leaves the group: the others are told at once, and no more of it is told here. */
  leave(): void
  /** Ends all connections. Nothing is told any more. */
  close(): void
}

export interface CorosyncOptions {
  /** The CPG group. */
  readonly group: string
  /** `quorum`, `group` and `message`, in order. What it throws ends the process. */
  onNews(news: News): void
  /** What goes beside a message of ours, for nobody who decides anything. */
  asideOf?(message: Message): object | undefined
  /** What came beside a message of that node, from outside and as it is. */
  onAside?(from: NodeId, aside: unknown): void
  /** The local Corosync is gone, or of no use any more. The last that is told, and told once. */
  onLost(because: string): void
  /** Somebody sends what is no message. */
  onWarning?(text: string): void
  /** A link to another node went up or down. */
  onLinks?(links: readonly Link[]): void
}

/** While a ring forms, Corosync's services cannot be opened. */
const openMs = 10_000
/** A person waits for it, and the core asks again. */
const expectMs = 3_000

/**
 * Connects to the local Corosync and joins the group. Nothing is told before the caller has the
 * result. Rejects with a sentence that says what to do; the attempt may be repeated.
 */
export async function openCorosync(options: CorosyncOptions): Promise<Corosync> {
  const native = await loadNative()
  // Callbacks run once the pump has started, and not before: by then the listeners are there.
  const listeners: { tell?(item: Item): void; onConfig?(): void } = {}
  const inbox = createInbox((item) => listeners.tell?.(item))
  const services = await openServices(native, {
    group: options.group,
    openMs,
    inbox,
    onConfig: () => listeners.onConfig?.(),
  })
  return assemble(native, services, inbox, options, listeners)
}

function assemble(
  native: Native,
  { quorum, votes, config, stats, cpg, all }: Services,
  inbox: Inbox,
  options: CorosyncOptions,
  listeners: { tell?(item: Item): void; onConfig?(): void },
): Corosync {
  const connections = new Set(all)
  let lost = false
  let left = false

  const lose = (because: string) => {
    if (lost) return
    lost = true
    pump.stop()
    outbox.close()
    inbox.put({ kind: 'lost', because })
    pump.wake()
  }
  const pump = createPump(native, {
    connections: all,
    onTurn: () => inbox.tell(),
    full: () => inbox.full(),
    lose,
  })
  const outbox = createOutbox({ post: cpg.post, lose })
  const names = createNames(config.keys, () => void pump.drain(config))
  const links = () => linksOf(stats.keys, names.of)
  const end = (connection: Connection) => {
    pump.stop(connection)
    if (connections.delete(connection)) connection.close()
  }

  listeners.onConfig = names.forget
  const tell = createTeller({ self: cpg.self, nameOf: names.of, outbox, links, options })
  listeners.tell = (item) => {
    if (!left || !isOfGroup(item)) tell(item)
  }
  setImmediate(() => {
    if (connections.size > 0) pump.start()
  })

  return {
    self: names.of(cpg.self.nodeid),
    get nodes() {
      return nodesOf(config.keys)
    },
    get totem() {
      return totemOf(config.keys)
    },
    get options() {
      return optionsOf(config.keys, votes.rules, votes.expectedVotes())
    },
    authority() {
      const heardAll = connections.has(quorum) && !lost && pump.drain(quorum)
      if (!inbox.empty()) pump.wake()
      const word = quorum.word()
      return word && { ring: word.ring, quorate: word.quorate && heardAll && !lost }
    },
    links,
    send(message) {
      const whole = writeMessage(message, options.asideOf?.(message))
      // What goes beside a message must never be what keeps it back.
      const bytes = whole.length > cpg.postBytesMax ? writeMessage(message) : whole
      if (bytes.length > cpg.postBytesMax) {
        const text = `a message may have ${cpg.postBytesMax} bytes, this ${message.say} has`
        throw new RangeError(`${text} ${bytes.length}: too many resources or nodes`)
      }
      return outbox.send(bytes)
    },
    expect: (votes) => expectVotes(native, { endsAtMs: performance.now() + expectMs }, votes),
    leave() {
      left = true
      outbox.close()
      end(cpg)
    },
    close() {
      listeners.tell = () => {}
      outbox.close()
      for (const connection of all) end(connection)
    },
  }
}
