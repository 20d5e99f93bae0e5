/**
 * The one clock of a node: monotonic, in whole milliseconds, the same for every process of one
 * boot. Wall clocks step, and a cluster must not; wall time appears in logs and files only.
 */

export interface Clock {
  /** Monotonic milliseconds since some point before this process began. */
  nowMs(): number
  /** Calls back once, not before `atMs`; returns a way to cancel. */
  alarm(atMs: number, ring: () => void): () => void
}

/** `setTimeout` takes more than this for zero. Longer waits are made of several. */
const longestWaitMs = 2 ** 31 - 1

export const monotonic: Clock = {
  nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),

  alarm(atMs, ring) {
    if (atMs === Number.POSITIVE_INFINITY) return () => {}
    let timer: NodeJS.Timeout
    const wait = () => {
      const leftMs = Math.max(0, atMs - monotonic.nowMs())
      timer = setTimeout(rung, Math.min(leftMs, longestWaitMs))
    }
    // Timers round, and may ring up to a millisecond early: the core would find nothing to do.
    const rung = () => (monotonic.nowMs() < atMs ? wait() : ring())
    wait()
    return () => clearTimeout(timer)
  },
}
