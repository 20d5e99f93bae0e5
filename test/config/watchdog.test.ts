/** H7, H25: the watchdog section, and a lease that is shorter than everything takes to stop. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { effectiveYaml } from '../../src/config/show.ts'
import { load, problemsOf, twoNodes } from './files.ts'

const resources = `resources:
  - { id: vip, type: exec, run: /bin/vip }
  - { id: db, type: exec, run: /bin/db, after: vip, timeouts: { stop_seconds: 60 } }
`

async function watchdogIn(t: TestContext, text: string) {
  const { core, watchdog } = await load(t, { config: `${twoNodes}${resources}${text}` })
  return { core: core.watchdog, hands: watchdog }
}

test('H7 no node uses a watchdog unless the config says so', async (t) => {
  assert.deepEqual(await watchdogIn(t, ''), { core: undefined, hands: undefined })
})

test('H7 without a lease it is as long as the longest stop chain takes', async (t) => {
  const { core, hands } = await watchdogIn(t, 'watchdog: { mode: automatic }\n')
  // db is tried three times beside vip: 3 x (60 + 10) and 1 + 2 between; 10 to notice, 1 of drift.
  const stopMs = 213_000
  assert.deepEqual(core, {
    modes: { a: 'automatic', b: 'automatic' },
    timeoutMs: 10_000,
    leaseMs: stopMs + 10_000 + 1_000 + 2 * 10_000,
  })
  assert.deepEqual(hands, {
    devices: { a: '/dev/watchdog', b: '/dev/watchdog' },
    timeoutMaxMs: 20_000,
  })
})

test('H7 a node may have another device, or none', async (t) => {
  const nodes = twoNodes
    .replace('name: a,', 'name: a, watchdog: { mode: off },')
    .replace('name: b,', 'name: b, watchdog: { device: /dev/watchdog1 },')
  const watchdog = 'watchdog: { mode: required, timeout_seconds: 20, lease_seconds: 300 }\n'
  const config = `${nodes}${watchdog}`
  const loaded = await load(t, { config })
  assert.deepEqual(loaded.core.watchdog?.modes, { b: 'required' })
  assert.deepEqual(loaded.watchdog, { devices: { b: '/dev/watchdog1' }, timeoutMaxMs: 289_000 })
  assert.match(effectiveYaml(loaded), /watchdog:\n {2}mode: required\n[^#]*lease_seconds: 300/)
})

test('H7 it is part of what all nodes have to agree on', async (t) => {
  const one = await load(t, { config: `${twoNodes}watchdog: { mode: automatic }\n` })
  const other = await load(t, { config: twoNodes })
  assert.notEqual(one.core.hash, other.core.hash)
})

const faults: readonly (readonly [text: string, expected: RegExp])[] = [
  [
    'watchdog: { mode: automatic, lease_seconds: 60 }',
    /lease_seconds is 60; write at least 234: 10 s for Corosync to notice, 213 s for everything to stop \(db 3 × 70 s and 3 s between\), 10 s for the watchdog and 1 s for its clock/,
  ],
  [
    'watchdog: { mode: automatic, lease_seconds: 60 }\ntiming: { stop_attempts: 1 }',
    /write at least 121: .*100 s for everything to stop one after the other \(db 70 s, vip 30 s\)/,
  ],
  ['watchdog: { mode: on }', /off.*automatic.*required/],
  ['watchdog: { mode: automatic, device: watchdog }', /device/],
  ['watchdog: { mode: automatic, timeout_seconds: 1 }', /timeout_seconds/],
]

for (const [text, expected] of faults) {
  test(`H25 ${text.replaceAll('\n', '; ')} is refused`, async (t) => {
    const [problem = ''] = await problemsOf(t, { config: `${twoNodes}${resources}${text}\n` })
    assert.match(problem, expected)
  })
}

test('H20 what is to freeze is refused where a watchdog would reset its node for it', async (t) => {
  const freezing = 'resources: [{ id: vip, type: exec, run: /bin/vip, no_quorum: freeze }]\n'
  const config = `${twoNodes}${freezing}watchdog: { mode: automatic }\n`
  const problems = (await problemsOf(t, { config })).join('\n')
  assert.match(problems, /vip is to freeze without quorum, and the watchdog of a, b resets/)
})
