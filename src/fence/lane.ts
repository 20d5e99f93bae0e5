/**
 * One lane per power device: commands go one after the other, so that two of them never race on one
 * BMC, and weak BMCs are not crashed by us.
 *
 * A power command overtakes every question, even one that is just being asked: a fence does not
 * wait for a poll of a box that hangs. The lane is bounded, and whoever waits gives up with its own
 * signal, so a hung command holds nobody up for longer than its deadline.
 */
import { FenceError } from './errors.ts'

/** `press` changes power; `ask` changes nothing, and can be asked again. */
export type LaneUse = 'press' | 'ask'

export interface Turn {
  /** Aborts when a power command takes this turn over. */
  readonly overtaken: AbortSignal
  /** Hands the lane to the next in line. A second call changes nothing. */
  leave(): void
}

interface Ticket {
  readonly use: LaneUse
  readonly overtaking: AbortController
  readonly call: (turn: Turn) => void
}

interface Lane {
  running: Ticket | undefined
  readonly waiting: Ticket[]
}

const WAITING_MAX = 8

/** Lanes in use, by endpoint: two devices of a config may be two plugs of one box. */
const lanes = new Map<string, Lane>()

/** Waits for our turn at an endpoint. Rejects when it is too crowded or the signal aborts first. */
export function enterLane(endpoint: string, use: LaneUse, signal: AbortSignal): Promise<Turn> {
  if (signal.aborted) return Promise.reject(new FenceError('withdrawn', 'nobody waits for it'))
  const lane = lanes.get(endpoint) ?? { running: undefined, waiting: [] }
  // Power commands are few (the core sends one at a time); they are never turned away.
  if (use !== 'press' && lane.waiting.length >= WAITING_MAX) {
    return Promise.reject(new FenceError('busy', `${lane.waiting.length} commands wait for it`))
  }

  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      const place = lane.waiting.indexOf(ticket)
      if (place >= 0) lane.waiting.splice(place, 1)
      reject(new FenceError('busy', 'an earlier command held it until the deadline'))
    }
    const ticket: Ticket = {
      use,
      overtaking: new AbortController(),
      call(turn) {
        signal.removeEventListener('abort', giveUp)
        resolve(turn)
      },
    }
    signal.addEventListener('abort', giveUp, { once: true })

    if (use === 'press') {
      const behind = lane.waiting.findIndex((other) => other.use !== 'press')
      lane.waiting.splice(behind < 0 ? lane.waiting.length : behind, 0, ticket)
      if (lane.running?.use === 'ask') lane.running.overtaking.abort()
    } else {
      lane.waiting.push(ticket)
    }
    lanes.set(endpoint, lane)
    advance(endpoint, lane)
  })
}

function advance(endpoint: string, lane: Lane): void {
  if (lane.running !== undefined) return
  const next = lane.waiting.shift()
  if (next === undefined) {
    lanes.delete(endpoint)
    return
  }
  lane.running = next
  next.call({
    overtaken: next.overtaking.signal,
    leave() {
      if (lane.running !== next) return
      lane.running = undefined
      advance(endpoint, lane)
    },
  })
}
