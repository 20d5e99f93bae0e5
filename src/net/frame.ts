/**
 * The packets that ask and tell who holds an address: ARP for IPv4, neighbour discovery for IPv6,
 * and the echo that asks whether anybody is there. Bytes in, bytes out; nothing is sent here.
 *
 * @source RFC 826 and RFC 5227 (ARP), RFC 4861 and 4862 (neighbour discovery), RFC 792 and 4443
 * (echo).
 */
import { isIPv4, isIPv6 } from 'node:net'

export type Mac = Buffer

export const ETH_P_ARP = 0x0806
const ETH_P_IPV6 = 0x86dd
const broadcast: Mac = Buffer.alloc(6, 0xff)
const noMac: Mac = Buffer.alloc(6)
const unspecified4 = Buffer.alloc(4)
const unspecified6 = Buffer.alloc(16)
/** ff02::1 */
const allNodes = Buffer.from(`ff02${'0'.repeat(27)}1`, 'hex')

const ECHO_REQUEST_4 = 8
const ECHO_REQUEST_6 = 128
const NEIGHBOUR_SOLICITATION = 135
const NEIGHBOUR_ADVERTISEMENT = 136
const OPTION_SOURCE_MAC = 1
const OPTION_TARGET_MAC = 2

/** The four or sixteen bytes of an address; `undefined` for what is none. No zone, no prefix. */
export function addressBytes(text: string): Buffer | undefined {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) return undefined
  // The URL parser turns every spelling into the one of RFC 5952, without dotted parts.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [front, back] = [words(head), words(tail ?? '')]
  const gap = tail === undefined ? [] : Array(8 - front.length - back.length).fill('0')
  const all = [...front, ...gap, ...back].map((word: string) => word.padStart(4, '0'))
  return Buffer.from(all.join(''), 'hex')
}

/** Four or sixteen bytes as an address: dotted decimal, or as RFC 5952 writes it. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const words = bytes.toString('hex').match(/.{4}/g) ?? []
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
}

/** `aa:bb:cc:dd:ee:ff` */
export function macText(mac: Mac): string {
  return (mac.toString('hex').match(/../g) ?? []).join(':')
}

export interface Arp {
  readonly operation: 'request' | 'reply'
  readonly senderMac: Mac
  readonly sender: Buffer
  readonly target: Buffer
}

/** "Who has `target`?" With no sender it is a probe: it changes nobody's table (RFC 5227). */
export function arpRequest(ownMac: Mac, target: Buffer, sender: Buffer = unspecified4): Buffer {
  return arp(1, { destination: broadcast, ownMac, sender, targetMac: noMac, target })
}

/** Tells everybody that an address is ours, in both forms: some listen to one of them only. */
export function arpAnnouncements(ownMac: Mac, address: Buffer): Buffer[] {
  const common = { destination: broadcast, ownMac, sender: address, target: address }
  return [arp(1, { ...common, targetMac: noMac }), arp(2, { ...common, targetMac: ownMac })]
}

interface ArpParts {
  readonly destination: Mac
  readonly ownMac: Mac
  readonly sender: Buffer
  readonly targetMac: Mac
  readonly target: Buffer
}

function arp(operation: number, { destination, ownMac, sender, targetMac, target }: ArpParts) {
  // Ethernet (1), IPv4 (0x0800), lengths 6 and 4.
  const fixed = Buffer.from([0, 1, 8, 0, 6, 4, 0, operation])
  return ethernet(destination, ownMac, ETH_P_ARP, [fixed, ownMac, sender, targetMac, target])
}

/** Reads an Ethernet frame that may be ARP for IPv4; `undefined` for everything else. */
export function readArp(frame: Buffer): Arp | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== ETH_P_ARP) return undefined
  if (!frame.subarray(14, 20).equals(Buffer.from([0, 1, 8, 0, 6, 4]))) return undefined
  const operation = frame.readUInt16BE(20)
  if (operation !== 1 && operation !== 2) return undefined
  return {
    operation: operation === 1 ? 'request' : 'reply',
    senderMac: frame.subarray(22, 28),
    sender: frame.subarray(28, 32),
    target: frame.subarray(38, 42),
  }
}

/**
 * "Who has `target`?" for IPv6. Without a sender it is the question of duplicate address detection:
 * it changes nobody's table, and is answered to everybody.
 */
export function neighbourSolicitation(ownMac: Mac, target: Buffer, sender?: Buffer): Buffer {
  // Solicited-node multicast: ff02::1:ff and the last three bytes of the address.
  const group = Buffer.concat([
    Buffer.from(`ff02${'0'.repeat(18)}01ff`, 'hex'),
    target.subarray(13),
  ])
  const body = [Buffer.alloc(4), target]
  if (sender !== undefined) body.push(Buffer.from([OPTION_SOURCE_MAC, 1]), ownMac)
  const source = sender ?? unspecified6
  return icmp6Frame({ ownMac, source, group, type: NEIGHBOUR_SOLICITATION, body })
}

/** Tells everybody that an address is ours now, overriding what they remember. */
export function neighbourAnnouncement(ownMac: Mac, address: Buffer, isRouter: boolean): Buffer {
  // Flags: router, override. "Solicited" stays off, for nobody has asked.
  const flags = Buffer.from([isRouter ? 0xa0 : 0x20, 0, 0, 0])
  const body = [flags, address, Buffer.from([OPTION_TARGET_MAC, 1]), ownMac]
  return icmp6Frame({
    ownMac,
    source: address,
    group: allNodes,
    type: NEIGHBOUR_ADVERTISEMENT,
    body,
  })
}

/** Reads an ICMPv6 message that may be a neighbour advertisement. */
export function readAdvertisement(message: Buffer): { target: Buffer; mac?: Mac } | undefined {
  if (message.length < 24 || message[0] !== NEIGHBOUR_ADVERTISEMENT) return undefined
  const target = message.subarray(8, 24)
  for (let at = 24; at + 8 <= message.length; at += 8 * (message[at + 1] || 1)) {
    if (message[at] === OPTION_TARGET_MAC) return { target, mac: message.subarray(at + 2, at + 8) }
  }
  return { target }
}

interface Icmp6Parts {
  readonly ownMac: Mac
  readonly source: Buffer
  readonly group: Buffer
  readonly type: number
  readonly body: readonly Buffer[]
}

function icmp6Frame({ ownMac, source, group, type, body }: Icmp6Parts): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), ...body])
  const pseudo = Buffer.concat([source, group, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])])
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2)
  // Version 6, next header 58, hop limit 255: whatever came through a router is thrown away.
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255])
  // Multicast: 33:33 and the last four bytes of the group.
  const destination = Buffer.concat([Buffer.from([0x33, 0x33]), group.subarray(12)])
  return ethernet(destination, ownMac, ETH_P_IPV6, [header, source, group, message])
}

/** An echo request. The kernel fills in the checksum of version 6 itself, that of 4 it does not. */
export function echoRequest(family: 4 | 6, id: number, sequence: number): Buffer {
  const message = Buffer.alloc(16)
  message[0] = family === 4 ? ECHO_REQUEST_4 : ECHO_REQUEST_6
  message.writeUInt16BE(id, 4)
  message.writeUInt16BE(sequence, 6)
  if (family === 4) message.writeUInt16BE(checksum(message), 2)
  return message
}

function ethernet(destination: Mac, source: Mac, type: number, payload: readonly Buffer[]): Buffer {
  const kind = Buffer.from([type >> 8, type & 0xff])
  return Buffer.concat([destination, source, kind, ...payload])
}

/** The Internet checksum (RFC 1071): 0 over a message that carries its own. */
export function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
