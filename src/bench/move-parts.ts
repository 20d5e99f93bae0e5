/** Where the time of a planned move goes, from the journals of the two nodes that it concerns. */
import { readJournal } from '../demo/timeline.ts'
import type { Lab } from '../lab/lab.ts'

/** Milliseconds, one after the other. */
export type MoveParts = Readonly<
  Record<
    | 'the last answer to the stop'
    | 'the stop'
    | 'stopped to the start elsewhere'
    | 'the start'
    | 'started to the first answer',
    number
  >
>

export interface MoveSeen {
  readonly from: string
  readonly to: string
  readonly missed: { readonly forMs: number; readonly untilMs: number }
  readonly beganMs: number
}

/** `undefined` where a journal does not tell it all. */
export function partsOf(lab: Lab, { from, to, missed, beganMs }: MoveSeen): MoveParts | undefined {
  const stop = operation(lab, from, 'stop', beganMs)
  const start = operation(lab, to, 'start', beganMs)
  if (stop === undefined || start === undefined) return undefined
  return {
    'the last answer to the stop': stop.fromMs - (missed.untilMs - missed.forMs),
    'the stop': stop.untilMs - stop.fromMs,
    'stopped to the start elsewhere': start.fromMs - stop.untilMs,
    'the start': start.untilMs - start.fromMs,
    'started to the first answer': missed.untilMs - start.untilMs,
  }
}

/** From the order to the outcome of the first such operation of the address since then. */
function operation(lab: Lab, node: string, op: 'stop' | 'start', sinceMs: number) {
  let atMs = 0
  let fromMs: number | undefined
  for (const { event, do: deeds } of readJournal(lab, node, sinceMs)) {
    if (event !== undefined) {
      atMs = event.atMs
      if (fromMs !== undefined && event.kind === 'ran' && event.resource === 'vip') {
        return { fromMs, untilMs: atMs }
      }
    }
    if (deeds?.includes(`run ${op} of vip`)) fromMs ??= atMs
  }
  return undefined
}
