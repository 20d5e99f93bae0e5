import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Begin, begin, deadlineMs, type State, step } from '../../src/core/cluster.ts'
import type { Effect } from '../../src/core/effect.ts'
import type { Event, News } from '../../src/core/event.ts'
import { openJournal } from '../../src/daemon/journal.ts'
import { openPulse } from '../../src/daemon/pulse.ts'
import { replay } from '../../src/daemon/replay.ts'
import { config } from '../core/table.ts'
import { listener, scratch } from './scratch.ts'

const ring = { rep: 1, seq: 4 }
const beginning: Begin = {
  self: 'a',
  config: config(),
  identity: { incarnation: 'i1', boot: 'b1' },
  ledger: undefined,
  atMs: 1_000,
}

/** What the world answers to the effects of a node whose other members never show up. */
function answers(effect: Effect): News[] {
  switch (effect.do) {
    case 'send':
      return [{ kind: 'message', from: 'a', pid: 10, message: effect.message }]
    case 'save':
      return [{ kind: 'saved', id: effect.id, ok: true }]
    case 'run':
      return [
        { kind: 'ran', id: effect.id, resource: effect.resource, outcome: 'stopped', detail: '' },
      ]
    case 'identify':
      return [{ kind: 'identified', id: effect.id, ok: true, detail: 'it is there' }]
    case 'press':
      return [{ kind: 'pressed', id: effect.id, outcome: 'accepted', detail: '' }]
    case 'read':
      return [{ kind: 'power', id: effect.id, power: 'off', raw: 'off' }]
    default:
      return []
  }
}

/** Lives a while with two of three nodes gone, and calls back for each event and its answer. */
function live(
  first: { state: State; effects: readonly Effect[] },
  before: (event: Event) => void,
  after: (state: State, effects: readonly Effect[]) => void,
): void {
  const inbox: News[] = [
    { kind: 'quorum', ring, quorate: true },
    {
      kind: 'group',
      ring,
      ringMembers: ['a', 'b'],
      members: [{ node: 'a', pid: 10 }],
    },
    ...first.effects.flatMap(answers),
  ]
  let { state } = first
  let nowMs = beginning.atMs
  for (let count = 0; count < 600; count++) {
    const news = inbox.shift() ?? ({ kind: 'tick' } as const)
    nowMs = news.kind === 'tick' ? Math.max(nowMs, deadlineMs(state)) : nowMs + 1
    const event: Event = { ...news, atMs: nowMs }
    before(event)
    const answer = step(state, event)
    state = answer.state
    after(state, answer.effects)
    inbox.push(...answer.effects.flatMap(answers))
  }
}

test('what the core did is done again from every file of the journal, effect for effect', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { said, say } = listener()
  const first = begin(beginning)
  let { state } = first
  const journal = openJournal({ path, state: () => state, say, bytesMax: 60_000, filesMax: 3 })
  journal.begin(beginning)
  journal.did(first.effects)
  let answered = 0
  live(first, journal.append, (next, effects) => {
    state = next
    answered += effects.length
    journal.did(effects)
  })
  assert.ok(answered > 100, 'a life in which nothing happens shows nothing')
  const files = [path, `${path}.1`, `${path}.2`].filter(existsSync)
  assert.ok(files.length >= 2, 'no file was put aside')
  const core = { begin: (value: unknown) => begin(value as Begin), step }
  let replayed = 0
  for (const file of files) {
    const { events, torn, difference } = await replay(file, core)
    assert.deepEqual([torn, difference], [0, undefined], file)
    // The newest file may just have been begun; those put aside were full.
    if (file !== path) assert.ok(events > 10, file)
    replayed += events
  }
  assert.ok(replayed > 100)
  assert.deepEqual(said, [])
})

test('systemd is told when the group is joined, how it is, and that the loop turns', () => {
  const told: string[] = []
  const { said, say } = listener()
  let nowMs = 0
  let lag = { lastMs: 0, worstMs: 0 }
  const pulse = openPulse({
    clock: { nowMs: () => nowMs, alarm: () => () => {} },
    notify: (...assignments) => told.push(...assignments) > 0,
    say,
    lag: () => lag,
    watchdogMs: 8_000,
  })
  const first = begin(beginning)
  pulse(first.state)
  assert.deepEqual(told.splice(0), ['STATUS=this node has not joined its group yet', 'WATCHDOG=1'])
  live(
    first,
    (event) => {
      nowMs = event.atMs
    },
    (state) => pulse(state),
  )
  assert.equal(told.filter((line) => line === 'READY=1').length, 1)
  assert.ok(told.some((line) => line.startsWith('STATUS=')))
  const fed = told.filter((line) => line === 'WATCHDOG=1').length
  assert.ok(fed >= nowMs / 8_000 && fed <= nowMs / 2_000 + 1, `fed ${fed} times in ${nowMs} ms`)

  lag = { lastMs: 900, worstMs: 900 }
  pulse(first.state)
  pulse(first.state)
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /^warn: picketd was 900 ms late/)
})
