import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { countStart } from '../../src/daemon/crashes.ts'
import { scratch } from './scratch.ts'

const minuteMs = 60_000
const noonMs = Date.UTC(2026, 0, 1, 12)

test('after five crashes within ten minutes the next life only watches', (t) => {
  const dir = scratch(t)
  for (let life = 0; life < 5; life++) {
    assert.equal(countStart(dir, noonMs + life * minuteMs).passive, undefined)
  }
  const { passive } = countStart(dir, noonMs + 5 * minuteMs)
  assert.match(passive ?? '', /crashed 5 times within 10 minutes.*systemctl restart picketd/)
})

test('a life that ends in order is no crash', (t) => {
  const dir = scratch(t)
  for (let life = 0; life < 20; life++) {
    const { passive, end } = countStart(dir, noonMs + life)
    assert.equal(passive, undefined)
    end('in order')
  }
})

test('crashes that lie far apart never add up, and neither do some from the future', (t) => {
  const dir = scratch(t)
  for (let life = 0; life < 20; life++) {
    assert.equal(countStart(dir, noonMs + life * 3 * minuteMs).passive, undefined)
  }
  assert.equal(countStart(dir, noonMs - 24 * 60 * minuteMs).passive, undefined)
})

test('an orderly end of a watching life lets the next one act again', (t) => {
  const dir = scratch(t)
  for (let life = 0; life < 5; life++) countStart(dir, noonMs + life)
  const watching = countStart(dir, noonMs + 5)
  assert.notEqual(watching.passive, undefined)
  watching.end('forgive')
  assert.equal(countStart(dir, noonMs + 6).passive, undefined)
})

test('a damaged count counts as none, and a directory that is not there stops nobody', (t) => {
  const dir = scratch(t)
  writeFileSync(join(dir, 'starts.json'), '{"__proto__":[1,2')
  assert.equal(countStart(dir, noonMs).passive, undefined)
  assert.equal(countStart(join(dir, 'missing'), noonMs).passive, undefined)
})
