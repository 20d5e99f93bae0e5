import assert from 'node:assert/strict'
import { endianness } from 'node:os'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressText } from '../../src/net/frame.ts'
import {
  type Answer,
  answerTo,
  decodeAttributes,
  decodeMessages,
  encodeAttribute,
  encodeMessage,
  type Message,
  u32,
} from '../../src/net/netlink.ts'
import {
  addressesQuery,
  type HeldAddress,
  linksQuery,
  newAddress,
  oldAddress,
  readAddress,
  readLink,
} from '../../src/net/rtnetlink.ts'

const ERROR = 2
const DONE = 3
const INTERRUPTED = 0x10
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const message: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.integer({ min: 16, max: 0xffff }),
    flags: fc.integer({ min: 0, max: 0xffff }),
    sequence: fc.integer({ min: 0, max: 0xffffffff }),
    body: bytes(64),
  },
  { noNullPrototype: true },
)
const address = fc
  .tuple(fc.constantFrom(4 as const, 6 as const), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .chain(([family, raw]) => {
    const text = addressText(Buffer.from(raw.subarray(0, family === 4 ? 4 : 16)))
    return fc.integer({ min: 1, max: family === 4 ? 32 : 128 }).map((prefix) => {
      return { text, family, prefix, peer: text, duplicate: false } satisfies HeldAddress
    })
  })

test('messages are read back as they were written', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      const read = decodeMessages(Buffer.concat(messages.map(encodeMessage)))
      assert.deepEqual(read, messages)
    }),
  )
})

test('attributes are read back as they were written, the last of each type', () => {
  const attribute = fc.tuple(fc.integer({ min: 0, max: 0x3fff }), bytes(40))
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 8 }), (attributes) => {
      const written = Buffer.concat(attributes.map(([type, value]) => encodeAttribute(type, value)))
      assert.deepEqual(decodeAttributes(written), new Map(attributes))
    }),
  )
})

test('an address is read back as it was written', () => {
  const index = fc.integer({ min: 1, max: 0x7fffffff })
  fc.assert(
    fc.property(address, index, fc.boolean(), (held, at, lone) => {
      const how = { unasked: lone, deprecated: lone }
      assert.deepEqual(readAddress(newAddress(at, held, how)), { index: at, held })
      assert.deepEqual(readAddress(oldAddress(at, held)), { index: at, held })
    }),
  )
})

test('requests have the bytes that `ip` sends', () => {
  if (endianness() !== 'LE') return
  // Recorded of iproute2 6.1: `addr add 10.0.0.7/24`, `addr add fd00::7 nodad preferred_lft 0`.
  const recorded = [
    '28000000140005060700000000000000 0218000002000000 080002000a000007 080001000a000007',
    '54000000140005060700000000000000 0a80020002000000' +
      ' 14000200fd000000000000000000000000000007 14000100fd000000000000000000000000000007' +
      ' 1400060000000000ffffffff0000000000000000',
  ]
  const own = [
    newAddress(
      2,
      { text: '10.0.0.7', family: 4, prefix: 24 },
      { unasked: false, deprecated: false },
    ),
    newAddress(2, { text: 'fd00::7', family: 6, prefix: 128 }, { unasked: true, deprecated: true }),
  ]
  for (const [at, body] of own.entries()) {
    const request = encodeMessage({ type: 20, flags: 0x605, sequence: 7, body })
    assert.equal(request.toString('hex'), recorded[at]?.replaceAll(' ', ''))
  }
})

test('what is cut off anywhere is refused, and no message is made of it', () => {
  fc.assert(
    fc.property(message, fc.nat(200), (one, cut) => {
      const whole = encodeMessage(one)
      const length = cut % whole.length
      // What fills up the last word is no part of the message.
      if (length === 0 || length >= 16 + one.body.length) return
      assert.throws(() => decodeMessages(whole.subarray(0, length)), /in the last/)
    }),
  )
})

test('whatever comes is read or refused with a sentence, and never hangs', () => {
  const readers = [decodeMessages, decodeAttributes, readAddress, readLink]
  const heads = [Buffer.alloc(0), Buffer.from([2, 24, 0, 0, 1, 0, 0, 0]), Buffer.alloc(16)]
  fc.assert(
    fc.property(fc.constantFrom(...heads), bytes(120), (head, tail) => {
      for (const read of [...readers, (given: Buffer) => answerTo(0).take(given)]) {
        try {
          read(Buffer.concat([head, tail]))
        } catch (error) {
          assert.match((error as Error).message, / bytes|without/)
          assert.ok(!(error instanceof RangeError), String(error))
        }
      }
    }),
    { numRuns: 2000 },
  )
})

const none: Buffer = Buffer.alloc(0)
const verdict = (errno: number, type = ERROR, flags = 0, rest = none): Message => ({
  ...{ type, flags, sequence: 7 },
  body: Buffer.concat([u32(-errno >>> 0), rest]),
})
const row = (sequence: number, flags = 0): Message => {
  return { type: 20, flags, sequence, body: Buffer.from([sequence]) }
}
const taken = (...messages: readonly Message[]): Answer => {
  const answer = answerTo(7)
  for (const each of messages) answer.take(encodeMessage(each))
  return answer
}

test('an answer is over with its verdict, and not before', () => {
  assert.equal(taken(row(7)).verdict(), undefined)
  assert.deepEqual(taken(row(7), verdict(0, DONE)).verdict(), { errno: 0, said: '' })
  assert.deepEqual(taken(verdict(17)).verdict(), { errno: 17, said: '' })
  assert.deepEqual(taken({ ...verdict(0, DONE), body: Buffer.alloc(0) }).verdict()?.errno, 0)
})

test('what belongs to another question is left out', () => {
  const answer = taken(row(6), { ...verdict(1), sequence: 6 }, row(7), row(8), verdict(0), row(7))
  assert.deepEqual(
    answer.messages.map(({ sequence }) => sequence),
    [7],
  )
  assert.equal(answer.verdict()?.errno, 0)
})

test('a table that changed while it was read out is not whole', () => {
  assert.ok(taken(row(7), verdict(0, DONE)).whole())
  assert.ok(!taken(row(7, INTERRUPTED), row(7), verdict(0, DONE)).whole())
  assert.ok(!taken(row(7), verdict(0, DONE, INTERRUPTED)).whole())
  assert.ok(taken(row(8, INTERRUPTED), row(7), verdict(0, DONE)).whole(), 'another table')
})

test("a refusal carries the kernel's own words, cleaned", () => {
  const said = encodeAttribute(1, Buffer.from('ipv4: Invalid\nprefix\0'))
  const header = encodeMessage({ ...row(7), body: Buffer.alloc(8) })
  const capped = Buffer.concat([header.subarray(0, 16), said])
  const expected = { errno: 22, said: 'ipv4: Invalid prefix' }
  assert.deepEqual(taken(verdict(22, ERROR, 0x300, capped)).verdict(), expected)
  const whole = Buffer.concat([header, said])
  assert.deepEqual(taken(verdict(22, ERROR, 0x200, whole)).verdict(), expected)
  assert.deepEqual(taken(verdict(22, DONE, 0x200, said)).verdict(), expected)
})

test('an address of a strange length, and a link without a name, are refused', () => {
  const head = addressesQuery(4)
  const long = Buffer.concat([head, encodeAttribute(2, Buffer.alloc(5))])
  assert.throws(() => readAddress(long), /IPv4 address of 5 bytes/)
  assert.equal(readAddress(head), undefined, 'without an address it is none')
  assert.throws(() => readLink(linksQuery()), /without a name/)
})
