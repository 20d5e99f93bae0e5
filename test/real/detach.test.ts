/**
 * A rolling restart on a real cluster: one picketd after the other makes way for a new one. What the
 * service writes from outside tells that it was neither stopped nor started again, and the BMCs that
 * nobody was fenced. Then a node that has detached loses its ring, and is fenced like any other.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crash, daemonOf, exec, whyNoLab } from '../../src/lab/lab.ts'
import {
  eventually,
  movedAfterFence,
  nobodyFenced,
  picket,
  serves,
  statusAt,
  uninterrupted,
  useCluster,
} from './cluster.ts'

describe('detach on a real cluster', { skip: whyNoLab() ?? false }, () => {
  const scene = useCluster('detach')

  test('H8 a rolling restart of all daemons neither stops, starts nor moves the service', async () => {
    const now = scene()
    const { lab, active, others } = now
    // The node that runs the service is neither the first one nor the last.
    for (const node of [others[0], active, others[1]]) {
      const before = daemonOf(lab, node)?.pid
      const { status, stdout, stderr } = await picket(now, node, 'detach', '--reason', 'upgrade')
      assert.equal(status, 0, stderr)
      assert.match(stdout, /Another picketd is a member now/)
      assert.notEqual(daemonOf(lab, node)?.pid, before)
      await serves(now, node, node === active ? others[0] : active)
    }
    await eventually('the service is found running where it was', async () => {
      const found = (await statusAt(now, others[0]))?.resources ?? []
      return found.every(({ state, node }) => state === 'running' && node === active)
    })
    uninterrupted(now)
    await nobodyFenced(now)
  })

  test('H8 nobody makes way for a picketd that could not start', async () => {
    const now = scene()
    const { lab, active } = now
    const before = daemonOf(lab, active)?.pid
    const file = '/etc/picket/config.yaml'
    const kept = '/run/config-kept.yaml'
    const shell = (text: string) => exec(lab, active, ['sh', '-c', text])
    assert.equal((await shell(`cp ${file} ${kept} && echo nonsense: 1 >> ${file}`)).status, 0)
    try {
      const { status, stderr } = await picket(now, active, 'detach')
      assert.equal(status, 3)
      assert.match(stderr, /config\.yaml:\d+:\d+: .*nonsense/)
      assert.match(stderr, /Refused: the next picketd could not/)
      assert.equal(daemonOf(lab, active)?.pid, before)
    } finally {
      await shell(`cat ${kept} > ${file}`)
    }
    const { status, stderr } = await picket(now, active, 'detach')
    assert.equal(status, 0, stderr)
    assert.notEqual(daemonOf(lab, active)?.pid, before)
    uninterrupted(now)
  })

  test('H8 a node that dies while its daemon is replaced is fenced, and the service moves', async () => {
    const now = scene()
    const { lab, active } = now
    const gone = picket(now, active, 'detach')
    await eventually('the daemon is on its way', async () => {
      const status = await statusAt(now, now.others[0])
      return status?.nodes.find(({ id }) => id === active)?.standing !== 'member'
    })
    await crash(lab, active)
    await movedAfterFence(now, active)
    await gone.catch(() => undefined)
  })
})
