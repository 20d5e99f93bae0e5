/**
 * H22 on a real cluster: a node is lost, and fence_kdump_send, the program that kdump runs, speaks
 * from there. The others let it be for as long as they may, and cut its power then.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nodeAddress, spawnIn, whyNoLab } from '../../src/lab/lab.ts'
import { missing } from '../needs.ts'
import {
  eventually,
  linesOf,
  moved,
  offs,
  picket,
  processNamed,
  quiet,
  seen,
  useCluster,
} from './cluster.ts'

const sender = '/usr/libexec/fence-agents/fence_kdump_send'
const skip = whyNoLab() ?? missing(sender)

describe('a node that writes a crash dump', { skip }, () => {
  const cluster = useCluster('kdump', {
    extra: 'fence: { kdump: { seconds: 25, first_seconds: 6 } }',
  })

  test('H22 it is fenced when its bound is over, and nothing moves before that', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [one] = others
    // The crash kernel has the addresses of the node, and none of its programs.
    process.kill(processNamed(scene, active, 'corosync').pid, 'SIGKILL')
    const to = others.map((node) => nodeAddress(lab, node, 0))
    const dump = spawnIn(lab, active, [sender, '-i', '1', '-c', '0', ...to], { stdio: 'ignore' })
    const { deferred, deferredForMs = 0 } = await eventually('its dump is waited for', async () => {
      const entry = await seen(scene, one, active)
      return /writes a crash dump/.test(entry?.deferred ?? '') ? entry : undefined
    })
    assert.match(deferred, /may finish within 25 s of its loss/)
    assert.ok(deferredForMs > 10_000 && deferredForMs <= 25_000, `${deferredForMs}`)
    const { stdout } = await picket(scene, one, 'status')
    assert.match(stdout, /writes a crash dump.*fenced at \d\d:\d\d:\d\d at the latest/)
    await quiet(8_000)
    assert.equal((await offs(scene, active, 'accepted')).length, 0)
    assert.ok(others.includes(await moved(scene, active)))
    assert.ok((await offs(scene, active, 'accepted')).length > 0)
    assert.ok(
      linesOf(scene, one, 'audit').some((line) => /writes a crash dump/.test(JSON.stringify(line))),
    )
    await dump.stop()
  })
})
