/** The `agent` driver on a double that keeps the contract of fence agents, and on Debian's own. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDevice } from '../../src/fence/device.ts'
import { agent } from '../../src/fence/drivers/agent.ts'
import { readMetadata } from '../../src/foreign/metadata.ts'
import { missing } from '../needs.ts'
import { type AgentDouble, createAgentDouble, metadata, password } from './agent-double.ts'
import { contract, type Fault, type Stand } from './contract.ts'
import { admin, noBmc, startBmc } from './ipmi-sim.ts'

const ask = { timeoutMs: 8_000 }
const common = {
  agent: 'fence_double',
  options: { ip: '192.0.2.1', ssl: true },
  secret_options: { passwd: password },
  plug: 3,
}
const device = (changes: object = {}) =>
  openDevice({ id: 'web-02/1/1', driver: agent, options: { ...common, ...changes } })

const happens: readonly Fault[] = [
  ...(['hang', 'drop in mid-answer', 'reset', 'slow drip', 'HTML login page'] as const),
  ...(['401', '403', '404', '409', '429', '500'] as const),
  ...(['truncated JSON', 'wrong JSON', 'huge answer'] as const),
  ...(['ignored', 'late', 'comes back on'] as const),
]

/** A double that is found in the PATH, until it is removed. */
function installed(name?: string): AgentDouble {
  const double = createAgentDouble(name)
  const path = process.env.PATH ?? ''
  process.env.PATH = `${double.folder}:${path}`
  const remove = (): void => {
    process.env.PATH = path
    double.remove()
  }
  return { ...double, remove }
}

function fresh(t: TestContext, name?: string): AgentDouble {
  const double = installed(name)
  t.after(double.remove)
  return double
}

async function start(): Promise<Stand> {
  const double = installed()
  return {
    over: 'program',
    options: common,
    secrets: [password],
    identity: undefined,
    power: () => (double.power() === 'off' ? 'off' : 'on'),
    setPower: double.setPower,
    between: [
      ...['exit 1', 'exit 3', 'exit 255', 'echo off; exit 1', 'echo Status: OFF; exit 3'],
      ...['echo Status: ON; exit 2', 'echo usage: off >&2; exit 2', 'kill -9 $$'],
    ],
    setBetween: double.setPower,
    fail(fault, from) {
      const can = happens.includes(fault) && from === 0
      double.setFault(can ? fault : '')
      return can
    },
    empty: () => double.setList("echo 'NOTICE: List option is not working on this device yet'"),
    mend() {
      double.setFault('')
      double.setList()
    },
    requests: () => double.calls().length,
    offs: () => double.calls().filter((action) => action === 'off').length,
    close: async () => double.remove(),
  }
}

contract(agent, start)

test('D8 status: 0 is on, 2 is off, everything else is unknown', async (t) => {
  const double = fresh(t)
  const answers: readonly [string, string][] = [
    ['on', 'on'],
    ['exit 0', 'on'],
    ['off', 'off'],
    ['exit 2', 'off'],
    ['exit 1', 'unknown'],
    ["echo 'Status: OFF'; exit 0", 'on'],
    ["echo 'fence_double: error: unrecognised arguments' >&2; exit 2", 'unknown'],
  ]
  for (const [power, expected] of answers) {
    double.setPower(power)
    assert.equal((await device().read(ask)).power, expected, power)
  }
})

test('an agent that fails may have switched all the same', async (t) => {
  const double = fresh(t)
  double.setFault('401')
  const { outcome, detail } = await device().off(ask)
  assert.equal(outcome, 'unknown')
  assert.match(detail, /fence_double ended with 1: Unable to connect/)
})

test('parameters are checked against what the agent says of itself', async (t) => {
  const double = fresh(t)
  const cases: readonly [object, RegExp][] = [
    [{ options: { ip: 'a', sll: 1 } }, /has no parameter sll.*: it has ip, ipaddr, passwd, ssl/],
    [{ options: {} }, /needs ip, ipaddr/],
    [{ options: { ip: 'a', ssl: 'maybe' } }, /ssl is neither 1 nor 0/],
    [{ options: { ip: 'a', 'power-timeout': 'soon' } }, /power-timeout is no number/],
    [{ options: { ip: 'a', type: 'c' } }, /type is none of a"b/],
    [{ plug: undefined }, /needs plug, port/],
  ]
  for (const [changes, expected] of cases) {
    const { ok, detail } = await device(changes).identify(ask)
    assert.equal(ok, false, detail)
    assert.match(detail, expected)
  }
  assert.deepEqual(double.calls(), [], 'it was asked with wrong parameters')
  const right = { options: { ipaddr: 'a', 'power-timeout': 5, type: 'a"b' } }
  assert.equal((await device(right).identify(ask)).ok, true)
  double.setMetadata(metadata().replace('<action name="status" />', ''))
  assert.match((await device().identify(ask)).detail, /no action status/)
})

test('agents that switch nothing are refused by name, and never prove an off', async (t) => {
  const names = [
    ...['fence_ack_manual', 'fence_heuristics_ping', 'fence_kdump'],
    ...['fence_dummy', 'fence_evacuate', 'fence_compute'],
  ]
  for (const name of names) {
    const double = fresh(t, name)
    assert.throws(() => device({ agent: name }), new RegExp(`${name} .*can never prove an off`))
    assert.deepEqual(double.calls(), [])
  }
})

test('F15 a fabric agent that is known by name is refused before it is called', (t) => {
  const names = [
    ...['fence_brocade', 'fence_cisco_mds', 'fence_ifmib'],
    ...['fence_mpath', 'fence_sanbox2', 'fence_scsi'],
  ]
  for (const name of names) {
    const double = fresh(t, name)
    assert.throws(
      () => device({ agent: name }),
      /no power: its off is no proof; write cuts: fabric/,
    )
    assert.equal(device({ agent: name, cuts: 'fabric' }).driver, 'agent')
    assert.deepEqual(double.calls(), [])
  }
})

test('F15 a fabric agent counts for nothing before the config says what it cuts', async (t) => {
  const double = fresh(t)
  for (const on of ['automatic="1"', 'on_target="1" automatic="0"']) {
    double.setMetadata(metadata(on))
    const { ok, detail } = await device().identify(ask)
    assert.equal(ok, false)
    assert.match(detail, /cuts storage or network and no power.*cuts: fabric.*fence.least_evidence/)
    const declared = await device({ cuts: 'fabric' }).identify(ask)
    assert.equal(declared.ok, true, declared.detail)
    assert.match(declared.detail, /reads what it cuts as on/)
  }
  assert.equal(agent.isolationOf?.(agent.options.parse(common)), 'power')
  assert.equal(agent.isolationOf?.(agent.options.parse({ ...common, cuts: 'fabric' })), 'fabric')
})

test('F15 its off is unknown, whoever asks and whether or not it was verified before', async (t) => {
  const double = fresh(t)
  double.setMetadata(metadata('automatic="1"'))
  double.setPower('off')
  const { power, detail } = await device().read(ask)
  assert.equal(power, 'unknown')
  assert.match(detail ?? '', /cuts: fabric/)
  assert.equal((await device({ cuts: 'fabric' }).read(ask)).power, 'off')
  double.setMetadata(metadata())
  assert.equal((await device().read(ask)).power, 'off')
})

test('agents that believe too much are named as weaker', async (t) => {
  fresh(t, 'fence_virsh')
  assert.match((await device({ agent: 'fence_virsh' }).identify(ask)).detail, /driver libvirt/)
})

test('at the deadline the whole process group of the agent is gone', async (t) => {
  const double = fresh(t)
  double.setFault('hang')
  const pressed = device().off({ timeoutMs: 700 })
  const helpers = () =>
    readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && peek(pid, 'cmdline') === sleeping)
  const sleeping = `sleep\0${61}.${process.pid}\0`
  await sleep(400)
  assert.equal(helpers().length, 1)
  const { outcome, detail } = await pressed
  assert.equal(outcome, 'unknown')
  assert.match(detail, /did not answer in time/)
  await sleep(100)
  assert.deepEqual(helpers(), [])
})

test('F11 no secret in an argument, an environment, an answer, or in what is refused', async (t) => {
  const double = fresh(t)
  double.setFault('slow drip')
  const pressing = device().off({ timeoutMs: 1_500 })
  await sleep(700)
  const seen = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid))
  const ours = seen.filter((pid) => peek(pid, 'cmdline').includes(double.folder))
  assert.ok(ours.length > 0, 'no agent was seen running')
  const texts = seen.flatMap((pid) => [peek(pid, 'cmdline'), peek(pid, 'environ')])
  assert.ok(!texts.some((text) => text.includes(password.trim())))
  await pressing
  double.setFault('403')
  const { detail } = await device().off(ask)
  assert.match(detail, /no: passwd=\*+/)
  for (const wrong of [
    { secret_options: { passwd: `${password}\n` } },
    { options: { passwd: password } },
  ]) {
    assert.throws(
      () => device(wrong),
      (error: Error) =>
        /more than one line|secret_options/.test(error.message) &&
        !error.message.includes(password.trim()),
    )
  }
})

test('what could smuggle in another parameter or another program is refused', () => {
  const wrong: readonly object[] = [
    { options: { ip: 'a\naction=on' } },
    { options: { ip: 'a\raction=on' } },
    { options: { 'ip=1\naction': 'on' } },
    { options: { action: 'on' } },
    { options: { port: '4' } },
    { plug: '3,4' },
    { plug: '3\naction=on' },
    { agent: '/tmp/fence_x' },
    { agent: 'sh' },
    { agent: '../fence_x' },
    { options: { ip: 'a', passwd: 'b' }, secret_options: {} },
    { options: { ip: 'a' }, secret_options: { ip: 'b' } },
  ]
  for (const changes of wrong) {
    assert.throws(() => device(changes), /options|agent|plug/, JSON.stringify(changes))
  }
})

const folder = '/usr/sbin'
const agents = readdirSync(folder).filter((name) => name.startsWith('fence_'))
const noAgents = missing('fence_ipmilan')

test('the metadata of installed agents is understood', { skip: noAgents }, () => {
  const some = agents.filter((name) => name !== 'fence_ack_manual').slice(0, 12)
  for (const name of [...some, 'fence_ipmilan', 'fence_scsi', 'fence_apc']) {
    if (!existsSync(`${folder}/${name}`)) continue
    const { stdout } = spawnSync(`${folder}/${name}`, ['-o', 'metadata'], { encoding: 'utf8' })
    const { parameters, actions, fabric } = readMetadata(name, stdout)
    assert.ok(
      parameters.some((parameter) => parameter.name === 'action'),
      name,
    )
    assert.ok(
      actions.some((action) => action.name === 'off'),
      name,
    )
    if (name === 'fence_scsi') assert.equal(fabric, true)
    if (name === 'fence_ipmilan') assert.equal(fabric, false)
  }
})

test('fence_ipmilan of Debian switches a BMC', { skip: noAgents || noBmc }, async (t) => {
  const bmc = await startBmc()
  t.after(bmc.stop)
  const target = (secret: string) =>
    openDevice({
      id: 'web-02/1/1',
      driver: agent,
      options: {
        agent: 'fence_ipmilan',
        options: {
          ...{ ip: '127.0.0.1', ipport: bmc.port, username: admin.name, lanplus: true },
          ...{ cipher: 3, power_wait: 0 },
        },
        secret_options: { password: secret },
      },
    })
  const device = target(admin.password)
  const long = { timeoutMs: 20_000 }
  const found = await device.identify(long)
  assert.equal(found.ok, true, found.detail)
  assert.equal((await device.read(long)).power, 'on')
  assert.equal((await device.off(long)).outcome, 'accepted')
  assert.equal(bmc.power(), 'off')
  assert.deepEqual(await device.read(long), { power: 'off', raw: 'exit 2 Status: OFF' })
  assert.equal((await device.on(long)).outcome, 'accepted')
  assert.equal(bmc.power(), 'on')
  const refused = target('wrong')
  assert.equal((await refused.read(long)).power, 'unknown')
  assert.equal((await refused.off(long)).outcome, 'unknown')
})

function peek(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
