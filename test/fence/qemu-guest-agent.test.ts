/** The `qemu-guest-agent` driver on a double, and on the real agent, which may not shut down. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice } from '../../src/fence/device.ts'
import { qemuGuestAgent } from '../../src/fence/drivers/qemu-guest-agent.ts'
import { missing, notRoot } from '../needs.ts'
import { contract, type Stand } from './contract.ts'
import {
  type Answers,
  info,
  obedient,
  openChannel,
  type Request,
  startGuest,
} from './guest-double.ts'

const ask = { timeoutMs: 3_000 }

const result = (value: unknown): string => `${JSON.stringify({ return: value })}\n`

async function stand(): Promise<Stand> {
  const machine = await startGuest()
  return {
    over: 'lines',
    options: { socket: machine.socket },
    secrets: [],
    identity: undefined,
    power: () => machine.power,
    setPower(power) {
      machine.power = power
      machine.raw = undefined
    },
    between: [
      ...[
        'hang up',
        'off\n',
        '{"return": {}, "error"\n',
        '{"power": "off"}\n',
        '{"return": "off"}\n',
      ],
      '{"error": {"class": "GenericError", "desc": "off"}}\n',
    ],
    setBetween: (raw) => (machine.raw = raw),
    fail: machine.fail,
    mend: machine.mend,
    requests: machine.requests,
    offs: machine.offs,
    close: machine.close,
  }
}

contract(qemuGuestAgent, stand)

/** A channel with an agent behind it, and what it was asked. */
async function guest(t: TestContext, answers: Answers): Promise<[Device, Request[]]> {
  const asked: Request[] = []
  const channel = await openChannel((request) => {
    asked.push(request)
    return answers(request)
  })
  t.after(channel.close)
  return [deviceAt(channel.socket), asked]
}

const deviceAt = (socket: string): Device =>
  openDevice({ id: 'web-02/1/1', driver: qemuGuestAgent, options: { socket } })

test('a guest is asked to shut down, and an obedient one says nothing', async (t) => {
  const [device, asked] = await guest(t, obedient)
  assert.equal((await device.identify(ask)).ok, true)
  const { power, spare } = await device.read(ask)
  // F18: it speaks for a node that is lost from the ring, and for nothing else.
  assert.deepEqual([power, spare], ['on', 'its guest agent answers'])
  asked.length = 0
  assert.equal((await device.off(ask)).outcome, 'accepted')
  assert.deepEqual(
    asked.map(({ execute }) => execute),
    ['guest-sync', 'guest-shutdown'],
  )
  assert.equal(asked[1]?.arguments.mode, 'powerdown')
  const on = await device.on(ask)
  assert.equal(on.outcome, 'refused')
  assert.match(on.detail, /has no agent to switch it on/)
})

test('the guest agent is cooperative, never fencing: it is on or unknown, and never off', async (t) => {
  assert.equal(qemuGuestAgent.capabilities.isolation, 'cooperative')
  assert.equal(qemuGuestAgent.capabilities.hardOff, false)
  assert.equal(qemuGuestAgent.capabilities.statusAuthoritative, false)
  const after =
    (said: string | undefined): Answers =>
    (request) =>
      request.execute === 'guest-sync' ? obedient(request) : said
  const answers: readonly Answers[] = [
    () => undefined,
    () => 'hang up',
    () => 'off\n',
    () => result('off'),
    after(undefined),
    after('hang up'),
    after('{"return": {}, "error"\n'),
    after('off\n'),
    after('{"power": "off"}\n'),
    after('{"error": {"class": "GenericError", "desc": "off"}}\n'),
  ]
  for (const [index, each] of answers.entries()) {
    const [device] = await guest(t, each)
    assert.equal((await device.read({ timeoutMs: 300 })).power, 'unknown', `${index}`)
  }
  const nobody = deviceAt('/nonexistent/agent')
  assert.equal((await nobody.read(ask)).power, 'unknown')
  assert.equal((await nobody.off(ask)).outcome, 'refused')
})

test('a guest that refuses says why, and one without an answer got no command', async (t) => {
  const refusing: Answers = (request) =>
    request.execute === 'guest-shutdown'
      ? '{"error": {"class": "GenericError", "desc": "has been disabled"}}\n'
      : obedient(request)
  const [stubborn] = await guest(t, refusing)
  const pressed = await stubborn.off(ask)
  assert.equal(pressed.outcome, 'refused')
  assert.match(pressed.detail, /has been disabled/)

  const [silent, asked] = await guest(t, () => undefined)
  assert.equal((await silent.off({ timeoutMs: 300 })).outcome, 'refused')
  assert.ok(asked.every(({ execute }) => execute === 'guest-sync'))

  const [leaving] = await guest(t, (request) =>
    request.execute === 'guest-shutdown' ? 'hang up' : obedient(request),
  )
  assert.equal((await leaving.off(ask)).outcome, 'accepted')
})

test('answers that were meant for somebody before us are passed over', async (t) => {
  const [device] = await guest(t, (request) =>
    request.execute === 'guest-sync'
      ? `{"error": {"desc": "Invalid JSON"}}\n${result(7)}\nhalf a li\n${obedient(request)}`
      : obedient(request),
  )
  assert.equal((await device.read(ask)).power, 'on')
})

test('a guest that may not shut down does not pass the check', async (t) => {
  const [device] = await guest(t, (request) =>
    request.execute === 'guest-info' ? info(false) : obedient(request),
  )
  const found = await device.identify(ask)
  assert.equal(found.ok, false)
  assert.match(found.detail, /guest-shutdown is disabled/)
})

const program = '/usr/sbin/qemu-ga'
const noAgent = notRoot || missing('qemu-ga', 'setpriv')

test('the real agent answers, and tells that its shutdown is disabled', {
  skip: noAgent,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-agent-'))
  const nobody = 65534
  chownSync(folder, nobody, nobody)
  const socket = join(folder, 'agent')
  // It runs on this very machine: as nobody, and without the command that matters. None is sent.
  const user = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups']
  const manner = ['-m', 'unix-listen', '-p', socket, '-t', folder, '-b', 'guest-shutdown']
  const child = spawn('setpriv', [...user, program, ...manner], { stdio: 'ignore' })
  t.after(async () => {
    const end = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await end
    rmSync(folder, { recursive: true })
  })
  while (!existsSync(socket) && child.exitCode === null) await sleep(20)
  const device = deviceAt(socket)
  assert.deepEqual(await device.read(ask), {
    power: 'on',
    raw: 'the guest answers',
    spare: 'its guest agent answers',
  })
  const found = await device.identify(ask)
  assert.equal(found.ok, false)
  assert.match(found.detail, /guest-shutdown is disabled/)
})

test('a guest that floods its channel holds nobody up: the loop turns on meanwhile', async (t) => {
  const channel = await openChannel((_, end) => {
    const flood = (): void => {
      while (!end.destroyed && end.write(Buffer.alloc(2 ** 16, '\n')));
      if (!end.destroyed) end.once('drain', flood)
    }
    flood()
    return undefined
  })
  t.after(channel.close)
  const options = { socket: channel.socket }
  const device = openDevice({ id: 'a/1/1', driver: qemuGuestAgent, options })
  let lastMs = performance.now()
  let stillMs = 0
  const pulse = setInterval(() => {
    stillMs = Math.max(stillMs, performance.now() - lastMs)
    lastMs = performance.now()
  }, 10)
  const read = await device.read({ timeoutMs: 1_000 })
  stillMs = Math.max(stillMs, performance.now() - lastMs)
  clearInterval(pulse)
  assert.equal(read.power, 'unknown')
  assert.ok(stillMs < 500, `the loop stood still for ${Math.round(stillMs)} ms`)
})
