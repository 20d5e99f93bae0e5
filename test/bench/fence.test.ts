/** What `npm run bench:fence` stands on: the medians, the verdicts, and the picketd that it runs. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Finding, isMet, reached, textOf } from '../../src/bench/fence-finding.ts'
import { whyNoMachine } from '../../src/bench/machine.ts'
import { startMember } from '../../src/bench/member.ts'
import { startOutlets } from '../../src/bench/outlets.ts'
import { median, spreadOf } from '../../src/bench/spread.ts'

test('a median is the middle one, or between the two in the middle', () => {
  assert.equal(median([9, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 9]), 3)
  assert.deepEqual(spreadOf([10, 9, 100]), { median: 10, low: 9, high: 100, runs: 3 })
  assert.ok(Number.isNaN(spreadOf([]).median))
})

const beside: Finding = {
  what: 'off',
  ours: spreadOf([90, 100, 900]),
  peer: { name: 'the other', took: spreadOf([1_000]) },
  target: { kind: 'ratio', atMost: 0.3 },
}

test('a ratio compares medians, a worst the worst; without a peer nothing is met', () => {
  assert.equal(reached(beside), 0.1)
  assert.ok(isMet(beside))
  const { what, ours, target } = beside
  assert.ok(!isMet({ what, ours, target }))
  assert.ok(!isMet({ what, ours, target: { kind: 'worst', atMost: 899 } }))
  assert.match(textOf([beside], []), /0\.10 x, target 0\.3 x: met\n {2}the other/)
})

test('nodes are lost together and proven off, and one whose device hangs delays nobody', async () => {
  const outlets = await startOutlets(3, 100)
  const member = startMember(outlets.targets)
  const names = outlets.targets.map(({ node }) => node)
  try {
    await member.ready()
    for (const awaited of [names, names.slice(1)]) {
      await outlets.reset(awaited === names ? undefined : 0)
      const fenced = await member.lose(names, awaited)
      assert.equal(fenced.length, awaited.length)
      for (const { lostMs, pressedMs, provenMs } of fenced) {
        assert.ok(lostMs <= pressedMs && pressedMs + 100 <= provenMs)
        assert.ok(provenMs - lostMs < 8_000, `${provenMs - lostMs} ms`)
      }
      await outlets.reset(undefined)
      await member.heal()
    }
  } finally {
    await member.close()
    outlets.close()
  }
})

test('what is missing is one sentence that names the packages', () => {
  const empty = mkdtempSync(join(tmpdir(), 'picket-'))
  try {
    assert.match(
      whyNoMachine(empty) ?? '',
      /^qemu-system-x86_64, .* found: run `apt install qemu-system-x86 openipmi .*fence-agents .*`\.$/,
    )
  } finally {
    rmSync(empty, { recursive: true })
  }
})

test('a number of runs that means nothing is refused', () => {
  const program = join(import.meta.dirname, '..', '..', 'src', 'bench', 'fence.ts')
  const ran = spawnSync(process.execPath, [program, '--runs', 'x'], { encoding: 'utf8' })
  assert.equal(ran.status, 1)
  assert.match(ran.stderr, /--runs takes a number above 0/)
})
