/**
 * A core small enough to see through, for tests of the shell around it: it counts beats, wants a
 * tick a while after each, and throws when it is told to.
 */
import type { Effect } from '../../src/core/effect.ts'
import type { Event } from '../../src/core/event.ts'

export interface Toy {
  readonly beats: number
  readonly ticks: number
  readonly dueMs: number
  /** What JSON alone would lose. */
  readonly never: number
  readonly seen: ReadonlyMap<string, number | undefined>
}

export const toyAtFirst: Toy = {
  beats: 0,
  ticks: 0,
  dueMs: Infinity,
  never: -Infinity,
  seen: new Map([['a', undefined]]),
}

export const say = (text: string): Effect => ({ do: 'say', level: 'info', text })

/** Makes the toy; `lie` is what a later version of it would answer otherwise. */
export function toyCore(lie = '') {
  return {
    begin: (begin: unknown) => ({
      state: toyAtFirst,
      effects: [say(`begun ${JSON.stringify(begin)}`)],
    }),
    deadlineMs: (state: Toy) => state.dueMs,
    step(state: Toy, event: Event): { state: Toy; effects: readonly Effect[] } {
      switch (event.kind) {
        case 'saved': {
          const beats = state.beats + 1
          const seen = new Map([...state.seen, [`b${event.id}`, beats] as const])
          const effects = beats % 2 === 0 ? [say(`beat ${beats} ${state.never}${lie}`)] : []
          return { state: { ...state, beats, seen, dueMs: event.atMs + 20 }, effects }
        }
        case 'tick':
          if (event.atMs < state.dueMs) throw new Error('a tick before its time')
          return { state: { ...state, ticks: state.ticks + 1, dueMs: Infinity }, effects: [] }
        case 'corosyncLost':
          throw new Error(`the toy breaks: ${event.because}`)
        default:
          return { state, effects: [{ do: 'exit', code: 0, because: 'told to' }] }
      }
    },
  }
}
