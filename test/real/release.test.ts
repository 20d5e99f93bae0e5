/** The daemon of a release in a real cluster: with Corosync's libraries, its device and services. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildRelease } from '../../src/bench/release.ts'
import { raise, strike } from '../../src/demo/stage.ts'
import { whyNoLab } from '../../src/lab/lab.ts'

test('daemons of a release raise a cluster that answers', {
  skip: whyNoLab() ?? false,
}, async () => {
  const release = await buildRelease()
  try {
    const daemon = [release.program('picketd'), '--config', '/etc/picket/config.yaml']
    // Rejects where the service does not answer in time.
    const stage = await raise({ name: `release-${process.pid}`, profile: 'lan', daemon })
    try {
      assert.deepEqual(stage.witness.overlaps(), [])
    } finally {
      await strike(stage)
    }
  } finally {
    release.remove()
  }
})
