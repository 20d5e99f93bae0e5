/**
 * Which request is carried out next, without a clock and without a disk: the one with the highest
 * priority, of those the one whose time runs out first, of those the one that came first. One at a
 * time for each node, and so many in all. Looks wait behind all deeds, and leave them room.
 */
import type { Request } from '../recorder/message.ts'

export interface Waiting {
  readonly request: Request
  /** Until when it may be carried out. */
  readonly untilMs: number
  /** The how manieth that came. */
  readonly turn: number
}

export interface Plan {
  /** To be begun now, in this order. */
  readonly begin: readonly Waiting[]
  /** Not to be carried out any more. */
  readonly late: readonly Waiting[]
}

export function planOf(
  waiting: readonly Waiting[],
  underWay: readonly Request[],
  parallelMax: number,
  nowMs: number,
): Plan {
  const late = waiting.filter(({ untilMs }) => untilMs <= nowMs)
  const busy = new Set(underWay.filter(isDeed).map(({ target_node }) => target_node))
  let room = parallelMax - underWay.length
  let lookRoom = Math.ceil(parallelMax / 2) - underWay.filter((each) => !isDeed(each)).length
  const begin: Waiting[] = []
  for (const each of waiting.filter((one) => !late.includes(one)).sort(before)) {
    const { target_node: target } = each.request
    if (room <= 0 || (isDeed(each.request) && busy.has(target))) continue
    if (!isDeed(each.request) && lookRoom-- <= 0) continue
    if (isDeed(each.request)) busy.add(target)
    begin.push(each)
    room--
  }
  return { begin, late }
}

/** A look disturbs nobody. */
export const isDeed = ({ action }: Request): boolean => action !== 'status'

function before(a: Waiting, b: Waiting): number {
  const deeds = Number(isDeed(b.request)) - Number(isDeed(a.request))
  const priority = (b.request.priority ?? 0) - (a.request.priority ?? 0)
  return deeds || priority || a.untilMs - b.untilMs || a.turn - b.turn
}
