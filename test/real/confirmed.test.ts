/**
 * Proof by hand on a real cluster (F14): a node has lost its power, and its BMCs with it. Nobody can
 * prove it off, and nothing moves, until a person has looked and says so.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { answering } from '../../src/demo/witness.ts'
import { bmc, crash, cut, exec, power, whyNoLab } from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import {
  again,
  eventually,
  linesOf,
  moved,
  type Scene,
  seen,
  serves,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

/** `picket confirm` at a terminal of one node, with this typed into it. */
async function confirm({ lab }: Scene, at: string, node: string, typed: string) {
  const call = `'${home}/bin/picket' confirm ${node} --reason 'no current'`
  const script = `printf '%s\\n' '${typed}' | script -qec "${call}" /dev/null`
  return await exec(lab, at, ['sh', '-c', script], { timeoutMs: 60_000 })
}

/** Nothing proves this node off any more, and a first round of its fencing has failed. */
async function unproven(scene: Scene, from: string): Promise<void> {
  await eventually('a first round has failed', async () => {
    const entry = await seen(scene, from, scene.active)
    return entry?.standing === 'lost' && /no answer|cannot|could not/.test(entry.fencing?.at ?? '')
  })
}

describe('a person confirms what no device can prove', { skip }, () => {
  const cluster = useCluster('confirmed')

  test('F14 the service moves when somebody has seen the node dead, and not before', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [one] = others
    for (const level of [1, 2] as const) await bmc(lab, active, level, { mode: 'hang' })
    await crash(lab, active)
    await unproven(scene, one)
    assert.equal(answering(scene.stage.witness.answers, 2_000), undefined, 'it moved without proof')

    const wrong = await confirm(scene, one, active, 'yes')
    assert.match(wrong.stdout, new RegExp(`Refused: that is not ${active}`))
    assert.equal((await seen(scene, one, active))?.standing, 'lost')

    const right = await confirm(scene, one, active, active)
    assert.match(right.stdout, /Done: confirmed dead by .*: no current/)
    const now = await moved(scene, active)
    assert.ok(others.includes(now))
    for (const node of others) {
      await eventually(`${node} has it in its audit log`, () =>
        linesOf(scene, node, 'audit').some(({ kind }) => kind === 'confirm'),
      )
    }

    for (const level of [1, 2] as const) await bmc(lab, active, level, { mode: 'ok' })
    await power(lab, active, 'on')
    await serves(scene, active, one)
  })

  test('F14 a node that still answers in the ring is not confirmed', async () => {
    const scene = await again(cluster())
    const { lab, active, others } = scene
    const refused = await confirm(scene, others[0], active, active)
    assert.match(refused.stdout, new RegExp(`Refused: ${active} is a member`))
    // Cut off it runs on: that is what a person has to see, and no program can.
    for (const level of [1, 2] as const) await bmc(lab, active, level, { mode: 'hang' })
    await cut(lab, active)
    await unproven(scene, others[0])
    const wrong = await confirm(scene, others[0], active, others[0])
    assert.match(wrong.stdout, /Refused: that is not/)
    assert.equal((await seen(scene, others[0], active))?.standing, 'lost')
  })
})
