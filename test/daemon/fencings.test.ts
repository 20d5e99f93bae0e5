import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Press } from '../../src/core/effect.ts'
import type { FencingRecord } from '../../src/core/ledger.ts'
import { openFencings } from '../../src/daemon/fencings.ts'
import { noMounts, scratch, smallDisk } from './scratch.ts'

const press: Press = {
  do: 'press',
  id: 1,
  device: 'b/1/1',
  target: 'b',
  action: 'off',
  fencing: 'f1',
  ring: { rep: 1, seq: 4 },
  notAfterMs: 2_500,
  timeoutMs: 1_000,
}
const record: FencingRecord = {
  id: 'f1',
  action: 'reboot',
  because: 'it is lost',
  requester: 'a',
  owner: 'a',
  life: 'x',
  round: 1,
  dangling: [],
  last: '',
  staysOff: false,
  commanded: 'no',
}
const verdict = {
  proven: true,
  newBoot: false,
  text: 'off',
  level: 1,
  tookMs: 9,
  late: false,
  commanded: 'yes' as const,
  evidence: [],
}
const judged = { say: 'verdict', session: 's', node: 'b', id: 'f1', round: 1, verdict } as const
const asItIs = (text: string) => text
const linesOf = (dir: string) =>
  readFileSync(join(dir, 'fencing.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('F4 who, why and the attempt are on disk when the button may be pressed', async (t) => {
  const dir = scratch(t)
  const fencings = openFencings(dir, asItIs)
  assert.deepEqual(fencings.unfinished, [])
  assert.deepEqual(await fencings.attempt(press, record, 2_000), { ok: true })
  const [begun, attempt] = linesOf(dir)
  assert.equal(begun.what, 'begun')
  assert.match(begun.time, /^\d{4}-\d\d-\d\dT/)
  assert.deepEqual(
    [begun.id, begun.target, begun.action, begun.because, begun.requester, begun.round],
    ['f1', 'b', 'reboot', 'it is lost', 'a', 1],
  )
  assert.deepEqual([attempt.device, attempt.button, attempt.deadlineMs], ['b/1/1', 'off', 500])
  assert.equal(statSync(join(dir, 'fencing.jsonl')).mode & 0o777, 0o600)
})

test('P10 a fencing that has no verdict is told at the next start, once', async (t) => {
  const dir = scratch(t)
  await openFencings(dir, asItIs).attempt(press, record, 0)
  appendFileSync(join(dir, 'fencing.jsonl'), '{"what":"outco')
  const next = openFencings(dir, asItIs)
  assert.deepEqual(next.unfinished, [{ id: 'f1', target: 'b', action: 'reboot' }])
  await next.settled()
  assert.deepEqual(openFencings(dir, asItIs).unfinished, [])
})

test('a fencing with a verdict, and one that another member goes on with, are over', async (t) => {
  const dir = scratch(t)
  const fencings = openFencings(dir, asItIs)
  await fencings.attempt(press, record, 0)
  fencings.outcome(press, 'accepted', 'yes')
  fencings.evidence('b', 'b/1/1', 'off', 'Chassis Power is off')
  fencings.evidence('c', 'c/1/1', 'off', 'nobody fences c')
  fencings.keepOnly(new Set(['f1']))
  fencings.verdict(judged)
  fencings.verdict(judged)
  await fencings.attempt({ ...press, target: 'c', fencing: 'f2' }, undefined, 0)
  fencings.keepOnly(new Set())
  await fencings.settled()
  assert.deepEqual(
    linesOf(dir).map(({ what, id }) => `${what} ${id}`),
    [
      ...['begun f1', 'attempt f1', 'outcome f1', 'evidence f1', 'verdict f1'],
      ...['begun f2', 'attempt f2', 'given up f2'],
    ],
  )
  assert.deepEqual(openFencings(dir, asItIs).unfinished, [])
})

test('the file is put aside between two fencings, never within one', async (t) => {
  const dir = scratch(t)
  const path = join(dir, 'fencing.jsonl')
  writeFileSync(path, `${JSON.stringify({ what: 'old', filler: 'x'.repeat(5 * 2 ** 20) })}\n`)
  const fencings = openFencings(dir, asItIs)
  await fencings.attempt(press, record, 0)
  assert.equal(linesOf(dir)[0].what, 'begun')
  assert.match(readFileSync(`${path}.1`, 'utf8').slice(0, 20), /"what":"old"/)
  const detail = 'y'.repeat(5 * 2 ** 20)
  fencings.outcome(press, 'unknown', detail)
  fencings.verdict(judged)
  await fencings.settled()
  assert.deepEqual(
    linesOf(dir).map(({ what }) => what),
    ['begun', 'attempt', 'outcome', 'verdict'],
  )
})

test('secrets never reach the file', async (t) => {
  const dir = scratch(t)
  const fencings = openFencings(dir, (text) => text.replaceAll('hunter2', '***'))
  await fencings.attempt(press, record, 0)
  fencings.outcome(press, 'refused', 'login with hunter2 failed')
  await fencings.settled()
  assert.doesNotMatch(readFileSync(join(dir, 'fencing.jsonl'), 'utf8'), /hunter2/)
})

test('a disk that does not take the record says why', { skip: noMounts }, async (t) => {
  const dir = smallDisk(t, 16)
  const fencings = openFencings(dir, asItIs)
  writeFileSync(join(dir, 'filler'), Buffer.alloc(16 * 1024).fill(1), { flush: true })
  const kept = await fencings.attempt({ ...press, device: 'x'.repeat(9_000) }, record, 0)
  assert.ok(!kept.ok)
  assert.match(kept.because, /ENOSPC/)
})
