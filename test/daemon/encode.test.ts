import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, encode } from '../../src/daemon/encode.ts'

test('a state comes back as it was, through JSON', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(undefined, null, -0, Infinity, -Infinity, '$map', '$object'),
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('tree')),
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom('$map', '$set', '__proto__')),
        tie('tree'),
      ),
      fc.array(fc.tuple(fc.string(), tie('tree'))).map((pairs) => new Map(pairs)),
      fc.array(leaf).map((values) => new Set(values)),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      assert.deepStrictEqual(decode(JSON.parse(JSON.stringify(encode(value)))), plainOf(value))
    }),
  )
})

test('what no state should hold is refused by name', () => {
  assert.throws(() => encode({ when: new Date(0) }), /cannot hold a Date/)
  assert.throws(() => encode([() => 1]), /cannot hold a function/)
})

/** fast-check makes objects without a prototype now and then; a copy has the usual one. */
function plainOf(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(plainOf)
  if (value instanceof Map) return new Map([...value].map(([key, of]) => [key, plainOf(of)]))
  if (value instanceof Set) return value
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, plainOf(of)]))
}
