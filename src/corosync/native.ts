/**
 * The C libraries that come with Corosync, loaded through koffi on first use: no compiler, no
 * parsing of command output, and a command line that never pays for them.
 *
 * Three pitfalls are met here, once for all callers. `cpg_dispatch` has a stack frame of 1 MiB,
 * which must fit on koffi's stack. koffi swallows whatever a callback throws, so `callback` throws
 * it again where it ends the process (S20). And a function that waits for Corosync's answer waits
 * for ever when Corosync is frozen, so such functions run in a worker thread, and only while a
 * connection opens.
 */
import type { LibraryHandle } from 'koffi'
import type { RingId } from '../core/model.ts'
import { defineTypes } from './types.ts'

export type Koffi = typeof import('koffi').default
/** A handle or a pointer, as koffi gives it. */
export type Handle = number | bigint
/** What every function of the libraries returns: a `cs_error_t`. */
export type Status = number

export interface Native {
  readonly koffi: Koffi
  shutdown(fd: number, how: number): number
}

/** A ring as the libraries give it. */
export interface RawRing {
  readonly nodeid: number
  readonly seq: Handle
}

const mebibyte = 1 << 20
/** The frame of `cpg_dispatch`, and room for what it calls. */
const stackBytesMin = 2 * mebibyte

let loading: Promise<Native> | undefined

/** Loads koffi and what all services share, once. */
export function loadNative(): Promise<Native> {
  loading ??= load()
  return loading
}

async function load(): Promise<Native> {
  const { default: koffi } = await importKoffi()
  growStacks(koffi)
  defineTypes(koffi)
  const shutdown = koffi.load('libc.so.6').func('int shutdown(int fd, int how)')
  return { koffi, shutdown }
}

async function importKoffi(): Promise<typeof import('koffi')> {
  try {
    return await import('koffi')
  } catch (error) {
    const text = 'koffi, by which picket calls libraries, cannot be loaded: npm install'
    throw new Error(text, { cause: error })
  }
}

function growStacks(koffi: Koffi): void {
  try {
    koffi.config({ sync_stack_size: 8 * mebibyte, async_stack_size: mebibyte })
  } catch (error) {
    // Another part of this process has loaded a library before: then the sizes are what they are.
    const { sync_stack_size: bytes = 0 } = koffi.config()
    if (bytes < stackBytesMin) {
      const text = `koffi has a stack of ${bytes} bytes, too small for libcpg: npm install koffi`
      throw new Error(text, { cause: error })
    }
  }
}

/** Loads one of Corosync's libraries. */
export function loadLibrary({ koffi }: Native, file: string): LibraryHandle {
  try {
    return koffi.load(file)
  } catch (error) {
    const text = `Corosync's library ${file} is missing on this node: apt install corosync`
    throw new Error(text, { cause: error })
  }
}

/**
 * A C function that waits for Corosync's answer, run in a worker thread. What it was given must
 * stay untouched until it has returned.
 */
export function waiting(
  library: LibraryHandle,
  prototype: string,
): (...given: unknown[]) => Promise<Status> {
  const call = library.func(prototype)
  return (...given) =>
    new Promise((resolve, reject) => {
      call.async(...given, (error: Error | null, result: Status) =>
        error ? reject(error) : resolve(result),
      )
    })
}

/** Registers a callback for C. What it throws ends the process, though not from inside of C. */
export function callback<Given extends unknown[]>(
  { koffi }: Native,
  prototype: string,
  listener: (...given: Given) => void,
): bigint {
  const guarded = (...given: Given) => {
    try {
      listener(...given)
    } catch (error) {
      setImmediate(() => {
        throw error
      })
    }
  }
  return koffi.register(guarded, `${prototype} *`)
}

/** A copy of unsigned 32-bit integers that lie at a C address. */
export function integersAt({ koffi }: Native, address: unknown, length: number): number[] {
  return length === 0 ? [] : Array.from(koffi.decode(address, 'uint32_t', length) as Uint32Array)
}

/** A copy of bytes that lie at a C address. */
export function bytesAt({ koffi }: Native, address: unknown, length: number): Uint8Array {
  return length === 0 ? new Uint8Array() : (koffi.decode(address, 'uint8_t', length) as Uint8Array)
}

export function ringOf({ nodeid, seq }: RawRing): RingId {
  return { rep: nodeid, seq: Number(seq) }
}
