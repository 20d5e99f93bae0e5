/**
 * What the outside is told while the loop runs: systemd, that we are ready, how we are, and that we
 * still live; the log, that the machine starves us. After every step, and never by a timer of its
 * own: a loop that does not turn must not look alive.
 */
import type { State } from '../core/state.ts'
import { describe } from '../core/status.ts'
import type { Clock } from './clock.ts'
import type { Say } from './log.ts'
import type { Notify } from './notify.ts'
import type { Lag } from './runner.ts'

export interface PulseOptions {
  readonly clock: Clock
  readonly notify: Notify
  readonly say: Say
  readonly lag: () => Lag
  /** How often systemd wants a sign of life (`WATCHDOG_USEC`); `undefined`: not at all. */
  readonly watchdogMs: number | undefined
}

/** The loop was later than this: beats are lost soon. */
const lagMaxMs = 500
const lagRepeatMs = 60_000

export function openPulse({ clock, notify, say, lag, watchdogMs }: PulseOptions) {
  let ready = false
  let told = ''
  let fedMs = Number.NEGATIVE_INFINITY
  let lagSaidMs = Number.NEGATIVE_INFINITY

  return (state: State): void => {
    const nowMs = clock.nowMs()
    if (!ready && state.group?.members.some(({ node }) => node === state.self)) {
      ready = true
      notify('READY=1')
    }
    const { session, ledger, quorum, leaving } = state
    const news = [session?.open, ledger.coordinator, quorum?.quorate, leaving !== undefined].join()
    if (news !== told) {
      told = news
      notify(`STATUS=${sentence(state, nowMs)}`)
    }
    if (watchdogMs !== undefined && nowMs - fedMs >= watchdogMs / 4) {
      fedMs = nowMs
      notify('WATCHDOG=1')
    }
    const { lastMs } = lag()
    if (lastMs > lagMaxMs && nowMs - lagSaidMs > lagRepeatMs) {
      lagSaidMs = nowMs
      const text = `picketd was ${lastMs} ms late: a starved machine, whose node may be fenced`
      say('warn', text, { lagMs: lastMs })
    }
  }
}

function sentence(state: State, nowMs: number): string {
  if (state.leaving !== undefined) return 'stops its resources and leaves'
  if (state.detaching !== undefined) return 'detaches: its resources stay'
  const { ready, because, coordinator, cluster } = describe(state, nowMs)
  return ready ? `member of ${cluster}, ${coordinator} coordinates` : because
}

/** How often systemd wants a sign of life from this very process. */
export function watchdogMsOf({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv) {
  const boundMs = Number(WATCHDOG_USEC) / 1_000
  if (!Number.isFinite(boundMs) || boundMs <= 0) return
  return WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid) ? boundMs : undefined
}
