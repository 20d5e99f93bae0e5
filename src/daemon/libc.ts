/**
 * The few calls of the C library that Node.js does not offer: a lock that dies with its process, a
 * datagram to a Unix socket, and an end of the process that waits for nobody.
 *
 * koffi takes its stack sizes only before its first library is loaded, and this is the first one:
 * they are what Corosync's libraries need (`corosync/native.ts`).
 */
import koffi from 'koffi'

interface Libc {
  flock(fd: number, operation: number): number
  socket(domain: number, type: number, protocol: number): number
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number
  close(fd: number): number
  exit(code: number): void
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const LOCK_EX = 2
const LOCK_NB = 4
/** `sizeof(struct sockaddr_un)` less the family: a longer path cannot be said. */
const socketPathBytesMax = 108

let loaded: Libc | undefined

function libc(): Libc {
  if (loaded) return loaded
  growStacks()
  const library = koffi.load('libc.so.6')
  loaded = {
    flock: library.func('int flock(int fd, int operation)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    sendto: library.func(
      'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, ' +
        'const void *address, uint32_t addressLength)',
    ),
    close: library.func('int close(int fd)'),
    exit: library.func('void _exit(int code)'),
  }
  return loaded
}

function growStacks(): void {
  try {
    koffi.config({ sync_stack_size: 8 << 20, async_stack_size: 1 << 20 })
  } catch {
    // Corosync's libraries were first, and have set them.
  }
}

/**
 * Locks an open file for this process alone. `false`: another process has it. The lock goes when
 * the last copy of the descriptor is closed, at the latest with the process, however it dies.
 */
export function lockFile(fd: number): boolean {
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return true
  const errno = koffi.errno()
  if (errno === koffi.os.errno.EWOULDBLOCK) return false
  throw new Error(`flock failed with errno ${errno}`)
}

/**
 * Sends one datagram to a Unix socket, without waiting. A path that begins with `@` is abstract.
 */
export function sendDatagram(path: string, text: string): boolean {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)
  if (name.length >= socketPathBytesMax) return false
  const address = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), name])
  const bytes = Buffer.from(text)
  const fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) return false
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL
  const sent = libc().sendto(fd, bytes, bytes.length, flags, address, address.length)
  libc().close(fd)
  return sent === bytes.length
}

/**
 * Ends the process now. `process.exit` joins libuv's worker threads, and one of them may be stuck
 * in a hung disk or asleep in `poll`: a daemon that has to die would live on.
 */
export function exitNow(code: number): never {
  try {
    libc().exit(code)
  } finally {
    // No library, no exit code; but no life either.
    process.kill(process.pid, 'SIGKILL')
  }
  throw new Error('unreachable: the process has ended')
}
