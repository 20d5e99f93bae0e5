/** docs/pacemaker.md: each item of the contract of fence agents names tests of ours that exist. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { wrongIn } from '../proofs.ts'

const docs = join(import.meta.dirname, '../../docs')
const page = readFileSync(join(docs, 'pacemaker.md'), 'utf8')

/** How many items the contract has. One that is new is counted here first. */
const items = 19

const rows = [...page.matchAll(/^\| (\d+) \| (.+?) \| (.+) \| (.+) \|$/gm)].map(
  ([, id = '', , ...cells]) => ({ id, cells }),
)

test('A1 every item of the contract names the tests that show it, of both agents', () => {
  assert.deepEqual(
    rows.map(({ id }) => Number(id)),
    Array.from({ length: items }, (_, at) => at + 1),
  )
  const wrong = rows.flatMap(({ id, cells }) =>
    cells.flatMap((cell) => (cell === 'it is given none' ? [] : wrongIn(docs, id, cell))),
  )
  assert.deepEqual(wrong, [])
})
