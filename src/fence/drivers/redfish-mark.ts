/**
 * The mark of a boot that Redfish tells: the time of the last reset, of which only the difference
 * means anything, because the clock of a BMC may be wrong.
 *
 * Other times of a system are no marks: counters of power-on hours do not move with a reset, and do
 * move without one.
 *
 * @see DMTF DSP0268: ComputerSystem, `LastResetTime` ("when the system last came out of a reset").
 */

export interface MarkMemory {
  /** The mark that was told last, when it was first told, and as it was worked out last. */
  mark: { readonly text: string; readonly atMs: number; readonly lastMs: number } | undefined
}

/** A BMC that works the time out from how long its host has run is off by so much, now and then. */
const WAVERS_MS = 10_000
/** Before this no BMC spoke Redfish: its clock has not been set since it was without current. */
const SANE_MS = Date.UTC(2014, 0, 1)

/** The mark, which does not waver with the clock; `undefined` where none is told. */
export function steadyMark(memory: MarkMemory, lastReset: string): string | undefined {
  const atMs = /^\d{4}-\d\d-\d\dT/.test(lastReset) ? Date.parse(lastReset) : Number.NaN
  if (!(atMs >= SANE_MS)) return undefined
  const { mark } = memory
  // Also by the last reading: a clock that drifts gets as far from the first one as it likes, and
  // the step over a bound to that one alone would be a boot that never was.
  const known = mark === undefined ? [] : [mark.atMs, mark.lastMs]
  const same = known.some((knownMs) => Math.abs(knownMs - atMs) < WAVERS_MS)
  memory.mark =
    mark !== undefined && same ? { ...mark, lastMs: atMs } : { text: lastReset, atMs, lastMs: atMs }
  return memory.mark.text
}
