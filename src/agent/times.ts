/** How long an agent waits for what, and what it tries again. */
import { powerSeconds, shellSeconds } from './common.ts'
import { driverFacts } from './facts.ts'
import { truth } from './parameter.ts'

/** Values by the name of their parameter. */
export type Values = ReadonlyMap<string, string>

export interface Times {
  readonly delayMs: number
  /** One request with its login; `undefined`: what the driver or the configuration says. */
  readonly requestMs: number | undefined
  readonly powerMs: number | undefined
  readonly waitMs: number
  readonly gapMs: number | undefined
  readonly retryOn: number
  /** Is what failed for the moment tried again? */
  readonly persists: boolean
}

/** Longer than this nobody waits for anything. */
const secondsMax = 86_400

/** What the call says of time, or why that cannot be. `service`: what Pacemaker calls itself. */
export function timesIn(
  values: Values,
  driver: string,
  service: string | undefined,
): Times | string {
  const facts = driverFacts[driver]
  const seconds = (name: string): number | undefined => {
    const text = values.get(name)
    return text === undefined || text === '' ? undefined : Number(text)
  }
  const login = seconds('login_timeout')
  const shell = seconds('shell_timeout')
  const request = login === undefined && shell === undefined ? undefined : (login ?? 5)
  const all = ['delay', 'login_timeout', 'shell_timeout', 'power_timeout', 'power_wait']
  const long = all.find((name) => (seconds(name) ?? 0) > secondsMax)
  if (long !== undefined) return `${long} is longer than a day`
  const ms = (span: number | undefined) => (span === undefined ? undefined : 1_000 * span)
  const endless = values.get('disable_timeout') || undefined
  return {
    delayMs: ms(seconds('delay')) ?? 0,
    requestMs: request && ms(Math.max(0.1, request + (shell ?? shellSeconds(facts)))),
    powerMs: ms(seconds('power_timeout') ?? (driver === '' ? undefined : powerSeconds(facts))),
    waitMs: ms(seconds('power_wait')) ?? 0,
    gapMs: ms(seconds('stonith_status_sleep')),
    retryOn: Math.min(100, seconds('retry_on') ?? 1),
    persists: endless === undefined ? service === 'pacemaker-fenced' : truth(endless) === true,
  }
}
