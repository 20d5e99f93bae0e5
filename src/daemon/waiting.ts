/** Waits for the local Corosync, for ever if need be: said at once, and then every minute. */
import type { Say } from './log.ts'

export interface WaitOptions<T> {
  readonly attempt: () => Promise<T>
  readonly say: Say
  /** Told of every failure, also of those that are not said. */
  readonly failed?: (because: string) => void
  /** Ends the wait. */
  readonly signal: AbortSignal
  readonly everyMs?: number
  readonly remindMs?: number
}

/** What `attempt` gives once it succeeds; `undefined` when the wait was ended. */
export async function waitForCorosync<T>({
  attempt,
  say,
  failed = () => {},
  signal,
  everyMs = 1_000,
  remindMs = 60_000,
}: WaitOptions<T>): Promise<T | undefined> {
  const beganMs = performance.now()
  let remindAtMs = 0
  while (!signal.aborted) {
    try {
      return await attempt()
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error)
      failed(because)
      const waitedMs = performance.now() - beganMs
      if (waitedMs >= remindAtMs) {
        remindAtMs = waitedMs + remindMs
        say('warn', `picketd waits for Corosync: ${because} (systemctl status corosync)`)
      }
    }
    await pause(everyMs, signal)
  }
  return undefined
}

function pause(forMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, forMs)
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise.finally(() => clearTimeout(timer))
}
