/**
 * Steps the core through a journal again and compares what it answers with what it answered then.
 * The same code must answer the same; another version shows where it would have gone another way.
 */
import { open as openFile } from 'node:fs/promises'
import type { Effect } from '../core/effect.ts'
import type { Event } from '../core/event.ts'
import { decode } from './encode.ts'
import { digestOf, nameOf } from './journal.ts'

/** The core, as the journal needs it. `begin` is given what the journal's `begin` line holds. */
export interface ReplayCore<S> {
  begin(begin: unknown): { state: S; effects: readonly Effect[] }
  step(state: S, event: Event): { state: S; effects: readonly Effect[] }
}

export interface Difference {
  /** The line in the file, from 1, whose answer differs. */
  readonly line: number
  readonly event: Event | undefined
  readonly recorded: readonly string[]
  readonly replayed: readonly string[]
}

export interface Replay {
  readonly lives: number
  readonly events: number
  /** Lines that no whole line of a journal is, such as the last one before a crash. */
  readonly torn: number
  readonly difference: Difference | undefined
}

type Line =
  | { kind: 'begin'; begin: unknown }
  | { kind: 'state'; state: unknown }
  | { kind: 'event'; event: Event }
  | { kind: 'did'; digest: string; names: readonly string[] }
  | { kind: 'torn' }

interface Answer {
  readonly line: number
  readonly event: Event | undefined
  readonly effects: readonly Effect[]
}

/** Replays one file, up to the first difference. `each` is told every event and its answer. */
export async function replay<S>(
  path: string,
  core: ReplayCore<S>,
  each: (event: Event, effects: readonly Effect[]) => void = () => {},
): Promise<Replay> {
  let [lives, events, torn, number] = [0, 0, 0, 0]
  let state: S | undefined
  let open: Answer | undefined
  let difference: Difference | undefined

  const close = (recorded: readonly string[], digest: string | undefined) => {
    if (open && digest !== (open.effects.length > 0 ? digestOf(open.effects) : undefined)) {
      const replayed = open.effects.map(nameOf)
      difference ??= { line: open.line, event: open.event, recorded, replayed }
    }
    open = undefined
  }

  const file = await openFile(path)
  for await (const text of file.readLines()) {
    number++
    const line = parse(text)
    if (line.kind === 'did') close(line.names, line.digest)
    // The daemon may have died, or the disk been full, between an event and its answer.
    else if (line.kind === 'event') close([], undefined)
    else open = undefined
    if (difference) break

    if (line.kind === 'begin') {
      const answer = core.begin(line.begin)
      state = answer.state
      open = { line: number, event: undefined, effects: answer.effects }
      lives++
    } else if (line.kind === 'state') {
      state = line.state as S
    } else if (line.kind === 'torn') {
      torn++
      state = undefined
    } else if (line.kind === 'event' && state !== undefined) {
      const answer = core.step(state, line.event)
      state = answer.state
      open = { line: number, event: line.event, effects: answer.effects }
      each(line.event, answer.effects)
      events++
    }
  }
  await file.close()
  return { lives, events, torn, difference }
}

function parse(text: string): Line {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    return { kind: 'torn' }
  }
  if (typeof line !== 'object' || line === null) return { kind: 'torn' }
  if ('begin' in line) return { kind: 'begin', begin: decode(line.begin) }
  if ('state' in line) return { kind: 'state', state: decode(line.state) }
  if ('event' in line) return { kind: 'event', event: line.event as Event }
  if ('did' in line && 'do' in line && Array.isArray(line.do)) {
    return { kind: 'did', digest: String(line.did), names: line.do.map(String) }
  }
  return { kind: 'torn' }
}
