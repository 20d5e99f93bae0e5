/**
 * The way of the `ipmi` driver through ipmitool: the contract with the real program, and its words,
 * by a program of that name that says them.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Device, openDevice } from '../../src/fence/device.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { contract } from './contract.ts'
import { admin, noBmc } from './ipmi-sim.ts'
import { ipmiStand } from './ipmi-stand.ts'

contract(ipmi, () => ipmiStand('ipmitool'), { skip: noBmc, name: 'ipmi via ipmitool' })

const ask = { timeoutMs: 8000 }

function device(changes: { readonly cipher?: number } = {}): Device {
  const { name: user, password } = admin
  const options = { host: '127.0.0.1', port: 1, user, password, via: 'ipmitool', ...changes }
  return openDevice({ id: 'web-02/1/1', driver: ipmi, options })
}

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
    // As ipmitool says it to whoever is no administrator.
    [
      "echo 'Get HPM.x Capabilities request failed, compcode = d4' >&2; " +
        "echo 'Chassis Power Control: Down/Off'",
      'accepted',
    ],
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
