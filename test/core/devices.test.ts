/** How often devices are asked while nothing happens: weak BMCs crash, and accounts are locked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSchema } from '../../src/config/schema.ts'
import { config, Table } from './table.ts'

const HOUR_MS = 3_600_000

/** Gaps between the questions of one node to one device, in a whole hour of a quiet cluster. */
function gapsOf(checkEveryMs: number, refuses: boolean): readonly number[] {
  const { timing } = config()
  const table = new Table(config({ timing: { ...timing, checkEveryMs } }))
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.seats.get('a')!.refuses = refuses
  table.ring(['a', 'b', 'c'])
  table.run(HOUR_MS)
  const atMs = table.log
    .filter((line) => line.includes('b asks a/1/1'))
    .map((line) => Number(line.split(' ')[0]))
  return atMs.slice(1).map((each, index) => each - (atMs[index] ?? 0))
}

test('a device is left in peace for five seconds between two checks', () => {
  const accepts = (check_every_seconds: number) =>
    configSchema.shape.timing.safeParse({ check_every_seconds }).success
  assert.deepEqual([accepts(4.9), accepts(5)], [false, true])
  const gaps = gapsOf(5_000, false)
  assert.ok(gaps.length > 100, `${gaps.length}`)
  assert.ok(Math.min(...gaps) >= 5_000, `${Math.min(...gaps)} ms`)
})

test('a device that refuses our login is asked once a minute, and locks nobody out', () => {
  const gaps = gapsOf(300_000, true)
  assert.ok(gaps.length > 30, `${gaps.length}`)
  assert.ok(Math.min(...gaps) >= 60_000, `${Math.min(...gaps)} ms`)
})
