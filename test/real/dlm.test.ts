/**
 * H21 on a real cluster: the helper, called on a node as dlm_controld calls it, without arguments
 * and with the node's number on its standard input. It succeeds after proof, and in no other way.
 * Then called by the real dlm_controld, which runs in spite of a kernel without DLM (dlm-host.sh).
 */
import assert from 'node:assert/strict'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { bmc, crash, exec, power, spawnIn, whyNoLab } from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import { missing } from '../needs.ts'
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

/** dlm_controld loses a node when Corosync does; whoever asks before has a member rebooted. */
async function dies(scene: Scene) {
  const { lab, active, others } = scene
  await crash(lab, active)
  for (const other of others) {
    await eventually(`${other} has lost ${active}`, async () => {
      const standing = (await seen(scene, other, active))?.standing
      return standing !== undefined && standing !== 'member'
    })
  }
}

describe('the helper of dlm_controld', { skip }, () => {
  const cluster = useCluster('dlm', { extra: 'fence: { dlm: true }' })

  test('H21 a node that died is a success when it is proven off, and again at once', async () => {
    const scene = cluster()
    const { active, others } = scene
    const [one, other] = others
    await dies(scene)
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
    await dies(scene)
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

const fuse = /^ *\d+ fuse$/m.test(readFileSync('/proc/misc', 'utf8'))
const noDlm = skip || missing('dlm_controld', 'dlm_tool') || (!fuse && 'the kernel has no fuse')

describe('the real dlm_controld', { skip: noDlm }, () => {
  const cluster = useCluster('dlmd', { extra: 'fence: { dlm: true }' })

  test('H21 it learns that a node with locks is off, from the helper or unasked', async (t) => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [one] = others
    const folder = mkdtempSync(join(tmpdir(), 'picket-dlm-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const logOf = (node: string) => join(folder, node)
    const running = lab.nodes.map((node) => {
      const argv = [`${home}/test/real/dlm-host.sh`, `${home}/packaging/picket_dlm`, `${home}/bin`]
      const log = openSync(logOf(node), 'w')
      return spawnIn(lab, node, argv, { stdio: ['ignore', log, log] })
    })
    await eventually('all are members of its group', async () => {
      const { stdout } = await exec(lab, one, ['dlm_tool', 'status'])
      return stdout.match(/^node \d M /gm)?.length === 3
    })
    await crash(lab, active)
    const fenced = `fence status ${nodeidOf(active)} receive (0|-125) `
    for (const node of others) {
      await eventually(`its daemon on ${node} knows that ${active} is fenced`, () =>
        new RegExp(fenced).test(readFileSync(logOf(node), 'utf8')),
      )
    }
    assert.ok((await offs(scene, active, 'done')).length > 0)
    const told = new RegExp(`was told that ${active} .*: off confirmed`)
    await eventually('it was told unasked as well', () => told.test(logSince(scene, one)))
    await Promise.all(running.map((each) => each.stop()))
  })
})
