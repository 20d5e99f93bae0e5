/**
 * An upgrade and a maintenance of two hosts with a real systemd, each of which may go on without the
 * other one (`two_node`): nobody takes a daemon that makes way for a dead one, nor the other way round.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crash } from '../../src/lab/lab.ts'
import {
  eventually,
  moved,
  movedAfterFence,
  nobodyFenced,
  picket,
  serves,
  uninterrupted,
} from './cluster.ts'
import { mainPid, noHosts, property, standing, useHosts } from './hosts.ts'

describe('two hosts under systemd', { skip: noHosts }, () => {
  const hosts = useHosts({ name: 'pair', nodes: 2 })

  test('H8 each daemon is replaced while the other one is there: nothing moves', async () => {
    const now = await hosts()
    const { active, others } = now
    const web = await mainPid(now, active, 'web')
    for (const [node, other] of [
      [others[0], active],
      [active, others[0]],
    ] as const) {
      const { status, stderr } = await picket(now, node, 'detach', '--reason', 'upgrade')
      assert.equal(status, 0, stderr)
      await serves(now, node, other)
    }
    assert.equal(await mainPid(now, active, 'web'), web)
    uninterrupted(now)
    await nobodyFenced(now)
  })

  test('H8 a node that is drained for maintenance serves nothing, and serves again', async () => {
    const now = await hosts()
    const { active, others } = now
    const words = ['maintenance', 'on', active, '--drain', '--reason', 'a new disk']
    const { status, stderr } = await picket(now, others[0], ...words)
    assert.equal(status, 0, stderr)
    assert.equal(await moved(now, active), others[0])
    await eventually('nothing runs there', async () => {
      return (await property(now, active, 'web', 'ActiveState')) === 'inactive'
    })
    for (const order of [
      ['maintenance', 'off', active],
      ['unstandby', active],
    ]) {
      const { status, stderr } = await picket(now, others[0], ...order)
      assert.equal(status, 0, stderr)
    }
    assert.equal(await standing(now, others[0], active), 'member')
    assert.equal((await picket(now, others[0], 'move', 'web', active)).status, 0)
    assert.equal(await moved(now, others[0]), active)
    await nobodyFenced(now)
  })

  test('H8 a node that dies while its daemon is replaced is fenced by the only other one', async () => {
    const now = await hosts()
    const { lab, active, others } = now
    const gone = picket(now, active, 'detach')
    await eventually('the daemon is on its way', async () => {
      return (await standing(now, others[0], active)) !== 'member'
    })
    await crash(lab, active)
    await movedAfterFence(now, active)
    await gone.catch(() => undefined)
  })
})
