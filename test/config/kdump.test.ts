/** H22: `fence.kdump`, how long a lost node may write a crash dump. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveYaml } from '../../src/config/show.ts'
import { load, problemsOf, twoNodes } from './files.ts'

test('H22 without the section nobody waits; an empty one has defaults', async (t) => {
  const none = await load(t, { config: twoNodes })
  assert.equal(none.core.rules.dumps, undefined)
  const empty = await load(t, { config: `${twoNodes}fence: { kdump: {} }\n` })
  const dumps = { boundMs: 300_000, firstMs: 30_000, freshMs: 30_000 }
  assert.deepEqual(empty.core.rules.dumps, dumps)
  assert.match(effectiveYaml(empty), /kdump:\n +seconds: 300\n +first_seconds: 30\n +port: 7410/)
  assert.notEqual(none.core.hash, empty.core.hash)
})

test('H22 a first message that may come too late is an error with its place', async (t) => {
  const config = `${twoNodes}fence: { kdump: { seconds: 20, first_seconds: 25 } }\n`
  const problems = (await problemsOf(t, { config })).join('\n')
  assert.match(
    problems,
    /config\.yaml:\d+:\d+: fence\.kdump\.first_seconds is 25; write at most .* \(20\)/,
  )
})
