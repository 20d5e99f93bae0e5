/**
 * Listens whether a node that is said to be off still answers on any of its addresses (F8).
 *
 * Silence proves nothing by itself, and no node is ever declared dead by it: it is the second
 * opinion on a power reading, against a device that lies or belongs to another machine. So every
 * doubt is decided against silence.
 */
import { createConnection } from 'node:net'
import {
  arpRequest,
  echoRequest,
  macText,
  neighbourSolicitation,
  readAdvertisement,
  readArp,
} from './frame.ts'
import { type Link, openLink } from './link.ts'
import { addressIn, type Route, routeTo } from './route.ts'
import {
  AF_INET,
  AF_INET6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  listen,
  openSocket,
  type Packet,
  SOCK_RAW,
  type Socket,
} from './socket.ts'

export interface Hush {
  /** Nobody answered, and at least one address really was asked. */
  readonly silent: boolean
  readonly answered: readonly string[]
  /** Addresses that could not be asked at all: no route, no permission, our own cable out. */
  readonly unprobed: readonly { readonly address: string; readonly because: string }[]
  /** The finding in a sentence. */
  readonly because: string
}

interface Target {
  readonly address: string
  readonly route: Route | undefined
  /** Has a single probe left this machine? */
  probed: boolean
  answered: boolean
  /** Why none has. */
  because: string
}

/** Times every question is asked: a single packet can get lost. The last half only listens. */
const ROUNDS = 3

/**
 * Asks every address several times, in every way there is: by echo (any ICMP from the address
 * counts as a sign of life, a refusal too), by ARP or neighbour solicitation where it is on a wire
 * of ours (a firewall does not hide a machine from that), and by TCP where ports are given (a
 * refused connection is an answer). Takes `windowMs` where somebody stays silent, and never
 * rejects.
 *
 * An address that cannot be asked counts neither way, and is told. But where none could be asked,
 * nothing was learned, and that is not silence: a survivor with its own cable out must not take the
 * quiet for proof. Where something else answers for a dead node (proxy ARP, a fabric that
 * suppresses ARP), it counts as an answer: the fence is then not verified until that stops.
 */
export async function hush(
  addresses: readonly string[],
  windowMs: number,
  { ports = [] }: { readonly ports?: readonly number[] } = {},
): Promise<Hush> {
  const targets = await Promise.all([...new Set(addresses)].map(aim))
  const { sockets, askAll, hear, close } = await openProbes(targets)
  const calls = targets.flatMap((target) => ports.map((port) => call(target, port)))
  const enough = (): boolean => targets.every(({ answered }) => answered)
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      askAll(round)
      const partMs = round < ROUNDS ? windowMs / 2 / (ROUNDS - 1) : windowMs / 2
      await listen({ windowMs: partMs, sockets, heard: hear, enough })
    }
  } finally {
    close()
    for (const hangUp of calls) hangUp()
  }
  return judge(targets, windowMs)
}

async function aim(address: string): Promise<Target> {
  const fresh = { address, probed: false, answered: false }
  try {
    return { ...fresh, route: await routeTo(address), because: 'nothing could be sent' }
  } catch (error) {
    return { ...fresh, route: undefined, because: textOf(error) }
  }
}

interface Probes {
  readonly sockets: readonly Socket[]
  askAll(round: number): void
  hear(packet: Packet, socket: Socket): void
  close(): void
}

/** Opens what is needed for these targets. What cannot be opened is noted with them. */
async function openProbes(targets: readonly Target[]): Promise<Probes> {
  const echo4 = await openEcho(targets, 4)
  const echo6 = await openEcho(targets, 6)
  const links = await openLinks(targets)
  const wires = [...links.values()]
  const id = process.pid & 0xffff
  const match = (address: Buffer): void => {
    for (const target of targets) if (target.route?.bytes.equals(address)) target.answered = true
  }

  return {
    // Advertisements arrive as ICMPv6; the links themselves are read for ARP.
    sockets: [echo4, echo6, ...wires.map(({ socket }) => socket)].filter(
      (one) => one !== undefined,
    ),

    askAll(round) {
      for (const target of targets) {
        const { route } = target
        if (route === undefined) continue
        const family = route.bytes.length === 4 ? 4 : 6
        const echo = family === 4 ? echo4 : echo6
        if (echo) attempt(target, () => echo.send(echoRequest(family, id, round), route.to))
        for (const { interface: name, own } of route.near) {
          const link = links.get(name)
          if (link) attempt(target, () => link.send(whoHas(link, route.bytes, own)))
        }
      }
    },

    hear({ bytes, from }, socket) {
      if (socket === echo4 || socket === echo6) {
        match(addressIn(from))
        const advertised = socket === echo6 ? readAdvertisement(bytes) : undefined
        if (advertised) match(advertised.target)
        return
      }
      const arp = readArp(bytes)
      const link = wires.find((one) => one.socket === socket)
      if (arp && link && !link.macs.has(macText(arp.senderMac))) match(arp.sender)
    },

    close() {
      for (const socket of [echo4, echo6, ...wires.map((link) => link.socket)]) socket?.close()
    },
  }
}

function whoHas(link: Link, address: Buffer, own: Buffer): Buffer {
  return address.length === 4
    ? arpRequest(link.mac, address, own)
    : neighbourSolicitation(link.mac, address, own)
}

async function openEcho(targets: readonly Target[], family: 4 | 6): Promise<Socket | undefined> {
  const concerned = targets.filter(({ route }) => route?.bytes.length === (family === 4 ? 4 : 16))
  if (concerned.length === 0) return undefined
  const kind =
    family === 4
      ? { domain: AF_INET, type: SOCK_RAW, protocol: IPPROTO_ICMP }
      : { domain: AF_INET6, type: SOCK_RAW, protocol: IPPROTO_ICMPV6 }
  try {
    return await openSocket('echo requests', kind)
  } catch (error) {
    for (const target of concerned) target.because = textOf(error)
    return undefined
  }
}

async function openLinks(targets: readonly Target[]): Promise<Map<string, Link>> {
  const links = new Map<string, Link>()
  for (const target of targets) {
    for (const { interface: name } of target.route?.near ?? []) {
      if (links.has(name)) continue
      try {
        const link = await openLink(name, 'arp')
        if (link !== undefined) links.set(name, link)
      } catch (error) {
        target.because = textOf(error)
      }
    }
  }
  return links
}

function attempt(target: Target, send: () => void): void {
  try {
    send()
    target.probed = true
  } catch (error) {
    target.because = textOf(error)
  }
}

/** Errors of a connection that come from this machine, before anything has left it. */
const ownErrors = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'ENETDOWN', 'EINVAL'])

/** A TCP connection that asks no more than whether it is answered. Returns how to end it. */
function call(target: Target, port: number): () => void {
  if (target.route === undefined) return () => {}
  let left = true
  const connection = createConnection({ host: target.address, port })
  connection.once('connect', () => {
    target.answered = true
  })
  connection.once('error', ({ code = 'an error' }: NodeJS.ErrnoException) => {
    if (code === 'ECONNREFUSED' || code === 'ECONNRESET') target.answered = true
    if (ownErrors.has(code)) {
      left = false
      target.because = `TCP ended with ${code}`
    }
  })
  return () => {
    target.probed ||= left
    connection.destroy()
  }
}

function judge(targets: readonly Target[], windowMs: number): Hush {
  const answered = targets.filter((target) => target.answered).map(({ address }) => address)
  const probed = targets.filter((target) => target.probed || target.answered)
  const unprobed = targets
    .filter((target) => !probed.includes(target))
    .map(({ address, because }) => ({ address, because }))
  const notes = unprobed.map(({ address, because }) => `${address} (${because})`).join(', ')
  const finding = (silent: boolean, because: string): Hush => ({
    ...{ silent, answered, unprobed },
    because: notes === '' ? because : `${because}; could not be asked: ${notes}`,
  })
  if (targets.length === 0) return finding(false, 'no address was listed')
  if (answered.length > 0) return finding(false, `${answered.join(', ')} still answers`)
  if (probed.length === 0) return finding(false, 'nothing was learned')
  const names = probed.map(({ address }) => address).join(', ')
  return finding(true, `no answer from ${names} in ${Math.round(windowMs)} ms`)
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
