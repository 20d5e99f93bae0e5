/**
 * The checklist of the fence agent contract, item by item, on real processes and real BMCs: what
 * Pacemaker, pcs and crmsh take for granted of an agent.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../src/lab/run.ts'
import { folder } from '../config/files.ts'
import { createAgentDouble, password as doublePassword } from '../fence/agent-double.ts'
import { httpStand } from '../fence/http-stand.ts'
import { admin, noBmc } from '../fence/ipmi-sim.ts'
import { optionsOf, start as startProxmox } from '../fence/proxmox-stand.ts'
import { missing } from '../needs.ts'
import { agent, begin, bmcFor, lines } from './agent.ts'

const skip = noBmc

test('A1 item 1: all of standard input is read, in every action', async () => {
  const comments = '# comment\n'.repeat(100_000)
  for (const [action, code] of [
    ['metadata', 0],
    ['nonsense', 1],
    ['', 1],
    ['off', 1],
    ['validate-all', 1],
  ] as const) {
    const child = begin('fence_picket_ipmi')
    const broken: unknown[] = []
    child.stdin.on('error', (error) => broken.push(error))
    child.stdout.resume()
    child.stderr.resume()
    child.stdin.write(comments)
    // A writer that takes its time finds somebody who still reads.
    await sleep(300)
    child.stdin.end(`action=${action}\n`)
    const [ended] = await once(child, 'close')
    assert.deepEqual([ended, broken], [code, []], action)
  }
})

test('A1 items 2 and 3: arguments or standard input, old names and new', { skip }, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  const words = ['-a', '127.0.0.1', '-u', `${bmc.port}`, '-l', admin.name, '-p', admin.password]
  const args = [...words, '-C', '3', '--action=status']
  // What stands on standard input does not count beside arguments.
  const told = await agent('fence_picket_ipmi', { args, input: 'action=off\n' })
  assert.deepEqual([told.code, told.out, told.err], [0, 'Status: ON\n', ''])
  const old = { ipaddr: '127.0.0.1', ipport: bmc.port, login: admin.name, passwd: admin.password }
  const said = await agent('fence_picket_ipmi', { input: lines({ ...old, action: 'status' }) })
  assert.deepEqual([said.code, said.out], [0, 'Status: ON\n'])
  const any = await ask({ action: 'status', driver: 'ipmi' })
  assert.match(any.err, /Ignoring unknown option 'driver'/)
  assert.equal(bmc.power(), 'on')
})

test('A1 items 5 and 6: 0, 1, and 2 for a status of off; monitor 0 whatever the power', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  const ends = async (action: string) => {
    const { code, out, err } = await ask({ action, nodename: 'n2', port: 'n2' })
    return [code, out.trim().split('\n').at(-1), err]
  }
  assert.deepEqual(await ends('monitor'), [0, '', ''])
  assert.deepEqual(await ends('off'), [0, 'Success: Powered OFF', ''])
  assert.deepEqual(await ends('status'), [2, 'Status: OFF', ''])
  assert.deepEqual(await ends('monitor'), [0, '', ''])
  assert.deepEqual(await ends('off'), [0, 'Success: Powered OFF', ''])
  assert.deepEqual(await ends('on'), [0, 'Success: Powered ON', ''])
  assert.deepEqual(await ends('reboot'), [0, 'Success: Rebooted', ''])
  assert.equal(bmc.power(), 'on')
  assert.deepEqual(bmc.commands().slice(-3), ['power 1', 'power 0', 'power 1'])
  const wrong = await ask({ action: 'monitor', password: 'wrong' })
  assert.equal(wrong.code, 1)
})

test('A1 items 7 and 8: an off is read back; silence and nonsense are failures', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  bmc.setMode('ignore')
  const lied = await ask({ action: 'off', power_timeout: 1 })
  assert.equal(lied.code, 1)
  assert.match(lied.err, /^Failed: Timed out waiting to power OFF: .* reads on .*\n$/)
  assert.equal((await ask({ action: 'reboot', power_timeout: 1 })).code, 1)
  assert.ok(!bmc.commands().includes('power 1'))
  bmc.setMode('refuse')
  assert.equal((await ask({ action: 'off', power_timeout: 1 })).code, 1)
  bmc.setMode('obey')
  bmc.hang()
  const short = { login_timeout: 1, shell_timeout: 0 }
  for (const action of ['off', 'status', 'monitor']) {
    const { code, err } = await ask({ action, ...short })
    assert.equal(code, 1, action)
    assert.match(err, /^Connection timed out: .*\n$/, action)
  }
  bmc.wake()
  const nobody = await ask({ action: 'off', ipport: 1, ...short })
  assert.equal(nobody.code, 1)
})

test('A1 item 8: a state that nobody knows is a failure, and no off', async (t) => {
  for (const unknown of ['standby', '', null]) {
    let power: string | null = 'on'
    const tried: string[] = []
    const box = await httpStand(({ method, path }) => {
      if (method !== 'GET') {
        tried.push(path)
        power = unknown
      }
      return { status: 200, body: { power } }
    })
    t.after(() => box.close())
    const device = {
      ...{ url: box.url, fingerprint: box.fingerprint },
      status: '{ pointer: /power, off: ["off"], on: ["on"] }',
      ...{ off: '{ path: /off }', on: '{ path: /on }' },
    }
    // The first is pressed, and comes to a state that nobody knows; from there on it is so before.
    for (const action of ['off', 'reboot', 'status', 'monitor']) {
      const input = lines({ ...device, action, power_timeout: 1 })
      const { code, out, err } = await agent('fence_picket_http', { input })
      assert.equal(code, 1, `${action} of ${unknown}`)
      assert.doesNotMatch(out, /Success|Status: OFF/)
      assert.match(err, /^Failed: .*\n$/, action)
    }
    assert.deepEqual([...new Set(tried)], ['/off'], `${unknown}`)
  }
})

test('A1 item 7: an on that fails does not fail a reboot', async (t) => {
  let power = 'on'
  const tried: string[] = []
  const box = await httpStand(({ method, path }) => {
    if (method === 'GET') return { status: 200, body: { power } }
    tried.push(path)
    if (path === '/off') power = 'off'
    return { status: path === '/off' ? 200 : 409, body: {} }
  })
  t.after(() => box.close())
  const device = {
    ...{ url: box.url, fingerprint: box.fingerprint },
    status: '{ pointer: /power, off: ["off"], on: ["on"] }',
    ...{ off: '{ path: /off }', on: '{ path: /on }' },
  }
  const input = lines({ ...device, action: 'reboot', power_timeout: 2 })
  const { code, out, err } = await agent('fence_picket_http', { input })
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /It is off, and was not switched on: .*\nSuccess: Rebooted\n$/)
  assert.deepEqual([tried[0], power], ['/off', 'off'])
  const on = await agent('fence_picket_http', {
    input: lines({ ...device, action: 'on', retry_on: 2, power_timeout: 0 }),
  })
  assert.equal(on.code, 1)
})

test('A1 items 9 and 14: a set of plugs is off only if every one is; a list tells plugs alone', async (t) => {
  const double = await startProxmox(t)
  const guests = [100, 101].map((vmid) => double.add(vmid, 'qemu', 'pve1'))
  const { vmid: _, ...box } = optionsOf(double)
  const ask = (values: object) =>
    agent('fence_picket_proxmox', { input: lines({ ...(box as object), ...values }) })
  const off = await ask({ action: 'off', plug: '100,101' })
  assert.deepEqual([off.code, off.err], [0, ''])
  assert.deepEqual(
    guests.map(({ power }) => power),
    ['off', 'off'],
  )
  assert.equal((await ask({ action: 'status', plug: '100,101' })).code, 2)
  assert.equal((await ask({ action: 'on', port: '101' })).code, 0)
  const both = await ask({ action: 'status', plug: '100,101' })
  assert.deepEqual([both.code, both.out], [0, 'Status: ON\n'])
  const one = await ask({ action: 'off', plug: '101,999' })
  assert.equal(one.code, 1)
  assert.match(one.err, /^Failed: Unable to obtain correct plug status or plug is not available: /)
  // Integers as ids, and names that are no plugs are not told as such.
  const listed = await ask({ action: 'list' })
  assert.deepEqual([listed.code, listed.err, listed.out], [0, '', '100,\n101,\n'])
  const withPower = await ask({ action: 'list-status', separator: ';' })
  assert.match(withPower.out, /^100;;\w+\n101;;\w+\n$/)
  assert.deepEqual((await ask({ action: 'monitor' })).code, 0)
  const dummy = { action: 'validate-all', nodename: 'node1', port: 'node1' }
  assert.deepEqual((await ask(dummy)).code, 0)
})

test('A1 item 10: the delay is for off and reboot, before the login, after what needs no device', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  const { code, tookMs } = await ask({ action: 'off', delay: 3, password: 'wrong' })
  assert.equal(code, 1)
  assert.ok(tookMs >= 3_000, `${tookMs}`)
  const again = await ask({ action: 'reboot', delay: 3, password: 'wrong' })
  assert.equal(again.code, 1)
  assert.ok(again.tookMs >= 3_000, `${again.tookMs}`)
  const wrong = await ask({ action: 'off', delay: 30, ip: 'http://x' })
  assert.equal(wrong.code, 1)
  for (const action of ['status', 'monitor', 'on']) {
    assert.equal((await ask({ action, delay: 50 })).code, 0, action)
  }
  assert.equal(bmc.power(), 'on')
})

test('A1 item 11: under Pacemaker what fails for the moment is tried again', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  const env = { PCMK_service: 'pacemaker-fenced' }
  bmc.hang()
  const asked = ask({ action: 'off', login_timeout: 1, shell_timeout: 1 }, env)
  await sleep(4_000)
  bmc.wake()
  const { code, out, err } = await asked
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /it is tried again/)
  // Wrong for good is said at once.
  const refused = await ask({ action: 'off', password: 'wrong' }, env)
  assert.equal(refused.code, 1)
  assert.doesNotMatch(refused.out, /tried again/)
})

test('A1 item 11: a kill of the group leaves neither files nor programs behind', {
  skip: missing('setpriv'),
}, async (t) => {
  const double = createAgentDouble('fence_double')
  t.after(double.remove)
  double.setFault('hang')
  const scratch = folder(t, {})
  const path = `${double.folder}:/usr/sbin:/usr/bin:/sbin:/bin`
  const env = { PATH: path, TMPDIR: scratch, HOME: scratch }
  const child = begin('fence_picket_agent', { env })
  child.stdin.end(
    lines({
      ...{ action: 'off', agent: 'fence_double', plug: 3, options: '{ ip: 192.0.2.1 }' },
      secret_options: JSON.stringify({ passwd: doublePassword }),
    }),
  )
  while (double.calls().length === 0) await sleep(20)
  const group = child.pid ?? 0
  process.kill(-group, 'SIGKILL')
  await once(child, 'close')
  await sleep(100)
  const { stdout } = await run(['ps', '-eo', 'pgid=,args='])
  const alive = stdout.split('\n').filter((line) => !line.includes('<defunct>'))
  const left = alive.filter((line) => line.trim().startsWith(`${group} `))
  assert.deepEqual(left, [])
  assert.deepEqual(
    alive.filter((line) => line.includes(`sleep 61.${process.pid}`)),
    [],
  )
  assert.deepEqual(readdirSync(scratch), [])
})

test('A1 items 12 and 18: one line for each failure, reason first, no secret in any of them', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  const cases: readonly (readonly [Record<string, string | number>, RegExp])[] = [
    [{ password: 'hunter2-wrong' }, /^Unable to connect\/login to fencing device: .*password/],
    [{ username: 'nobody' }, /^Unable to connect\/login to fencing device: .*user/],
    [{ ip: 'hunter2://' }, /^Failed: host .* is a URL/],
    [{ password: '' }, /^Failed: You have to enter login password or password script/],
    [{ identity: '00000000-0000-4000-8000-000000000001' }, /^Failed: .*calls itself/],
    [{ delay: 'x' }, /^Failed: delay is no number/],
    [{ password_script: 'exit 3' }, /^Failed: password_script ended with 3 .*: call it by hand on/],
  ]
  for (const [values, said] of cases) {
    const { code, out, err } = await ask({ action: 'off', ...values })
    assert.equal(code, 1)
    assert.match(err, said)
    assert.equal(err.split('\n').length, 2, err)
    assert.doesNotMatch(`${out}${err}`, /hunter2-/)
  }
  assert.deepEqual(bmc.commands(), [])
  const { err, out } = await ask({ action: 'off', quiet: 1, password: 'wrong' })
  assert.deepEqual([err, /Success/.test(out)], ['', false])
  const script = await ask({
    ...{ action: 'status', password: '', password_script: `printf '%s\\n' ${admin.password}` },
  })
  assert.deepEqual([script.code, script.out, script.err], [0, 'Status: ON\n', ''])
})

test('A1 item 15: every boolean that is false is as if it were not there', { skip }, async (t) => {
  const { ask } = await bmcFor(t)
  for (const no of ['0', 'no', 'off', 'false']) {
    const flags = { quiet: no, verbose: no, version: no, help: no, lanplus: no, port_as_ip: no }
    const { code, out, err } = await ask({ action: 'status', ...flags })
    assert.deepEqual([code, out, err], [0, 'Status: ON\n', ''], no)
  }
})

test('A1 items 16, 17 and 19: no action is refused, the unknown is passed over, nobody is asked', {
  skip,
}, async (t) => {
  const { bmc, ask } = await bmcFor(t)
  for (const values of [{}, { action: 'rebot' }, { option: 'off' }]) {
    const { code, err } = await ask(values as Record<string, string>)
    assert.equal(code, 1)
    assert.match(err, /^(Parse error: .*\n)?Failed: (no action is given|Unrecognised action)/)
  }
  const known = await ask({ action: 'status', mode: 'pass', nodeid: 3 })
  assert.deepEqual([known.code, known.out], [0, 'Status: ON\n'])
  assert.equal(
    known.err,
    "Parse error: Ignoring unknown option 'mode'\nParse error: Ignoring unknown option 'nodeid'\n",
  )
  assert.deepEqual(bmc.commands(), [])
  const bare = await agent('fence_picket_ipmi', { args: ['-o', 'status', '-a', '127.0.0.1'] })
  assert.equal(bare.code, 1)
})

test('A1 what is being done is told where it is asked for, and kept in a file', {
  skip,
}, async (t) => {
  const { ask } = await bmcFor(t)
  const file = join(folder(t, {}), 'debug')
  const { code, out, err } = await ask({ action: 'off', verbose: 1, debug_file: file })
  assert.deepEqual([code, out], [0, 'Success: Powered OFF\n'])
  assert.match(err, /^pressing via machine-1\/1\/1$/m)
  assert.match(readFileSync(file, 'utf8'), /^\S+Z reading the power back via machine-1\/1\/1$/m)
  assert.ok(!readFileSync(file, 'utf8').includes(admin.password))
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const loud = await ask({ action: 'on', verbose_level: 2, debug_file: '/dev/null/nowhere' })
  assert.deepEqual([loud.code, loud.out], [0, 'Success: Powered ON\n'])
})

test('A1 help and version end with 0', async () => {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  const told = await agent('fence_picket_ipmi', { args: ['-V'] })
  assert.deepEqual([told.code, told.out, told.err], [0, `${version}\n`, ''])
  const help = await agent('fence_picket_ipmi', { args: ['-h'] })
  assert.equal(help.code, 0)
  assert.match(help.out, /^Usage: fence_picket_ipmi -o ACTION[\s\S]*-a, --ip=\[ip\]/)
})
