/**
 * A connection to one of Corosync's services: how it opens, fails and ends, the same for all of
 * them.
 *
 * While it opens, Corosync is asked and may take its time, or freeze: that happens in worker
 * threads and within a bound. Once it is open nothing waits for Corosync any more.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Handle, loadLibrary, type Native, type Status, waiting } from './native.ts'

/** The values of `cs_error_t` that mean something to us. */
export const status = {
  ok: 1,
  errorInLibrary: 2,
  tryAgain: 6,
  access: 11,
  notExist: 12,
  exist: 14,
  noSections: 27,
} as const

/** `CS_DISPATCH_ONE_NONBLOCKING`: one callback at a time, so that a flood cannot hold the loop. */
const dispatchOne = 4

export interface Connection {
  /** The service's name, for errors. */
  readonly service: string
  /** Readable when callbacks wait. Only `dispatch` may read it: libqb puts wake-up bytes there. */
  readonly fd: number
  /** Runs at most one waiting callback. Never waits itself. */
  dispatch(): Status
  /** Ends the connection, without waiting for Corosync. */
  close(): void
}

/** How long the opening of all connections may take together. */
export interface Patience {
  readonly endsAtMs: number
}

export interface Service {
  readonly name: string
  /** The library's file. */
  readonly file: string
  /** What its functions' names begin with. */
  readonly prefix: string
  /** The prototype of the function that opens it, and what it takes beside the handle. */
  readonly initialize: string
  readonly given: readonly unknown[]
  /** To be released with the connection. */
  readonly callbacks: readonly bigint[]
}

export interface Opened extends Connection {
  readonly handle: Handle
  /**
   * Binds a function of the library that waits for Corosync's answer; the handle is its first
   * argument. It is called again while Corosync asks for that, and throws when it fails, unless
   * with a status that is named in `also`.
   */
  asking(prototype: string, also?: readonly Status[]): (...given: unknown[]) => Promise<Status>
}

/** Connects to a service, then lets `prepare` ask it for what is needed. */
export async function connect(
  native: Native,
  patience: Patience,
  service: Service,
  prepare: (opened: Opened) => Promise<void>,
): Promise<Opened> {
  const { name, prefix, callbacks } = service
  const release = () => {
    for (const each of callbacks) native.koffi.unregister(each)
  }
  const { library, handle, fd, finalize } = await begin(native, patience, service).catch(
    (error: unknown) => {
      release()
      throw error
    },
  )
  const dispatch = library.func(`int ${prefix}_dispatch(uint64_t handle, int types)`)
  const opened: Opened = {
    service: name,
    handle,
    fd,
    dispatch: () => dispatch(handle, dispatchOne),
    asking: (prototype, also = []) => {
      const call = waiting(library, prototype)
      const fine = [status.ok, ...also]
      return (...given) => patiently(name, patience, () => call(handle, ...given), fine)
    },
    close: () => {
      // `finalize` asks Corosync too, and would wait for ever for a frozen one. On a socket that is
      // shut down it returns at once and frees everything all the same. To Corosync, and to the
      // other members, it looks like the end of the process.
      native.shutdown(fd, shutBoth)
      afterHung(() => {
        finalize()
        release()
      })
    },
  }
  try {
    await prepare(opened)
  } catch (error) {
    opened.close()
    throw error
  }
  return opened
}

/** Opens the connection itself. */
async function begin(native: Native, patience: Patience, service: Service) {
  const { name, file, prefix, given } = service
  const library = loadLibrary(native, file)
  const fdOf = library.func(`int ${prefix}_fd_get(uint64_t handle, _Out_ int *fd)`)
  const finalizeOf = library.func(`int ${prefix}_finalize(uint64_t handle)`)
  const initialize = waiting(library, service.initialize)
  const handle: [Handle] = [0]
  const fd: [number] = [-1]
  const finalize = () => void finalizeOf(handle[0])
  try {
    await patiently(name, patience, () => initialize(handle, ...given))
  } catch (error) {
    if (hung !== undefined) {
      // It may be answered yet, and a connection that nobody knows of must not stay.
      afterHung(() => {
        fdOf(handle[0], fd)
        native.shutdown(fd[0], shutBoth)
        finalize()
      })
    }
    throw error
  }
  fdOf(handle[0], fd)
  return { library, handle: handle[0], fd: fd[0], finalize }
}

/** `SHUT_RDWR` */
const shutBoth = 2
const againEveryMs = 100

/**
 * The call that Corosync has not answered yet. It holds one of the few worker threads that Node.js
 * has for files too, so nothing else is asked before it is over.
 */
let hung: Promise<unknown> | undefined

function afterHung(then: () => void): void {
  if (hung === undefined) then()
  else void hung.then(then)
}

/** Waits until no call of an earlier attempt is under way any more. */
export async function untilAnswered(patience: Patience): Promise<void> {
  if (hung !== undefined) await inTime('any', patience, hung)
}

/**
 * Calls `attempt` until it succeeds, as long as Corosync asks to be tried again, which it does
 * while a ring forms. Throws a sentence that says what to do.
 */
async function patiently(
  what: string,
  patience: Patience,
  attempt: () => Promise<Status>,
  fine: readonly Status[] = [status.ok],
): Promise<Status> {
  for (;;) {
    const call = attempt()
    const over = () => {
      if (hung === mine) hung = undefined
    }
    const mine = call.then(over, over)
    hung = mine
    const result = await inTime(what, patience, call)
    if (fine.includes(result)) return result
    const late = performance.now() + againEveryMs > patience.endsAtMs
    if (result !== status.tryAgain || late) throw new Error(explain(what, result))
    await sleep(againEveryMs)
  }
}

/** A frozen Corosync accepts a call and never answers it. */
async function inTime<T>(what: string, { endsAtMs }: Patience, call: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const text = `Corosync does not answer (${what} service): systemctl restart corosync`
  const timer = setTimeout(() => reject(new Error(text)), Math.max(0, endsAtMs - performance.now()))
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What a failed call means, and what to do about it. */
export function explain(what: string, result: Status): string {
  switch (result) {
    case status.errorInLibrary:
      return `Corosync is not running on this node (${what} service): systemctl start corosync`
    case status.tryAgain:
      return `Corosync's ring is still forming (${what} service): look at corosync-cfgtool -s`
    case status.access:
      return `Corosync refuses this user (${what} service): run as root`
    case status.exist:
      return `this process is in the group already (${what} service): open it once only`
    default:
      return `Corosync failed with cs_error ${result} (${what} service): journalctl -u corosync`
  }
}
