/** "Did you mean": helpful when near, silent when not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearest } from '../../src/config/suggest.ts'

const known = ['address', 'addresses', 'delay_seconds', 'silent_seconds', 'ipmi', 'name']

test('finds what was mistyped, swapped, or left without its unit', () => {
  assert.equal(nearest('adress', known), 'address')
  assert.equal(nearest('nmae', known), 'name')
  assert.equal(nearest('impi', known), 'ipmi')
  assert.equal(nearest('delay', known), 'delay_seconds')
  assert.equal(nearest('Delay-Seconds', known), 'delay_seconds')
  assert.equal(nearest('names', known), 'name')
  assert.equal(didYouMean('adress', known), ' Did you mean address?')
})

test('says nothing where nothing is near', () => {
  assert.equal(nearest('quorum', known), undefined)
  assert.equal(nearest('x', known), undefined)
  assert.equal(nearest('', known), undefined)
  assert.equal(nearest('---', known), undefined)
  assert.equal(didYouMean('quorum', known), '')
})

test('a word without end is compared in time', () => {
  assert.equal(nearest('x'.repeat(1_000_000), known), undefined)
})
