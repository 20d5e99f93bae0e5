/**
 * A short soak on real parts: random faults of a seed leave nothing running twice and a healthy
 * cluster; and the same soak of a daemon that fences nobody does not pass.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { blindDaemon } from '../../src/demo/blind.ts'
import { whyNoLab } from '../../src/lab/lab.ts'
import { reportLines } from '../../src/soak/report.ts'
import { soak } from '../../src/soak/run.ts'

/** Its first rounds take the power of a node, then freeze the one that serves. */
const seed = 12
const skip = whyNoLab() ?? false

describe('a soak', { skip }, () => {
  const keepIn = join(mkdtempSync(join(tmpdir(), 'picket-soak-test-')), 'kept')
  const play = { seed, nodes: 3, from: 1, keepIn, name: `soak-${process.pid}` }
  after(() => rmSync(join(keepIn, '..'), { recursive: true, force: true }))

  test('of Picket passes', async (t) => {
    const report = await soak({ ...play, minutes: 1, say: (line) => t.diagnostic(line) })
    assert.ok(report.passed, reportLines(report).join('\n'))
    assert.ok(report.rounds.length >= 2 && report.powerCuts >= 1)
    assert.ok(!existsSync(keepIn))
  })

  test('of a daemon that fences nobody reports an overlap, and keeps what shows it', async (t) => {
    const say = (line: string) => t.diagnostic(line)
    const report = await soak({ ...play, minutes: 2, daemon: blindDaemon(), say })
    assert.ok(!report.passed)
    assert.ok(report.rounds.some(({ overlaps }) => overlaps.length > 0))
    for (const file of ['report.json', 'writes', 'node1/lib-picket/journal.jsonl', 'node1/log']) {
      assert.ok(existsSync(join(keepIn, file)), file)
    }
    assert.ok(!existsSync(join(keepIn, 'node1/etc-picket')))
  })
})
