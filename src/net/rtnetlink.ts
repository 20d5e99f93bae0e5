/**
 * What is said to the kernel about addresses and interfaces, and how its answers read: the bodies
 * of route netlink, bytes in and bytes out.
 *
 * @source Linux, include/uapi/linux/rtnetlink.h, if_addr.h and if_link.h; rtnetlink(7).
 */
import { addressBytes, addressText } from './frame.ts'
import { decodeAttributes, encodeAttribute, readU32, u32 } from './netlink.ts'
import { AF_INET, AF_INET6 } from './socket.ts'

export const RTM_NEWLINK = 16
export const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_CACHEINFO = 6
const IFA_FLAGS = 8
const IFA_F_NODAD = 0x02
const IFA_F_DADFAILED = 0x08
const IFLA_IFNAME = 3
const IFLA_EXT_MASK = 29
const RTEXT_FILTER_SKIP_STATS = 8
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_NOARP = 0x80
const IFF_LOWER_UP = 0x10000
/** `struct ifaddrmsg` and `struct ifinfomsg`. */
const ADDRESS_BYTES = 8
const LINK_BYTES = 16
const FOR_EVER = 0xffffffff

export type Family = 4 | 6

export interface IpAddress {
  /** Dotted decimal, or as RFC 5952 writes it. */
  readonly text: string
  readonly family: Family
  readonly prefix: number
}

/** An address that an interface here has. */
export interface HeldAddress extends IpAddress {
  /** The other end of a point-to-point link; on all others the address itself. */
  readonly peer: string
  /** The kernel found somebody else with it and does not use it. */
  readonly duplicate: boolean
}

export interface Interface {
  readonly name: string
  readonly index: number
  /** Switched on, and something at the other end of the cable. */
  readonly up: boolean
  /** Answers ARP and neighbour solicitations, so that asking makes sense. */
  readonly resolves: boolean
  readonly loopback: boolean
}

/** How an address is to be taken. */
export interface Adding {
  /** IPv6: the kernel does not wait whether somebody else has it. */
  readonly unasked: boolean
  /** IPv6: it is never chosen as the source of what this machine sends. */
  readonly deprecated: boolean
}

/** All addresses of a family. */
export function addressesQuery(family: Family): Buffer {
  return addressHead({ family, prefix: 0, flags: 0, index: 0 })
}

/** All interfaces, or the one of that number or name. */
export function linksQuery(which?: number | string): Buffer {
  const body = Buffer.alloc(LINK_BYTES)
  if (typeof which === 'number') body.set(u32(which), 4)
  const name = typeof which === 'string' ? [Buffer.from(`${which}\0`)] : []
  return Buffer.concat([
    body,
    encodeAttribute(IFLA_EXT_MASK, u32(RTEXT_FILTER_SKIP_STATS)),
    ...name.map((value) => encodeAttribute(IFLA_IFNAME, value)),
  ])
}

export function newAddress(
  index: number,
  address: IpAddress,
  { unasked, deprecated }: Adding,
): Buffer {
  const bytes = bytesOf(address.text)
  const flags = unasked ? IFA_F_NODAD : 0
  const parts = [
    addressHead({ ...address, flags, index }),
    encodeAttribute(IFA_LOCAL, bytes),
    encodeAttribute(IFA_ADDRESS, bytes),
  ]
  if (deprecated) {
    // struct ifa_cacheinfo: preferred for no time, valid for ever; the kernel fills in the stamps.
    const lives = Buffer.concat([u32(0), u32(FOR_EVER), u32(0), u32(0)])
    parts.push(encodeAttribute(IFA_CACHEINFO, lives))
  }
  return Buffer.concat(parts)
}

export function oldAddress(index: number, address: HeldAddress): Buffer {
  return Buffer.concat([
    addressHead({ ...address, flags: 0, index }),
    encodeAttribute(IFA_LOCAL, bytesOf(address.text)),
    encodeAttribute(IFA_ADDRESS, bytesOf(address.peer)),
  ])
}

interface AddressHead {
  readonly family: Family
  readonly prefix: number
  readonly flags: number
  readonly index: number
}

function addressHead({ family, prefix, flags, index }: AddressHead): Buffer {
  const domain = family === 4 ? AF_INET : AF_INET6
  return Buffer.concat([Buffer.from([domain, prefix, flags, 0]), u32(index)])
}

/** Which interface has which address. `undefined`: of another kind than IPv4 and IPv6. */
export function readAddress(
  body: Buffer,
): { readonly index: number; readonly held: HeldAddress } | undefined {
  if (body.length < ADDRESS_BYTES) throw new Error(`an address in ${body.length} bytes`)
  const [domain, prefix = 0, fewFlags = 0] = body
  if (domain !== AF_INET && domain !== AF_INET6) return undefined
  const family = domain === AF_INET ? 4 : 6
  const attributes = decodeAttributes(body.subarray(ADDRESS_BYTES))
  const sized = (type: number): Buffer | undefined => {
    const value = attributes.get(type)
    if (value === undefined || value.length === (family === 4 ? 4 : 16)) return value
    throw new Error(`an IPv${family} address of ${value.length} bytes`)
  }
  const peer = sized(IFA_ADDRESS)
  const own = sized(IFA_LOCAL) ?? peer
  if (own === undefined) return undefined
  const flags = attributes.get(IFA_FLAGS)
  const all = flags?.length === 4 ? readU32(flags, 0) : fewFlags
  const held: HeldAddress = {
    ...{ text: addressText(own), family, prefix, peer: addressText(peer ?? own) },
    duplicate: (all & IFA_F_DADFAILED) !== 0,
  }
  return { index: readU32(body, 4), held }
}

export function readLink(body: Buffer): Interface {
  if (body.length < LINK_BYTES) throw new Error(`an interface in ${body.length} bytes`)
  const name = decodeAttributes(body.subarray(LINK_BYTES)).get(IFLA_IFNAME)
  const end = name?.indexOf(0) ?? -1
  if (name === undefined || end < 1) throw new Error('an interface without a name')
  const flags = readU32(body, 8)
  return {
    name: name.toString('utf8', 0, end),
    index: readU32(body, 4),
    up: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    resolves: (flags & (IFF_NOARP | IFF_LOOPBACK)) === 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
  }
}

function bytesOf(text: string): Buffer {
  const bytes = addressBytes(text)
  if (bytes === undefined) throw new Error(`${text} is no IPv4 or IPv6 address`)
  return bytes
}
