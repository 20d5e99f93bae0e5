/** F15: which times of a BMC are marks of a boot, and that a clock which wavers moves none. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyMark } from '../../src/fence/drivers/redfish-mark.ts'

test('F15 what is no time, or of a clock that was never set, is no mark', () => {
  for (const text of ['', 'never', '4711', '0000-00-00T00:00:00Z', '1970-01-01T00:02:11+00:00']) {
    assert.equal(steadyMark({ mark: undefined }, text), undefined, text)
  }
})

test('F15 a time that is worked out anew may be seconds off, and is the same mark', () => {
  const memory = { mark: undefined }
  const first = '2026-02-03T10:00:05Z'
  assert.equal(steadyMark(memory, first), first)
  for (const text of [
    '2026-02-03T10:00:04Z',
    '2026-02-03T10:00:14Z',
    '2026-02-03T11:59:59+02:00',
  ]) {
    assert.equal(steadyMark(memory, text), first, text)
  }
  assert.equal(steadyMark(memory, '2026-02-03T10:00:15Z'), '2026-02-03T10:00:15Z')
  // A clock that was set back: another mark, and no older one.
  assert.equal(steadyMark(memory, '2026-02-03T09:00:00Z'), '2026-02-03T09:00:00Z')
})

test('F15 a clock that drifts slowly moves no mark, however far it gets with time', () => {
  const memory = { mark: undefined }
  const told = (seconds: number): string | undefined =>
    steadyMark(memory, new Date(Date.UTC(2026, 1, 3, 10, 0, seconds)).toISOString())
  const first = told(0)
  // Right before a reset that is ignored, and after it: one second apart, and no boot between them.
  for (let seconds = 1; seconds < 60; seconds++) assert.equal(told(seconds), first, `${seconds} s`)
})
