/**
 * This node's watchdog, where the config wants one: a thread that waits for the core to arm it, and
 * what the picketd before has left of it.
 */
import type { Loaded } from '../config/load.ts'
import { detectMs } from '../config/watchdog.ts'
import type { Heirloom } from '../core/handover.ts'
import type { NodeId } from '../core/model.ts'
import type { Totem } from '../corosync/corosync.ts'
import { isDeviceAt, kernel } from '../watchdog/device.ts'
import { forgetWords } from '../watchdog/keeper.ts'
import { openWatchdog, type Watchdog } from '../watchdog/watchdog.ts'
import type { DaemonOptions } from './daemon.ts'

interface Guard {
  readonly watchdog?: Watchdog
  /** What the core has to know of it. */
  readonly heirloom?: Heirloom
}

export function watchdogFor(
  { core, watchdog }: Pick<Loaded, 'core' | 'watchdog'>,
  {
    self,
    totem,
  }: {
    readonly self: NodeId
    readonly totem: Pick<Totem, 'tokenMs' | 'consensusMs'>
  },
  { kept, notify, log: { say } }: Pick<DaemonOptions, 'kept' | 'notify' | 'log'>,
): Guard {
  const mode = core.watchdog?.modes[self]
  const path = watchdog?.devices[self]
  const { keeper } = kept
  const forget = () => void notify(...forgetWords)
  const inherited = path === undefined ? undefined : taken(kept.inherited, path)
  if (kept.inherited !== undefined && inherited === undefined) {
    say('info', discard(kept.inherited))
    forget()
  }
  if (core.watchdog === undefined || mode === undefined || path === undefined) return {}
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
  const errand = { path, timeoutMs, timeoutMaxMs, required: mode === 'required', inherited, keeper }
  return {
    watchdog: openWatchdog({ ...errand, forget, say }),
    heirloom: { keeper: keeper !== undefined, inherited: inherited !== undefined },
  }
}

/** Only the device that this config names. */
function taken(fd: number | undefined, path: string): number | undefined {
  return fd !== undefined && isDeviceAt(path, fd) ? fd : undefined
}

/** Lets go what this config has no use for; gives the sentence that says it. */
function discard(fd: number): string {
  const because = 'this config uses another one, or none'
  try {
    kernel.adopt(fd).letGo()
    return `The watchdog of the picketd before is let go: ${because}.`
  } catch (error) {
    return `What the picketd before has left is no watchdog: ${(error as Error).message}.`
  }
}
