/**
 * A majority that is lost for good, on a real cluster (H26): two of three nodes are destroyed. The
 * third decides nothing, until a person has named both as dead; then it goes on alone, also after a
 * restart of its daemon or of Corosync. A node that comes back wiped takes part again.
 */
import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { answering } from '../../src/demo/witness.ts'
import { bmc, crash, exec, power, startCorosync, whyNoLab } from '../../src/lab/lab.ts'
import { home, nodeDir } from '../../src/lab/names.ts'
import {
  eventually,
  killDaemon,
  linesOf,
  picket,
  processNamed,
  type Scene,
  seen,
  serves,
  statusAt,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

/** `picket quorum expected 1` at a terminal of one node, with these lines typed into it. */
async function giveUp({ lab }: Scene, at: string, typed: readonly string[]) {
  const call = `'${home}/bin/picket' quorum expected 1 --reason 'fire'`
  const typing = typed.map((word) => `sleep 2; echo '${word}'`).join('; ')
  const script = `{ ${typing}; } | script -qec "${call}" /dev/null`
  return await exec(lab, at, ['sh', '-c', script], { timeoutMs: 60_000 })
}

describe('most nodes are lost for good', { skip }, () => {
  const cluster = useCluster('recovery')

  test('H26 the one that is left goes on by a person’s word, and a wiped one returns', async () => {
    const scene = cluster()
    const { lab, active: left, others } = scene
    const serving = () => answering(scene.stage.witness.answers) === left
    for (const node of others) {
      for (const level of [1, 2] as const) await bmc(lab, node, level, { mode: 'hang' })
    }
    await Promise.all(others.map((node) => crash(lab, node)))
    const stuck = await eventually('no quorum is told', async () => {
      const status = await statusAt(scene, left)
      return status?.quorate === false ? status : undefined
    })
    assert.match(stuck.advice.join('\n'), /dead for good, picket quorum expected 1/)
    await eventually('the service stops', () => !serving())
    const confirmed = await picket(scene, left, 'fence', 'off', others[0], '--yes')
    assert.match(confirmed.stderr, /no quorum/)

    const names = [...others].sort()
    const wrong = await giveUp(scene, left, [names[0]!, 'yes'])
    assert.match(wrong.stdout, new RegExp(`Refused: that is not ${names[1]}`))
    assert.equal((await statusAt(scene, left))?.quorate, false)
    const right = await giveUp(scene, left, [...names, stuck.cluster])
    assert.match(right.stdout, /Done: .*written off by .*: fire/, right.stdout)
    assert.match(right.stdout, /kept in \/var\/lib\/picket\/before-recovery-/)
    await eventually('the service runs there', serving)
    const [kept = ''] = readdirSync(path.join(nodeDir(lab, left), 'lib-picket')).filter((name) =>
      name.startsWith('before-recovery-'),
    )
    const copies = readdirSync(path.join(nodeDir(lab, left), 'lib-picket', kept))
    assert.deepEqual(copies.sort(), ['audit.jsonl', 'corosync.conf', 'ledger.json'])
    await eventually('the audit log tells who was written off', () => {
      const off = linesOf(scene, left, 'audit').filter(({ kind }) => kind === 'standing')
      return names.every((name) => JSON.stringify(off).includes(name))
    })
    assert.match((await picket(scene, left, 'status')).stdout, /are written off/)

    await killDaemon(scene, left)
    await eventually('it decides again', async () => (await statusAt(scene, left))?.ready)
    await eventually('the service runs on', serving)

    // A Corosync that starts expects what its configuration says; picketd tells it anew.
    process.kill(processNamed(scene, left, 'corosync').pid, 'SIGKILL')
    await eventually('it has no quorum', async () => !(await statusAt(scene, left))?.quorate)
    await startCorosync(lab, left)
    await eventually('it decides with another Corosync', async () => {
      return (await statusAt(scene, left))?.ready
    })
    await eventually('the service runs again', serving)

    const [back, away] = names as [string, string]
    rmSync(path.join(nodeDir(lab, back), 'lib-picket/ledger.json'))
    for (const node of names) {
      for (const level of [1, 2] as const) await bmc(lab, node, level, { mode: 'ok' })
    }
    await power(lab, back, 'on')
    await serves(scene, back, left)
    await eventually(`${away} is proven off by its device`, async () => {
      return (await seen(scene, back, away))?.standing === 'fenced'
    })
    assert.doesNotMatch((await picket(scene, left, 'status')).stdout, /are written off/)
    assert.ok(serving(), 'the service went on all the time')
    rmSync(path.join(nodeDir(lab, away), 'lib-picket/ledger.json'))
    await power(lab, away, 'on')
    await serves(scene, away, left)
  })
})
