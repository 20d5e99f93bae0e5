/** The agents under the real pacemaker-fenced, pcs and crmsh; the tests are fenced-inside.ts. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { noFenced, testsInBox } from './fenced-box.ts'

test('A4 the agents under the real pacemaker-fenced', { skip: noFenced }, async (t) => {
  const all = await testsInBox(join(import.meta.dirname, 'fenced-inside.ts'))
  assert.ok(all.length >= 12, JSON.stringify(all))
  for (const { name, ok, said } of all) await t.test(name, () => assert.ok(ok, said))
})
