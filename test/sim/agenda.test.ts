import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Agenda } from '../../src/sim/agenda.ts'

test('entries come in the order of their time, ties in the order in which they were made', () => {
  const delays = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 60 })
  fc.assert(
    fc.property(delays, (delaysMs) => {
      const agenda = new Agenda()
      const seen: { delayMs: number; made: number }[] = []
      delaysMs.forEach((delayMs, made) => {
        agenda.after(delayMs, () => seen.push({ delayMs, made }))
      })
      while (agenda.advance(10)) assert.ok(agenda.nowMs <= 10)
      const expected = delaysMs
        .map((delayMs, made) => ({ delayMs, made }))
        .sort((a, b) => a.delayMs - b.delayMs || a.made - b.made)
      assert.deepEqual(seen, expected)
    }),
  )
})

test('an entry made while another one runs is run in the same turn of time', () => {
  const agenda = new Agenda()
  const seen: string[] = []
  agenda.after(5, () => {
    seen.push('first')
    agenda.after(0, () => seen.push(`second at ${agenda.nowMs}`))
  })
  agenda.after(5, () => seen.push('sibling'))
  while (agenda.advance(5)) assert.equal(agenda.nowMs, 5)
  assert.deepEqual(seen, ['first', 'sibling', 'second at 5'])
})

test('time passes also when nothing is to be done, and nothing is done before its time', () => {
  const agenda = new Agenda()
  let done = false
  agenda.after(100, () => {
    done = true
  })
  assert.equal(agenda.advance(99), false)
  assert.equal(agenda.nowMs, 99)
  assert.equal(done, false)
  assert.equal(agenda.advance(100), true)
  assert.equal(done, true)
  assert.equal(agenda.size, 0)
})
