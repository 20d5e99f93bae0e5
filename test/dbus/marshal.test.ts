import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { marshal, unmarshal, type Value } from '../../src/dbus/marshal.ts'
import { parseSignature } from '../../src/dbus/signature.ts'

const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0'))
const basics: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  y: fc.nat(255),
  b: fc.boolean(),
  n: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  q: fc.nat(2 ** 16 - 1),
  i: fc.integer(),
  u: fc.nat(2 ** 32 - 1),
  x: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  t: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  d: fc.double({ noNaN: true }),
  s: text,
  o: text,
  g: fc.constantFrom('', 'a{sv}', '(uo)'),
}

interface Typed {
  readonly signature: string
  readonly value: Value
}

/** Any value of any type, with its signature. */
const { typed } = fc.letrec<{ typed: Typed }>((tie) => {
  const basic = fc
    .constantFrom(...Object.keys(basics))
    .chain((signature) => basics[signature]!.map((value) => ({ signature, value })))
  const variant = tie('typed').map((value) => ({ signature: 'v', value }))
  const array = tie('typed').map(({ signature, value }) => ({
    signature: `a${signature}`,
    value: [value, value, value],
  }))
  const struct = fc.array(tie('typed'), { minLength: 1, maxLength: 4 }).map((members) => ({
    signature: `(${members.map(({ signature }) => signature).join('')})`,
    value: members.map(({ value }) => value),
  }))
  const dictionary = fc.tuple(text, tie('typed')).map(([key, { signature, value }]) => ({
    signature: `a{s${signature}}`,
    value: [[key, value]],
  }))
  const depthSize = 'small'
  return { typed: fc.oneof({ depthSize }, basic, variant, array, struct, dictionary) }
})

test('what is written is read back, whatever it is', () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 5 }), (all) => {
      const signature = all.map((one) => one.signature).join('')
      fc.pre(signature.length <= 255)
      const values = all.map(({ value }) => value)
      assert.deepEqual(unmarshal(signature, marshal(signature, values)), values)
    }),
  )
})

test('hostile bytes throw or give values, and never hang or read beyond their end', () => {
  const signature = fc.constantFrom('a{sv}', 'a(sus)', '(uo)', 'v', 'aas', 'yyyyuua(yv)', 'sgbx')
  fc.assert(
    fc.property(signature, fc.uint8Array({ maxLength: 200 }), fc.boolean(), (of, bytes, little) => {
      try {
        unmarshal(of, Buffer.from(bytes), little)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a message that was damaged in one place throws or is another one', () => {
  const values: Value[] = [[['ActiveState', { signature: 's', value: 'active' }]], [1, '/job/1']]
  const whole = marshal('a{sv}(uo)', values)
  for (let at = 0; at < whole.length; at++) {
    for (const change of [1, 0x80, 0xff]) {
      const damaged = Buffer.from(whole)
      damaged[at] = damaged[at]! ^ change
      try {
        assert.notDeepEqual(unmarshal('a{sv}(uo)', damaged), values, `byte ${at}`)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }
    assert.throws(() => unmarshal('a{sv}(uo)', whole.subarray(0, at)), /early|left over/)
  }
})

test('values stand where the specification puts them', () => {
  const hex = (signature: string, ...values: Value[]) => marshal(signature, values).toString('hex')
  // The examples of the specification, "Marshaling containers" and "Summary".
  assert.equal(hex('ax', [5n]), '08000000' + '00000000' + '0500000000000000')
  assert.equal(hex('s', 'foo'), '03000000' + '666f6f00')
  assert.equal(hex('yu', 1, 2), '01' + '000000' + '02000000')
  assert.equal(hex('v', { signature: 'u', value: 7 }), '017500' + '00' + '07000000')
  assert.equal(hex('y(y)', 1, [2]), '01' + '00000000000000' + '02')
  assert.deepEqual(
    unmarshal('uq', Buffer.from('0000000100020000'.slice(0, 12), 'hex'), false),
    [1, 2],
  )
})

test('what the specification forbids is refused', () => {
  const refused = (signature: string, hex: string, why: RegExp) =>
    assert.throws(() => unmarshal(signature, Buffer.from(hex, 'hex')), why)
  refused('b', '02000000', /boolean/)
  refused('yu', '01010000' + '02000000', /padding/)
  refused('s', '03000000' + '666f6f01', /NUL/)
  refused('s', '03000000' + '66006f00', /NUL/)
  refused('s', '02000000' + 'c32800', /valid|encoded/i)
  refused('s', 'ffffffff' + '00', /early/)
  refused('au', '03000000' + '01000000', /inside/)
  refused('au', '00000005' + '01000000', /array of/)
  refused('u', '0100000000', /left over/)
  refused('v', '027575000100000001000000', /not one type/)
  refused('v', '017600'.repeat(40), /nested/)
  assert.throws(() => marshal('s', ['a\0b']), /NUL/)
})

test('signatures are as deep and as long as they may be', () => {
  const deep = `${'a'.repeat(32)}y`
  assert.equal(parseSignature(deep).length, 1)
  assert.throws(() => parseSignature(`a${deep}`), /deep/)
  assert.equal(parseSignature(`${'('.repeat(32)}y${')'.repeat(32)}`).length, 1)
  assert.throws(() => parseSignature(`${'('.repeat(33)}y${')'.repeat(33)}`), /deep/)
  for (const wrong of [
    'a',
    '(',
    ')',
    '()',
    'z',
    '{sv}',
    'a{vs}',
    'a{s}',
    'a{sss}',
    'a{(s)s}',
    '(y',
  ]) {
    assert.throws(() => parseSignature(wrong), /is no signature|is nested/, wrong)
  }
  assert.throws(() => parseSignature('y'.repeat(256)), /256 bytes/)
})
