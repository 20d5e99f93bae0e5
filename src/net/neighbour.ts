/**
 * Tells the neighbours on a wire who holds an address now, and asks them whether anybody does.
 *
 * Without the telling, clients talk to a dead node until their table forgets it (measured: 5.5 s).
 * The asking is a courtesy to strangers: that no other node of ours holds an address is proven by
 * fencing, never by silence.
 */
import { readFileSync } from 'node:fs'
import {
  addressBytes,
  arpAnnouncements,
  arpRequest,
  macText,
  neighbourAnnouncement,
  neighbourSolicitation,
  readAdvertisement,
  readArp,
} from './frame.ts'
import { type Link, openLink } from './link.ts'
import {
  AF_INET6,
  IPPROTO_ICMPV6,
  listen,
  openSocket,
  type Packet,
  SOCK_RAW,
  type Socket,
} from './socket.ts'

/**
 * Tells everybody on the wire, once, that an address lives here now: gratuitous ARP as request and
 * as reply for IPv4, an unsolicited neighbour advertisement for IPv6.
 *
 * A frame can get lost, and a switch may just be learning: tell it again a few times. But never
 * once the address is to be given up: a repetition that comes late would take it back from its next
 * holder. So the repeating, and its end, are the caller's.
 */
export async function announce(interfaceName: string, address: string): Promise<void> {
  const bytes = bytesOf(address)
  const link = await openLink(interfaceName, bytes.length === 4 ? 'arp' : 'nothing')
  if (link === undefined) return
  try {
    const frames =
      bytes.length === 4
        ? arpAnnouncements(link.mac, bytes)
        : [neighbourAnnouncement(link.mac, bytes, forwards(interfaceName))]
    for (const frame of frames) link.send(frame)
  } finally {
    link.socket.close()
  }
}

export interface InUse {
  readonly inUse: boolean
  /** Who answered, where the answer tells. */
  readonly mac?: string
}

/** Times the question is asked in one window: a single frame can get lost. */
const QUESTIONS = 3

/**
 * Asks the wire whether anybody else holds an address or is just about to take it, without changing
 * anybody's tables (RFC 5227, RFC 4862). Answers as soon as somebody speaks up, else after
 * `windowMs`. Rejects when the question could not be asked.
 */
export async function inUse(
  interfaceName: string,
  address: string,
  windowMs: number,
): Promise<InUse> {
  const bytes = bytesOf(address)
  const link = await openLink(interfaceName, bytes.length === 4 ? 'arp' : 'nothing')
  if (link === undefined) return { inUse: false }
  const sockets: Socket[] = []
  try {
    if (bytes.length === 4) sockets.push(link.socket)
    else sockets.push(await openAdvertisements(link))
    return await ask(link, bytes, sockets, windowMs)
  } finally {
    for (const socket of new Set([link.socket, ...sockets])) socket.close()
  }
}

async function ask(
  link: Link,
  address: Buffer,
  sockets: readonly Socket[],
  windowMs: number,
): Promise<InUse> {
  let found: InUse | undefined
  const heard = ({ bytes }: Packet): void => {
    const claim = address.length === 4 ? arpClaim(bytes, address) : ndClaim(bytes, address)
    if (claim !== undefined && !link.macs.has(claim)) {
      found ??= claim === '' ? { inUse: true } : { inUse: true, mac: claim }
    }
  }
  const enough = (): boolean => found !== undefined
  for (let asked = 0; asked < QUESTIONS && !enough(); asked++) {
    link.send(
      address.length === 4
        ? arpRequest(link.mac, address)
        : neighbourSolicitation(link.mac, address),
    )
    await listen({ windowMs: windowMs / QUESTIONS, sockets, heard, enough })
  }
  return found ?? { inUse: false }
}

/** The MAC of whoever claims this address, or asks for it without having one of its own. */
function arpClaim(frame: Buffer, address: Buffer): string | undefined {
  const arp = readArp(frame)
  if (arp === undefined) return undefined
  const holds = arp.sender.equals(address)
  const probes = arp.operation === 'request' && arp.target.equals(address) && isZero(arp.sender)
  return holds || probes ? macText(arp.senderMac) : undefined
}

/** As `arpClaim`, for IPv6; empty where the answer keeps its MAC to itself. */
function ndClaim(message: Buffer, address: Buffer): string | undefined {
  const advertisement = readAdvertisement(message)
  if (!advertisement?.target.equals(address)) return undefined
  return advertisement.mac === undefined ? '' : macText(advertisement.mac)
}

/** Advertisements come through a socket for ICMPv6 alone: all IPv6 would flood a busy machine. */
async function openAdvertisements(link: Link): Promise<Socket> {
  const kind = { domain: AF_INET6, type: SOCK_RAW, protocol: IPPROTO_ICMPV6 }
  const socket = await openSocket(`ICMPv6 on ${link.name}`, kind)
  socket.bindToDevice(link.name)
  return socket
}

/** A router that stops saying that it is one loses the default routes of its neighbours. */
function forwards(interfaceName: string): boolean {
  try {
    const path = `/proc/sys/net/ipv6/conf/${interfaceName}/forwarding`
    return readFileSync(path, 'utf8').trim() !== '0'
  } catch {
    return false
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

function bytesOf(address: string): Buffer {
  const bytes = addressBytes(address)
  if (bytes === undefined) throw new Error(`${address} is no IPv4 or IPv6 address`)
  return bytes
}
