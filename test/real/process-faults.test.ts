/**
 * Daemons that die, hang or stay away, on real parts: Corosync and picketd, on the node that runs the
 * service and on the one that coordinates.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { crash, daemonOf, exec, type Lab, power, quorumOf, whyNoLab } from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import { readProcess } from '../../src/lab/processes.ts'

import {
  eventually,
  fenced,
  killDaemon,
  logMark,
  logSince,
  moved,
  movedAfterFence,
  nobodyFenced,
  offs,
  processNamed,
  quiet,
  seen,
  serves,
  statusAt,
  uninterrupted,
  useCluster,
  writesSince,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('daemons that die or hang', { skip }, () => {
  const cluster = useCluster('daemons')

  test('where Corosync dies the daemon stops everything, and the others fence the node', async () => {
    const scene = cluster()
    const { active } = scene
    const mark = logMark(scene, active)
    process.kill(processNamed(scene, active, 'corosync').pid, 'SIGKILL')
    await movedAfterFence(scene, active)
    const said = logSince(scene, active, mark)
    assert.match(said, /Corosync is gone: .*; everything here stops/)
    assert.match(said, /web stops here: the local Corosync is gone/)
    assert.match(said, /web is stopped.*picketd ends: Corosync is gone and everything is stopped/s)
  })

  test('where Corosync hangs the node is fenced, and the service moves', async () => {
    const scene = cluster()
    const { active } = scene
    process.kill(processNamed(scene, active, 'corosync').pid, 'SIGSTOP')
    await movedAfterFence(scene, active)
  })

  test('picketd, killed where the service runs, comes back and finds the service running', async () => {
    const scene = cluster()
    const { active, others } = scene
    const mark = logMark(scene, active)
    await killDaemon(scene, active)
    await eventually('the service was found running', () =>
      /web was found running here/.test(logSince(scene, active, mark)),
    )
    await serves(scene, active, others[0])
    await serves(scene, others[0], active)
    uninterrupted(scene)
    await nobodyFenced(scene)
  })

  test('a service that dies is started again in its place, long before its monitor', async () => {
    const scene = cluster()
    const { lab, active } = scene
    const { stdout } = await exec(lab, active, ['cat', '/proc/uptime'])
    const killedMs = Number(stdout.split(' ')[0]) * 1000
    await exec(lab, active, ['pkill', '-KILL', '-f', 'demo/service'])
    const begun = await eventually('it is started again', () =>
      writesSince(scene, killedMs).find(({ what }) => what === 'begin'),
    )
    assert.equal(begun.node, active)
    assert.ok(begun.atMs - killedMs < 2500, `${begun.atMs - killedMs} ms; the monitor comes in 5 s`)
    await nobodyFenced(scene)
  })

  test('picketd is killed where the coordinator is, and the cluster goes on deciding', async () => {
    const scene = cluster()
    const { lab, active } = scene
    const coordinator = (await statusAt(scene, active))?.coordinator
    assert.ok(coordinator !== undefined)
    await killDaemon(scene, coordinator)
    const [victim, witness] = lab.nodes.filter((node) => node !== coordinator)
    assert.ok(victim !== undefined && witness !== undefined)
    await serves(scene, coordinator, coordinator)
    uninterrupted(scene)
    await nobodyFenced(scene)
    // And once more, with a node that dies in the same moment.
    await killDaemon(scene, coordinator)
    await crash(lab, victim)
    await fenced(scene, victim, witness)
    if (victim === active) await movedAfterFence(scene, active)
    else uninterrupted(scene)
    await nobodyFenced(scene, victim)
  })

  test('picketd is away for longer than its bound: the node is condemned and fenced', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const ring = (await quorumOf(lab, others[0]))?.ringId
    process.kill(supervisorOf(lab, active), 'SIGSTOP')
    process.kill(daemonOf(lab, active)!.pid, 'SIGKILL')
    const entry = await eventually('it is condemned', async () => {
      const node = await seen(scene, others[0], active)
      return node?.standing === 'condemned' ? node : undefined
    })
    assert.match(entry.because, /its daemon has been gone for too long while its ring lives on/)
    // Until then the ring was whole and the service ran: it is not assumed dead, it is made so.
    assert.equal((await quorumOf(lab, others[0]))?.ringId, ring)
    await movedAfterFence(scene, active)
  })

  test('picketd hangs for longer than its bound: the node is condemned and fenced', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const mark = logMark(scene, others[0])
    process.kill(daemonOf(lab, active)!.pid, 'SIGSTOP')
    await movedAfterFence(scene, active)
    const said = logSince(scene, others[0], mark)
    assert.match(said, new RegExp(`${active} has been silent for too long`))
    assert.match(said, new RegExp(`${active} is condemned: its daemon has been silent`))
  })

  test('a fenced node that is switched on again is a member, and gets nothing back', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    await crash(lab, active)
    const { now } = await movedAfterFence(scene, active)
    const mark = logMark(scene, active)
    const movedMs = scene.sinceMs
    await power(lab, active, 'on')
    await serves(scene, active, others[0])
    // Until it has looked for itself, it may hold what it once held.
    await eventually('it holds nothing', async () => {
      const entry = await seen(scene, others[0], active)
      return entry?.holds.length === 0 && entry.fencing === undefined
    })
    assert.doesNotMatch(logSince(scene, active, mark), /alarm:/)
    const lives = writesSince(scene, movedMs).filter(({ what }) => what.startsWith('begin'))
    assert.deepEqual(
      lives.map(({ node }) => node),
      [now],
    )
    assert.equal((await offs(scene, active, 'accepted')).length, 1)
  })

  test('picketd, told to leave, stops the service, says goodbye, and nobody is fenced', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const marks = [active, others[0]].map((node) => logMark(scene, node))
    process.kill(daemonOf(lab, active)!.pid, 'SIGTERM')
    const now = await moved(scene, active)
    const [mine = '', theirs = ''] = [active, others[0]].map((node, i) =>
      logSince(scene, node, marks[i]),
    )
    assert.match(mine, /web is stopped.*picketd ends: left cleanly/s)
    assert.match(theirs, new RegExp(`${active} has left with everything stopped`))
    const last = writesSince(scene, 0).findLast(({ node }) => node === active)
    const begun = writesSince(scene, scene.sinceMs).find(({ what }) => what === 'begin')
    assert.ok(last && begun && begun.node === now && begun.atMs >= last.atMs)
    // The supervisor starts it again, and it is a member as before.
    await serves(scene, active, others[0])
    await nobodyFenced(scene)
  })

  test('a second picketd on the same node refuses in one sentence', async () => {
    const scene = cluster()
    const { lab, active } = scene
    const { pid } = daemonOf(lab, active)!
    const second = await exec(lab, active, [`${home}/bin/picketd`])
    assert.equal(second.status, 1)
    assert.match(
      second.stderr,
      /^.*alarm: picketd \(process \d+\) runs on this node already: it holds .*picketd\.lock\.\n$/,
    )
    await quiet(500)
    assert.equal(daemonOf(lab, active)?.pid, pid)
    uninterrupted(scene)
  })
})

/** The shell that starts the daemon of a node again when it has ended. */
function supervisorOf(lab: Lab, node: string): number {
  const { pid } = daemonOf(lab, node)!
  const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  assert.ok(parent !== undefined && readProcess(Number(parent))?.name === 'sh')
  return Number(parent)
}
