/** What BMCs can say and the real simulator does not: every suite, every refusal, every state. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice } from '../../src/fence/device.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import { type Double, type Request, startDouble } from './ipmi-double.ts'
import { admin, guid, noBmc } from './ipmi-sim.ts'

const ask = { timeoutMs: 8_000 }
const { name: user, password } = admin
const suites = [3, 8, 12, 17] as const
let bmc: Double

before(async () => {
  bmc = await startDouble()
})
beforeEach(() => {
  bmc.manners = {}
  bmc.power = 'on'
})
after(() => bmc.close())

function device(changes: Readonly<Record<string, unknown>> = {}): Device {
  const options = { host: '127.0.0.1', port: bmc.port, user, password, ...changes }
  return openDevice({ id: 'web-02/1/1', driver: ipmi, options })
}

const isControl = ({ netFn, command }: Request) => netFn === 0 && command === 2
const isStatus = ({ netFn, command }: Request) => netFn === 0 && command === 1

async function ipmitool(suite: number, ...command: string[]): Promise<string> {
  const manner = `-I lanplus -C ${suite} -L OPERATOR -N 1 -R 1 -H 127.0.0.1 -U ${user} -E -p`
  const args = [...manner.split(' '), `${bmc.port}`, ...command]
  const env = { PATH: process.env.PATH, IPMI_PASSWORD: password }
  const child = spawn('ipmitool', args, { env, timeout: 10_000 })
  let text = ''
  child.stdout.on('data', (data) => (text += data))
  await new Promise((resolve) => child.once('close', resolve))
  return text.trim()
}

test('the real ipmitool takes our codes and packets for those of a BMC', {
  skip: noBmc,
}, async () => {
  // It does not speak suite 12.
  for (const suite of [3, 8, 17] as const) {
    bmc.manners = { suite }
    bmc.power = 'on'
    assert.equal(await ipmitool(suite, 'chassis', 'power', 'status'), 'Chassis Power is on')
    assert.equal(
      await ipmitool(suite, 'chassis', 'power', 'off'),
      'Chassis Power Control: Down/Off',
    )
    assert.equal(bmc.power, 'off')
    const told = await ipmitool(suite, 'raw', '0x06', '0x37')
    assert.equal(told.replace(/\s/g, ''), guid)
  }
})

test('each suite switches off and on; without one in the config it is found and remembered', async () => {
  for (const suite of suites) {
    bmc.manners = { suite }
    bmc.power = 'on'
    const chosen = device({ cipher: suite })
    assert.equal((await chosen.off(ask)).outcome, 'accepted')
    assert.equal((await chosen.read(ask)).power, 'off')
    assert.equal((await chosen.on(ask)).outcome, 'accepted')
    const identity = canonicalIdentity(guid)
    assert.deepEqual(await chosen.read(ask), { power: 'on', raw: 'Chassis Power is on', identity })
  }
  for (const suite of [17, 3] as const) {
    bmc.manners = { suite }
    const found = device()
    assert.match((await found.identify(ask)).detail, new RegExp(`over cipher suite ${suite},`))
    const before = bmc.packets.length
    await found.read(ask)
    assert.equal(bmc.packets.length - before, 7)
  }
  // A firmware update that takes the old suite away is no reason to give up.
  bmc.manners = { suite: 3 }
  const old = device()
  assert.equal((await old.read(ask)).power, 'on')
  bmc.manners = { suite: 17 }
  assert.equal((await old.read(ask)).power, 'on')
  bmc.manners = { suite: 12 }
  assert.match((await device().read(ask)).detail ?? '', /does not know this cipher suite/)
})

test('passwords of 20 bytes and users of 16 are taken whole, others are told apart', async () => {
  const long = { user: 'sixteen-bytes-ok', password: 'exactly-20-bytes-ok!' }
  bmc.manners = { password: long.password }
  assert.equal((await device(long).off(ask)).outcome, 'accepted')
  const { detail, outcome } = await device({ ...long, password: 'exactly-20-bytes-ok?' }).on(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /knows the user, but with another password/)
})

test('a refused login says why, and has pressed nothing', async () => {
  const refusals: [keyof NonNullable<Double['manners']['status']>, number, RegExp][] = [
    ['open', 0x01, /is busy \(it has no room/],
    ['open', 0x0b, /is busy \(it has no room/],
    ['open', 0x11, /does not know this cipher suite/],
    ['open', 0x09, /privilege limit of the user/],
    ['open', 0x12, /status 18/],
    ['rakp1', 0x01, /is busy/],
    ['rakp1', 0x0a, /privilege limit of the user/],
    ['rakp1', 0x0d, /lets no such user in/],
    ['rakp1', 0x02, /forgot the login half-way/],
    ['rakp3', 0x0f, /forgot the login half-way/],
    ['rakp3', 0x01, /is busy/],
  ]
  const pressed = bmc.requests.filter(isControl).length
  for (const [step, code, expected] of refusals) {
    bmc.manners = { status: { [step]: code } }
    const { outcome, detail } = await device({ cipher: 17 }).off(ask)
    assert.equal(outcome, 'refused', `${step} ${code}`)
    assert.match(detail, expected)
  }
  bmc.manners = { kg: 'another key' }
  assert.match((await device().off(ask)).detail, /makes another key of it.*K_g/)
  assert.equal(bmc.requests.filter(isControl).length, pressed)
})

test('a weaker suite than asked for is not taken', async () => {
  for (const weaker of [3, 8] as const) {
    const before = bmc.packets.length
    bmc.manners = { suite: 17, agrees: weaker }
    const { outcome, detail } = await device({ cipher: 17 }).off(ask)
    assert.equal(outcome, 'refused')
    assert.match(detail, /answers with another cipher suite than asked for/)
    assert.equal(bmc.packets.length - before, 1, 'nothing is told to such a BMC')
  }
})

test('a BMC of IPMI 1.5 is told as such, and so is silence', async () => {
  bmc.manners = { old: true }
  const { outcome, detail } = await device({ cipher: 3 }).off(ask)
  assert.equal(outcome, 'refused')
  assert.match(detail, /speaks IPMI 1.5 only/)
  bmc.manners = { mute: true }
  const startedMs = performance.now()
  assert.match((await device({ cipher: 3 }).off(ask)).detail, /nothing answers there/)
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs < 2_600, `a dead BMC is known as one after ${tookMs} ms`)
})

test('too few rights are told, wherever the BMC draws the line', async () => {
  const lines: [(request: Request) => boolean, number][] = [
    [({ command }) => command === 0x3b, 0x80],
    [({ command }) => command === 0x3b, 0x81],
    [isControl, 0xd4],
  ]
  for (const [where, code] of lines) {
    bmc.manners = { say: (request) => (where(request) ? [code] : undefined) }
    const { outcome, detail } = await device().off(ask)
    assert.equal(outcome, 'refused')
    assert.match(detail, /our user may not do this .* OPERATOR/)
    assert.equal(bmc.power, 'on')
  }
})

test('F3 each completion code of an off leaves the outcome that it means', async () => {
  const outcomes: [number, string, RegExp][] = [
    [0x00, 'accepted', /accepted/],
    [0xd5, 'accepted', /accepted/],
    [0xc0, 'refused', /is busy \("Node busy"\)/],
    [0xd2, 'refused', /is busy \("BMC initialization in progress"\)/],
    [0xc1, 'refused', /refused the command \("Invalid command"\)/],
    [0xff, 'refused', /refused the command \("Unspecified error"\)/],
    [0x99, 'refused', /completion code 0x99/],
    [0xc3, 'unknown', /did not answer in time \("Timeout"\)/],
    [0xce, 'unknown', /count on a late effect/],
    [0xcf, 'unknown', /count on a late effect/],
  ]
  for (const [code, expected, says] of outcomes) {
    bmc.manners = { say: (request) => (isControl(request) ? [code] : undefined) }
    const { outcome, detail } = await device().off(ask)
    assert.equal(outcome, expected, `0x${code.toString(16)}: ${detail}`)
    assert.match(detail, says)
  }
})

test('F3 a BMC that acts, is not heard and refuses the copy is not taken for one that refused', async () => {
  for (const power of ['off', 'on'] as const) {
    let asked = 0
    const say = (request: Request) => {
      if (!isControl(request)) return undefined
      asked += 1
      bmc.power = power
      return asked === 1 ? ('silent' as const) : [0xc0]
    }
    bmc.manners = { say }
    const { outcome, detail } = await device().off(ask)
    // Where the power says that it was heard, it was.
    assert.equal(outcome, power === 'off' ? 'accepted' : 'unknown', detail)
    assert.equal(asked, 2)
  }
})

test('F2 only a whole status whose bits are known is a power state', async () => {
  const target = device()
  for (let byte = 0; byte < 256; byte++) {
    bmc.manners = { say: (request) => (isStatus(request) ? [0, byte, 0, 0] : undefined) }
    const known = (byte & 1) === 1 ? 'on' : 'off'
    assert.equal((await target.read(ask)).power, byte < 0x80 ? known : 'unknown', `${byte}`)
  }
  const answers = [[0], [0, 0], [0, 0x20, 0], [0, 0x20, 0, 0, 0, 0], [0xc0], [0xff, 0x20, 0, 0]]
  for (const answer of answers) {
    bmc.manners = { say: (request) => (isStatus(request) ? answer : undefined) }
    const { power, detail } = await target.read(ask)
    assert.equal(power, 'unknown', `${answer}: ${detail}`)
    assert.equal((await target.identify(ask)).ok, false)
  }
})

test('a BMC that tells no GUID tells its power all the same', async () => {
  for (const answer of [[0xc1], [0, 1, 2], [0, ...Array(16).fill(0)]]) {
    const isGuid = ({ netFn, command }: Request) => netFn === 6 && command === 0x37
    bmc.manners = { say: (request) => (isGuid(request) ? answer : undefined) }
    const { power, identity } = await device().read(ask)
    assert.deepEqual([power, identity], ['on', undefined])
    assert.match((await device().identify(ask)).detail, /tells no system GUID/)
  }
})

test('every session is closed, whatever became of the work in it', async () => {
  const close = ({ netFn, command }: Request) => netFn === 6 && command === 0x3c
  const manners: ((request: Request) => number[] | 'silent' | undefined)[] = [
    () => undefined,
    (request) => (isControl(request) ? [0xff] : undefined),
    (request) => (isControl(request) ? 'silent' : undefined),
    (request) => (request.command === 0x3b ? [0xff] : undefined),
  ]
  for (const say of manners) {
    bmc.manners = { say }
    const before = bmc.requests.length
    await device().off({ timeoutMs: 1_000 })
    // The last packet may still be on its way.
    await sleep(50)
    assert.equal(bmc.requests.slice(before).filter(close).length > 0, true, `${say}`)
  }
})
