/** Faults of the network, on real parts: what is only half broken fences nobody, or the right one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cut, heal, quorumOf, whyNoLab } from '../../src/lab/lab.ts'
import {
  eventually,
  fenced,
  logMark,
  logSince,
  movedAfterFence,
  nobodyFenced,
  quiet,
  serves,
  statusAt,
  uninterrupted,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('faults of the network', { skip }, () => {
  const cluster = useCluster('network')

  test('the loss of one link is said, and nothing else happens', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [witness, bystander] = others
    const before = await quorumOf(lab, witness)
    const ring = (await statusAt(scene, witness))?.ring
    // The active node keeps the link of its clients.
    for (const [node, link] of [
      [active, 1],
      [bystander, 0],
    ] as const) {
      const mark = logMark(scene, witness)
      const says = (what: string) =>
        eventually(what, () => logSince(scene, witness, mark).includes(`Corosync's ${what}`))
      await cut(lab, node, { link })
      await says(`link ${link} to ${node} is down`)
      await quiet(1_500)
      assert.deepEqual(await quorumOf(lab, witness), before)
      await heal(lab, node)
      await says(`link ${link} to ${node} is up again`)
    }
    assert.deepEqual(await quorumOf(lab, witness), before)
    assert.equal((await statusAt(scene, witness))?.ring, ring)
    uninterrupted(scene)
    await nobodyFenced(scene)
  })

  test('an active node that has gone deaf is fenced, and its service moves', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    await cut(lab, active, { oneWay: true })
    const { level } = await movedAfterFence(scene, active)
    assert.equal(level, 1)
    await serves(scene, others[0], others[1])
  })

  test('a node without the service that has gone deaf is fenced, and the service stays', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    await cut(lab, others[0], { oneWay: true })
    await fenced(scene, others[0], active)
    uninterrupted(scene)
    await nobodyFenced(scene, others[0])
  })
})
