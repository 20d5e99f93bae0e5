/**
 * Asks and tells the kernel about the network of this machine, over a netlink socket of our own: no
 * program is started for it, and nothing is waited for.
 *
 * The kernel works on a request while it is being sent, and hands out a table piece by piece while
 * it is being read: when nothing is there to be read the answer is over, or it never comes. Between
 * the first byte out and the last byte in, nothing else of this process runs.
 */
import { getSystemErrorName } from 'node:util'
import {
  type Answer,
  answerTo,
  encodeMessage,
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  u16,
  u32,
} from './netlink.ts'
import {
  AF_NETLINK,
  type Libc,
  loadLibc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC_NONBLOCK,
  SOCK_RAW,
} from './socket.ts'

const NETLINK_ROUTE = 0
const SOL_NETLINK = 270
/** A refusal comes with its reason in words, and without a copy of the question. */
const OPTIONS = { NETLINK_CAP_ACK: 10, NETLINK_EXT_ACK: 11 } as const
const MSG_TRUNC = 0x20
const ADDRESS_BYTES = 12
/** The kernel hands out at most 32 KiB at once. */
const DATAGRAM_BYTES_MAX = 64 << 10
/** Much more than the table of a machine with a thousand interfaces. */
const ANSWER_BYTES_MAX = 16 << 20
const ANSWER_MAX_MS = 2000
/** A table that changes while it is read is read again for so long. */
const READINGS_MAX_MS = 500

/** The kernel, or our talk with it, did not do what was asked. */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  /** As errno names it; empty where no error of the kernel's is behind it. */
  readonly code: string

  constructor(what: string, reason: string, code = '') {
    super(`${what}: ${reason}`)
    this.code = code
  }
}

const reasons: Readonly<Record<string, string>> = {
  EPERM: 'this needs root, or the capability CAP_NET_ADMIN',
  EACCES: 'IPv6 is switched off on this interface; sysctl net.ipv6.conf.<interface>.disable_ipv6=0',
  EEXIST: 'it is there already',
  ENODEV: 'there is no such interface on this machine',
  EADDRNOTAVAIL: 'the interface has no such address',
  EAFNOSUPPORT: 'this machine does not speak this protocol',
  EOPNOTSUPP: 'this machine does not speak this protocol; was IPv6 switched off when it started?',
  EINVAL: 'the kernel takes it for senseless',
  ENOBUFS: 'there is no memory for it, or the MTU of the interface is below the 1280 of IPv6',
  ENOMEM: 'there is no memory for it',
}

export interface Request {
  /** What it is about, as the beginning of a sentence. */
  readonly what: string
  readonly type: number
  readonly body: Buffer
}

export interface Kernel {
  /** Changes or asks one thing; gives what is told beside the verdict. Throws a KernelError. */
  ask(request: Request, flags?: number): readonly Message[]
  /** Reads a whole table, as it was at one moment. Throws a KernelError. */
  read(request: Request): readonly Message[]
  close(): void
}

/** Opens the way to the kernel. Rejects with a KernelError. */
export async function openKernel(): Promise<Kernel> {
  const libc = await loadLibc()
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC_NONBLOCK, NETLINK_ROUTE)
  if (fd < 0) throw refusal('a netlink socket', libc.errno())
  for (const option of Object.values(OPTIONS)) {
    // Old kernels do not know them; then there is a number, and a longer answer.
    libc.setsockopt(fd, SOL_NETLINK, option, u32(1), 4)
  }
  let open = true
  return {
    ask: (request, flags = 0) => converse(libc, fd, request, flags | NLM_F_ACK).messages,
    read(request) {
      const untilMs = performance.now() + READINGS_MAX_MS
      for (let times = 1; ; times++) {
        const answer = converse(libc, fd, request, NLM_F_DUMP)
        if (answer.whole()) return answer.messages
        if (performance.now() < untilMs) continue
        throw new KernelError(request.what, `read ${times} times, and it changed each time`)
      }
    },
    close() {
      // A second close could hit a descriptor that has become somebody else's.
      if (open) libc.close(fd)
      open = false
    },
  }
}

let lastSequence = 0

/** One question with its whole answer. */
function converse(libc: Libc, fd: number, { what, type, body }: Request, flags: number): Answer {
  lastSequence = (lastSequence + 1) >>> 0
  const sequence = lastSequence
  const question = encodeMessage({ type, flags: flags | NLM_F_REQUEST, sequence, body })
  const untilMs = performance.now() + ANSWER_MAX_MS
  if (libc.sendto(fd, question, question.length, 0, kernelAddress, ADDRESS_BYTES) < 0) {
    throw refusal(what, libc.errno())
  }
  const answer = answerTo(sequence)
  for (let bytes = 0; ; ) {
    const datagram = receive(libc, fd, what)
    bytes += datagram.length
    if (bytes > ANSWER_BYTES_MAX) throw new KernelError(what, 'the answer does not end')
    sound(what, () => answer.take(datagram))
    const verdict = answer.verdict()
    if (verdict !== undefined) {
      if (verdict.errno !== 0) throw refusal(what, nameOf(verdict.errno), verdict.said)
      return answer
    }
    if (performance.now() > untilMs) throw new KernelError(what, 'the answer takes too long')
  }
}

/** A `sockaddr_nl`: the kernel is number 0. */
const kernelAddress = Buffer.concat([u16(AF_NETLINK), u16(0), u32(0), u32(0)])
const buffer = Buffer.alloc(DATAGRAM_BYTES_MAX)
const from = Buffer.alloc(ADDRESS_BYTES)

/** A copy of the kernel's next datagram. */
function receive(libc: Libc, fd: number, what: string): Buffer {
  const length = u32(ADDRESS_BYTES)
  const flags = MSG_DONTWAIT | MSG_TRUNC
  const got = libc.recvfrom(fd, buffer, buffer.length, flags, from, length)
  if (got < 0) {
    const code = libc.errno()
    if (code === 'EAGAIN' || code === 'EWOULDBLOCK') {
      throw new KernelError(what, 'the kernel has not answered to the end')
    }
    throw refusal(what, code)
  }
  if (got > buffer.length) throw new KernelError(what, `an answer of ${got} bytes at once`)
  // Other processes have numbers of their own, and nothing to say here.
  const isKernel = from.subarray(0, 8).equals(kernelAddress.subarray(0, 8))
  return Buffer.from(buffer.subarray(0, isKernel ? got : 0))
}

/** Reads an answer. One that makes no sense is a KernelError. */
export function sound<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new KernelError(what, `the answer makes no sense: ${(error as Error).message}`)
  }
}

function nameOf(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return String(errno)
  }
}

function refusal(what: string, code: string, said = ''): KernelError {
  const reason = reasons[code] ?? `error ${code}`
  return new KernelError(what, said === '' ? reason : `${reason} (${said})`, code)
}
