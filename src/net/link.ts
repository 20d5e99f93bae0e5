/** One Ethernet interface, opened for raw frames. */
import { networkInterfaces } from 'node:os'
import { ETH_P_ARP, type Mac, macText } from './frame.ts'
import { AF_PACKET, interfaceIndex, openSocket, SOCK_RAW, type Socket } from './socket.ts'

export interface Link {
  readonly name: string
  readonly mac: Mac
  /** Every MAC of this machine: what answers with one of them is no stranger. */
  readonly macs: ReadonlySet<string>
  readonly socket: Socket
  /** Puts one Ethernet frame on the wire. */
  send(frame: Buffer): void
}

/** What the kernel calls Ethernet, Wi-Fi, VLANs, bonds and bridges. */
const ARPHRD_ETHER = 1
/** Links that carry addresses in another way, for which our frames would be wrong. */
const strange: Readonly<Record<number, string>> = { 24: 'IEEE 1394', 32: 'InfiniBand' }

/**
 * Opens an interface for frames, and to hear ARP where that is wanted. `undefined` where there are
 * no neighbours to speak to: the loopback, tunnels, point-to-point links. Rejects with a sentence
 * when it cannot be opened.
 */
export async function openLink(name: string, hears: 'arp' | 'nothing'): Promise<Link | undefined> {
  const index = await interfaceIndex(name)
  if (index === 0) throw new Error(`there is no interface ${name} on this machine`)
  const protocol = hears === 'arp' ? ETH_P_ARP : 0
  // What it hears is said with the interface: to change it would take the kernel 10 to 30 ms.
  const kind = { domain: AF_PACKET, type: SOCK_RAW, protocol: 0 }
  const socket = await openSocket(`raw frames on ${name}`, kind)
  try {
    socket.bind(linkAddress(index, protocol))
    // struct sockaddr_ll: family 2, protocol 2, index 4, hardware type 2, packet type 1, length 1.
    const own = socket.ownAddress()
    const hardware = new Uint16Array(own.buffer.slice(own.byteOffset + 8, own.byteOffset + 10))[0]
    const other = strange[hardware ?? 0]
    if (other !== undefined) throw new Error(`${name} is ${other}, which is not supported`)
    if (hardware !== ARPHRD_ETHER) {
      socket.close()
      return undefined
    }
    const mac = own.subarray(12, 18)
    const send = (frame: Buffer): void =>
      socket.send(frame, linkAddress(index, frame.readUInt16BE(12)))
    return { name, mac, macs: machineMacs(mac), socket, send }
  } catch (error) {
    socket.close()
    throw error
  }
}

/** A `sockaddr_ll` of 20 bytes; integers in the order of this machine. */
function linkAddress(index: number, protocol: number): Buffer {
  const address = Buffer.alloc(20)
  address.set(new Uint8Array(Uint16Array.of(AF_PACKET, wireOrder(protocol)).buffer), 0)
  address.set(new Uint8Array(Uint32Array.of(index).buffer), 4)
  return address
}

/** A number of two bytes that, stored by this machine, reads right on the wire. */
function wireOrder(value: number): number {
  return Buffer.from(Uint16Array.of(value).buffer).readUInt16BE()
}

function machineMacs(mac: Mac): Set<string> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return new Set([macText(mac), ...addresses.map((address) => address.mac)])
}
