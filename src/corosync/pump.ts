/**
 * Waits for all of Corosync's descriptors and lets their callbacks run, a bounded number at a
 * time.
 *
 * The descriptors are watched by the event loop itself. A worker thread asleep in `poll` would
 * work too, but `process.exit`, and also the end of the process by an uncaught error, would then
 * wait for it: a core that has thrown would not be dead (S20). koffi's `node.poll` is not in its
 * manual, so it is used here only.
 */
import { type Connection, status } from './connection.ts'
import type { Native } from './native.ts'

export interface Pump {
  /** Begins to watch. */
  start(): void
  /** Runs all that waits on one connection, now. `false`: it was more than a bound allows. */
  drain(connection: Connection): boolean
  /** Calls `onTurn` soon. */
  wake(): void
  /** Ends the watch of one connection, or of all. */
  stop(connection?: Connection): void
}

export interface PumpOptions {
  readonly connections: readonly Connection[]
  /** Called after callbacks have run, outside of all of them. */
  onTurn(): void
  /** True when enough waits for `onTurn`. */
  full(): boolean
  /** A connection has broken. */
  lose(because: string): void
}

type PollHandle = ReturnType<Native['koffi']['node']['poll']>

interface Watch {
  readonly connection: Connection
  handle: PollHandle | undefined
  stopped: boolean
  /** Turns in a row with nothing to run, though the descriptor was readable. */
  idleTurns: number
}

const callbacksPerTurnMax = 512
const callbacksPerDrainMax = 100_000
/** A descriptor that is readable for nothing must not keep the loop busy (P8). */
const idleTurnsMax = 100
const restMs = 100

/** Nothing is watched before `start`. */
export function createPump(native: Native, options: PumpOptions): Pump {
  const watches = options.connections.map<Watch>((connection) => ({
    connection,
    handle: undefined,
    stopped: false,
    idleTurns: 0,
  }))
  const readable = new Set<Watch>()
  let awake = false

  function takeTurn(): void {
    awake = false
    for (const watch of readable) {
      if (!watch.stopped) pumpOne(watch)
    }
    readable.clear()
    options.onTurn()
  }

  function pumpOne(watch: Watch): void {
    const enough = (done: number) => done >= callbacksPerTurnMax || options.full()
    const { done } = dispatchUntil(watch.connection, options.lose, enough)
    watch.idleTurns = done > 0 ? 0 : watch.idleTurns + 1
    if (watch.idleTurns >= idleTurnsMax) rest(watch)
  }

  function wake(): void {
    if (!awake) setImmediate(takeTurn)
    awake = true
  }

  function begin(watch: Watch): void {
    if (watch.stopped) return
    // The handle must be kept: koffi ends the watch of one that is collected.
    watch.handle = native.koffi.node.poll(watch.connection.fd, { readable: true }, () => {
      readable.add(watch)
      wake()
    })
  }

  function rest(watch: Watch): void {
    watch.idleTurns = 0
    watch.handle?.close()
    watch.handle = undefined
    setTimeout(() => begin(watch), restMs)
  }

  return {
    start: () => watches.forEach(begin),
    drain: (connection) => {
      const enough = (done: number) => done >= callbacksPerDrainMax
      return dispatchUntil(connection, options.lose, enough).empty
    },
    wake,
    stop(connection) {
      for (const watch of watches) {
        if (connection !== undefined && watch.connection !== connection) continue
        watch.stopped = true
        watch.handle?.close()
        watch.handle = undefined
      }
    },
  }
}

/** Runs callbacks until none waits, or it is enough. */
function dispatchUntil(
  connection: Connection,
  lose: PumpOptions['lose'],
  enough: (done: number) => boolean,
): { done: number; empty: boolean } {
  let done = 0
  for (; !enough(done); done++) {
    const result = connection.dispatch()
    if (result === status.tryAgain) return { done, empty: true }
    if (result !== status.ok) {
      lose(`the local Corosync is gone (${connection.service} service, cs_error ${result})`)
      return { done: done + 1, empty: false }
    }
  }
  return { done, empty: false }
}
