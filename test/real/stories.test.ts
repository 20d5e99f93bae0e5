/**
 * The stories of the demonstration, played as `picket demo` plays them: on Corosync, IPMI and a
 * virtual address, before the eyes of a checker that believes nothing. At last the checker itself is
 * tried.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { checkerReports } from '../../src/demo/blind.ts'
import { raise, restore, type Stage, strike } from '../../src/demo/stage.ts'
import { type Outcome, type Story, stories } from '../../src/demo/stories.ts'
import { whyNoLab } from '../../src/lab/lab.ts'

const name = `stories-${process.pid}`
const skip = whyNoLab() ?? false
/** Far more than any of it takes on a machine that is busy with something else as well. */
const PATIENCE_MS = 30_000

/** Stories in which the node cannot be proven dead. */
const withoutProof = ['lie', 'deaf']

describe('the stories of the demonstration', { skip }, () => {
  let stage: Stage

  before(async () => {
    stage = await raise({ name })
  })
  after(async () => {
    if (stage !== undefined) await strike(stage)
  })

  for (const [i, story] of stories.entries()) {
    test(`${story.name}: ${story.title}`, async (t) => {
      if (i > 0) await restore(stage)
      const outcome = await story.play(stage, (line) => t.diagnostic(line))
      assert.deepEqual(outcome.broken, [])
      if (withoutProof.includes(story.name)) nothingMoved(outcome)
      else inOrder(story, outcome)
    })
  }
})

describe('the checker of the demonstration', { skip }, () => {
  test('sees the overlap of a cluster that does not fence', async (t) => {
    const reports = await checkerReports('lan', (line) => t.diagnostic(line), `${name}-b`)
    assert.match(reports.join('\n'), /began while another writer held the lock/)
    assert.match(reports.join('\n'), /wrote at the same time/)
  })
})

/** Noticed, decided, pressed, proven, started, answered: in this order, and within a bound. */
function inOrder({ name: story }: Story, outcome: Outcome): void {
  const { beganMs, timeline, interruption, victim, now } = outcome
  const { detectedMs, decidedMs, sentMs, confirmedMs, startedMs } = timeline
  const steps = [beganMs, detectedMs, decidedMs, sentMs, confirmedMs, startedMs]
  const sinceMs = steps.map((atMs) => Math.round((atMs ?? NaN) - beganMs))
  assert.ok(!sinceMs.includes(NaN), `a step is missing: ${sinceMs}`)
  assert.deepEqual(
    sinceMs,
    sinceMs.toSorted((a, b) => a - b),
    'the steps are out of order',
  )
  assert.ok(sinceMs.at(-1)! < PATIENCE_MS)
  assert.ok(now !== undefined && now !== victim)
  assert.ok(interruption !== undefined && interruption.forMs < PATIENCE_MS)
  const level = story === 'ignore' ? 2 : 1
  assert.match(timeline.confirmedBy ?? '', new RegExp(`\\(${victim}/${level}/1\\)`))
}

function nothingMoved({ timeline, now, remarks }: Outcome): void {
  assert.equal(now, undefined)
  assert.equal(timeline.confirmedMs, undefined)
  assert.match(remarks.join('\n'), /may hold it and is not proven dead/)
  assert.match(remarks.join('\n'), /advice: node\d cannot be proven off: check its devices/)
}
