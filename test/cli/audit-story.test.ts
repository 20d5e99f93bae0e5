/** `picket audit show`: what was done is told by its name, and a reading that repeats is told once. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Facts } from '../../src/audit/chain.ts'
import { openAudit } from '../../src/audit/log.ts'
import { scratch } from '../daemon/scratch.ts'
import { picket } from './picket.ts'

type Note = readonly [kind: string, facts: Facts]

/** A state directory with a log of these lines. */
async function logOf(t: TestContext, notes: readonly Note[], dir = scratch(t)): Promise<string> {
  const say = (_level: string, text: string) => assert.fail(text)
  const audit = openAudit({ dir, node: 'desk', say, clean: (text) => text })
  for (const [kind, facts] of notes) audit.note(kind, facts)
  await audit.close()
  return dir
}

/** What show says, without times. */
async function told(dir: string, ...words: string[]): Promise<readonly string[]> {
  const { code, out } = await picket(['audit', 'show', '--state', dir, ...words])
  assert.equal(code, 0)
  const plain = out.replaceAll(/\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME')
  return plain
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [line.replace(/^\S+ TIME {2}/, '')]))
}

const own = { target: 'n3', by: 'operator', id: 'o1' }
const round = (action: string, number: number, owner = 'operator'): Note => [
  'fence',
  { ...own, owner, action, round: number, because: 'x', requester: 'anna' },
]
const verdict = (number: number, proven: boolean, text: string): Note => [
  'verdict',
  { ...own, round: number, proven, level: 1, tookMs: 9, text },
]
const read = (power: string, device = 'n3/1/1'): Note => [
  'read',
  { target: 'n3', device, fencing: 'o1', power, raw: power, detail: '' },
]

test('show tells a reboot as what it is: off, and on again', async (t) => {
  const order = { target: 'n3', id: 'o1', action: 'reboot', requester: 'anna', reason: 'x' }
  const dir = await logOf(t, [
    ['order', order],
    round('reboot', 1),
    verdict(1, true, 'off confirmed'),
    round('on', 2, 'n1'),
    verdict(2, true, 'on confirmed'),
    ['interrupted', { target: 'n3', id: 'o1', action: 'reboot' }],
  ])
  assert.deepEqual(await told(dir), [
    '! anna asks here to reboot n3: x (o1)',
    '! operator sets out to reboot n3: x (round 1, asked for by anna, o1)',
    '✓ the fencing of n3 by operator is proven: off confirmed, level 1, 9 ms (o1)',
    '! operator orders n1 to switch n3 on: x (round 2, asked for by anna, o1)',
    '✓ switching n3 on by operator is proven: on confirmed, level 1, 9 ms (o1)',
    '! an earlier order to reboot n3 was interrupted (o1)',
  ])
})

test('a verdict is told by what was ordered, also where the order itself is not shown', async (t) => {
  const dir = await logOf(t, [round('on', 1)])
  await sleep(20)
  const since = new Date().toISOString()
  await logOf(t, [verdict(1, false, 'n3/1/1 reads off')], dir)
  assert.deepEqual(await told(dir, '--since', since), [
    '✗ switching n3 on by operator is not proven: n3/1/1 reads off, level 1, 9 ms (o1)',
  ])
})

test('a reading that repeats is told once, with how often and until when', async (t) => {
  const other = read('off', 'n3/1/2')
  const notes = [
    round('on', 1),
    ...Array<Note>(21).fill(read('off')),
    other,
    read('on'),
    read('on'),
  ]
  const dir = await logOf(t, notes)
  assert.deepEqual((await told(dir)).slice(1), [
    '· n3/1/1 reads n3: off (says off) (21 times, last at TIME)',
    '· n3/1/2 reads n3: off (says off)',
    '· n3/1/1 reads n3: on (says on) (2 times, last at TIME)',
  ])
  const json = await picket(['audit', 'show', '--state', dir, '--json'])
  assert.equal(json.out, readFileSync(join(dir, 'audit.jsonl'), 'utf8'))
})

test('a node that nobody knows is a mistake, and no answer', async (t) => {
  const dir = await logOf(t, [round('on', 1, 'n1'), read('on')])
  for (const more of [[], ['--json']]) {
    const words = ['audit', 'show', '--state', dir, '--node', 'n33', ...more]
    const { code, out, err } = await picket(words)
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, /^picket audit: the log in .* knows no node n33\. Did you mean n3\?\n$/)
  }
  const words = ['audit', 'show', '--state', dir, '--node', 'n3', '--since', '2999-01-01']
  const none = await picket(words)
  assert.deepEqual([none.code, none.err], [0, 'Nothing of that is in the audit log.\n'])
})

test('logs of orders without picketd are told as such, found and missing', async (t) => {
  const state = scratch(t)
  const dir = join(state, 'orders', 'n3')
  mkdirSync(dir, { recursive: true })
  await logOf(t, [round('on', 1)], dir)
  const whole = await picket(['audit', 'verify', '--state', dir])
  assert.equal(whole.code, 0)
  assert.match(whole.out, /^✓ 1 line in 1 file: all as picket fence wrote them\.$/m)
  assert.match(whole.out, /^ {2}Only this machine knows of orders without picketd\.$/m)
  assert.doesNotMatch(whole.out, /other member/)
  for (const action of ['show', 'verify']) {
    const at = async (place: string) => {
      const { code, out, err } = await picket(['audit', action, '--state', place])
      assert.deepEqual([code, out], [1, ''])
      return err
    }
    const own = `each node that got orders without picketd has its own: --state ${dir}`
    const none = 'has been carried out without picketd from here.'
    for (const place of [state, join(state, 'orders')]) {
      assert.equal(await at(place), `picket audit: there is no audit log in ${place}: ${own}.\n`)
    }
    const gone = join(state, 'orders', 'n33')
    assert.equal(
      await at(gone),
      `picket audit: there is no directory ${gone}: no order for n33 ${none} Did you mean n3?\n`,
    )
  }
})
