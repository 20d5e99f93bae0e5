/** The agents under the real pacemaker-fenced, pcs and crmsh; the tests are fenced-inside.ts. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildRelease } from '../../src/bench/release.ts'
import { whyNoFenced } from '../../src/lab/fenced.ts'
import { testsInBox } from './fenced-box.ts'

const skip = whyNoFenced() ?? false

test('A4 the agents under the real pacemaker-fenced', { skip }, async (t) => {
  const release = await buildRelease()
  t.after(release.remove)
  const file = join(import.meta.dirname, 'fenced-inside.ts')
  const all = await testsInBox(file, { PICKET: release.program('picket') })
  assert.ok(all.length >= 12, JSON.stringify(all))
  for (const { name, ok, said } of all) await t.test(name, () => assert.ok(ok, said))
})
