/**
 * What the disks of a real cluster remember, and what becomes of it when they cannot: a full disk, a
 * damaged ledger, and the day when all nodes start from their disks alone.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, test } from 'node:test'
import { answering, ownersOf } from '../../src/demo/witness.ts'
import { crash, daemonOf, exec, nowMs, power, whyNoLab } from '../../src/lab/lab.ts'
import { nodeDir } from '../../src/lab/names.ts'
import {
  count,
  eventually,
  killDaemon,
  logMark,
  logSince,
  movedAfterFence,
  nobodyFenced,
  quiet,
  type Scene,
  seen,
  serves,
  statusAt,
  uninterrupted,
  useCluster,
  writesSince,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('what the disks remember', { skip }, () => {
  const cluster = useCluster('disks')

  test('a full disk is said once, the cluster decides without it, and its node can be left', async () => {
    const scene = cluster()
    const { lab, active } = scene
    await fillDisk(scene, active)
    const mark = logMark(scene, active)
    const full = /alarm: the ledger cannot be saved: .*no space left/i
    await useUp(scene, () => full.test(logSince(scene, active, mark)))
    await eventually('another node coordinates', async () => {
      const status = await statusAt(scene, active)
      return status?.ready && status.coordinator !== undefined && status.coordinator !== active
    })
    // The next attempt is five seconds later, and is no news.
    await quiet(6_500)
    const said = logSince(scene, active, mark)
    assert.equal(count(said, full), 1)
    // The journal, the ledger, the audit log and perhaps what the others tell of theirs, once each.
    const times = count(said, /no space left/i)
    assert.ok(times === 3 || times === 4, said)
    uninterrupted(scene)
    await nobodyFenced(scene)
    await crash(lab, active)
    await movedAfterFence(scene, active)
  })

  test('a disk that has space again keeps the ledger again', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [full] = others
    await fillDisk(scene, full)
    const mark = logMark(scene, full)
    const says = (what: RegExp) => () => what.test(logSince(scene, full, mark))
    await useUp(scene, says(/the ledger cannot be saved/))
    await exec(lab, full, ['rm', '/var/lib/picket/fill'])
    await eventually('it is over', says(/the disk takes the ledger again/))
    await serves(scene, full, active)
    uninterrupted(scene)
    await nobodyFenced(scene)
    // It boots with its old disk.
    await crash(lab, full)
  })

  test('a damaged ledger is put aside, and its node takes the word of the others', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const ledger = path.join(nodeDir(lab, active), 'lib-picket/ledger.json')
    assert.ok(existsSync(ledger))
    const mark = logMark(scene, active)
    const daemon = daemonOf(lab, active)
    assert.ok(daemon)
    process.kill(daemon.pid, 'SIGSTOP')
    const text = await readFile(ledger, 'utf8')
    await writeFile(ledger, text.replace('"member"', '"fenced"'))
    await killDaemon(scene, active)
    await eventually('the service was found running', () =>
      /web was found running here/.test(logSince(scene, active, mark)),
    )
    const aside =
      /alarm: The ledger .* is damaged .*; kept as .*corrupt-1\. This node starts without/
    assert.equal(count(logSince(scene, active, mark), aside), 1)
    assert.ok(existsSync(`${ledger}.corrupt-1`))
    await serves(scene, active, others[0])
    await eventually('there is a ledger again', () => existsSync(ledger))
    uninterrupted(scene)
    await nobodyFenced(scene)
  })

  test('one node stays off: it is proven off after the grace, and then the service starts', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    for (const node of lab.nodes) await power(lab, node, 'off')
    const onMs = nowMs()
    await Promise.all(others.map((node) => power(lab, node, 'on')))
    const waiting = await eventually('the service waits for the node that is off', async () => {
      const status = await statusAt(scene, others[0])
      return status?.resources.find(({ id, state }) => id === 'web' && state === 'blocked')
    })
    assert.match(waiting.because, new RegExp(`${active} may hold it and is not proven dead`))
    await eventually('a client is answered', () => answering(scene.stage.witness.answers))
    assert.equal((await seen(scene, others[0], active))?.standing, 'fenced')
    const [first, ...more] = begun(scene)
    assert.ok(first !== undefined && more.length === 0)
    assert.ok(first.atMs - onMs >= START_GRACE_MS, `${first.atMs - onMs} ms after the start`)
    await nobodyFenced(scene, active)
  })
  test('all nodes lose their power and get it back: everything runs again, once', async () => {
    const scene = cluster()
    const { lab } = scene
    for (const node of lab.nodes) await power(lab, node, 'off')
    await Promise.all(lab.nodes.map((node) => power(lab, node, 'on')))
    for (const node of lab.nodes) await serves(scene, node, lab.nodes[0]!)
    // Every thing is placed for itself: with nodes that boot one after the other, the address and
    // the service may come back on two of them. What is promised is that each of them runs once.
    await eventually('everything runs', async () => {
      const status = await statusAt(scene, lab.nodes[0]!)
      return status?.resources.every(({ state }) => state === 'running')
    })
    await eventually('the service writes', () => begun(scene).length > 0)
    assert.deepEqual([begun(scene).length, ownersOf(lab).length], [1, 1])
    await nobodyFenced(scene)
  })
})

/** As the lab configures it: see `timing` in its configs. */
const START_GRACE_MS = 6_000

const begun = (scene: Scene) =>
  writesSince(scene, scene.sinceMs).filter(({ what }) => what.startsWith('begin'))

/** The file of the ledger has space for some more: orders that change nothing are written down. */
async function useUp({ lab, others }: Scene, isFull: () => boolean): Promise<void> {
  const [, other] = others
  let bans = 0
  await eventually('the space is used up', async () => {
    const order = bans++ % 2 === 0 ? 'ban' : 'unban'
    const { status, stderr } = await exec(lab, other, ['picket', order, 'web', other])
    assert.equal(status, 0, stderr)
    return isFull()
  })
  if (bans % 2 === 1) await exec(lab, other, ['picket', 'unban', 'web', other])
}

/** Gives a node a small disk for its state, with what was on the old one, and fills it. */
async function fillDisk(scene: Scene, node: string): Promise<void> {
  const { lab } = scene
  const small = `mkdir /run/small && mount -t tmpfs -o size=1m,mode=700 tmpfs /run/small &&
    cp -a /var/lib/picket/ledger.json /var/lib/picket/resources /run/small &&
    mount --bind /run/small /var/lib/picket`
  const made = await exec(lab, node, ['sh', '-c', small])
  assert.equal(made.status, 0, made.stderr)
  // What the daemon has open lies on the old disk.
  await killDaemon(scene, node)
  await serves(scene, node, node)
  const fill = 'dd if=/dev/zero of=/var/lib/picket/fill bs=4k'
  const filled = await exec(lab, node, ['sh', '-c', fill])
  assert.match(filled.stderr, /No space left on device/)
}
