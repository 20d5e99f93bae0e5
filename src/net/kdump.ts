/**
 * Listens for the words of crash kernels: `fence_kdump_send`, which kdump runs on a node whose
 * kernel has died, sends a datagram of eight bytes to every other node, again and again, until the
 * dump is written. Whatever else comes to the port is dropped, and so is a flood.
 *
 * @source fence-agents, agents/kdump/message.h: a magic number and a version, 32 bits each, in the
 * byte order of the sender.
 */
import { createSocket, type Socket } from 'node:dgram'

const MAGIC = 0x1b302a40
const VERSION = 1
const BYTES = 8
/** More datagrams in a second are no cluster of crashing nodes. */
const FLOOD_PER_SECOND = 500
/** How long the port stays shut after a flood, and after it could not be opened. */
const SHUT_MS = 10_000

export interface KdumpEars {
  close(): void
}

export interface KdumpEarsOptions {
  readonly port: number
  /** A well-formed message came from there. Anybody can write any address on a datagram. */
  heard(address: string): void
  /** The port cannot be listened on, with the reason; or it is shut for a while. */
  deaf(because: string): void
}

/** Is this what a crash kernel says? */
export function isKdumpMessage(bytes: Uint8Array): boolean {
  if (bytes.length !== BYTES) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [true, false].some(
    (little) => view.getUint32(0, little) === MAGIC && view.getUint32(4, little) === VERSION,
  )
}

/** Listens on a port, over IPv4 and IPv6, until it is closed. Never throws. */
export function openKdumpEars(options: KdumpEarsOptions): KdumpEars {
  const ears = (['udp4', 'udp6'] as const).map((family) => openEar(family, options))
  return {
    close() {
      for (const ear of ears) ear.close()
    },
  }
}

function openEar(family: 'udp4' | 'udp6', { port, heard, deaf }: KdumpEarsOptions): KdumpEars {
  let socket: Socket | undefined
  let timer: NodeJS.Timeout | undefined
  let told = ''
  const shut = (because: string) => {
    socket?.close()
    socket = undefined
    if (because !== told && because !== '') deaf(because)
    told = because
    timer = setTimeout(open, SHUT_MS).unref()
  }
  const open = () => {
    const own = createSocket({ type: family, ipv6Only: family === 'udp6' })
    socket = own
    let second = 0
    let count = 0
    own.on('message', (bytes, { address }) => {
      if (socket !== own) return
      const nowS = Math.floor(performance.now() / 1_000)
      count = nowS === second ? count + 1 : 1
      second = nowS
      if (count > FLOOD_PER_SECOND) {
        return shut(`more than ${FLOOD_PER_SECOND} datagrams a second come to UDP port ${port}`)
      }
      if (isKdumpMessage(bytes)) heard(address)
    })
    own.on('error', ({ message, code }: NodeJS.ErrnoException) => {
      if (socket !== own) return
      // A machine without IPv6 has nothing to hear there.
      shut(code === 'EAFNOSUPPORT' ? '' : `UDP port ${port} cannot be listened on: ${message}`)
    })
    own.bind({ port, exclusive: true })
  }
  open()
  return {
    close() {
      clearTimeout(timer)
      socket?.close()
      socket = undefined
    },
  }
}
