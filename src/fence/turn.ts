/**
 * One question or command to a box: in its turn, within its deadline whatever the driver does, and
 * a sentence for whatever went wrong.
 */

import type { Mask } from '../foreign/mask.ts'
import type { Driver } from './driver.ts'
import { FenceError } from './errors.ts'
import { enterLane, type LaneUse } from './lane.ts'
import { type OpenWire, openWire } from './wire.ts'

/** How long an answer is waited for, and what may end the wait. */
export interface Ask {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface PressAsk extends Ask {
  /** Asked right before every write to the device: is the command still allowed (S14)? */
  readonly allowed?: (() => boolean) | undefined
}

/** What a driver threw, for people; what is foreign in it is masked. */
export function sentenceOf(driver: Driver, error: unknown, mask: Mask): string {
  return error instanceof FenceError ? error.masked(mask) : brokenDriver(driver, error)
}

/** A driver that throws anything but a FenceError is broken; its own words may hold anything. */
function brokenDriver(driver: Driver, error: unknown): string {
  const kind = error instanceof Error ? error.name : typeof error
  const what = [kind, ...placeOf(error)].join(' at ')
  return `the driver ${driver.name} broke (${what}): report this as a fault of Picket`
}

/** Where in our code it was thrown: a name and a line hold nobody's secret. */
function placeOf(error: unknown): readonly string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const frame = /\n {4}at [^\n]*\/(drivers\/[\w-]+\.ts:\d+):\d+\)?(\n|$)/.exec(stack)
  return frame?.[1] === undefined ? [] : [frame[1]]
}

interface LaneJob {
  readonly where: string
  readonly use: LaneUse
  readonly ask: PressAsk
}

/** Does one command in its turn, and ends it at its deadline even if the driver does not. */
export async function onLane<T>(
  { where, use, ask }: LaneJob,
  work: (open: OpenWire) => Promise<T>,
): Promise<T> {
  const deadlineMs = performance.now() + ask.timeoutMs
  const expiry = new AbortController()
  const timer = setTimeout(() => expiry.abort(), Math.max(0, ask.timeoutMs))
  const ends = AbortSignal.any([expiry.signal, ...(ask.signal ? [ask.signal] : [])])
  try {
    for (;;) {
      const turn = await enterLane(where, use, ends)
      const signal = AbortSignal.any([ends, turn.overtaken])
      try {
        const open = openWire({ signal, deadlineMs, allowed: ask.allowed })
        return await Promise.race([work(open), ended(signal)])
      } catch (error) {
        // Only questions are overtaken; once the power command is through, they are asked again.
        if (!turn.overtaken.aborted || ends.aborted) throw error
      } finally {
        turn.leave()
      }
    }
  } finally {
    clearTimeout(timer)
    // Whatever a driver still does on its own is told to stop.
    expiry.abort()
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new FenceError('timeout', 'no answer within the deadline'))
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
  })
}
