/**
 * The control socket: how `picket` speaks with the daemon of its node. Only root reaches it (mode
 * 0600). Clients are served as if they meant harm all the same: bounded lines, bounded clients,
 * bounded silence, and nobody who does not read what he asked for is kept.
 */
import { randomUUID } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Say } from '../core/effect.ts'
import type { Order } from '../core/event.ts'
import type { Outlook } from '../core/foresee.ts'
import type { IntentOrder } from '../core/intents.ts'
import type { Verdict } from '../core/message.ts'
import { lineBytesMax, parseRequest, type Reply, type Request, socketName } from './protocol.ts'

/** What has become of an order that this node was given. */
export interface OrderView {
  readonly id: string
  readonly at: 'waiting' | 'fencing' | 'keeping' | 'done' | 'failed' | 'refused'
  readonly because: string
  readonly verdict?: Verdict | undefined
}

/** What the socket shows of the daemon. */
export interface Desk {
  /** The cluster as this node sees it; a sentence why it cannot be seen yet. */
  status(): object | string
  orders(): readonly OrderView[]
  /** Why a resource is where it is; a sentence where there is nothing to explain. */
  explain(resource: string): object | string
  /** What an order about intents would move; a sentence where that cannot be told. */
  foresee(order: IntentOrder): Outlook | string
  /** Is the node of that id proven off? A sentence where nobody can tell. */
  prove(nodeid: number, requester: string): Reply | string
  /** Hands an order to the core, or says why it cannot be taken now. */
  give(order: Order): string | undefined
  /** Notes that an operator knows why lines of the audit log are gone; how many, or why not. */
  accept(requester: string, reason: string): Promise<number | string>
  readonly journalPath: string
}

export interface Control {
  /** The core has taken a step: followers may have something to hear. */
  changed(): void
  /** The core has said something. */
  said(say: Say): void
  close(): void
}

export interface ControlOptions {
  readonly runDir: string
  readonly desk: Desk
  readonly clientsMax?: number
  /** How long a client may be silent before it has asked for something that lasts. */
  readonly idleMs?: number
  /** Gap between two lines of `watch`. */
  readonly watchMs?: number
}

/** A client that is told more than its one answer. */
type Follower =
  | { readonly kind: 'order'; readonly order: Order }
  | { readonly kind: 'watch'; last: string }

/** `sizeof(sun_path)` less the final zero. */
const pathBytesMax = 107
/** What a client has not read yet. */
const backlogBytesMax = 2 ** 20

interface Room {
  readonly desk: Desk
  readonly clients: Map<Socket, Follower | undefined>
  readonly clientsMax: number
  readonly idleMs: number
  readonly watchMs: number
  /** Set while the watchers have been told a moment ago. */
  watchTimer: NodeJS.Timeout | undefined
  /** Something has changed since. */
  stale: boolean
}

/** Opens the socket; resolves when it takes connections. */
export async function openControl(options: ControlOptions): Promise<Control> {
  const { runDir, desk, clientsMax = 32, idleMs = 30_000, watchMs = 250 } = options
  const bounds = { clientsMax, idleMs, watchMs }
  const room: Room = { desk, ...bounds, clients: new Map(), watchTimer: undefined, stale: false }
  const { clients } = room
  const server = createServer((socket) => enter(room, socket))
  await listen(server, join(runDir, socketName))
  return {
    changed() {
      if (clients.size === 0) return
      for (const [socket, follower] of clients) {
        if (follower?.kind === 'order') endOrder(socket, follower.order, desk.orders())
      }
      tellWatchers(room)
    },
    said(say) {
      for (const [socket, follower] of clients) {
        if (follower?.kind === 'order' && concerns(say, follower.order)) {
          tell(socket, { progress: say.text })
        }
      }
    },
    close() {
      clearTimeout(room.watchTimer)
      for (const socket of clients.keys()) socket.destroy()
      server.close()
    },
  }
}

function enter(room: Room, socket: Socket): void {
  const { clients, clientsMax, idleMs } = room
  socket.on('error', () => socket.destroy())
  if (clients.size >= clientsMax) {
    return refuse(socket, `picketd serves ${clientsMax} clients at once, not more`)
  }
  clients.set(socket, undefined)
  socket.on('close', () => clients.delete(socket))
  socket.setTimeout(idleMs, () => refuse(socket, `nothing was asked for ${idleMs} ms`))
  readLines(socket, (line) => hear(room, socket, line))
}

function hear(room: Room, socket: Socket, line: string): void {
  if (room.clients.get(socket) !== undefined) {
    return refuse(socket, 'this connection follows something already; open another one')
  }
  const request = parseRequest(line)
  if (typeof request === 'string') return tell(socket, { ok: false, because: request })
  answer(room, socket, request)
}

function answer(room: Room, socket: Socket, request: Request): void {
  const { desk } = room
  switch (request.do) {
    case 'journal':
      return tell(socket, { ok: true, path: desk.journalPath })
    case 'accept':
      void desk.accept(request.requester, request.reason).then((accepted) => {
        if (typeof accepted === 'number') tell(socket, { ok: true, accepted })
        else tell(socket, { ok: false, because: accepted })
      })
      return
    case 'prove': {
      const found = desk.prove(request.nodeid, request.requester)
      return tell(socket, typeof found === 'string' ? { ok: false, because: found } : found)
    }
    case 'explain': {
      const explanation = desk.explain(request.resource)
      if (typeof explanation !== 'string') return tell(socket, { ok: true, explanation })
      return tell(socket, { ok: false, because: explanation })
    }
    case 'foresee': {
      const { action, resource, node } = request
      const foreseen = desk.foresee({ action, resource, node })
      if (typeof foreseen !== 'string') return tell(socket, { ok: true, ...foreseen })
      return tell(socket, { ok: false, because: foreseen })
    }
    case 'status':
    case 'watch': {
      const status = desk.status()
      if (typeof status === 'string') return tell(socket, { ok: false, because: status })
      if (request.do === 'status') return tell(socket, { ok: true, status })
      follow(room, socket, { kind: 'watch', last: JSON.stringify(status) })
      return tell(socket, { status })
    }
    case 'fence': {
      const { action, target, requester, reason } = request
      return take(room, socket, { id: randomUUID(), action, target, requester, reason })
    }
    case 'want': {
      const { action, resource, node: target, requester, reason } = request
      const order = { id: randomUUID(), action, resource, target, requester, reason }
      return take(room, socket, order)
    }
    case 'unfence': {
      const { target, requester, reason } = request
      const action = 'unfence'
      return take(room, socket, { id: randomUUID(), action, target, requester, reason })
    }
    case 'detach': {
      const { requester, reason, sure = false } = request
      const about = { action: 'detach', target: '', requester, reason, sure } as const
      return take(room, socket, { id: randomUUID(), ...about })
    }
    case 'recover': {
      const { nodes, votes, ring, requester, reason } = request
      const recovery = { nodes, votes, ring }
      const target = nodes.join(', ')
      const about = { action: 'recover', target, requester, reason, recovery } as const
      return take(room, socket, { id: randomUUID(), ...about })
    }
    case 'confirm': {
      const { target, boot, requester, reason } = request
      const order = {
        id: randomUUID(),
        action: 'confirm',
        target,
        requester,
        reason,
        boot,
      } as const
      return take(room, socket, order)
    }
  }
}

function take(room: Room, socket: Socket, order: Order): void {
  const because = room.desk.give(order)
  if (because !== undefined) return tell(socket, { ok: false, because })
  follow(room, socket, { kind: 'order', order })
}

function follow({ clients }: Room, socket: Socket, follower: Follower): void {
  clients.set(socket, follower)
  socket.setTimeout(0)
}

/** Everybody who watches gets the newest status, now or when `watchMs` are over. */
function tellWatchers(room: Room): void {
  room.stale = true
  if (room.watchTimer !== undefined) return
  room.stale = false
  const watchers = [...room.clients].filter(([, follower]) => follower?.kind === 'watch')
  if (watchers.length === 0) return
  const status = room.desk.status()
  if (typeof status === 'string') return
  const text = JSON.stringify(status)
  for (const [socket, follower] of watchers) {
    if (follower?.kind !== 'watch' || follower.last === text) continue
    follower.last = text
    tell(socket, { status })
  }
  room.watchTimer = setTimeout(() => {
    room.watchTimer = undefined
    if (room.stale) tellWatchers(room)
  }, room.watchMs)
}

async function listen(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new Error(
      `The path of the control socket, ${path}, is longer than ${pathBytesMax} bytes. ` +
        'Choose a shorter run directory (--run).',
    )
  }
  // This process holds the node's lock: a socket that is there is a dead daemon's.
  rmSync(path, { force: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // The file appears within `listen`, and nobody else may open it for even a moment.
  const umask = process.umask(0o177)
  try {
    server.listen(path, resolve)
  } finally {
    process.umask(umask)
  }
  await promise
  chmodSync(path, 0o600)
  server.off('error', reject)
  // Out of descriptors, most likely: clients must wait, the cluster need not.
  server.on('error', () => {})
}

/** Calls back for every line; ends a connection whose line has no end. */
function readLines(socket: Socket, heard: (line: string) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      if (end > lineBytesMax) break
      const line = rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
      if (!socket.writable) return
      heard(line)
    }
    if (rest.length > lineBytesMax) refuse(socket, `a line has at most ${lineBytesMax} bytes`)
  })
}

function tell(socket: Socket, reply: Reply): void {
  if (!socket.writable) return
  socket.write(`${JSON.stringify(reply)}\n`)
  if (socket.writableLength > backlogBytesMax) socket.destroy()
}

/** Says why, and ends the connection, whether the client reads it or not. */
function refuse(socket: Socket, because: string): void {
  tell(socket, { ok: false, because })
  socket.destroySoon()
  socket.setTimeout(1_000, () => socket.destroy())
}

/** Is this sentence about the order, or about the node that it is for? */
function concerns(say: Say, order: Order): boolean {
  const { facts } = say
  if (facts === undefined) return false
  if ('order' in facts) return facts.order === order.id
  return facts.target === order.target || facts.node === order.target
}

/** Of these the end is yet to come. */
const openOrders: readonly OrderView['at'][] = ['waiting', 'fencing', 'keeping']

function endOrder(socket: Socket, order: Order, orders: readonly OrderView[]): void {
  const view = orders.find(({ id }) => id === order.id)
  if (view === undefined || openOrders.includes(view.at)) return
  const { because, verdict } = view
  tell(
    socket,
    view.at === 'done' ? { ok: true, because, verdict } : { ok: false, because, verdict },
  )
  socket.end()
}
