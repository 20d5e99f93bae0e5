/**
 * The imperative shell: one loop that feeds events to the core and carries out what it answers.
 *
 * Strictly one event at a time. `tell` only puts the news down: the callbacks that call it run
 * inside C libraries and promises, which swallow what is thrown, and a core that throws must end
 * the process (S20). Effects begin in order and never block the loop; their outcome comes back as
 * an event like any other.
 */
import type { Effect } from '../core/effect.ts'
import type { Event, News } from '../core/event.ts'
import type { Clock } from './clock.ts'

/** The pure part: `src/core/cluster.ts`, or a small stand-in under a test of the shell. */
export interface Core<S> {
  step(state: S, event: Event): { state: S; effects: readonly Effect[] }
  /** When the core wants a tick; `Infinity` for never. */
  deadlineMs(state: S): number
}

export type Tell = (news: News) => void

export interface Hands {
  /** Begins one effect. Whatever becomes of it is told through `tell`; it never throws. */
  perform(effect: Effect, tell: Tell): void
}

export interface LoopJournal {
  append(event: Event): void
  did(effects: readonly Effect[]): void
}

export interface NodeOptions<S> {
  readonly core: Core<S>
  /** What `begin` returned. */
  readonly first: { readonly state: S; readonly effects: readonly Effect[] }
  readonly hands: Hands
  readonly clock: Clock
  readonly journal: LoopJournal
  /** After each event, when its effects have begun. */
  readonly afterStep?: (state: S) => void
}

/** How late the loop was: the sign of a starved machine. */
export interface Lag {
  readonly lastMs: number
  readonly worstMs: number
}

export interface RunningNode<S> {
  readonly tell: Tell
  state(): S
  lag(): Lag
  /** No further event is taken. What has begun goes on. */
  stop(): void
}

/** After so many events in a row the sockets get their turn, whatever the inbox holds. */
const burst = 256

/** Begins the effects of `first`, then runs until `stop`. */
export function runNode<S>(options: NodeOptions<S>): RunningNode<S> {
  const { core, first, hands, clock, journal, afterStep = () => {} } = options
  const inbox: Event[] = []
  let { state } = first
  let scheduled: NodeJS.Immediate | undefined
  let cancelAlarm = () => {}
  let stopped = false
  let lag: Lag = { lastMs: 0, worstMs: 0 }

  const tell: Tell = (news) => {
    if (stopped) return
    inbox.push({ ...news, atMs: clock.nowMs() })
    scheduled ??= setImmediate(drain)
  }

  const act = (effects: readonly Effect[]) => {
    journal.did(effects)
    for (const effect of effects) if (!stopped) hands.perform(effect, tell)
  }

  const setAlarm = (awakeMs: number) => {
    cancelAlarm()
    const atMs = core.deadlineMs(state)
    // Something may have been due for long, and not been waited for: this loop was awake then.
    const dueMs = Math.max(atMs, awakeMs)
    cancelAlarm = clock.alarm(atMs, () => {
      const lastMs = Math.max(0, clock.nowMs() - dueMs)
      lag = { lastMs, worstMs: Math.max(lag.worstMs, lastMs) }
      tell({ kind: 'tick' })
    })
  }

  function drain(): void {
    const awakeMs = clock.nowMs()
    for (let taken = 0; taken < burst && !stopped; taken++) {
      const event = inbox.shift()
      if (event === undefined) break
      journal.append(event)
      const answer = core.step(state, event)
      state = answer.state
      act(answer.effects)
      afterStep(state)
    }
    if (stopped) return
    // Only now: what an effect has told at once is in the inbox already.
    scheduled = inbox.length > 0 ? setImmediate(drain) : undefined
    setAlarm(awakeMs)
  }

  act(first.effects)
  setAlarm(clock.nowMs())
  return {
    tell,
    state: () => state,
    lag: () => lag,
    stop() {
      stopped = true
      cancelAlarm()
      clearImmediate(scheduled)
    },
  }
}
