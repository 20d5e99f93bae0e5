/**
 * The lab, on real parts: Corosync, ipmi_sim and ipmitool in namespaces of this machine. One lab of
 * three nodes is taken through everything that can be done to it; a second one lives beside it.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BmcLevel,
  bmc,
  bmcAddress,
  bmcLogin,
  cut,
  downLab,
  exec,
  execInSwitch,
  freeze,
  hardwareUuid,
  heal,
  initOf,
  type Lab,
  nodeAddress,
  nowMs,
  power,
  processesIn,
  quorumOf,
  readBmcLog,
  spawnIn,
  statusOf,
  thaw,
  until,
  upLab,
  whyNoLab,
} from '../../src/lab/lab.ts'

const name = `t${process.pid}`
const skip = whyNoLab() ?? false
const PATIENCE_MS = 20_000

describe('a lab', { skip }, () => {
  let lab: Lab

  before(async () => {
    lab = await upLab({ name, daemon: false })
  })
  after(async () => {
    await downLab(name)
  })

  /** Real ipmitool, run in a node. */
  async function ipmi(from: string, node: string, level: BmcLevel, ...words: string[]) {
    const { user, password } = await bmcLogin(lab, node)
    const call = ['ipmitool', '-I', 'lanplus', '-C', '3', '-N', '1', '-R', '1', '-U', user, '-E']
    const argv = [...call, '-H', bmcAddress(lab, node, level), ...words]
    return await exec(lab, from, argv, { env: { IPMI_PASSWORD: password } })
  }
  async function powerSaid(node: string, level: BmcLevel): Promise<string> {
    const { stdout, stderr } = await ipmi('node1', node, level, 'chassis', 'power', 'status')
    return /Chassis Power is (\w+)/.exec(stdout)?.[1] ?? stderr
  }
  async function press(node: string, level: BmcLevel, what: 'on' | 'off'): Promise<void> {
    const { status, stderr } = await ipmi('node1', node, level, 'chassis', 'power', what)
    assert.equal(status, 0, stderr)
  }
  async function members(node: string, ...wanted: number[]): Promise<void> {
    let seen: unknown
    const come = await until(
      async () => {
        const quorum = await quorumOf(lab, node)
        seen = quorum?.members
        return quorum !== undefined && String(quorum.members) === String(wanted)
      },
      PATIENCE_MS,
      100,
    )
    assert.ok(come, `${node} sees ${String(seen)} and should see ${wanted}`)
  }
  const reads = async (node: string, file: string) => (await exec(lab, node, ['cat', file])).stdout
  const pings = async (address: string) =>
    (await execInSwitch(lab, ['ping', '-c', '1', '-W', '1', address])).status === 0

  test('three nodes are quorate, and each is a machine of its own', async () => {
    const { nodes } = await statusOf(lab)
    assert.deepEqual(
      nodes.map(({ name, power, quorum }) => [name, power, quorum?.quorate, quorum?.members]),
      ['node1', 'node2', 'node3'].map((node) => [node, 'on', true, [1, 2, 3]]),
    )
    const own = ['/etc/machine-id', '/etc/hostname', '/etc/picket/hardware-uuid']
    for (const file of [...own, '/proc/sys/kernel/random/boot_id']) {
      const texts = await Promise.all(lab.nodes.map((node) => reads(node, file)))
      assert.equal(new Set(texts).size, 3, `${file} is the same on two nodes: ${texts}`)
      assert.ok(texts.every((text) => text.trim() !== ''))
    }
    const secrets = await exec(lab, 'node1', ['stat', '-c', '%a', '/etc/picket/fence-secrets.yaml'])
    assert.equal(secrets.stdout.trim(), '600')
    assert.match(await reads('node1', '/etc/picket/config.yaml'), /host: 10\.77\.2\.153/)
  })

  test('what a node writes stays in the lab', async () => {
    const mark = `/etc/picket-lab-${name}`
    await exec(lab, 'node1', ['touch', mark, '/srv/shared/here'])
    assert.equal(existsSync(mark), false)
    assert.equal((await exec(lab, 'node2', ['test', '-e', mark])).status, 1)
    assert.equal((await exec(lab, 'node2', ['test', '-e', '/srv/shared/here'])).status, 0)
    const devices = await exec(lab, 'node1', ['ls', '/dev'])
    assert.doesNotMatch(devices.stdout, /watchdog|mem|sda|vda|kmsg/)
    const group = '/sys/fs/cgroup/scope'
    const made = await exec(lab, 'node1', ['mkdir', group])
    assert.equal(made.status, 0, made.stderr)
    assert.equal((await exec(lab, 'node2', ['test', '-e', group])).status, 1)
  })

  test('a BMC is the power of its node', async () => {
    const uuid = await hardwareUuid(lab, 'node2')
    for (const level of [1, 2] as const) {
      assert.equal(await powerSaid('node2', level), 'on')
      const { stdout } = await ipmi('node1', 'node2', level, 'mc', 'guid', 'ipmi')
      assert.match(stdout, new RegExp(uuid))
    }
    await exec(lab, 'node2', ['touch', '/var/lib/picket/disk', '/run/memory'])
    const bootBefore = await reads('node2', '/proc/sys/kernel/random/boot_id')
    const victim = spawnIn(lab, 'node2', ['sleep', '1000'])
    const died = new Promise((resolve) => victim.child.once('exit', resolve))

    const pressedAtMs = nowMs()
    await press('node2', 1, 'off')
    assert.equal(await powerSaid('node2', 1), 'off')
    assert.equal(await powerSaid('node2', 2), 'off')
    await died
    assert.deepEqual(processesIn(lab, 'node2'), [])
    assert.equal(initOf(lab, 'node2'), undefined)
    assert.equal(await pings(nodeAddress(lab, 'node2', 2)), false)
    await members('node1', 1, 3)
    const log = await readBmcLog(lab, 'node2', 1)
    assert.deepEqual(
      log.map(({ event, command, mode }) => [event, command, mode]),
      [
        ['accepted', 'off', 'ok'],
        ['done', 'off', 'ok'],
      ],
    )
    // The shell's clock counts hundredths where the kernel hides the better one.
    assert.ok(log.every(({ atMs }) => atMs > pressedAtMs - 20 && atMs < nowMs() + 20))

    await press('node2', 2, 'on')
    assert.equal(await powerSaid('node2', 1), 'on')
    await members('node2', 1, 2, 3)
    assert.equal((await exec(lab, 'node2', ['test', '-e', '/var/lib/picket/disk'])).status, 0)
    assert.equal((await exec(lab, 'node2', ['test', '-e', '/run/memory'])).status, 1)
    assert.notEqual(await reads('node2', '/proc/sys/kernel/random/boot_id'), bootBefore)
    // A node that the BMC has booted must not hold the BMC's own sockets.
    const held = await exec(lab, 'node2', ['sh', '-c', 'ls -l /proc/1/fd'])
    assert.doesNotMatch(held.stdout, /socket:|eventpoll/)
  })

  test('a BMC can ignore, lie, be slow and hang, each in its own way', async () => {
    const init = initOf(lab, 'node3')?.pid
    assert.ok(init)
    const lives = () => initOf(lab, 'node3')?.pid === init

    await bmc(lab, 'node3', 1, { mode: 'ignore' })
    await press('node3', 1, 'off')
    assert.equal(await powerSaid('node3', 1), 'on')
    assert.ok(lives())

    await bmc(lab, 'node3', 1, { mode: 'lie' })
    assert.equal(await powerSaid('node3', 1), 'on')
    await press('node3', 1, 'off')
    assert.equal(await powerSaid('node3', 1), 'off')
    assert.equal(await powerSaid('node3', 2), 'on')
    assert.ok(lives())
    await bmc(lab, 'node3', 1, { mode: 'ok' })
    assert.equal(await powerSaid('node3', 1), 'on')

    await bmc(lab, 'node3', 1, { mode: 'hang' })
    assert.equal((await ipmi('node1', 'node3', 1, 'chassis', 'power', 'off')).status, 1)
    assert.ok(lives())
    await bmc(lab, 'node3', 1, { mode: 'ok' })
    assert.equal(await powerSaid('node3', 1), 'on')

    await bmc(lab, 'node3', 1, { mode: 'slow', ms: 1500 })
    await press('node3', 1, 'off')
    assert.equal(await powerSaid('node3', 1), 'on')
    assert.ok(await until(() => !lives(), PATIENCE_MS))
    // The process is gone before the BMC has noted that it is done.
    const done = await until(
      async () => (await readBmcLog(lab, 'node3', 1)).find(({ event }) => event === 'done'),
      PATIENCE_MS,
    )
    const log = await readBmcLog(lab, 'node3', 1)
    const asked = log.filter(({ event, mode }) => event === 'accepted' && mode === 'slow')
    assert.ok(done !== undefined && asked[0] !== undefined)
    assert.ok(done.atMs - asked[0].atMs >= 1480, `done after ${done.atMs - asked[0].atMs} ms`)
    await bmc(lab, 'node3', 1, { mode: 'ok' })
    await press('node3', 1, 'on')
    await members('node3', 1, 2, 3)
  })

  test('a frozen node still answers ping, and goes on where it stopped', async () => {
    const init = initOf(lab, 'node3')?.pid
    await freeze(lab, 'node3')
    const states = processesIn(lab, 'node3').map(({ state }) => state)
    assert.ok(states.length >= 2 && states.every((state) => state === 'T'), states.join())
    await members('node1', 1, 2)
    assert.equal(await pings(nodeAddress(lab, 'node3', 0)), true)
    const frozen = (await statusOf(lab)).nodes.map((node) => node.frozen)
    assert.deepEqual(frozen, [false, false, true])
    await thaw(lab, 'node3')
    await members('node3', 1, 2, 3)
    assert.equal(initOf(lab, 'node3')?.pid, init)
    assert.equal((await statusOf(lab)).nodes[2]?.frozen, false)
  })

  test('one cut link of two changes no ring; both do, and the management link stays', async () => {
    // A link that has only just come back is not yet one that can carry the cluster alone.
    const connected = async () => {
      const seen = lab.nodes.map((node) => exec(lab, node, ['corosync-cfgtool', '-s']))
      return (await Promise.all(seen)).every(({ stdout }) => !stdout.includes('disconnected'))
    }
    assert.ok(await until(connected, PATIENCE_MS, 200))
    const ring = (await quorumOf(lab, 'node1'))?.ringId
    await cut(lab, 'node2', { link: 0 })
    await sleep(3000)
    assert.equal((await quorumOf(lab, 'node1'))?.ringId, ring)
    assert.equal(await pings(nodeAddress(lab, 'node2', 0)), false)

    await cut(lab, 'node2')
    await members('node1', 1, 3)
    assert.equal((await quorumOf(lab, 'node2'))?.quorate, false)
    assert.equal(await pings(nodeAddress(lab, 'node2', 2)), true)
    assert.equal(await powerSaid('node2', 1), 'on')
    // A cable that is unplugged stays unplugged over a boot.
    await power(lab, 'node2', 'off')
    await power(lab, 'node2', 'on')
    assert.equal(await pings(nodeAddress(lab, 'node2', 0)), false)
    await heal(lab, 'node2')
    await members('node1', 1, 2, 3)
    assert.equal(await pings(nodeAddress(lab, 'node2', 0)), true)
  })

  test('a node cut one-way hears nothing and still speaks', async () => {
    await cut(lab, 'node3', { oneWay: true })
    await members('node1', 1, 2)
    await members('node3', 3)
    assert.equal(await pings(nodeAddress(lab, 'node3', 0)), false)
    const heard = async () => {
      const { stdout } = await execInSwitch(lab, ['ip', '-j', '-s', 'link', 'show', 'n3-0'])
      return (JSON.parse(stdout) as { stats64: { rx: { packets: number } } }[])[0]!.stats64.rx
        .packets
    }
    const before = await heard()
    assert.ok(await until(async () => (await heard()) > before, PATIENCE_MS, 200))
    await heal(lab, 'node3')
    await members('node3', 1, 2, 3)
  })

  test('whose power goes while its links are healed has none of them up', async () => {
    await cut(lab, 'node3')
    await Promise.all([power(lab, 'node3', 'off'), heal(lab, 'node3')])
    const { nodes } = await statusOf(lab)
    const links = nodes.find((node) => node.name === 'node3')?.links ?? []
    assert.deepEqual(
      links.map(({ up }) => up),
      [false, false, false],
    )
    await power(lab, 'node3', 'on')
    await members('node1', 1, 2, 3)
  })

  test('killing what holds a sandbox is a power cut, from which it can be switched on', async () => {
    const init = initOf(lab, 'node1')
    assert.ok(init)
    const outer = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${init.pid}/status`, 'utf8'))?.[1]
    process.kill(Number(outer), 'SIGKILL')
    assert.ok(await until(() => initOf(lab, 'node1') === undefined, PATIENCE_MS))
    assert.equal((await statusOf(lab)).nodes[0]?.power, 'off')
    await assert.rejects(exec(lab, 'node1', ['true']), /node1 is off.*power node1 on/)
    await power(lab, 'node1', 'on')
    await members('node1', 1, 2, 3)
  })
})
