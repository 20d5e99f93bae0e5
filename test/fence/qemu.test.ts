/** The `qemu` driver on a real QEMU: the one thing that is off is the end of the process. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDevice } from '../../src/fence/device.ts'
import { qemu } from '../../src/fence/drivers/qemu.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import { findProcess } from '../../src/fence/processes.ts'
import { contract, type Stand } from './contract.ts'
import { createQemu, noQemu, type Qemu, uuid } from './qemu-process.ts'

const skip = noQemu
const ask = { timeoutMs: 5_000 }

async function start(): Promise<Stand> {
  const machine = await createQemu()
  const { relay } = machine
  return {
    over: 'lines',
    options: {
      socket: relay.socket,
      pidfile: machine.pidfile,
      start_command: machine.startCommand,
    },
    secrets: [],
    // A process that has ended names itself no more; see below.
    identity: undefined,
    power: () => (machine.pid() === undefined ? 'off' : 'on'),
    setPower(power) {
      machine.kill()
      if (power === 'on') machine.start()
    },
    between: ['prelaunch', 'stop', 'system_reset'],
    setBetween(raw) {
      machine.kill()
      machine.start(...(raw === 'prelaunch' ? ['-S'] : []))
      if (raw !== 'prelaunch') machine.tell(raw)
    },
    fail: (fault, from) => fault !== 'another identity' && relay.fail(fault, from),
    mend: relay.mend,
    requests: relay.requests,
    offs: relay.offs,
    close: machine.close,
  }
}

contract(qemu, start, { skip })

async function fresh(t: TestContext): Promise<Qemu> {
  const machine = await createQemu()
  t.after(machine.close)
  return machine
}

const device = ({ socket, pidfile }: Qemu, changes: object = {}, identity?: string) =>
  openDevice({
    id: 'web-02/1/1',
    driver: qemu,
    options: { socket, pidfile, ...changes },
    identity,
  })

test('S15 another machine is neither pressed nor believed; what has ended was this one', {
  skip,
}, async (t) => {
  const machine = await fresh(t)
  const { relay } = machine
  const target = device(machine, { socket: relay.socket }, uuid)
  relay.fail('another identity', 0)
  assert.equal((await target.identify(ask)).ok, false)
  assert.equal((await target.off(ask)).outcome, 'refused')
  assert.equal((await target.read(ask)).power, 'unknown')
  relay.mend()
  assert.notEqual(machine.pid(), undefined)
  assert.equal((await target.off(ask)).outcome, 'accepted')
  await ended(machine)
  assert.deepEqual(await target.read(ask), {
    power: 'off',
    raw: 'ended',
    identity: canonicalIdentity(uuid),
  })
})

/** Waits until the process is gone, and until the relay knows. */
async function ended(machine: Qemu): Promise<void> {
  while (machine.pid() !== undefined) await sleep(10)
  await sleep(50)
}

test('with -no-shutdown the state `shutdown` is not off, nor is `paused`', { skip }, async (t) => {
  const machine = await fresh(t)
  const target = device(machine)
  for (const [command, raw] of [
    ['stop', 'paused'],
    ['cont', 'running'],
    // A machine without ACPI, or without anybody who listens to it.
    ['system_powerdown', 'running'],
    ['system_reset', 'shutdown'],
  ] as const) {
    machine.tell(command)
    const read = await target.read(ask)
    assert.deepEqual([read.power, read.raw], [raw === 'running' ? 'on' : 'unknown', raw], command)
  }
  assert.equal((await target.off(ask)).outcome, 'accepted')
  await ended(machine)
  const { power, raw } = await target.read(ask)
  assert.deepEqual([power, raw], ['off', 'ended'])
})

test('without a socket it is not off while the process lives', { skip }, async (t) => {
  const machine = await fresh(t)
  rmSync(machine.socket)
  const target = device(machine)
  const read = await target.read(ask)
  assert.equal(read.power, 'unknown')
  assert.match(read.raw, /process \d+ without a monitor/)
  const pressed = await target.off(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /nobody listens, the process lives/)
  machine.kill()
  assert.equal((await target.read(ask)).power, 'off')
})

test('a process that is stopped is not off, and may quit when it goes on', { skip }, async (t) => {
  const machine = await fresh(t)
  const target = device(machine)
  assert.equal((await target.read(ask)).power, 'on')
  const pid = machine.pid() ?? 0
  process.kill(pid, 'SIGSTOP')
  assert.equal((await target.read({ timeoutMs: 300 })).power, 'unknown')
  assert.equal((await target.off({ timeoutMs: 300 })).outcome, 'refused')
  process.kill(pid, 'SIGCONT')
})

test('one client at a time: while somebody else holds the monitor nothing is known', {
  skip,
}, async (t) => {
  const machine = await fresh(t)
  const other = connect(machine.socket)
  await new Promise((resolve) => other.once('data', resolve))
  const read = await device(machine).read({ timeoutMs: 300 })
  assert.equal(read.power, 'unknown')
  assert.match(read.detail ?? '', /did not answer in time/)
  other.destroy()
  assert.equal((await device(machine).read(ask)).power, 'on')
})

test('without start_command there is no on', { skip }, async (t) => {
  const machine = await fresh(t)
  machine.kill()
  const pressed = await device(machine).on(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /nothing says how to start it\): set start_command/)
  const failing = device(machine, { start_command: ['sh', '-c', 'echo no >&2; exit 3'] })
  assert.equal((await failing.on(ask)).outcome, 'unknown')
})

test('a pid file that names another process does not pass the check, nor prove an off', {
  skip,
}, async (t) => {
  const machine = await fresh(t)
  const target = device(machine, { pidfile: join(machine.folder, 'nothing') })
  // The path of the socket among the arguments is enough to find it.
  assert.equal((await target.identify(ask)).ok, true)
  rmSync(machine.socket)
  assert.equal((await target.read(ask)).power, 'unknown')
  const foreign = await fresh(t)
  const wrong = join(foreign.folder, 'wrong')
  writeFileSync(wrong, 'many')
  const found = await device(foreign, { pidfile: wrong }).identify(ask)
  assert.equal(found.ok, false)
  assert.match(found.detail, /does not hold a pid/)
})

// The process of a pid file, without QEMU.

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'picket-pid-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

function sleeper(t: TestContext, name: string): ChildProcess {
  const child = spawn('sh', ['-c', 'sleep 30', name], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  return child
}

test('a pid that was given again to another process is not taken for it', async (t) => {
  const pidfile = join(folderFor(t), 'pid')
  const other = sleeper(t, 'other')
  writeFileSync(pidfile, `${other.pid}\n`)
  const sought = { pidfile, paths: ['/run/qmp-of-web'] }
  // Written by whoever lived then: that may be this one, whatever its arguments are.
  assert.equal(findProcess(sought)?.pid, other.pid)
  const before = new Date(Date.now() - 60_000)
  utimesSync(pidfile, before, before)
  assert.equal(findProcess(sought), undefined)
  const own = sleeper(t, 'qmp-of-web')
  writeFileSync(pidfile, `${own.pid}\n`)
  utimesSync(pidfile, before, before)
  assert.equal(findProcess(sought)?.pid, own.pid)
})

test('a pid file goes before its process: what was seen before has to be gone too', async (t) => {
  const pidfile = join(folderFor(t), 'pid')
  const child = sleeper(t, 'any')
  writeFileSync(pidfile, `${child.pid}`)
  const before = findProcess({ pidfile, paths: [] })
  assert.ok(before)
  rmSync(pidfile)
  assert.equal(findProcess({ pidfile, paths: [] }), undefined)
  assert.equal(findProcess({ pidfile, paths: [], before })?.pid, child.pid)
  const again = { ...before, startTicks: before.startTicks - 1 }
  assert.equal(findProcess({ pidfile, paths: [], before: again }), undefined)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  assert.equal(findProcess({ pidfile, paths: [], before }), undefined)
})

test('a process is found by its arguments, and a pid file with other words is an error', (t) => {
  const folder = folderFor(t)
  const socket = join(folder, 'qmp')
  const child = sleeper(t, `unix:${socket},server=on`)
  const pidfile = join(folder, 'pid')
  assert.equal(existsSync(pidfile), false)
  assert.equal(findProcess({ pidfile, paths: [socket] })?.pid, child.pid)
  for (const text of ['', '0', '-1', '1 2', 'x', '99999999999']) {
    writeFileSync(pidfile, text)
    assert.throws(() => findProcess({ pidfile, paths: [] }), /does not hold a pid/, text)
  }
  writeFileSync(pidfile, '4194399\n')
  assert.equal(findProcess({ pidfile, paths: [] }), undefined)
})

// What a monitor may say, without QEMU.

test('what is not understood is neither off nor accepted', async (t) => {
  const { createServer } = await import('node:net')
  const folder = folderFor(t)
  const socket = join(folder, 'qmp')
  const hello = '{"QMP": {"version": {}, "capabilities": []}}\n'
  const ok = (id: string, content = '{}') => `{"return": ${content}, "id": "${id}"}\n`
  const id = ok('query-uuid', `{"UUID": "${uuid}"}`)
  let says = ''
  const server = createServer((end) => {
    end.on('error', () => undefined)
    end.end(says)
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.after(() => server.close())
  const target = openDevice({
    id: 'web-02/1/1',
    driver: qemu,
    options: { socket, pidfile: join(folder, 'pid') },
  })
  const states = ['shutdown', 'postmigrate', 'inmigrate', 'io-error', 'guest-panicked', 'off', '']
  for (const state of [...states, 'suspended', 'internal-error', 'watchdog', 'Running', 'ended']) {
    says = `${hello}${ok('qmp_capabilities')}${id}${ok('query-status', `{"status": "${state}"}`)}`
    const { power, raw, spare } = await target.read(ask)
    assert.deepEqual([power, raw, spare !== undefined], ['unknown', state, state === 'inmigrate'])
  }
  const odd = [
    '',
    hello,
    '{}\n',
    `${hello}{"id": "qmp_capabilities"`,
    `${hello}${ok('other')}`,
    `${hello}{"error": {"desc": "no"}, "id": "qmp_capabilities"}\n`,
    `${hello}${ok('qmp_capabilities')}${ok('query-uuid', '{"UUID": 7}')}`,
  ]
  for (says of odd) {
    assert.equal((await target.read(ask)).power, 'unknown', says)
    assert.equal((await target.off(ask)).outcome, 'refused', says)
  }
  says = `${hello}${ok('qmp_capabilities')}${id}{"error": {"desc": "no"}, "id": "quit"}\n`
  assert.equal((await target.off(ask)).outcome, 'refused')
  says = `${hello}${ok('qmp_capabilities')}${id}{"event": "SHUTDOWN"}\n`
  assert.equal((await target.off(ask)).outcome, 'unknown')
  says += ok('quit')
  assert.equal((await target.off(ask)).outcome, 'accepted')
})

test('C3 a pid file that is none does not hold the process', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-qemu-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  // In another process: one that is held can end no test.
  const script = `
    import { findProcess } from '${join(import.meta.dirname, '../../src/fence/processes.ts')}'
    for (const pidfile of ['${pipe}', '/dev/zero']) {
      try { findProcess({ pidfile, paths: [] }) } catch ({ message }) { console.log(message) }
    }`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 10_000,
    encoding: 'utf8',
  })
  assert.equal(said.match(/does not hold a pid/g)?.length, 2, said)
})
