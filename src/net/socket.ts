/**
 * Sockets that Node.js does not offer: raw Ethernet frames and raw ICMP, through the C library.
 *
 * No call here ever waits. Answers are looked for every few milliseconds, so that a probe of 200 ms
 * takes nothing from the event loop that feeds the rest of the daemon.
 */
import type { KoffiFunc } from 'koffi'

type Bytes = Uint8Array

export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Bytes, length: number): number
  connect(fd: number, address: Bytes, length: number): number
  getsockname(fd: number, address: Bytes, length: Bytes): number
  setsockopt(fd: number, level: number, name: number, value: Bytes, length: number): number
  sendto(fd: number, b: Bytes, length: number, flags: number, to: Bytes, toLength: number): number
  recvfrom(fd: number, b: Bytes, max: number, flags: number, from: Bytes, length: Bytes): number
  close(fd: number): number
  /** In a worker thread. */
  closeLater(fd: number): void
  if_nametoindex(name: string): number
  /** The name of the last error, such as `EPERM`. */
  errno(): string
}

export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const AF_PACKET = 17
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const IPPROTO_ICMP = 1
export const IPPROTO_ICMPV6 = 58
export const SOCK_CLOEXEC_NONBLOCK = 0o2004000
export const MSG_DONTWAIT = 0x40
const SOL_SOCKET = 1
const SO_BINDTODEVICE = 25
const ADDRESS_BYTES_MAX = 128
const PACKET_BYTES_MAX = 2048

/** Why a call of the C library failed. */
export class NetError extends Error {
  override readonly name = 'NetError'
  /** As errno names it: `EPERM`, `ENETDOWN`. */
  readonly code: string
  /** The same without saying what failed. */
  readonly reason: string

  constructor(what: string, code: string) {
    const reason = reasons[code] ?? `error ${code}`
    super(`${what}: ${reason}`)
    this.code = code
    this.reason = reason
  }
}

const reasons: Readonly<Record<string, string>> = {
  EPERM: 'this needs root, or the capability CAP_NET_RAW',
  EACCES: 'this needs root, or the capability CAP_NET_RAW',
  ENETUNREACH: 'there is no route to it',
  EHOSTUNREACH: 'there is no route to it',
  ENETDOWN: 'the interface is down',
  ENXIO: 'the interface is gone',
  ENODEV: 'the interface is gone',
  EAFNOSUPPORT: 'this machine does not speak this protocol',
  EADDRNOTAVAIL: 'this machine has no address to ask from',
}

let loading: Promise<Libc> | undefined

/** Loads the C library, once; a program that never probes never pays for it. */
export function loadLibc(): Promise<Libc> {
  loading ??= load()
  return loading
}

async function load(): Promise<Libc> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load('libc.so.6')
  const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))
  const bind = (definition: string): KoffiFunc<(...given: unknown[]) => number> =>
    library.func(definition)
  const close = bind('int close(int)')
  return {
    socket: bind('int socket(int, int, int)'),
    bind: bind('int bind(int, const void *, uint32_t)'),
    connect: bind('int connect(int, const void *, uint32_t)'),
    getsockname: bind('int getsockname(int, void *, void *)'),
    setsockopt: bind('int setsockopt(int, int, int, const void *, uint32_t)'),
    sendto: bind('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
    recvfrom: bind('intptr_t recvfrom(int, void *, size_t, int, void *, void *)'),
    close,
    if_nametoindex: bind('unsigned int if_nametoindex(const char *)'),
    errno: () => names.get(koffi.errno()) ?? String(koffi.errno()),
    closeLater: oneByOne(close),
  }
}

/** Calls in a worker thread, one after the other: the other threads have disks to wait for. */
function oneByOne(call: KoffiFunc<(fd: number) => number>): (fd: number) => void {
  const waiting: number[] = []
  const next = () => {
    const [fd] = waiting
    if (fd === undefined) return
    call.async(fd, () => {
      waiting.shift()
      next()
    })
  }
  return (fd) => {
    if (waiting.push(fd) === 1) next()
  }
}

export interface Packet {
  readonly bytes: Buffer
  /** The sender's `sockaddr`. */
  readonly from: Buffer
}

/** An open socket. `what` names it in errors. */
export interface Socket {
  send(bytes: Uint8Array, to: Uint8Array): void
  /** The next packet that has arrived, if any. Never waits. */
  receive(): Packet | undefined
  bind(address: Uint8Array): void
  bindToDevice(name: string): void
  /** Fixes the other end; sends nothing. */
  connect(address: Uint8Array): void
  /** Our own `sockaddr`. */
  ownAddress(): Buffer
  close(): void
}

export interface SocketKind {
  readonly domain: number
  readonly type: number
  readonly protocol: number
}

/** Opens a socket. Rejects with a NetError. */
export async function openSocket(what: string, kind: SocketKind): Promise<Socket> {
  const libc = await loadLibc()
  const fd = libc.socket(kind.domain, kind.type | SOCK_CLOEXEC_NONBLOCK, kind.protocol)
  if (fd < 0) throw new NetError(what, libc.errno())
  const check = (result: number): void => {
    if (result < 0) throw new NetError(what, libc.errno())
  }
  const buffer = Buffer.alloc(PACKET_BYTES_MAX)
  const address = Buffer.alloc(ADDRESS_BYTES_MAX)
  const length = new Uint32Array(1)
  const lengthBytes = new Uint8Array(length.buffer)
  let open = true

  return {
    send: (bytes, to) => check(libc.sendto(fd, bytes, bytes.length, 0, to, to.length)),
    receive() {
      length[0] = ADDRESS_BYTES_MAX
      const got = libc.recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT, address, lengthBytes)
      if (got < 0) return undefined
      return {
        bytes: Buffer.from(buffer.subarray(0, got)),
        from: Buffer.from(address.subarray(0, length[0])),
      }
    },
    bind: (own) => check(libc.bind(fd, own, own.length)),
    bindToDevice(name) {
      const value = Buffer.from(`${name}\0`)
      check(libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, value, value.length))
    },
    connect: (other) => check(libc.connect(fd, other, other.length)),
    ownAddress() {
      length[0] = ADDRESS_BYTES_MAX
      check(libc.getsockname(fd, address, lengthBytes))
      return Buffer.from(address.subarray(0, length[0]))
    },
    close() {
      // A second close could hit a descriptor that has become somebody else's.
      if (!open) return
      open = false
      // The kernel lets go of a socket for frames only when no processor can be reading into it any
      // more: 10 to 30 ms (`synchronize_net`), for which nobody here can wait.
      if (kind.domain === AF_PACKET) libc.closeLater(fd)
      else libc.close(fd)
    },
  }
}

/** The number of an interface; 0 when there is none of that name. */
export async function interfaceIndex(name: string): Promise<number> {
  return (await loadLibc()).if_nametoindex(name)
}

const POLL_MS = 3
/** Packets taken at once, so that a flood cannot keep the event loop for itself. */
const PACKETS_PER_POLL_MAX = 256

export interface Listening {
  readonly windowMs: number
  readonly sockets: readonly Socket[]
  readonly heard: (packet: Packet, socket: Socket) => void
  /** Ends the wait early: nothing more needs to be learned. */
  readonly enough: () => boolean
}

/** Listens for a while, without ever holding up anybody else. */
export async function listen({ windowMs, sockets, heard, enough }: Listening): Promise<void> {
  const untilMs = performance.now() + windowMs
  for (;;) {
    // Judged before the packets are taken: what came while we were held up still counts.
    const over = performance.now() >= untilMs
    for (const socket of sockets) drain(socket, heard)
    if (over || enough()) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function drain(socket: Socket, heard: Listening['heard']): void {
  for (let taken = 0; taken < PACKETS_PER_POLL_MAX; taken++) {
    const packet = socket.receive()
    if (packet === undefined) return
    heard(packet, socket)
  }
}
