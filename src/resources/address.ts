/**
 * Addresses in one spelling only, so that two ways of writing an address are one thing (S16), and
 * so that what the kernel tells can be compared with what the config says.
 */
import { BlockList, isIP } from 'node:net'

export interface Address {
  /** Dotted decimal, or as RFC 5952 writes it. */
  readonly text: string
  readonly family: 4 | 6
  /** All bits when the config names none: the address alone, and no network of its own. */
  readonly prefix: number
}

/** Reads `10.77.0.100`, `10.77.0.100/24` or `2001:db8::1/64`. Throws with what is wrong. */
export function parseAddress(text: string): Address {
  const [host = '', bits, ...rest] = text.split('/')
  const family = isIP(host)
  if (family === 0 || rest.length > 0 || host.includes('%')) {
    throw new Error('is no IPv4 or IPv6 address, with or without a prefix like /24')
  }
  const all = family === 4 ? 32 : 128
  const prefix = bits === undefined ? all : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  if (!(prefix >= 1 && prefix <= all)) throw new Error(`needs a prefix between /1 and /${all}`)
  const address = { text: canonicalAddress(host), family: family === 4 ? 4 : 6, prefix } as const
  const reason = unusable(address)
  if (reason !== undefined) throw new Error(reason)
  return address
}

/** One spelling for one address. */
export function canonicalAddress(host: string): string {
  if (isIP(host) !== 6) return host
  return new URL(`http://[${host}]`).hostname.slice(1, -1)
}

/** Does a network contain an address? */
export function contains(network: Address, { text, family }: Address): boolean {
  if (network.family !== family) return false
  const list = new BlockList()
  const kind = family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(network.text, network.prefix, kind)
  return list.check(text, kind)
}

/** Addresses that no machine can hold in the place of another. */
function unusable(address: Address): string | undefined {
  const within = (network: string, prefix: number) =>
    contains({ text: network, family: address.family, prefix }, address)
  if (address.family === 6) {
    if (within('::', 127)) return 'is the unspecified or the loopback address'
    if (within('ff00::', 8)) return 'is a multicast address'
    if (within('::ffff:0:0', 96)) return 'is an IPv4 address in IPv6 clothes; write it as IPv4'
    return undefined
  }
  if (within('0.0.0.0', 8) || within('127.0.0.0', 8)) return 'is a loopback or unset address'
  if (within('224.0.0.0', 3)) return 'is a multicast, reserved or broadcast address'
  if (address.prefix > 30) return undefined
  const host = hostBits(address)
  if (host === 0) return `is the network's own address in /${address.prefix}`
  if (host === 2 ** (32 - address.prefix) - 1) {
    return `is the broadcast address in /${address.prefix}`
  }
  return undefined
}

function hostBits({ text, prefix }: Address): number {
  const value = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return value % 2 ** (32 - prefix)
}
