/**
 * What is tried in the box of fenced-box.ts: pacemaker-fenced, stonith_admin, pcs and crmsh with our
 * agents on simulated BMCs. Run by agents-fenced.test.ts, and by nobody outside of such a box.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../src/lab/run.ts'
import { admin, type Bmc, startBmc } from '../fence/ipmi-sim.ts'
import { missing } from '../needs.ts'

if (!readFileSync('/etc/corosync/corosync.conf', 'utf8').includes('fencedbox')) {
  throw new Error('this is no box')
}
const { PICKET = '' } = process.env
// Those of a release: what people install, and what starts soon enough on a busy machine.
assert.equal((await run([PICKET, 'agents', 'install'])).status, 0)

const paths = '/usr/lib/pacemaker:/usr/sbin:/usr/bin:/sbin:/bin'

async function stonith(...args: readonly string[]) {
  const beganMs = performance.now()
  const argv = ['stonith_admin', ...args]
  const { status, stdout, stderr } = await run(argv, { timeoutMs: 120_000, env: { PATH: paths } })
  return { status, said: `${stdout}${stderr}`, tookMs: performance.now() - beganMs }
}

async function done(...args: readonly string[]) {
  const { status, said, tookMs } = await stonith(...args)
  assert.equal(status, 0, `stonith_admin ${args.join(' ')}: ${said}\n${tail()}`)
  return { said, tookMs }
}

/** stonith_admin ends with 0 whatever the monitor came to; the fencer logs where it has failed. */
async function monitored(id: string): Promise<number> {
  const before = log().length
  await done('-Q', id)
  const failed = new RegExp(`Operation 'monitor' \\[\\d+\\] using ${id} returned (\\d+)`)
  return Number(failed.exec(log().slice(before))?.[1] ?? 0)
}

const log = () => readFileSync('/run/fenced.log', 'utf8')
const tail = () => log().split('\n').slice(-25).join('\n')

let serial = 0

/** A BMC, and a name that nobody else has. */
async function machine(t: TestContext) {
  const bmc = await startBmc()
  t.after(() => bmc.stop())
  return { bmc, name: `n${++serial}` }
}

const deviceOf = ({ port }: Bmc) => ({
  ...{ ip: '127.0.0.1', ipport: port, username: admin.name, password: admin.password, cipher: 3 },
})

const options = (values: Readonly<Record<string, string | number>>): readonly string[] =>
  Object.entries(values).flatMap(([name, value]) => ['-o', `${name}=${value}`])

async function register(
  id: string,
  agent: string,
  values: Readonly<Record<string, string | number>>,
): Promise<void> {
  await done('-R', id, '-a', agent, ...options(values))
}

test('A4 the agents are listed, and tell their metadata', async () => {
  const { said } = await done('-I')
  for (const name of ['fence_picket', 'fence_picket_ipmi', 'fence_picket_verify']) {
    assert.match(said, new RegExp(`^\\s*${name}$`, 'm'))
    assert.match((await done('-M', '-a', name)).said, new RegExp(`resource-agent name="${name}"`))
  }
})

test('A4 --validate tells right from wrong, and why', async () => {
  const right = { ip: '192.0.2.1', username: 'a', password: 'b' }
  await done('--validate', '-a', 'fence_picket_ipmi', ...options(right))
  const wrong = await stonith(
    '--validate',
    '-a',
    'fence_picket_ipmi',
    ...options({ ip: 'http://x' }),
  )
  assert.notEqual(wrong.status, 0)
  assert.match(wrong.said, /You have to enter login name/)
  const guest = { ip: '192.0.2.1', token_id: 'a@pve!b', token_secret: 'c' }
  await done('--validate', '-a', 'fence_picket_proxmox', ...options(guest))
})

test('A4 register, monitor, list, off, status, on, reboot', async (t) => {
  const { bmc, name } = await machine(t)
  await register('all', 'fence_picket_ipmi', { ...deviceOf(bmc), pcmk_host_list: name })
  assert.equal(await monitored('all'), 0)
  assert.match((await done('-l', name)).said, /all/)
  await done('-F', name, '-t', '30')
  assert.equal(bmc.power(), 'off')
  assert.equal(await monitored('all'), 0)
  await done('-U', name, '-t', '30')
  assert.equal(bmc.power(), 'on')
  await done('-B', name, '-t', '30')
  assert.equal(bmc.power(), 'on')
  assert.deepEqual(bmc.commands(), ['power 0', 'power 1', 'power 0', 'power 1'])
})

test('A4 what is wrong is named in the words of the fencer', async (t) => {
  const { bmc, name } = await machine(t)
  const device = { ...deviceOf(bmc), password: 'hunter2-wrong', pcmk_host_list: name }
  await register('wrong', 'fence_picket_ipmi', device)
  assert.equal(await monitored('wrong'), 1)
  const failed = await stonith('-F', name, '-t', '20')
  assert.equal(failed.status, 1, failed.said)
  assert.match(log(), /Unable to connect\/login to fencing device: .*refused our password/)
  assert.doesNotMatch(log(), /hunter2-/)
  assert.equal(bmc.power(), 'on')
})

test('A4 a BMC that accepts and does nothing: the off fails', async (t) => {
  const { bmc, name } = await machine(t)
  bmc.setMode('ignore')
  const device = { ...deviceOf(bmc), power_timeout: 2, pcmk_host_list: name }
  await register('lies', 'fence_picket_ipmi', device)
  const { status } = await stonith('-F', name, '-t', '8')
  assert.notEqual(status, 0)
  assert.equal(bmc.power(), 'on')
})

test('A4 two levels: the first fails, the second proves it', async (t) => {
  const [bad, good] = [await machine(t), await machine(t)]
  bad.bmc.setMode('ignore')
  const slow = { ...deviceOf(bad.bmc), power_timeout: 1, disable_timeout: 0 }
  await register('first', 'fence_picket_ipmi', { ...slow, pcmk_host_list: good.name })
  await register('second', 'fence_picket_ipmi', {
    ...deviceOf(good.bmc),
    pcmk_host_list: good.name,
  })
  await done('-r', good.name, '-i', '1', '-v', 'first')
  await done('-r', good.name, '-i', '2', '-v', 'second')
  await done('-B', good.name, '-t', '60')
  assert.deepEqual(good.bmc.commands(), ['power 0', 'power 1'])
  assert.ok(bad.bmc.commands().length > 0)
})

test('A3 the second device of a level: an off that is a lie is found out', async (t) => {
  const { bmc, name } = await machine(t)
  const theirs = { ...deviceOf(bmc), lanplus: 1, pcmk_host_list: name }
  // It acts, and the machine comes back on: the first device is content with one reading.
  await register('plain', 'fence_ipmilan', { ...theirs, power_wait: 0 })
  const proof = { ...deviceOf(bmc), driver: 'ipmi', power_timeout: 2, pcmk_host_list: name }
  await register('proof', 'fence_picket_verify', { ...proof, addresses: '10.9.0.2' })
  await done('-r', name, '-i', '1', '-v', 'plain', '-v', 'proof')
  assert.equal(await monitored('proof'), 0)
  const { tookMs } = await done('-F', name, '-t', '40')
  assert.equal(bmc.power(), 'off')
  assert.ok(tookMs < 30_000)
  // Reboot becomes off, off, on, on.
  await done('-B', name, '-t', '60')
  assert.equal(bmc.power(), 'on')
  bmc.setMode('relapse')
  const lied = await stonith('-F', name, '-t', '40')
  assert.notEqual(lied.status, 0, 'a machine that runs counted as off')
  assert.equal(bmc.power(), 'on')
  bmc.setMode('obey')
  // The power is off, and another machine answers at its address: the wrong one was switched off.
  await register('proof', 'fence_picket_verify', { ...proof, addresses: '127.0.0.1' })
  const alive = await stonith('-F', name, '-t', '40')
  assert.notEqual(alive.status, 0)
  assert.match(log(), /127\.0\.0\.1 still answers/)
})

test('A4 one device for several machines: host map, and lists of a configuration', async (t) => {
  const [one, two] = [await machine(t), await machine(t)]
  const map = `${one.name}:127.0.0.1;${two.name}:127.0.0.2`
  const { ip: _, ...login } = deviceOf(one.bmc)
  await register('map', 'fence_picket_ipmi', { ...login, port_as_ip: 1, pcmk_host_map: map })
  await done('-F', one.name, '-t', '30')
  assert.equal(one.bmc.power(), 'off')
  const wrong = await stonith('-F', two.name, '-t', '12')
  assert.notEqual(wrong.status, 0)

  const [c1, c2] = [await machine(t), await machine(t)]
  const node = ({ bmc, name }: typeof c1) =>
    `    - { name: ${name}, fence: { driver: ipmi, host: 127.0.0.1, port: ${bmc.port}, cipher: 3 } }`
  const nodes = [node(c1), node(c2)].join('\n')
  writeFileSync('/run/picket.yaml', `cluster:\n  name: box\n  nodes:\n${nodes}\n`)
  const secrets = `ipmi: { user: ${admin.name}, password: ${admin.password} }\n`
  writeFileSync('/run/fence-secrets.yaml', secrets, { mode: 0o600 })
  const config = { config: '/run/picket.yaml', state: '/run/picket-state' }
  await register('config', 'fence_picket', config)
  assert.equal(await monitored('config'), 0)
  assert.match((await done('-l', c2.name)).said, /config/)
  assert.match((await done('-s', 'config')).said, new RegExp(`${c1.name}[\\s\\S]*${c2.name}`))
  await done('-F', c2.name, '-t', '30')
  assert.deepEqual([c1.bmc.power(), c2.bmc.power()], ['on', 'off'])
  const audit = readFileSync(`/run/picket-state/orders/${c2.name}/audit.jsonl`, 'utf8')
  assert.match(audit, /"kind":"verdict"/)
  assert.match(audit, /pacemaker-fenced on labnode1/)
})

test('A4 a delay, and a time that is over: the agent is killed, and nothing of it is left', async (t) => {
  const { bmc, name } = await machine(t)
  await register('delay', 'fence_picket_ipmi', {
    ...{ ...deviceOf(bmc), delay: 3, pcmk_host_list: name },
  })
  const { tookMs } = await done('-F', name, '-t', '30')
  assert.ok(tookMs >= 3_000 && tookMs < 25_000, `${tookMs}`)

  const hung = await machine(t)
  hung.bmc.hang()
  await register('hung', 'fence_picket_ipmi', {
    ...{ ...deviceOf(hung.bmc), pcmk_host_list: hung.name },
  })
  const { status, said } = await stonith('-F', hung.name, '-t', '4')
  assert.equal(status, 124, said)
  assert.match(log().split('\n').slice(-40).join('\n'), /did not complete within|timed out/i)
  await sleep(300)
  const { stdout } = await run(['ps', '-eo', 'args='])
  assert.doesNotMatch(stdout, /agent\/main\.js fence_picket/)
  hung.bmc.wake()
  assert.equal(hung.bmc.power(), 'on')
  await done('-F', hung.name, '-t', '40')
  assert.equal(hung.bmc.power(), 'off')
})

test("A4 Debian's agent and ours, one after the other, under the same fencer", async (t) => {
  const { bmc, name } = await machine(t)
  for (const agent of ['fence_ipmilan', 'fence_picket_ipmi']) {
    const device = { ...deviceOf(bmc), lanplus: 1, pcmk_host_list: name }
    await register('beside', agent, device)
    assert.equal(await monitored('beside'), 0)
    await done('-F', name, '-t', '30')
    assert.equal(bmc.power(), 'off', agent)
    assert.equal(await monitored('beside'), 0)
    await done('-U', name, '-t', '30')
    assert.equal(bmc.power(), 'on', agent)
    await done('-B', name, '-t', '30')
    await done('-D', 'beside')
  }
})

const tools = { PATH: paths, HOME: '/run', LC_ALL: 'C.UTF-8' }

/** What docs/pacemaker.md creates, as pcs is called for it. */
function exampleCalls(): readonly (readonly string[])[] {
  const page = readFileSync(new URL('../../docs/pacemaker.md', import.meta.url), 'utf8')
  const text = page.replaceAll(/\\\n\s+/g, '')
  const calls = [...text.matchAll(/^# pcs (stonith create .*)$/gm)].map(([, call = '']) => call)
  assert.ok(calls.length >= 5)
  return calls.map((call) =>
    [...call.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', '')),
  )
}

test('A1 pcs describes, creates and validates a device', { skip: missing('pcs') }, async () => {
  const pcs = (...args: readonly string[]) =>
    run(['pcs', ...args], { env: tools, timeoutMs: 120_000 })
  const described = await pcs('stonith', 'describe', 'fence_picket_proxmox')
  assert.equal(described.status, 0, described.stderr)
  assert.match(described.stdout, /token_secret: The API token/)
  const { stdout: cib } = await run(['cibadmin', '--empty'], { env: tools })
  writeFileSync('/run/cib.xml', cib)
  const create = async (id: string, values: readonly string[], ...flags: readonly string[]) => {
    const words = ['stonith', 'create', id, 'fence_picket_ipmi', ...values, ...flags]
    const { status, stdout, stderr } = await pcs('-f', '/run/cib.xml', ...words)
    return { status, said: `${stdout}${stderr}` }
  }
  const right = ['ip=192.0.2.1', 'username=a', 'password=b', 'pcmk_host_list=n1']
  const made = await create('fine', right)
  assert.deepEqual([made.status, made.said], [0, ''])
  const old = await create('old', ['ipaddr=192.0.2.1', 'login=a', 'passwd=b', 'port=n1'])
  assert.equal(old.status, 0, old.said)
  assert.match(old.said, /'ipaddr' is deprecated.*'ip'/)
  const own = await create('own', ['host=192.0.2.1', 'user=a', 'password=b'])
  assert.equal(own.status, 0, own.said)
  const unknown = await create('bad', [...right, 'vmid=3'])
  assert.notEqual(unknown.status, 0)
  assert.match(unknown.said, /invalid stonith option 'vmid'/)
  const bare = await create('bare', ['username=a'])
  assert.notEqual(bare.status, 0)
  assert.match(
    bare.said,
    /stonith option 'ip', 'host' \(deprecated\) or 'ipaddr' .* has to be specified/,
  )
  const valid = await create('asked', right, '--agent-validation')
  assert.equal(valid.status, 0, valid.said)
  for (const words of exampleCalls()) {
    const { status, stdout, stderr } = await pcs('-f', '/run/cib.xml', ...words)
    assert.deepEqual([status, `${stdout}${stderr}`], [0, ''], words.join(' '))
  }
  const refused = await create('no', ['ip=http://x', ...right.slice(1)], '--agent-validation')
  assert.notEqual(refused.status, 0)
  assert.match(refused.said, /is a URL; write the address/)
})

test('A1 crmsh shows what an agent takes', { skip: missing('crm') }, async () => {
  const { status, stdout, stderr } = await run(['crm', 'ra', 'info', 'stonith:fence_picket_ipmi'], {
    ...{ env: tools, timeoutMs: 120_000 },
  })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /ip\*? \(string.*Address of the BMC/)
})
