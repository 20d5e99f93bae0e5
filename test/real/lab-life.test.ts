/**
 * The life of a lab as an operator sees it: the command's words, two labs side by side, a daemon that
 * is kept alive, and that nothing is left behind, also of a lab that was killed half-made.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lab as command } from '../../src/cli/lab.ts'
import {
  bmc,
  bmcAddress,
  bmcLogin,
  crash,
  cut,
  daemonOf,
  downLab,
  exec,
  freeze,
  type Lab,
  logFiles,
  nodeAddress,
  openLab,
  processesIn,
  quorumOf,
  spawnInSwitch,
  startCorosync,
  statusOf,
  until,
  upLab,
  whyNoLab,
} from '../../src/lab/lab.ts'
import { home } from '../../src/lab/names.ts'
import { leftovers, tracesOf } from './traces.ts'

const name = `u${process.pid}`
const skip = whyNoLab() ?? false
const PATIENCE_MS = 20_000

describe('a lab and its command', { skip }, () => {
  let lab: Lab

  before(async () => {
    lab = await upLab({ name, daemon: false })
  })
  after(async () => {
    await downLab(name)
  })

  test('the command refuses, explains and tells', async () => {
    const twice = await picket('lab', 'up', '--no-daemon', '--name', name)
    assert.equal(twice.code, 3)
    assert.match(twice.err, /is up already: node1 is on, node2 is on, node3 is on/)
    const unknown = await picket('lab', 'crash', 'node9', '--name', name)
    assert.equal(unknown.code, 2)
    assert.match(unknown.err, /no node "node9": the nodes are node1, node2, node3/)
    for (const words of [
      ['cut', 'node1', '--link', '2'],
      ['bmc', 'node1', '1', 'slow'],
      ['bmc', 'node1', '3', 'ok'],
      ['up', '--nodes', '99'],
      ['up', '--name', 'a/b'],
      ['status', '--link', '1'],
      ['fly'],
    ]) {
      assert.equal((await picket('lab', ...words)).code, 2, words.join(' '))
    }
    const none = await picket('lab', 'status', '--name', `${name}-none`)
    assert.equal(none.code, 1)
    assert.match(none.err, /picket lab up/)
    const table = await picket('lab', 'status', '--name', name)
    assert.match(table.out, /^node2 +on +up +up +up +ok +ok +up +yes +1,2,3/m)
    const json = JSON.parse((await picket('lab', 'status', '--json', '--name', name)).out)
    assert.equal(json.nodes[2].quorum.quorate, true)
    const host = await picket('lab', 'exec', '--name', name, 'node2', '--', 'hostname')
    assert.deepEqual([host.code, host.out], [0, 'node2'])
    assert.equal((await picket('lab', 'exec', '--name', name, 'node2', '--', 'false')).code, 1)
    const piped = `echo 'a config' | '${home}/bin/picket' lab exec --name ${name} node2 -- cat`
    assert.equal(execFileSync('sh', ['-c', piped], { encoding: 'utf8' }), 'a config\n')
    assert.match((await picket('lab', 'logs', 'node1', '--name', name)).out, /corosync/)
  })

  test('a second lab lives beside it, with a daemon that is kept alive', async () => {
    const other = `${name}-b`
    const folder = await mkdtemp(path.join(tmpdir(), 'picket-lab-test-'))
    const script = path.join(folder, 'daemon')
    await writeFile(script, '#!/bin/sh\necho "says $*"\nexec sleep 1000\n', { mode: 0o755 })
    try {
      const daemon = [script, 'two words']
      const second = await upLab({ name: other, nodes: 1, profile: 'lan', daemon })
      const running = () => until(() => daemonOf(second, 'node1'), PATIENCE_MS)
      const first = await running()
      assert.ok(first)
      const token = await exec(second, 'node1', ['corosync-cmapctl', '-g', 'totem.token'])
      assert.match(token.stdout, /= 400$/m)

      process.kill(first.pid, 'SIGKILL')
      const again = await until(() => {
        const now = daemonOf(second, 'node1')
        return now !== undefined && now.pid !== first.pid && now.name === 'sleep'
      }, PATIENCE_MS)
      assert.ok(again, 'the daemon was not started again')
      const said = readFileSync(logFiles(second, 'node1').daemon, 'utf8')
      assert.equal(said.match(/^says two words$/gm)?.length, 2)

      const corosync = processesIn(second, 'node1').find(({ name }) => name === 'corosync')
      assert.ok(corosync)
      process.kill(corosync.pid, 'SIGKILL')
      await sleep(1500)
      assert.equal((await statusOf(second)).nodes[0]?.corosync, false)
      await startCorosync(second, 'node1')
      assert.ok(await until(async () => (await quorumOf(second, 'node1'))?.quorate, PATIENCE_MS))

      const traces = tracesOf(other)
      assert.equal(await downLab(other), true)
      assert.deepEqual(await leftovers(other, traces), [])
      assert.deepEqual((await statusOf(lab)).nodes[0]?.quorum?.members, [1, 2, 3])
    } finally {
      await downLab(other)
      await rm(folder, { recursive: true })
    }
  })

  test('down leaves nothing behind, whatever was going on', async () => {
    await cut(lab, 'node1', { oneWay: true })
    await freeze(lab, 'node2')
    await bmc(lab, 'node2', 1, { mode: 'hang' })
    await bmc(lab, 'node3', 2, { mode: 'slow', ms: 60_000 })
    const { user, password } = await bmcLogin(lab, 'node3')
    const call = ['ipmitool', '-I', 'lanplus', '-C', '3', '-U', user, '-E', '-H']
    const off = [...call, bmcAddress(lab, 'node3', 2), 'chassis', 'power', 'off']
    const pressed = await exec(lab, 'node1', off, { env: { IPMI_PASSWORD: password } })
    assert.equal(pressed.status, 0, pressed.stderr)
    const client = spawnInSwitch(lab, ['ping', '-q', nodeAddress(lab, 'node3', 0)])
    const gone = new Promise((resolve) => client.child.once('exit', resolve))
    await crash(lab, 'node1')
    const traces = tracesOf(name)
    assert.ok(traces.size >= 3, 'the lab has namespaces while it is up')
    assert.notDeepEqual(await leftovers(name, traces), [])

    assert.equal((await picket('lab', 'down', '--name', name)).code, 0)
    await gone
    assert.deepEqual(await leftovers(name, traces), [])
    assert.throws(() => openLab(name), /There is no lab/)
    const again = await picket('lab', 'down', '--name', name)
    assert.equal(again.code, 0)
    assert.match(again.out, /nothing to do/)
  })
})

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

describe('a lab that is killed while it is being made', { skip }, () => {
  const half = `${name}-c`
  const child = (...words: string[]) =>
    spawn(process.execPath, [main, 'lab', ...words, '--name', half], { stdio: 'ignore' })

  test('refuses another up, and goes away with down', async () => {
    try {
      const making = child('up', '--no-daemon')
      const ended = new Promise((resolve) => making.once('exit', resolve))
      const begun = await until(() => tracesOf(half).size >= 2, PATIENCE_MS, 2)
      making.kill('SIGKILL')
      await ended
      assert.ok(begun)
      const traces = tracesOf(half)
      const second = await picket('lab', 'up', '--no-daemon', '--name', half)
      assert.equal(second.code, 3, second.err)
      assert.equal(await downLab(half), true)
      assert.deepEqual(await leftovers(half, traces), [])
    } finally {
      await downLab(half)
    }
  })
})

describe('a machine that cannot hold a lab', { skip }, () => {
  test('is told in one sentence what mends it', async () => {
    assert.match(
      whyNoLab('/nowhere') ?? '',
      /^corosync, .*ipmi_sim.* cannot be found: run `apt install corosync iproute2 .*openipmi/,
    )
    const nobody = { uid: 65_534, gid: 65_534 }
    const child = spawn(process.execPath, [main, 'lab', 'status'], nobody)
    const said = (await child.stderr.toArray()).join('')
    assert.match(said, /A lab needs root: run the command with sudo/)
  })
})

/** The command, without a process of its own. */
async function picket(_: 'lab', ...argv: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await command.run(argv, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}
