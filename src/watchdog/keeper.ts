/**
 * The service manager as a keeper of the watchdog between two daemons: it holds the descriptor
 * open, so that nobody else can open the device, which goes on counting, and gives it to the next
 * one.
 *
 * @source sd_notify(3), `FDSTORE=1`, `FDSTOREREMOVE=1`, `FDNAME=`, `FDPOLL=0`; sd_listen_fds(3);
 * systemd.service(5), `FileDescriptorStoreMax=`; cmsg(3) and unix(7), `SCM_RIGHTS`.
 */
import { fstatSync } from 'node:fs'
import koffi from 'koffi'

export const keptName = 'picket-watchdog'
/** What lets the service manager drop it. */
export const forgetWords = ['FDSTOREREMOVE=1', `FDNAME=${keptName}`] as const

/** By descriptor 3 begins what a service manager gives. */
const firstFd = 3

/** What a service manager keeps, and what it has kept. */
export interface Kept {
  /** Its socket; `undefined` where there is nobody who would keep anything. */
  readonly keeper: string | undefined
  /** The descriptor of the watchdog that the process before has handed over. */
  readonly inherited: number | undefined
}

export const nothingKept: Kept = { keeper: undefined, inherited: undefined }

/** To be asked before the variables are taken out of the environment. */
export function readKept(environment: NodeJS.ProcessEnv): Kept {
  const socket = environment.NOTIFY_SOCKET
  const keeper = socket !== undefined && /^[/@]./.test(socket) ? socket : undefined
  return { keeper, inherited: inheritedFd(environment) }
}

/** No program of a resource is told of it. */
function inheritedFd(environment: NodeJS.ProcessEnv): number | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete environment[name]
  if (LISTEN_PID !== String(process.pid) || !/^\d{1,3}$/.test(LISTEN_FDS ?? '')) return undefined
  const names = LISTEN_FDNAMES.split(':').slice(0, Number(LISTEN_FDS))
  const at = names.indexOf(keptName)
  return at < 0 || !isOpen(firstFd + at) ? undefined : firstFd + at
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
    return true
  } catch {
    return false
  }
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const socketPathBytesMax = 108

/** `struct cmsghdr` with one descriptor, where a length has eight bytes. */
function rights(fd: number): Buffer {
  const bytes = Buffer.alloc(24)
  bytes.writeBigUInt64LE(20n, 0)
  bytes.writeInt32LE(SOL_SOCKET, 8)
  bytes.writeInt32LE(SCM_RIGHTS, 12)
  bytes.writeInt32LE(fd, 16)
  return bytes
}

/** Sends a descriptor to the service manager, without waiting. Nobody tells what becomes of it. */
export function giveDescriptor(socket: string, fd: number): boolean {
  const name = Buffer.from(socket.startsWith('@') ? `\0${socket.slice(1)}` : socket)
  if (name.length >= socketPathBytesMax) return false
  const libc = koffi.load('libc.so.6')
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' })
  const header = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    parts: koffi.pointer(iovec),
    partCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  })
  const open = libc.func('int socket(int domain, int type, int protocol)')
  const close = libc.func('int close(int fd)')
  const send = libc.func('sendmsg', 'intptr_t', ['int', koffi.pointer(header), 'int'])
  const text = Buffer.from(`FDSTORE=1\nFDNAME=${keptName}\nFDPOLL=0`)
  const address = Buffer.concat([Buffer.from(Uint16Array.of(AF_UNIX).buffer), name])
  const control = rights(fd)
  const through = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (through < 0) return false
  const message = {
    name: address,
    nameLength: address.length,
    parts: [{ base: text, length: text.length }],
    partCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  }
  const sent = send(through, message, MSG_DONTWAIT | MSG_NOSIGNAL)
  close(through)
  return sent === text.length
}
