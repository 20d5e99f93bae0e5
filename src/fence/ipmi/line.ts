/**
 * One question and its answer over datagrams that may be lost, doubled, late or forged: it is sent
 * again after a short gap, what does not fit is passed over, and all of it ends before the deadline
 * does, so that there is time left to close the session.
 */
import { FenceError } from '../errors.ts'
import type { Wire, WireDatagrams } from '../wire.ts'

export interface Line {
  readonly wire: Wire
  readonly port: WireDatagrams
}

export interface Question<T> {
  /** Sends the question. Called again after each gap without an answer. */
  readonly send: () => void
  /** How long an answer is waited for after each sending. */
  readonly gapsMs: readonly number[]
  /**
   * What the packet answers; `undefined` when it answers something else. A FenceError `garbled` is
   * remembered, and the right answer still waited for; any other one is the answer.
   */
  readonly read: (packet: Buffer) => T | undefined
}

/**
 * A round trip takes less than a millisecond in a rack, and some BMCs think for half a second. Who
 * has not answered three packets in this time is not there.
 */
export const GAPS_MS: readonly number[] = [350, 550, 800]

/** Kept back from the deadline for closing the session: a BMC has few places for sessions. */
const CLOSING_MS = 60

/** How long work may still take. */
export function leftMs({ wire }: Line): number {
  return Math.max(0, wire.remainingMs() - CLOSING_MS)
}

/**
 * Asks until it is answered; `undefined` when nothing comes back. Throws a FenceError for answers
 * that say no, for garbled ones where no better one came, and at the deadline (`timeout`).
 */
export async function exchange<T>(line: Line, question: Question<T>): Promise<T | undefined> {
  let complaint: FenceError | undefined
  for (const gapMs of question.gapsMs) {
    question.send()
    const untilMs = performance.now() + Math.min(gapMs, leftMs(line))
    for (;;) {
      const packet = await line.port.receive(Math.max(0, untilMs - performance.now()))
      if (packet === undefined) break
      try {
        const answer = question.read(packet)
        if (answer !== undefined) return answer
      } catch (error) {
        if (!(error instanceof FenceError) || error.failure !== 'garbled') throw error
        complaint = error
      }
    }
    if (leftMs(line) === 0) throw complaint ?? new FenceError('timeout', 'the time is over')
  }
  if (complaint !== undefined) throw complaint
  return undefined
}
