/**
 * Our messages on their way to CPG: in order, never dropped in silence, and never so many at once
 * that Corosync could make us wait.
 *
 * `cpg_mcast_joined` does not wait for an answer, but libqb spins for ever in it once the socket
 * that wakes Corosync is full: seen after 278 messages to a frozen Corosync, and the spin ended
 * only with the freeze. So few messages are under way at a time: what was sent and has not come
 * back counts, and the rest waits here. CPG delivers our own messages to us, in order, whatever
 * becomes of the ring.
 */
import { status } from './connection.ts'
import type { Status } from './native.ts'

export interface Outbox {
  /** `false`: the outbox is closed, or full, which `lose` is told. */
  send(bytes: Uint8Array): boolean
  /** One of our own messages has come back. */
  onEcho(): void
  close(): void
}

export interface OutboxOptions {
  post(bytes: Uint8Array): Status
  /** The outbox cannot go on, and says why. */
  lose(because: string): void
}

/** Well below the 278 at which libqb spins. */
const underWayMax = 64
/** Half of the 1 MiB that libqb's ring buffer holds; a single message may be longer. */
const underWayBytesMax = 512 << 10
const waitingMax = 4_096
const waitingBytesMax = 16 << 20
/** Gaps between two attempts while Corosync forms a ring, which takes some 10 ms to seconds. */
const againMs = { first: 5, last: 100 }

export function createOutbox({ post, lose }: OutboxOptions): Outbox {
  const waiting: Uint8Array[] = []
  const underWay: number[] = []
  let waitingBytes = 0
  let underWayBytes = 0
  let againInMs = againMs.first
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const fits = ({ length }: Uint8Array) =>
    underWay.length === 0 ||
    (underWay.length < underWayMax && underWayBytes + length <= underWayBytesMax)

  function flush(): void {
    if (closed || timer !== undefined) return
    for (let next = waiting[0]; next !== undefined && fits(next); next = waiting[0]) {
      const result = post(next)
      if (result === status.tryAgain) return again()
      if (result !== status.ok) return fail(`Corosync takes no messages (cs_error ${result})`)
      againInMs = againMs.first
      waiting.shift()
      waitingBytes -= next.length
      underWay.push(next.length)
      underWayBytes += next.length
    }
  }

  function again(): void {
    timer = setTimeout(() => {
      timer = undefined
      flush()
    }, againInMs)
    againInMs = Math.min(againInMs * 2, againMs.last)
  }

  function fail(because: string): void {
    close()
    lose(because)
  }

  function close(): void {
    closed = true
    clearTimeout(timer)
  }

  return {
    send(bytes) {
      if (closed) return false
      if (waiting.length >= waitingMax || waitingBytes + bytes.length > waitingBytesMax) {
        fail(`Corosync has taken no messages for so long that ${waiting.length} are waiting`)
        return false
      }
      waiting.push(bytes)
      waitingBytes += bytes.length
      flush()
      return true
    },
    onEcho() {
      underWayBytes -= underWay.shift() ?? 0
      flush()
    },
    close,
  }
}
