/**
 * How long things take at a site: durations that somebody has measured or assumed. Without a pace
 * the dice take anything within the bounds of the config, which finds mistakes and measures
 * nothing.
 */
import type { ResourceOp } from '../core/effect.ts'
import type { DeviceId, ResourceId } from '../core/model.ts'
import type { Rng } from './rng.ts'

/** The shortest and the longest that is usual. */
export type Span = readonly [leastMs: number, mostMs: number]

export interface Pace {
  readonly operation: (resource: ResourceId, op: ResourceOp) => Span
  /** From a command to its effect. */
  readonly press: (device: DeviceId) => Span
  readonly read: (device: DeviceId) => Span
}

/** Draws a duration out of a span, and none that its own bound would cut off. */
export function drawn(lot: Rng, [leastMs, mostMs]: Span, boundMs: number): number {
  const most = Math.min(mostMs, Math.floor(boundMs * 0.7))
  return lot.int(Math.min(leastMs, most), most)
}
