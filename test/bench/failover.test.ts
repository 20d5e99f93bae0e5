/** What the benchmarks of failovers print: p95, ratios, and which targets were met. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Loss } from '../../src/bench/contender.ts'
import { lossTable } from '../../src/bench/loss-table.ts'
import { p95 } from '../../src/bench/spread.ts'

test('of a few runs p95 is the worst, of twenty it leaves one out', () => {
  assert.equal(p95([3, 9, 1]), 9)
  assert.equal(p95(Array.from({ length: 20 }, (_, at) => at + 1)), 19)
  assert.ok(Number.isNaN(p95([])))
})

const loss = (totalMs: number, known: Partial<Loss> = {}): Loss => ({
  ...{ victim: 'node1', beganMs: 0, detectedMs: 900, commandMs: 920, deviceMs: 300 },
  addressMs: totalMs - 50,
  totalMs,
  ...known,
})

test('what is beyond detection is compared with Pacemaker, in the same run', () => {
  const found = new Map([
    ['Picket', [loss(1_400), loss(1_300), loss(1_500)]],
    ['Pacemaker', [loss(3_400), loss(3_500), loss(3_300)]],
    ['keepalived', [loss(2_900, { detectedMs: undefined, deviceMs: undefined })]],
  ])
  const lines = lossTable('lan, cut', found).join('\n')
  assert.match(lines, /Picket +3 +900\/900 +300\/300 +1350\/1450 +1400\/1500 +500\/600 +0\.20 x/)
  assert.match(lines, /keepalived +1 +- +- +2850\/2850 +2900\/2900 +- +-/)
  assert.match(lines, /Picket, medians: detection to command 20, proof to address 130, address to/)
  assert.match(lines, /to that of Pacemaker: 0\.20, target 0\.25: met/)
  assert.match(lines, /without detection and device, ms: 200, target 250: met/)
})

test('without Pacemaker nothing is said to be met', () => {
  const lines = lossTable('lan, cut', new Map([['Picket', [loss(1_600)]]])).join('\n')
  assert.match(lines, /to that of Pacemaker: not measured, target 0\.25/)
  assert.match(lines, /ms: 400, target 250: missed/)
})
