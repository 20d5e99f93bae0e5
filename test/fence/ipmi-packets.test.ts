/** Codes and packets against recorded ones of other programs, and parsers against anything. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { FenceError } from '../../src/fence/errors.ts'
import { parsePower } from '../../src/fence/ipmi/chassis.ts'
import {
  openRequest,
  parseOpened,
  parseRakp2,
  parseRakp4,
  parseReply,
  rakp1,
  rakp3,
} from '../../src/fence/ipmi/handshake.ts'
import { commands, parseAnswer, requestOf } from '../../src/fence/ipmi/message.ts'
import {
  openPacket,
  parseOpenPacket,
  payloads,
  sealPacket,
  unsealPacket,
} from '../../src/fence/ipmi/packet.ts'
import { parsePresence } from '../../src/fence/ipmi/presence.ts'
import {
  checkOfBmc,
  codeOfBmc,
  codeOfConsole,
  type Keys,
  keysOf,
  type Login,
  sameCode,
  sessionKey,
  suites,
  tagOf,
} from '../../src/fence/ipmi/suite.ts'
import { type Recorded, recorded } from './ipmi-recorded.ts'
import { admin } from './ipmi-sim.ts'

const suiteIds = [3, 8, 17] as const
/** Where a session's number and its sequence stand. */
const envelopeOf = (packet: Buffer) => ({
  sessionId: packet.readUInt32LE(6),
  sequence: packet.readUInt32LE(10),
})

function payloadOf(packet: Buffer): Buffer {
  const open = parseOpenPacket(packet)
  assert.ok(open)
  return open.payload
}

/** The login that was recorded. */
function loginOf(suiteId: 3 | 8 | 17): Login {
  const suite = suites[suiteId]
  const { openResponse, rakp1, rakp2 } = recorded[suiteId]
  const opened = parseReply(payloadOf(openResponse))
  const asked = payloadOf(rakp1)
  const user = asked.subarray(28)
  return {
    suite,
    password: Buffer.from(admin.password),
    user,
    role: asked.readUInt8(24),
    consoleId: opened.consoleId ?? 0,
    bmcId: parseOpened(opened, suite),
    consoleRandom: asked.subarray(8, 24),
    ...parseRakp2(parseReply(payloadOf(rakp2)), suite),
  }
}

test('the codes of a login are those that ipmitool and ipmi_sim have sent', () => {
  for (const id of suiteIds) {
    const login = loginOf(id)
    const { rakp2, rakp3: proof, rakp4 } = recorded[id]
    const { code } = parseRakp2(parseReply(payloadOf(rakp2)), login.suite)
    assert.ok(sameCode(code, codeOfBmc(login)), `suite ${id}: RAKP 2`)
    assert.deepEqual(payloadOf(proof).subarray(8), codeOfConsole(login), `suite ${id}: RAKP 3`)
    const check = parseRakp4(parseReply(payloadOf(rakp4)), login.suite)
    assert.ok(sameCode(check, checkOfBmc(login, sessionKey(login))), `suite ${id}: RAKP 4`)
  }
})

test('our packets of a login are those of ipmitool, byte for byte', () => {
  for (const id of suiteIds) {
    const login = loginOf(id)
    const theirs: Recorded = recorded[id]
    const open = openRequest(0, 'operator', login.consoleId, login.suite)
    assert.deepEqual(openPacket(payloads.openRequest, open), theirs.openRequest)
    assert.deepEqual(openPacket(payloads.rakp1, rakp1(0, login)), theirs.rakp1)
    const proof = rakp3(0, login.bmcId, codeOfConsole(login))
    assert.deepEqual(openPacket(payloads.rakp3, proof), theirs.rakp3)
  }
})

test('a sealed command of ipmitool is read, and sealed again gives the same packet', () => {
  for (const id of suiteIds) {
    const login = loginOf(id)
    const keys = keysOf(login, sessionKey(login))
    const { command, answer } = recorded[id]
    const message = unsealPacket(keys, login.bmcId, command)
    assert.ok(message)
    const turn = message.readUInt8(4) >> 2
    assert.deepEqual(message, requestOf(commands.chassisControl, turn, Buffer.from([0])))
    assert.deepEqual(
      sealPacket(keys, envelopeOf(command), message, command.subarray(16, 32)),
      command,
    )
    const told = unsealPacket(keys, login.consoleId, answer)
    assert.ok(told)
    assert.deepEqual(parseAnswer(commands.chassisControl, turn, told), {
      code: 0,
      data: Buffer.alloc(0),
    })
    assert.equal(parseAnswer(commands.chassisStatus, turn, told), undefined)
    assert.equal(parseAnswer(commands.chassisControl, turn + 1, told), undefined)
    assert.equal(unsealPacket(keys, login.consoleId + 1, answer), undefined)
  }
})

test('whatever is sealed is unsealed again, of any length', () => {
  const id = fc.constantFrom(3, 8, 12, 17)
  const bytes = fc.uint8Array({ maxLength: 80 })
  fc.assert(
    fc.property(id, bytes, fc.nat(0xffffffff), (suiteId, message, sessionId) => {
      const keys = randomKeys(suiteId as keyof typeof suites)
      const packet = sealPacket(
        keys,
        { sessionId, sequence: 7 },
        Buffer.from(message),
        randomBytes(16),
      )
      assert.deepEqual(unsealPacket(keys, sessionId, packet), Buffer.from(message))
      assert.equal((packet.length - 4 - keys.suite.tagBytes) % 4, 0)
    }),
  )
})

function randomKeys(id: keyof typeof suites): Keys {
  const suite = suites[id]
  return { suite, integrity: randomBytes(suite.hashBytes), encryption: randomBytes(16) }
}

/** Every reader of what comes from the network. */
const readers: Record<string, (bytes: Buffer) => unknown> = {
  openPacket: parseOpenPacket,
  presence: parsePresence,
  reply: parseReply,
  opened: (bytes) => parseOpened(parseReply(bytes), suites[17]),
  rakp2: (bytes) => parseRakp2(parseReply(bytes), suites[3]),
  rakp4: (bytes) => parseRakp4(parseReply(bytes), suites[8]),
  answer: (bytes) => parseAnswer(commands.chassisStatus, 1, bytes),
  power: parsePower,
  sealed: (bytes) => unsealPacket(randomKeys(17), 1, bytes),
}

/** Reads it; `undefined` for everything that is not understood. */
function attempt(read: (bytes: Buffer) => unknown, bytes: Buffer): unknown {
  try {
    return read(bytes)
  } catch (error) {
    assert.ok(error instanceof FenceError, `${error}`)
    return undefined
  }
}

test('F2 no bytes make a reader throw anything but a FenceError', () => {
  const beginning = fc.constantFrom(
    ...Object.values(recorded[17]).map((packet) => [...packet]),
    [0x06, 0x00, 0xff, 0x07, 0x06, 0xc0, 1, 0, 0, 0],
    [],
  )
  const bytes = fc
    .tuple(beginning, fc.nat(120), fc.uint8Array({ maxLength: 90 }))
    .map(([start, keep, rest]) => Buffer.from([...start.slice(0, keep), ...rest]))
  fc.assert(
    fc.property(bytes, (packet) => {
      for (const read of Object.values(readers)) attempt(read, packet)
      for (const read of Object.values(readers)) attempt(read, packet.subarray(16))
    }),
    { numRuns: 2_000 },
  )
})

test('F2 a sealed answer with any bit changed, cut or lengthened says nothing', () => {
  for (const id of suiteIds) {
    const login = loginOf(id)
    const keys = keysOf(login, sessionKey(login))
    const { answer } = recorded[id]
    const unseal = (bytes: Buffer) => attempt((b) => unsealPacket(keys, login.consoleId, b), bytes)
    assert.ok(unseal(answer))
    // The header of RMCP in front is no part of what is coded.
    for (let bit = 4 * 8; bit < answer.length * 8; bit++) {
      const copy = Buffer.from(answer)
      copy[bit >> 3] = copy.readUInt8(bit >> 3) ^ (1 << (bit & 7))
      assert.equal(unseal(copy), undefined, `suite ${id}, bit ${bit}`)
    }
    for (let length = 0; length < answer.length; length++) {
      assert.equal(unseal(answer.subarray(0, length)), undefined, `suite ${id}, ${length} bytes`)
    }
    assert.equal(unseal(Buffer.concat([answer, Buffer.alloc(4)])), undefined)
  }
})

test('F2 a rightly coded packet with nonsense in it is nonsense still', () => {
  const inside = fc.uint8Array({ minLength: 2, maxLength: 100 })
  fc.assert(
    fc.property(inside, fc.nat(110), fc.nat(3), fc.boolean(), (bytes, length, fill, fits) => {
      const keys = randomKeys(17)
      const head = Buffer.from([0x06, 0x00, 0xff, 0x07, 0x06, 0xc0, ...Array(10).fill(0)])
      const payload = Buffer.from(bytes)
      head.writeUInt16LE(fits ? payload.length : length, 14)
      const end = Buffer.from([...Array(fill).fill(0xff), fill, 0x07])
      const packet = Buffer.concat([head, payload, end])
      const coded = Buffer.concat([packet, tagOf(keys, packet.subarray(4))])
      const message = attempt((b) => unsealPacket(keys, 0, b), coded) as Buffer | undefined
      if (message === undefined) return
      assert.equal(payload.length % 16, 0)
      assert.equal(
        attempt((b) => parseAnswer(commands.chassisStatus, 1, b), message),
        undefined,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('F2 a status is read as off from one form only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), (bytes) => {
      const read = attempt(parsePower, Buffer.from(bytes)) as { power: string } | undefined
      const isOff = [3, 4].includes(bytes.length) && ((bytes[0] ?? 1) & 0x81) === 0
      assert.equal(read?.power === 'off', isOff)
    }),
    { numRuns: 2_000 },
  )
})
