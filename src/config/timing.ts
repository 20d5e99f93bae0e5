/** The `timing` section: seconds outside, milliseconds inside, and no impossible combination. */
import type { DumpRules, FencingRules, Timing } from '../core/model.ts'
import { valueAt } from './explain.ts'
import type { Problem } from './problem.ts'
import type { ConfigFile } from './schema.ts'
import type { Source } from './yaml.ts'

/** The timing that is in effect, and what about it cannot work. */
export function readTiming(
  config: ConfigFile,
  source: Source,
): { readonly timing: Timing; readonly problems: readonly Problem[] } {
  const { timing } = config
  const beatMs = timing.beat_ms
  const silentMs = ms(timing.silent_seconds)
  const result: Timing = {
    beatMs,
    // Two and a half beats forgive one that got lost, if the silence bound leaves room for that.
    echoMs: timing.echo_ms ?? Math.round(Math.min(2.5 * beatMs, silentMs / 2)),
    silentMs,
    strangerMs: ms(timing.stranger_seconds),
    startGraceMs: ms(timing.start_grace_seconds),
    retryMs: ms(timing.retry_seconds),
    retryMaxMs: ms(timing.retry_max_seconds),
    checkEveryMs: ms(timing.check_every_seconds),
    coolDownMs: ms(timing.cool_down_seconds),
    stopAttemptsMax: timing.stop_attempts,
    leaveMs: ms(timing.leave_seconds),
    detachMs: ms(timing.detach_seconds),
  }
  // The one that somebody has written; the other one may be a default.
  const isWritten = (key: string) => valueAt(source.value, ['timing', key]) !== undefined
  const problems = impossible(result).map(([keys, message]) => ({
    ...source.placeOf(['timing', keys.find(isWritten) ?? keys[0]]),
    message,
  }))
  return { timing: result, problems: [...problems, ...kdumpProblems(config, source)] }
}

/** The rules that hold a fencing back. */
export function readRules({ fence }: ConfigFile): FencingRules {
  return {
    delayMs: ms(fence.delay_seconds),
    randomDelayMs: ms(fence.delay_random_seconds),
    priorityDelayMs: ms(fence.priority_delay_seconds),
    reprieveMs: ms(fence.reprieve_seconds),
    ...dumpsOf(fence.kdump),
    minIntervalMs: ms(fence.min_interval_seconds),
    stormMax: fence.storm_limit,
    stormWindowMs: ms(fence.storm_window_seconds),
    rejoin: fence.rejoin,
  }
}

/** Three messages of `fence_kdump_send`, which sends one every ten seconds by itself. */
const DUMP_FRESH_MS = 30_000

function dumpsOf(kdump: ConfigFile['fence']['kdump']): { readonly dumps?: DumpRules } {
  if (kdump === undefined) return {}
  const { seconds, first_seconds } = kdump
  const dumps = { boundMs: ms(seconds), firstMs: ms(first_seconds), freshMs: DUMP_FRESH_MS }
  return { dumps }
}

/** What the section `fence.kdump` asks for and cannot have. */
function kdumpProblems({ fence }: ConfigFile, source: Source): readonly Problem[] {
  const { kdump } = fence
  if (kdump === undefined || kdump.first_seconds <= kdump.seconds) return []
  const message =
    `fence.kdump.first_seconds is ${kdump.first_seconds}; write at most fence.kdump.seconds ` +
    `(${kdump.seconds}): what may begin later than it has to be over is never waited for`
  return [{ ...source.placeOf(['fence', 'kdump', 'first_seconds']), message }]
}

/** The option that a sentence is about, and the other one that it depends on. */
type Keys = readonly [string, string]

function impossible(timing: Timing): (readonly [Keys, message: string])[] {
  const { beatMs, echoMs, silentMs, strangerMs, retryMs, retryMaxMs } = timing
  const found: [Keys, string][] = []
  if (silentMs < 4 * beatMs) {
    found.push([
      ['silent_seconds', 'beat_ms'],
      `timing.silent_seconds is ${silentMs / 1000}; write at least ${(4 * beatMs) / 1000}, ` +
        `four times timing.beat_ms (${beatMs}), or one late report would get a node fenced`,
    ])
  } else if (echoMs < 2 * beatMs) {
    found.push([
      ['echo_ms', 'beat_ms'],
      `timing.echo_ms is ${echoMs}; write at least ${2 * beatMs}, twice timing.beat_ms ` +
        `(${beatMs}), or one late report would stop every decision`,
    ])
  } else if (silentMs < 2 * echoMs) {
    found.push([
      ['echo_ms', 'silent_seconds'],
      `timing.echo_ms is ${echoMs}; write at most ${silentMs / 2}, half of timing.silent_seconds ` +
        `(${silentMs / 1000}): a node has to stop deciding well before it is given up`,
    ])
  }
  if (strangerMs < silentMs) {
    found.push([
      ['stranger_seconds', 'silent_seconds'],
      `timing.stranger_seconds is ${strangerMs / 1000}; write at least timing.silent_seconds ` +
        `(${silentMs / 1000})`,
    ])
  }
  if (retryMaxMs < retryMs) {
    found.push([
      ['retry_max_seconds', 'retry_seconds'],
      `timing.retry_max_seconds is ${retryMaxMs / 1000}; write at least timing.retry_seconds ` +
        `(${retryMs / 1000})`,
    ])
  }
  return found
}

/** Seconds as people write them, in whole milliseconds. */
export function ms(seconds: number): number {
  return Math.round(seconds * 1000)
}
