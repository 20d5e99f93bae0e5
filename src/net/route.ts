/**
 * How this machine reaches an address, without sending anything: which address of ours it would ask
 * from, and on which wires the address is a direct neighbour.
 */
import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { addressBytes } from './frame.ts'
import {
  AF_INET,
  AF_INET6,
  interfaceIndex,
  NetError,
  openSocket,
  SOCK_DGRAM,
  type Socket,
} from './socket.ts'

/** A wire on which an address is a direct neighbour, and our own address there. */
export interface Near {
  readonly interface: string
  readonly own: Buffer
}

export interface Route {
  readonly bytes: Buffer
  /** Its `sockaddr`. */
  readonly to: Buffer
  readonly near: readonly Near[]
}

/** The route to an address. Rejects with a sentence where there is none that could be used. */
export async function routeTo(address: string): Promise<Route> {
  const [host = '', zone] = address.split('%')
  const bytes = addressBytes(host)
  if (bytes === undefined) throw new Error('it is no IPv4 or IPv6 address')
  const scope = zone === undefined ? 0 : await interfaceIndex(zone)
  if (zone !== undefined && scope === 0) throw new Error(`there is no interface ${zone} here`)
  if (zone === undefined && /^fe[89ab]/i.test(host) && isIPv6(host)) {
    throw new Error(`it needs its interface, as in ${host}%eth0`)
  }
  const to = socketAddress(bytes, scope)
  const from = await sourceFor(to)
  // An interface without a link is missing in this list, and a probe into it would prove silence
  // where only our own cable is out.
  const all = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).map((one) => ({ name, own: addressBytes(one.address), ...one })),
  )
  if (!all.some(({ own }) => own?.equals(from))) {
    throw new Error('our own interface towards it has no link')
  }
  const near = all
    .filter(({ name, internal }) => !internal && (zone === undefined || name === zone))
    .filter(({ cidr }) => cidr !== null && contains(cidr, host))
    .flatMap(({ name, own }) => (own === undefined ? [] : [{ interface: name, own }]))
  return { bytes, to, near }
}

/** Our address towards another one: connecting a datagram socket looks the route up, no more. */
async function sourceFor(to: Buffer): Promise<Buffer> {
  const domain = to.length === 16 ? AF_INET : AF_INET6
  const socket: Socket = await openSocket('a datagram', { domain, type: SOCK_DGRAM, protocol: 0 })
  try {
    socket.connect(to)
    return addressIn(socket.ownAddress())
  } catch (error) {
    throw error instanceof NetError ? new Error(error.reason) : error
  } finally {
    socket.close()
  }
}

/** A `sockaddr_in` or `sockaddr_in6`. Its port is 0: a raw socket for IPv6 takes no other. */
function socketAddress(bytes: Buffer, scope: number): Buffer {
  const family = bytes.length === 4 ? AF_INET : AF_INET6
  const head = Buffer.concat([Buffer.from(Uint16Array.of(family).buffer), Buffer.alloc(2)])
  if (bytes.length === 4) return Buffer.concat([head, bytes, Buffer.alloc(8)])
  return Buffer.concat([head, Buffer.alloc(4), bytes, Buffer.from(Uint32Array.of(scope).buffer)])
}

/** The address bytes in a `sockaddr_in` or `sockaddr_in6`. */
export function addressIn(socketAddress: Buffer): Buffer {
  return socketAddress.length === 16 ? socketAddress.subarray(4, 8) : socketAddress.subarray(8, 24)
}

function contains(cidr: string, host: string): boolean {
  const [network = '', prefix] = cidr.split('/')
  const family = isIPv6(network) ? 'ipv6' : 'ipv4'
  if (isIPv6(host) !== (family === 'ipv6')) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family)
  return list.check(host, family)
}
