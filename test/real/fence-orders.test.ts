/**
 * What an operator does to the power of a node, with `picket fence` as it stands on a node: orders
 * through the socket of the daemon there, questions to the real BMCs, and every exit code.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bmc, exec, initOf, type Lab, power, readBmcLog, whyNoLab } from '../../src/lab/lab.ts'
import {
  eventually,
  logMark,
  logSince,
  movedAfterFence,
  nobodyFenced,
  offs,
  picket,
  processNamed,
  seen,
  serves,
  statusAt,
  uninterrupted,
  useCluster,
} from './cluster.ts'

const skip = whyNoLab() ?? false

describe('picket fence', { skip }, () => {
  const cluster = useCluster('orders')

  test('reads the power of a node, and asks every device, without touching it', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [from, asked] = others
    const on = await picket(scene, from, 'fence', 'status', active)
    assert.equal(on.status, 0, on.stderr)
    assert.match(on.stdout, new RegExp(`^${active} is on: ${active}/1/1 and ${active}/2/1 say so`))
    const well = await picket(scene, from, 'fence', 'check')
    assert.equal(well.status, 0, well.stdout)
    assert.equal(well.stdout.match(/✓ ok/g)?.length, 6)

    for (const level of [1, 2] as const) await bmc(lab, asked, level, { mode: 'hang' })
    const [deaf, sick, unknown] = await Promise.all([
      picket(scene, from, 'fence', 'status', asked),
      picket(scene, from, 'fence', 'check', asked),
      picket(scene, from, 'fence', 'status', 'node9'),
    ])
    assert.equal(deaf.status, 1)
    const both = `${asked}/1/1 and ${asked}/2/1`
    assert.match(deaf.stdout, new RegExp(`^${asked} is unknown: ${both} could not tell`))
    assert.equal(sick.status, 1)
    assert.equal(sick.stdout.match(/✗ FAILED +\S+ .* cannot be reached/g)?.length, 2)
    assert.equal(unknown.status, 1)
    assert.match(unknown.stderr, /There is no node "node9"/)
    await nobodyFenced(scene)
  })

  test('off: told as it happens, proven, and the node stays out until it is ordered on', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const words = ['fence', 'off', active, '--yes', '--reason', 'a drill']
    const off = await picket(scene, others[0], ...words)
    assert.equal(off.status, 0, off.stderr)
    assert.match(off.stderr, new RegExp(`^${active} is condemned: a drill\n`))
    assert.match(off.stderr, new RegExp(`^Node ${active} fenced by node\\d: off confirmed`, 'm'))
    assert.match(off.stdout, /^Done: off confirmed via ipmi \(node\d\/1\/1\) after .* silent\n$/)
    assert.equal((await picket(scene, others[0], 'fence', 'status', active)).status, 2)
    await movedAfterFence(scene, active)

    // Somebody presses the button on the machine: it joins, and is given nothing.
    await power(lab, active, 'on')
    await eventually(`${active} is a member, and barred`, async () => {
      const entry = await seen(scene, others[0], active)
      return entry?.standing === 'member' && entry.barred && entry.holds.length === 0
    })
    const advice = (await statusAt(scene, others[1]))?.advice.join('\n') ?? ''
    assert.match(advice, new RegExp(`${active} was switched off by an operator: picket fence on`))
    const on = await picket(scene, active, 'fence', 'on', active, '--yes')
    assert.deepEqual([on.status, on.stdout], [0, `Done: ${active} may serve again\n`])
    await serves(scene, active, others[0])
    assert.equal((await offs(scene, active, 'accepted')).length, 1)
  })

  test('off and on: the BMC switches the node on again, and it is a member', async () => {
    const scene = cluster()
    const { lab, active, others } = scene
    const [target, from] = others
    assert.equal((await picket(scene, from, 'fence', 'off', target, '--yes')).status, 0)
    assert.equal(initOf(lab, target), undefined)
    const on = await picket(scene, active, 'fence', 'on', target, '--yes')
    assert.equal(on.status, 0, on.stderr)
    assert.match(on.stdout, /^Done: on confirmed via ipmi/)
    assert.ok(await doneSince(lab, target, 'on', scene.sinceMs))
    await serves(scene, target, from)
    uninterrupted(scene)
    await nobodyFenced(scene, target)
  })

  test('reboot: off is proven, then on, and the coordinator is no exception', async () => {
    const scene = cluster()
    const { lab, active } = scene
    const target = (await statusAt(scene, active))?.coordinator ?? ''
    const [from = ''] = lab.nodes.filter((node) => node !== target)
    const boot = ['cat', '/proc/sys/kernel/random/boot_id']
    const before = await exec(lab, target, boot)
    const reboot = await picket(scene, from, 'fence', 'reboot', target, '--yes')
    assert.equal(reboot.status, 0, reboot.stderr)
    assert.match(reboot.stderr, new RegExp(`Node ${target} fenced by`))
    assert.match(reboot.stdout, /^Done: on confirmed via ipmi/)
    assert.notEqual((await exec(lab, target, boot)).stdout, before.stdout)
    if (target === active) await movedAfterFence(scene, active)
    await serves(scene, target, from)
    await nobodyFenced(scene, target)
  })

  test('is refused with a reason and exit code 3, and nothing is pressed', async () => {
    const scene = cluster()
    const { active, others } = scene
    for (const [words, why] of [
      [['off', others[1]], /^Refused: there is nobody here to confirm it; give --yes/m],
      [['off', 'node9', '--yes'], /^Refused: there is no node node9; the nodes are node1, node2/],
      [['on', active, '--yes'], new RegExp(`^Refused: ${active} is on, and a member\n$`)],
    ] as const) {
      const refused = await picket(scene, others[0], 'fence', ...words)
      assert.equal(refused.status, 3, refused.stderr)
      assert.match(refused.stderr, why)
    }
    await nobodyFenced(scene)
  })

  test('is refused without quorum, and where no daemon runs nothing is switched', async () => {
    const scene = cluster()
    const { lab, others } = scene
    const [from, target] = others
    const mark = logMark(scene, from)
    const frozen = lab.nodes.filter((node) => node !== from)
    const pids = frozen.map((node) => processNamed(scene, node, 'corosync').pid)
    // Together, so that no two of them can fence the third.
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      await eventually('quorum is lost', async () => {
        return (await statusAt(scene, from))?.quorate === false
      })
      const refused = await picket(scene, from, 'fence', 'off', target, '--yes')
      assert.equal(refused.status, 3)
      assert.equal(
        refused.stderr,
        'Refused: this node has no quorum; without it nobody is fenced\n',
      )
      assert.doesNotMatch(logSince(scene, from, mark), /is to be fenced/)
      await nobodyFenced(scene)
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
    const socket = ['--socket', '/run/nowhere.sock']
    const nobody = await picket(scene, from, 'fence', 'off', target, '--yes', ...socket)
    assert.equal(nobody.status, 1)
    assert.match(
      nobody.stderr,
      /^picket fence: picketd is not running here .*\. Nothing was switched from here\.\n$/,
    )
  })
})

async function doneSince(lab: Lab, node: string, command: 'on' | 'off', sinceMs: number) {
  const logs = await Promise.all(([1, 2] as const).map((level) => readBmcLog(lab, node, level)))
  return logs.flat().some((record) => {
    return record.command === command && record.event === 'done' && record.atMs > sinceMs
  })
}
