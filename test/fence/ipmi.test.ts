import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice, type PowerRead } from '../../src/fence/device.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { FenceError } from '../../src/fence/errors.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import type { Wire } from '../../src/fence/wire.ts'
import { admin, type Bmc, freePort, guid, noBmc, startBmc } from './ipmi-sim.ts'

const ask = { timeoutMs: 8000 }
const skip = noBmc
let bmc: Bmc

before(async () => {
  if (!noBmc) bmc = await startBmc()
})
after(() => bmc?.stop())

interface Changes {
  readonly [option: string]: unknown
}

function device(changes: Changes = {}, identity?: string): Device {
  const { name: user, password } = admin
  const options = { host: '127.0.0.1', port: bmc?.port ?? 1, user, password, ...changes }
  return openDevice({ id: 'web-02/1/1', driver: ipmi, options, identity })
}

/** A BMC back to normal, with the power on. */
function fresh(): Device {
  bmc.setMode('obey')
  bmc.setPower('on')
  return device()
}

async function readUntil(target: Device, power: PowerRead['power']): Promise<PowerRead> {
  const deadlineMs = performance.now() + 10_000
  for (;;) {
    const read = await target.read(ask)
    if (read.power === power || performance.now() > deadlineMs) return read
    await sleep(20)
  }
}

test('F1 a real BMC is switched off and on, and read back, with its GUID in each answer', {
  skip,
}, async () => {
  const target = fresh()
  const identity = canonicalIdentity(guid)
  assert.deepEqual(await target.read(ask), { power: 'on', raw: 'Chassis Power is on', identity })
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal(bmc.power(), 'off')
  assert.deepEqual(await target.read(ask), { power: 'off', raw: 'Chassis Power is off', identity })
  assert.equal((await target.on(ask)).outcome, 'accepted')
  assert.equal(bmc.power(), 'on')
})

test('F3 off when it is off already is accepted', { skip }, async () => {
  const target = fresh()
  bmc.setPower('off')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'off')
})

test('F10 verify tells identity and privilege, and presses nothing', { skip }, async () => {
  const target = fresh()
  const pressedBefore = bmc.commands().length
  const { ok, identity, detail } = await target.identify(ask)
  assert.deepEqual([ok, identity], [true, canonicalIdentity(guid)])
  assert.match(detail, /lets admin in as operator over cipher suite 3, power is on/)
  assert.equal(bmc.commands().length, pressedBefore)
})

test('F2 an accepted off that comes late reads as on until it has come', { skip }, async () => {
  const target = fresh()
  bmc.setMode({ lateMs: 700 })
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'on')
  assert.equal((await readUntil(target, 'off')).power, 'off')
})

test('F2 an accepted off that is ignored never reads as off', { skip }, async () => {
  const target = fresh()
  bmc.setMode('ignore')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  for (let read = 0; read < 5; read++) assert.equal((await target.read(ask)).power, 'on')
})

test('an off that the BMC refuses is told as refused, in its own words', { skip }, async () => {
  const target = fresh()
  bmc.setMode('refuse')
  const { outcome, detail } = await target.off(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /refused the command \("Unspecified error"\)/)
})

test('F3 a BMC that hangs past the deadline leaves the command unknown and the power unknown', {
  skip,
}, async () => {
  const target = fresh()
  bmc.hang()
  try {
    const startedMs = performance.now()
    const off = await target.off({ timeoutMs: 600 })
    const read = await target.read({ timeoutMs: 600 })
    assert.equal(off.outcome, 'unknown')
    assert.match(off.detail, /did not answer in time/)
    assert.equal(read.power, 'unknown')
    assert.ok(performance.now() - startedMs < 5000)
  } finally {
    bmc.wake()
  }
  assert.equal((await readUntil(target, 'on')).power, 'on')
})

test('each way to fail is an error of its own, and presses nothing', { skip }, async () => {
  fresh()
  const pressedBefore = bmc.commands().length
  const port = await freePort()
  const failures: [string, Device, RegExp][] = [
    ['password', device({ password: 'wrong' }), /knows the user, but with another password/],
    ['user', device({ user: 'nobody' }), /lets no such user in/],
    ['dead port', device({ port }), /nothing answers there/],
    ['no name', device({ host: 'no-such-host.invalid' }), /name cannot be resolved/],
    ['cipher', device({ cipher: 17 }), /does not know this cipher suite/],
  ]
  const details = new Set<string>()
  for (const [what, target, expected] of failures) {
    const { outcome, detail } = await target.off(ask)
    assert.match(detail, expected)
    assert.equal(outcome, 'refused', what)
    const read = await target.read(ask)
    assert.equal(read.power, 'unknown', what)
    assert.match(read.detail ?? '', expected)
    details.add(detail.replace(/\d+/g, ''))
  }
  assert.equal(details.size, failures.length)
  assert.equal(bmc.commands().length, pressedBefore)
})

test('too little privilege for an off is told as such', { skip }, async () => {
  fresh()
  // The simulator grants every level that is asked for, so we ask for one that may not press.
  const { name: user, password } = admin
  const options = ipmi.options.parse({ host: '127.0.0.1', port: bmc.port, user, password })
  const driver = {
    ...ipmi,
    powerOff: (_: unknown, wire: Wire) =>
      ipmi.powerOff({ ...options, privilege: 'user' as 'operator' }, wire),
  }
  const target = openDevice({ id: 'web-02/1/1', driver, options })
  const { outcome, detail } = await target.off(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /our user may not do this .* OPERATOR/)
})

test('S15 a BMC with another GUID is neither pressed nor believed', { skip }, async () => {
  fresh()
  const pressedBefore = bmc.commands().length
  const target = device({}, '4c4c4544-0051-3710-8052-b4c04f4d3132')
  const off = await target.off(ask)
  assert.equal(off.outcome, 'refused')
  assert.match(off.detail, /not the device that the config names/)
  const read = await target.read(ask)
  assert.deepEqual([read.power, read.identity], ['unknown', canonicalIdentity(guid)])
  assert.equal((await target.identify(ask)).ok, false)
  assert.equal(bmc.commands().length, pressedBefore)
})

test('S15 the GUID as `ipmitool mc guid` writes it is the same BMC', { skip }, async () => {
  fresh()
  const target = device({}, 'efcdab89-6745-23a1-efcd-ab89674523a1')
  assert.equal((await target.off(ask)).outcome, 'accepted')
  assert.equal((await target.read(ask)).power, 'off')
})

test('F11 the password is in no argument, no answer, and no environment but of ipmitool', {
  skip,
}, async () => {
  const target = fresh()
  const found: string[] = []
  let sampled = 0
  let done = false
  const sampling = (async () => {
    while (!done) {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        const { cmdline, environ } = peek(pid)
        if (cmdline.startsWith('ipmitool\0')) sampled += 1
        if (cmdline.includes(admin.password)) found.push(cmdline)
        if (environ.includes(admin.password) && !/^ipmitool\0/.test(cmdline)) found.push(environ)
      }
      await sleep(1)
    }
  })()
  const answers: unknown[] = []
  for (let round = 0; round < 5; round++) {
    answers.push(await target.identify(ask), await target.read(ask), await target.off(ask))
  }
  answers.push(await device({ password: `${admin.password}x` }).read(ask))
  done = true
  await sampling
  assert.ok(sampled > 0, 'no ipmitool was seen running')
  assert.deepEqual(found, [])
  assert.ok(!JSON.stringify(answers).includes(admin.password))
})

test('a password that IPMI cannot hold is refused before anything is sent', () => {
  const password = 'long-canary-of-21-byt'
  assert.throws(
    () => device({ password }),
    (error) => {
      assert.ok(error instanceof FenceError)
      assert.match(error.message, /password is longer than the 20 bytes/)
      assert.ok(!error.message.includes(password))
      return true
    },
  )
  assert.throws(() => device({ password: 'ü'.repeat(11) }), /longer than the 20 bytes/)
})

test('a host that would be an option of ipmitool is refused', () => {
  for (const host of ['-v', '', 'a b']) assert.throws(() => device({ host }), /host/)
})

// The words below are ipmitool's own, where no simulator can be brought to say them.

async function withFakeTool<T>(script: string, work: () => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'picket-fake-'))
  writeFileSync(join(folder, 'ipmitool'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, 'ipmitool'), 0o755)
  const path = process.env.PATH ?? ''
  process.env.PATH = `${folder}:${path}`
  try {
    return await work()
  } finally {
    process.env.PATH = path
    rmSync(folder, { recursive: true })
  }
}

test('F2 nothing but the exact words is a power state', async () => {
  const answers = [
    "echo 'Chassis Power is OFF'",
    "echo 'Chassis Power is off.'",
    "echo 'Chassis Power is offline'",
    "echo 'chassis power is off'",
    "echo 'Chassis Power is off'; echo 'Chassis Power is on'",
    "echo 'Chassis Power is off'; echo 'Chassis Power is off'",
    "echo 'Warning: Chassis Power is off'",
    "echo 'Chassis Power is off' >&2",
    "printf 'Chassis Power is off\\0'",
    'echo off',
    'head -c 300 /dev/urandom',
    'true',
    'exit 1',
    'kill -9 $$',
  ]
  for (const script of answers) {
    const read = await withFakeTool(script, () => device({ cipher: 3 }).read(ask))
    assert.equal(read.power, 'unknown', script)
  }
  const words = "echo 'Chassis Power is off'"
  assert.equal((await withFakeTool(words, () => device().read(ask))).power, 'off')
})

test('a BMC that tells no GUID tells its power all the same', async () => {
  const script = `echo 'Chassis Power is off'
    echo 'Unable to send RAW command (rsp=0xc1): Invalid command' >&2; exit 1`
  const read = await withFakeTool(script, () => device().read(ask))
  assert.deepEqual(read, { power: 'off', raw: 'Chassis Power is off' })
  const zeros = `echo 'Chassis Power is off'; echo ' ${'00 '.repeat(16)}'`
  assert.equal((await withFakeTool(zeros, () => device().read(ask))).identity, undefined)
})

test('a command is accepted by its echo only; 0xD5 leaves the judgement to the reads', async () => {
  const failed = 'Set Chassis Power Control to Down/Off failed:'
  const answers: [string, string][] = [
    ["echo 'Chassis Power Control: Down/Off'", 'accepted'],
    [`echo '${failed} Command not supported in present state' >&2; exit 1`, 'accepted'],
    ["echo 'Chassis Power Control: Up/On'", 'unknown'],
    ['true', 'unknown'],
    ['exit 1', 'unknown'],
    ["echo 'Unable to set Chassis Power Control to Down/Off' >&2; exit 1", 'unknown'],
    [`echo '${failed} Timeout' >&2; exit 1`, 'unknown'],
    [`echo '${failed} Insufficient privilege level' >&2; exit 1`, 'refused'],
    [`echo '${failed} Node busy' >&2; exit 1`, 'refused'],
  ]
  for (const [script, expected] of answers) {
    const pressed = await withFakeTool(script, () => device({ cipher: 3 }).off(ask))
    assert.equal(pressed.outcome, expected, script)
  }
})

test('a BMC without a free session is busy, and one that grants no operator says so', async () => {
  const says: [string, RegExp][] = [
    ['RAKP 2 message indicates an error : insufficient resources for session', /is busy/],
    ['Error in open session response message : insufficient resources for session', /is busy/],
    ['RAKP 2 message indicates an error : unauthorized role requested', /privilege limit/],
    ['Set Session Privilege Level to OPERATOR failed: Unknown (0x81)', /privilege limit/],
    ['This BMC does not support IPMI v2 / RMCP+', /IPMI 1.5/],
  ]
  for (const [line, expected] of says) {
    const script = `echo '${line}' >&2; exit 1`
    const { detail = '' } = await withFakeTool(script, () => device({ cipher: 3 }).read(ask))
    assert.match(detail, expected)
  }
})

test('a login that was lost on the way is tried again, a command that may have left is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-count-'))
  const calls = (): number => readFileSync(join(folder, 'calls'), 'utf8').length
  const lostOnce = (line: string, then: string): string => `printf x >>${folder}/calls
    [ "$(cat ${folder}/calls)" = x ] && { echo '${line}' >&2; exit 1; }
    echo '${then}'`
  const echo = 'Chassis Power Control: Down/Off'
  try {
    const dropped = lostOnce('> Error: no response from RAKP 1 message', echo)
    const again = await withFakeTool(dropped, () => device({ cipher: 3 }).off(ask))
    assert.deepEqual([again.outcome, calls()], ['accepted', 2])

    rmSync(join(folder, 'calls'))
    const unanswered = lostOnce('Unable to set Chassis Power Control to Down/Off', echo)
    const once = await withFakeTool(unanswered, () => device({ cipher: 3 }).off(ask))
    assert.deepEqual([once.outcome, calls()], ['unknown', 1])

    rmSync(join(folder, 'calls'))
    const unread = lostOnce('Unable to get Chassis Power Status', 'Chassis Power is off')
    const read = await withFakeTool(unread, () => device({ cipher: 3 }).read(ask))
    assert.deepEqual([read.power, calls()], ['off', 2])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an ipmitool that refuses our short register of vendors is given the system one', async () => {
  const script = `[ -e "$HOME/.local/usr/share/misc/enterprise-numbers.txt" ] &&
    { echo 'Failed to initialize the OEM info dictionary' >&2; exit 1; }
    echo 'Chassis Power is on'`
  assert.equal((await withFakeTool(script, () => device().read(ask))).power, 'on')
})

test('without ipmitool the error says how to install it', async () => {
  const path = process.env.PATH ?? ''
  process.env.PATH = '/nonexistent'
  try {
    const { ok, detail } = await device().identify(ask)
    assert.equal(ok, false)
    assert.match(detail, /no ipmitool in the PATH.*apt install ipmitool/)
  } finally {
    process.env.PATH = path
  }
})

function peek(pid: string): { cmdline: string; environ: string } {
  try {
    const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
    // In this order: a process that becomes ipmitool in between is then judged as ipmitool.
    const environ = read('environ')
    return { cmdline: read('cmdline'), environ }
  } catch {
    return { cmdline: '', environ: '' }
  }
}
