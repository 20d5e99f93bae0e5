import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Event } from '../../src/core/event.ts'
import { type Journal, openJournal } from '../../src/daemon/journal.ts'
import { replay } from '../../src/daemon/replay.ts'
import { listener, noMounts, scratch, smallDisk } from './scratch.ts'
import { type Toy, toyAtFirst, toyCore } from './toy.ts'

const core = toyCore()

/** Drives the toy through a journal as the loop would. */
function drive(journalOf: (state: () => Toy) => Journal) {
  let state = toyAtFirst
  const journal = journalOf(() => state)
  return {
    journal,
    begin() {
      const first = core.begin({ self: 'a' })
      state = first.state
      journal.begin({ self: 'a' })
      journal.did(first.effects)
    },
    beats(count: number, atMs = 0, detail = '') {
      for (let id = 0; id < count; id++) {
        const event: Event = { kind: 'saved', id, ok: true, detail, atMs: atMs + id }
        journal.append(event)
        const answer = core.step(state, event)
        state = answer.state
        journal.did(answer.effects)
      }
    },
  }
}

test('what the journal holds is what a replay sees', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { said, say } = listener()
  const life = drive((state) => openJournal({ path, state, say }))
  life.begin()
  life.beats(7)
  life.begin()
  life.beats(4)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(await replay(path, core), {
    lives: 2,
    events: 11,
    torn: 0,
    difference: undefined,
  })
  assert.deepEqual(said, [])
})

test('a replay names the first line whose answer differs', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { say } = listener()
  const life = drive((state) => openJournal({ path, state, say }))
  life.begin()
  life.beats(6)
  const { difference } = await replay(path, toyCore(' (lie)'))
  // 1 begin, 2 did, 3 beat, 4 beat with an answer.
  assert.equal(difference?.line, 4)
  assert.deepEqual(difference?.recorded, ['say beat 2 -Infinity'])
  assert.deepEqual(difference?.replayed, ['say beat 2 -Infinity (lie)'])

  const silent = { ...core, step: (state: Toy) => ({ state, effects: [] }) }
  assert.deepEqual((await replay(path, silent)).difference?.replayed, [])
})

test('an answer that the journal does not hold is a difference, too', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { say } = listener()
  const life = drive((state) => openJournal({ path, state, say }))
  life.begin()
  life.beats(6)
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, lines.filter((_, index) => index !== 4).join('\n'))
  assert.equal((await replay(path, core)).difference?.line, 4)
})

test('the files are bounded, and each of them can be replayed alone', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { said, say } = listener()
  const life = drive((state) => openJournal({ path, state, say, bytesMax: 4_000, filesMax: 3 }))
  life.begin()
  life.beats(400)
  const files = [path, `${path}.1`, `${path}.2`]
  for (const file of files) {
    assert.ok(statSync(file).size < 40_000)
    const { events, difference, torn } = await replay(file, core)
    assert.equal(difference, undefined)
    assert.equal(torn, 0)
    assert.ok(events > 0)
  }
  assert.ok(!existsSync(`${path}.3`))
  assert.match(readFileSync(files[1]!, 'utf8'), /^\{"state":/)
  assert.deepEqual(said, [])
})

test('a line that a crash has torn spoils nothing after it', async (t) => {
  const path = join(scratch(t), 'journal.jsonl')
  const { say } = listener()
  const first = drive((state) => openJournal({ path, state, say }))
  first.begin()
  first.beats(3)
  first.journal.close()
  appendFileSync(path, '{"event":{"kind":"sav')
  const second = drive((state) => openJournal({ path, state, say }))
  second.begin()
  second.beats(3)
  assert.deepEqual(await replay(path, core), {
    lives: 2,
    events: 6,
    torn: 1,
    difference: undefined,
  })
})

test('a full disk is said once, and the journal goes on with a whole state when there is space', {
  skip: noMounts,
}, async (t) => {
  const dir = smallDisk(t, 64)
  const path = join(dir, 'journal.jsonl')
  const filler = join(dir, 'filler')
  const { said, say } = listener()
  const life = drive((state) => openJournal({ path, state, say }))
  life.begin()
  life.beats(10)
  writeFileSync(filler, Buffer.alloc(40_000))
  life.beats(100, 10_000, 'x'.repeat(900))
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /^alarm: The journal .* cannot be written: ENOSPC.*Free space/)
  rmSync(filler)
  life.beats(10, 20_000)
  assert.match(said[1] ?? '', /^info: The journal .* is written again/)
  assert.equal(said.length, 2)
  const { difference, torn, events } = await replay(path, core)
  assert.equal(difference, undefined)
  assert.equal(torn, 0)
  assert.ok(events >= 20 && events < 120)
})
