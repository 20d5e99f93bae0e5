/** This node's watchdog, where the config wants one: a thread that waits for the core to arm it. */
import type { Loaded } from '../config/load.ts'
import { detectMs } from '../config/watchdog.ts'
import type { NodeId } from '../core/model.ts'
import type { Totem } from '../corosync/corosync.ts'
import { openWatchdog, type Watchdog } from '../watchdog/watchdog.ts'
import type { Say } from './log.ts'

export function watchdogFor(
  { core, watchdog }: Pick<Loaded, 'core' | 'watchdog'>,
  {
    self,
    totem,
  }: {
    readonly self: NodeId
    readonly totem: Pick<Totem, 'tokenMs' | 'consensusMs'>
  },
  say: Say,
): Watchdog | undefined {
  const mode = core.watchdog?.modes[self]
  const path = watchdog?.devices[self]
  if (core.watchdog === undefined || mode === undefined || path === undefined) return undefined
  const noticeMs = totem.tokenMs + totem.consensusMs
  if (noticeMs > detectMs) {
    say(
      'warn',
      `Corosync takes ${noticeMs / 1_000} s to notice that a ring is broken (token, consensus), ` +
        `and the lease of the watchdog leaves ${detectMs / 1_000} s for that: a node that stops ` +
        'as it should may be reset on the way. Make watchdog.lease_seconds so much longer.',
    )
  }
  const { timeoutMs } = core.watchdog
  const { timeoutMaxMs } = watchdog!
  return openWatchdog({ path, timeoutMs, timeoutMaxMs, required: mode === 'required', say })
}
