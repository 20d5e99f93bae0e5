/**
 * picketd as a service of systemd, on three hosts with a real systemd, a real Corosync and the unit
 * that is shipped: it starts in order, is replaced without a service noticing, leaves when it is
 * stopped, when Corosync is, and when the host is shut down, and comes back when it was killed.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { initOf, sharedDir, VIP } from '../../src/lab/lab.ts'
import {
  eventually,
  linesOf,
  moved,
  nobodyFenced,
  picket,
  type Scene,
  serves,
  statusAt,
  uninterrupted,
} from './cluster.ts'
import {
  anotherDaemon,
  fromNow,
  journal,
  mainPid,
  must,
  noHosts,
  property,
  standing,
  systemctl,
  useHosts,
} from './hosts.ts'

/** Where a unit runs, as systemd says on each host that has power. */
async function hostsOf(scene: Scene, unit: string): Promise<readonly string[]> {
  const { lab } = scene
  const on = lab.nodes.filter((node) => initOf(lab, node) !== undefined)
  const states = await Promise.all(on.map((node) => property(scene, node, unit, 'ActiveState')))
  return on.filter((_, i) => states[i] === 'active')
}

const stamp = async (scene: Scene, node: string, unit: string, what: string) =>
  Number(await property(scene, node, unit, `${what}TimestampMonotonic`))

describe('picketd under systemd', { skip: noHosts }, () => {
  const hosts = useHosts({ name: 'hosts', nodes: 3 })

  test('H1 a host that boots starts Corosync, then picketd, and waits until it has joined', async () => {
    const now = await hosts()
    for (const node of now.lab.nodes) {
      const corosyncUs = await stamp(now, node, 'corosync', 'ActiveEnter')
      assert.ok(corosyncUs > 0)
      assert.ok((await stamp(now, node, 'picketd', 'ExecMainStart')) >= corosyncUs)
      const bootedUs = await stamp(now, node, 'multi-user.target', 'ActiveEnter')
      assert.ok(bootedUs >= (await stamp(now, node, 'picketd', 'ActiveEnter')))
      assert.match(await property(now, node, 'picketd', 'StatusText'), /^member of hosts-\d+, node/)
    }
    assert.deepEqual(await hostsOf(now, 'web'), [now.active])
    assert.match(await must(now, now.active, 'ip', 'addr', 'show', 'eth0'), new RegExp(VIP))
    await nobodyFenced(now)
  })

  test('H9 all are stopped by way of Corosync; starting picketd alone brings both back', async () => {
    const now = await hosts()
    const { lab, active } = now
    const { status, stderr } = await picket(now, active, 'ban', 'batch', active)
    assert.equal(status, 0, stderr)
    await Promise.all(lab.nodes.map((node) => systemctl(now, node, 'stop', 'corosync')))
    for (const node of lab.nodes) {
      assert.equal(await property(now, node, 'picketd', 'ActiveState'), 'inactive')
      assert.equal(await property(now, node, 'picketd', 'Result'), 'success')
    }
    assert.deepEqual(await hostsOf(now, 'web'), [])
    await Promise.all(lab.nodes.map((node) => systemctl(now, node, 'start', 'picketd')))
    const after = await hosts()
    assert.notDeepEqual(await hostsOf(after, 'batch'), [active])
    await nobodyFenced(now)
    assert.equal((await picket(after, active, 'unban', 'batch', active)).status, 0)
  })

  test('H23 it has what its unit asks for, feeds systemd, and its log is in the journal', async () => {
    const now = await hosts()
    const { active } = now
    const pid = await mainPid(now, active)
    // Each of its threads: it waits for those of V8 whenever memory is swept.
    const nice = await must(now, active, 'ps', '-T', '-o', 'ni=', '-p', pid)
    assert.deepEqual([...new Set(nice.split(/\s+/))], ['-20'])
    assert.ok(nice.split(/\s+/).length > 5)
    const web = await mainPid(now, active, 'web')
    assert.equal(await must(now, active, 'ps', '-o', 'ni=', '-p', web), '0')
    assert.equal(await property(now, active, 'picketd', 'WatchdogUSec'), '30s')
    const fedUs = await stamp(now, active, 'picketd', 'Watchdog')
    await eventually('systemd is fed again', async () => {
      return (await stamp(now, active, 'picketd', 'Watchdog')) > fedUs
    })
    const said = await journal(now, active, '-u', 'picketd', '-p', 'info')
    assert.match(said, /This node is node\d, one of 3 in Corosync's nodelist/)
    // Each level is one of the journal's.
    assert.doesNotMatch(await journal(now, active, '-u', 'picketd', '-p', 'notice'), /This node is/)
    assert.doesNotMatch(said, /<\d>|^\d{4}-/m)
    const secrets = await must(now, active, 'cat', '/etc/picket/fence-secrets.yaml')
    const password = /password: (\S+)/.exec(secrets)?.[1]
    assert.ok(password && !said.includes(password))
  })

  test('H8 a rolling upgrade by `picket detach` neither stops, starts nor moves anything', async () => {
    const now = await hosts()
    const { active, others } = now
    const web = await mainPid(now, active, 'web')
    for (const node of [others[0], active, others[1]]) {
      const before = await mainPid(now, node)
      const { status, stdout, stderr } = await picket(now, node, 'detach', '--reason', 'upgrade')
      assert.equal(status, 0, stderr)
      assert.match(stdout, /Another picketd is a member now/)
      assert.notEqual(await mainPid(now, node), before)
      await serves(now, node, node === active ? others[0] : active)
    }
    assert.equal(await mainPid(now, active, 'web'), web)
    uninterrupted(now)
    await nobodyFenced(now)
  })

  test('`systemctl restart corosync` stops picketd first, and starts it again', async () => {
    const now = await hosts()
    const { active, others } = now
    const said = await fromNow(now, active)
    const before = await mainPid(now, active)
    await systemctl(now, active, 'restart', 'corosync')
    const next = await moved(now, active)
    assert.notEqual(next, active)
    await anotherDaemon(now, active, before)
    const order = (await said()).split('\n').flatMap((line) => {
      const word = /^(Stopping|Stopped|Starting|Started) (corosync|picketd).service/.exec(line)
      return word === null ? [] : [`${word[1]} ${word[2]}`]
    })
    assert.deepEqual(order, [
      ...['Stopping picketd', 'Stopped picketd', 'Stopping corosync', 'Stopped corosync'],
      ...['Starting corosync', 'Started corosync', 'Starting picketd', 'Started picketd'],
    ])
    assert.match(await said(), /picketd ends: left cleanly/)
    await serves(now, active, others[0])
    await nobodyFenced(now)
  })

  test('`systemctl stop picketd` stops what runs here and says goodbye', async () => {
    const now = await hosts()
    const { active, others } = now
    await systemctl(now, active, 'stop', 'picketd')
    assert.equal(await standing(now, others[0], active), 'left')
    assert.equal(await property(now, active, 'picketd', 'Result'), 'success')
    assert.equal(await property(now, active, 'corosync', 'ActiveState'), 'active')
    await moved(now, active)
    assert.ok(!(await hostsOf(now, 'web')).includes(active))
    await nobodyFenced(now)
  })

  test('a picketd that is killed is started again, and finds running what runs', async () => {
    const now = await hosts()
    const { active, others } = now
    const web = await mainPid(now, active, 'web')
    const before = await mainPid(now, active)
    await systemctl(now, active, 'kill', '-s', 'KILL', '--kill-whom=main', 'picketd')
    await anotherDaemon(now, active, before)
    await serves(now, active, others[0])
    await eventually('what runs is found', async () => {
      const found = (await statusAt(now, others[0]))?.resources ?? []
      return found.every(({ state }) => state === 'running')
    })
    assert.equal(await mainPid(now, active, 'web'), web)
    assert.deepEqual(await hostsOf(now, 'web'), [active])
    uninterrupted(now)
    await nobodyFenced(now)
  })

  test('S19 a unit that is masked is named, and runs elsewhere', async () => {
    const now = await hosts()
    const [at] = await hostsOf(now, 'batch')
    assert.ok(at)
    const next = now.lab.nodes.find((node) => node !== at)!
    const said = await fromNow(now, next)
    await systemctl(now, next, 'mask', 'batch')
    await picket(now, at, 'move', 'batch', next)
    await eventually('it is named', async () => {
      return /batch.service is masked.*systemctl unmask batch/.test(await said())
    })
    await eventually('it runs on a host where it can', async () => {
      const [where] = await hostsOf(now, 'batch')
      return where !== undefined && where !== next
    })
    await systemctl(now, next, 'unmask', 'batch')
    await picket(now, at, 'cleanup', 'batch')
    await nobodyFenced(now)
  })

  test('H15 a unit that somebody starts on a second host is stopped there', async () => {
    const now = await hosts()
    const [at] = await hostsOf(now, 'batch')
    const other = now.lab.nodes.find((node) => node !== at)!
    await systemctl(now, other, 'start', 'batch')
    await eventually('it runs on one host again', async () => {
      const places = await hostsOf(now, 'batch')
      return places.length === 1 && places[0] === at
    })
    await nobodyFenced(now)
  })

  test('H25 a wrong config ends the unit, and systemd does not try it again', async (t) => {
    const now = await hosts()
    const [node] = now.others
    await systemctl(now, node, 'stop', 'picketd')
    const said = await fromNow(now, node)
    await must(now, node, 'sh', '-c', 'echo "nonsense: 1" >>/etc/picket/config.yaml')
    t.after(() => must(now, node, 'sed', '-i', '/^nonsense/d', '/etc/picket/config.yaml'))
    await systemctl(now, node, 'start', 'picketd').then(
      () => assert.fail('it has started'),
      () => undefined,
    )
    assert.equal(await property(now, node, 'picketd', 'ActiveState'), 'failed')
    assert.equal(await property(now, node, 'picketd', 'ExecMainStatus'), '2')
    assert.match(await said(), /config.yaml:\d+:1: .*nonsense/)
    await nobodyFenced(now)
  })

  test('H24 beside Pacemaker it refuses, and comes up when that is gone', async () => {
    const now = await hosts()
    const [node] = now.others
    await systemctl(now, node, 'stop', 'picketd')
    const said = await fromNow(now, node)
    await must(now, node, 'cp', '/bin/sleep', '/run/pacemakerd')
    await must(now, node, 'systemd-run', '--unit=rival', '/run/pacemakerd', 'infinity')
    await systemctl(now, node, 'start', '--no-block', 'picketd')
    await eventually('it refuses', async () => {
      return /Pacemaker manages this node/.test(await said())
    })
    assert.equal(await standing(now, now.active, node), 'left')
    await systemctl(now, node, 'stop', 'rival')
    await serves(now, node, now.active)
    await nobodyFenced(now)
  })

  test('H7 systemd keeps a watchdog that is handed over, and gives it to the next', async () => {
    const now = await hosts()
    const [node] = now.others
    const device = join(sharedDir(now.lab), 'watchdog')
    writeFileSync(device, '{}\n')
    const words = () =>
      readFileSync(device, 'utf8')
        .trim()
        .split('\n')
        .flatMap((line) => line.split(' ')[1] ?? [])
    const store = () => property(now, node, 'guard', 'NFileDescriptorStore')
    await systemctl(now, node, 'start', 'guard')
    assert.deepEqual(words().slice(0, 3), ['open', 'timeout:2', 'feed'])
    assert.equal(await store(), '0')
    const before = await mainPid(now, node, 'guard')
    await systemctl(now, node, 'kill', '-s', 'HUP', '--kill-whom=main', 'guard')
    await eventually('systemd keeps it', async () => (await store()) === '1')
    await eventually('the next one has it, and systemd has let it go', async () => {
      return (await mainPid(now, node, 'guard')) !== before && (await store()) === '0'
    })
    const story = words().filter((word) => word !== 'feed')
    assert.deepEqual(story, ['open', 'timeout:2', 'timeout:60', 'keep', 'adopt', 'timeout:2'])
    await systemctl(now, node, 'stop', 'guard')
    assert.equal(words().at(-1), 'V')
    assert.equal(await property(now, node, 'picketd', 'FileDescriptorStoreMax'), '1')
  })

  test('a host that is shut down leaves first: nobody is fenced, and its service moves', async () => {
    const now = await hosts()
    const { lab, active, others } = now
    await systemctl(now, active, '--no-block', '-i', 'poweroff')
    await eventually('it is off', () => initOf(lab, active) === undefined)
    await moved(now, active)
    assert.equal(await standing(now, others[0], active), 'left')
    const [last] = linesOf(now, active, 'audit').slice(-1)
    assert.match(JSON.stringify(last), /left cleanly/)
    await nobodyFenced(now)
    const back = await hosts()
    assert.equal(await standing(back, others[0], active), 'member')
  })
})
