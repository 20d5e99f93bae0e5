/** docs/traps.md: every trap of the power APIs is there, and the tests that it names exist. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { wrongIn } from './proofs.ts'

const docs = join(import.meta.dirname, '../docs')
const page = readFileSync(join(docs, 'traps.md'), 'utf8')

/** How many traps are known of each interface. One that is new is counted here first. */
const known = [
  ['3.1', 10],
  ['3.2', 7],
  ['3.3', 8],
  ['3.7', 8],
  ['3.8', 5],
  ['3.21', 11],
  ['4', 22],
  ['5', 11],
] as const

const rows = [...page.matchAll(/^\| ([\d.]+\/\d+) \| (.+?) \| (.+) \|$/gm)].map(
  ([, id = '', says = '', proof = '']) => ({ id, says, proof }),
)

test('every known trap is in docs/traps.md, once and in order', () => {
  const expected = known.flatMap(([section, count]) =>
    Array.from({ length: count }, (_, at) => `${section}/${at + 1}`),
  )
  assert.deepEqual(
    rows.map(({ id }) => id),
    expected,
  )
})

test('every trap names the tests that prove it closed, and they exist', () => {
  const missing = rows.flatMap(({ id, proof }) =>
    /^no driver yet: .{20,}/.test(proof) ? [] : wrongIn(docs, id, proof),
  )
  assert.deepEqual(missing, [])
})
