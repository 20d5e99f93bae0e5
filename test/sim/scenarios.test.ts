/**
 * Scenarios are transcripts: lines that begin with `>` are commands, everything else is what the
 * cluster did. `UPDATE=1` rewrites the answers; the diff is the review.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { play } from '../../src/sim/scenario.ts'
import { realCore } from './real-core.ts'

const folder = new URL('../scenarios/', import.meta.url)

for (const name of readdirSync(folder).sort()) {
  test(`scenario ${name.replace('.txt', '').replaceAll('-', ' ')}`, () => {
    const file = new URL(name, folder)
    const expected = readFileSync(file, 'utf8')
    const actual = play(realCore, expected)
    assert.doesNotMatch(actual, /^BROKEN/m)
    if (process.env.UPDATE) writeFileSync(file, actual)
    else assert.equal(actual, expected)
  })
}
