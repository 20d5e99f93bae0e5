/**
 * Audit logs of a real cluster: the members vouch for each other, and find out a log whose tail was
 * cut off by somebody who has rewritten all that its machine knows of it.
 */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { whyNoLab } from '../../src/lab/lab.ts'
import { nodeDir } from '../../src/lab/names.ts'
import {
  count,
  eventually,
  killDaemon,
  logSince,
  nobodyFenced,
  picket,
  quiet,
  type Scene,
  serves,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('audit logs that the members keep the heads of', { skip }, () => {
  const cluster = useCluster('audit')

  const verified = (scene: Scene, node: string) => picket(scene, node, 'audit', 'verify')

  test('F13 a tail that was cut off with its head is found by the peers, and told by all', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [victim, other] = others
    for (const node of lab.nodes) {
      await eventually(`two vouch for the log of ${node}`, async () => {
        const { status, stdout } = await verified(scene, node)
        return status === 0 && count(stdout, /vouches for it up to line [1-9]/) === 2
      })
    }
    // What is told is on the peers' disks within a second.
    await quiet(1_500)
    forge(join(nodeDir(lab, victim), 'lib-picket'))
    await killDaemon(scene, victim)
    await serves(scene, victim, active)

    const told =
      /alarm: Line \d+ of the audit log of this node was seen by .*, and the log (ends|holds)/
    await eventually(`${victim} hears of it`, () => told.test(logSince(scene, victim)))
    for (const node of [active, other]) {
      const theirs = new RegExp(`Line \\d+ of the audit log of ${victim} was seen by this node`)
      await eventually(`${node} says it`, () => theirs.test(logSince(scene, node)))
    }
    const { status, stdout } = await verified(scene, victim)
    assert.equal(status, 1, stdout)
    assert.match(stdout, /^✗ audit\.jsonl, line \d+: .*node\d has seen/)
    assert.match(stdout, /If you know why: `picket audit accept --reason TEXT`/)

    const accepted = await picket(scene, victim, 'audit', 'accept', '--reason', 'a drill')
    assert.equal(accepted.status, 0, accepted.stderr)
    const after = await verified(scene, victim)
    assert.equal(after.status, 0, after.stdout)
    assert.match(after.stdout, /has seen line \d+, which is gone; an operator knows why\./)
    await nobodyFenced(scene)
  })
})

/** The last line goes, and with it everything on this disk that knows of it. */
function forge(dir: string): void {
  const path = join(dir, 'audit.jsonl')
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  const { seq, prev } = JSON.parse(lines.at(-1) ?? '')
  const head = JSON.parse(readFileSync(join(dir, 'audit.head'), 'utf8'))
  writeFileSync(path, `${lines.slice(0, -1).join('\n')}\n`)
  writeFileSync(join(dir, 'audit.head'), JSON.stringify({ ...head, lines: seq - 1, hash: prev }))
  rmSync(join(dir, 'audit.peers'))
}
