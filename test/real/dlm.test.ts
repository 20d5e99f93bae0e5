/**
 * H21 on a real cluster: the helper, called on a node as dlm_controld calls it, without arguments
 * and with the node's number on its standard input. It succeeds after proof, and in no other way.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bmc, crash, exec, power, whyNoLab } from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import {
  again,
  eventually,
  logSince,
  moved,
  offs,
  type Scene,
  seen,
  serves,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false
/** Corosync's nodeid of a node of the lab. */
const nodeidOf = (node: string) => node.replace('node', '')

async function helper({ lab }: Scene, at: string, node: string, seconds: number) {
  const input = `timeout=${seconds}\\nnode=${nodeidOf(node)}\\nfail_time=1763770000\\n`
  const agent = `PATH=$PATH:'${home}/bin' '${home}/packaging/picket_dlm'`
  const argv = ['sh', '-c', `printf '${input}' | ${agent}`]
  return await exec(lab, at, argv, { timeoutMs: 1_000 * seconds + 20_000 })
}

describe('the helper of dlm_controld', { skip }, () => {
  const cluster = useCluster('dlm', { extra: 'fence: { dlm: true }' })

  test('H21 a node that died is a success when it is proven off, and again at once', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [one, other] = others
    await crash(lab, active)
    const first = await helper(scene, one, active, 60)
    assert.equal(first.status, 0, first.stderr)
    assert.match(first.stdout, new RegExp(`^${active} is off: off confirmed`))
    assert.equal((await seen(scene, one, active))?.standing, 'fenced')
    const sent = (await offs(scene, active, 'accepted')).length
    assert.equal((await helper(scene, other, active, 20)).status, 0)
    // Nobody has pressed anything for the second question.
    assert.equal((await offs(scene, active, 'accepted')).length, sent)
    await eventually('it is told to a dlm_controld, or that there is none', () =>
      /dlm_controld was (not )?told that node\d/.test(logSince(scene, one)),
    )
    await moved(scene, active)
  })

  test('H21 a node that nobody can prove off is no success', async () => {
    const scene = await again(cluster())
    const { lab, active, others } = scene
    const [one] = others
    for (const level of [1, 2] as const) await bmc(lab, active, level, { mode: 'hang' })
    await crash(lab, active)
    const failed = await helper(scene, one, active, 15)
    assert.equal(failed.status, 1, failed.stdout)
    assert.match(failed.stderr, new RegExp(`${active} is lost, which is no proof`))
    for (const level of [1, 2] as const) await bmc(lab, active, level, { mode: 'ok' })
    assert.equal((await helper(scene, one, active, 60)).status, 0)
  })

  test('H21 a member is fenced on the word of dlm_controld; an old proof counts no more', async () => {
    const scene = await again(cluster())
    const { lab, active, others } = scene
    const [one] = others
    assert.equal((await helper(scene, one, active, 60)).status, 0)
    assert.match(
      logSince(scene, one),
      new RegExp(`${active} is condemned: dlm_controld has lost it`),
    )
    await moved(scene, active)
    await power(lab, active, 'on')
    await serves(scene, active, one)
    const sent = (await offs(scene, active, 'accepted')).length
    assert.equal((await helper(scene, one, active, 60)).status, 0)
    assert.ok((await offs(scene, active, 'accepted')).length > sent)
  })
})
