/** Single faults on the way to a real BMC: what is survived, what is told, what is never sent. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { type Device, openDevice } from '../../src/fence/device.ts'
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { type BadNetwork, type Passing, pass, startBadNetwork } from './ipmi-network.ts'
import { admin, type Bmc, noBmc, startBmc } from './ipmi-sim.ts'

const ask = { timeoutMs: 8_000 }
const skip = noBmc
let bmc: Bmc
let network: BadNetwork

before(async () => {
  if (noBmc) return
  bmc = await startBmc()
  network = await startBadNetwork(bmc.port)
})
beforeEach(async () => {
  if (noBmc) return
  network.rule = pass
  await network.listen()
  bmc.setMode('obey')
  bmc.setPower('on')
})
after(async () => {
  // Whatever the tests above have sent: nobody on the network can have read the password in it.
  const seen = Buffer.concat([...(network?.sent ?? []), ...(network?.answered ?? [])])
  await network?.close()
  await bmc?.stop()
  assert.ok(noBmc || seen.length > 10_000)
  for (const form of [admin.password, Buffer.from(admin.password).toString('base64')]) {
    assert.equal(seen.includes(form), false, 'a packet holds the password')
  }
})

function device(changes: Readonly<Record<string, unknown>> = {}): Device {
  const { name: user, password } = admin
  const { port } = network
  const options = { host: '127.0.0.1', port, user, password, cipher: 3, ...changes }
  return openDevice({ id: 'web-02/1/1', driver: ipmi, options })
}

const isSealed = (packet: Buffer) => packet.readUInt8(5) === 0xc0
/** The second packet of a session, behind the privilege level. */
const isCommand = ({ packet, to }: Passing) =>
  to === 'bmc' && isSealed(packet) && packet.readUInt32LE(10) === 2

test('one packet lost, doubled or spoiled anywhere: the off is carried out', {
  skip,
}, async () => {
  const damages: Record<string, (packet: Buffer) => readonly Buffer[]> = {
    lost: () => [],
    doubled: (packet) => [packet, packet],
    cut: (packet) => [packet.subarray(0, -1)],
    // A login is open to whoever can write such packets; a session is not.
    spoiled: (packet) => [
      isSealed(packet) ? Buffer.alloc(packet.length, packet.subarray(0, 30)) : packet,
    ],
    'cut, then whole': (packet) => [packet.subarray(0, 20), packet],
    huge: () => [Buffer.alloc(60_000, 'no BMC')],
  }
  const sentBefore = network.sent.length
  await device().off(ask)
  const steps = network.sent.length - sentBefore
  assert.ok(steps >= 6, `${steps} packets`)
  for (const to of ['bmc', 'client'] as const) {
    for (const [name, damage] of Object.entries(damages)) {
      // What reaches the BMC is its own business: it is not our parser that is tried there.
      if (to === 'bmc' && name !== 'lost' && name !== 'doubled') continue
      for (let step = 0; step < steps; step++) {
        bmc.setPower('on')
        const first = to === 'bmc' ? network.sent.length : network.answered.length
        network.rule = (p) =>
          p.to === to && p.index === first + step ? damage(p.packet) : [p.packet]
        const where = `${name}, packet ${step} to the ${to}`
        const { outcome, detail } = await device().off(ask)
        assert.equal(outcome, 'accepted', `${where}: ${detail}`)
        assert.equal(bmc.power(), 'off', where)
      }
    }
  }
})

test('F3 an off whose answers are lost is sent in copies of one packet, and the power decides', {
  skip,
}, async () => {
  for (const mode of ['obey', 'ignore'] as const) {
    bmc.setMode(mode)
    bmc.setPower('on')
    const copies: Buffer[] = []
    let silent = false
    network.rule = (p) => {
      if (isCommand(p)) copies.push(p.packet)
      if (p.to === 'bmc') silent = isCommand(p)
      return silent && p.to === 'client' ? [] : [p.packet]
    }
    const { outcome, detail } = await device().off(ask)
    assert.equal(outcome, mode === 'obey' ? 'accepted' : 'unknown', detail)
    assert.equal(copies.length, 3)
    assert.equal(new Set(copies.map((packet) => packet.toString('hex'))).size, 1)
    // A copy that comes when the session is closed finds nobody who would take it.
    const before = bmc.commands().length
    const late = createSocket('udp4')
    for (const copy of copies) late.send(copy, bmc.port, '127.0.0.1')
    assert.equal((await device().read(ask)).power, mode === 'obey' ? 'off' : 'on')
    late.close()
    assert.equal(bmc.commands().length, before)
  }
})

test('F3 what fails after the command has left is never called refused', { skip }, async () => {
  const begin = Date.now()
  const ways: Record<string, (p: Passing) => readonly Buffer[]> = {
    silence: () => [],
    'nobody listens any more': (p) => {
      if (p.to === 'bmc') void network.refuse()
      return p.to === 'bmc' ? [p.packet] : []
    },
    garbage: (p) => [p.to === 'bmc' ? p.packet : Buffer.alloc(40, 6)],
  }
  for (const [name, way] of Object.entries(ways)) {
    bmc.setPower('on')
    await network.listen()
    let begun = false
    let lastMs = 0
    network.rule = (p) => {
      begun ||= isCommand(p)
      if (p.to === 'bmc') lastMs = Date.now()
      return begun ? way(p) : [p.packet]
    }
    const untilMs = Date.now() + 900
    const { outcome, detail } = await device().off({ timeoutMs: 900 })
    assert.equal(outcome, 'unknown', `${name}: ${detail}`)
    assert.match(detail, /until then count on a late effect/)
    await sleep(600)
    assert.ok(lastMs <= untilMs, `${name}: a packet left ${lastMs - untilMs} ms after the deadline`)
  }
  assert.ok(Date.now() - begin < 10_000)
})

test('S14 a right that ends between two copies of the command leaves the outcome open', {
  skip,
}, async () => {
  let commands = 0
  network.rule = (p) => {
    if (isCommand(p)) commands += 1
    return commands > 0 && p.to === 'client' ? [] : [p.packet]
  }
  const { outcome, detail } = await device().off({ ...ask, allowed: () => commands === 0 })
  assert.equal(outcome, 'unknown', detail)
  assert.equal(commands, 1)
  network.rule = pass
  const refused = await device().off({ ...ask, allowed: () => false })
  assert.equal(refused.outcome, 'refused')
})

test('places for sessions are given back, also by logins that fail', { skip }, async () => {
  for (let round = 0; round < 40; round++) {
    const wrong = await device({ password: 'wrong' }).off(ask)
    assert.match(wrong.detail, /refused our password/)
    assert.equal((await device().read(ask)).power, 'on')
  }
})

test('F2 whatever the answers are changed to, a running target is never read as off', {
  skip,
}, async () => {
  const change = fc.record({
    answer: fc.nat(8),
    at: fc.nat(120),
    bytes: fc.uint8Array({ minLength: 0, maxLength: 4 }),
    cut: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(change, async ({ answer, at, bytes, cut }) => {
      const first = network.answered.length
      network.rule = ({ packet, to, index }) => {
        if (to === 'bmc' || index !== first + answer) return [packet]
        const place = Math.min(at, packet.length)
        const rest = cut ? Buffer.alloc(0) : packet.subarray(place + bytes.length)
        return [Buffer.concat([packet.subarray(0, place), bytes, rest])]
      }
      const { power, detail = '' } = await device().read({ timeoutMs: 600 })
      assert.notEqual(power, 'off')
      assert.ok(power === 'on' || !detail.includes('broke'), detail)
    }),
    { numRuns: 40 },
  )
})
