import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { joinWords, splitWords } from '../../src/resources/words.ts'

test('a command line is split the way a shell splits it', () => {
  assert.deepEqual(splitWords(`  a 'b c'  "d \\"e\\" f" g\\ h i'j'"k" '' `), [
    ...['a', 'b c', 'd "e" f', 'g h', 'ijk', ''],
  ])
  assert.deepEqual(splitWords(''), [])
})

test('what only a shell can do is refused', () => {
  for (const line of [
    'a | b',
    'a > b',
    'a; b',
    'a & b',
    'a $HOME',
    'a "$HOME"',
    'a `b`',
    'a (b)',
  ]) {
    assert.throws(() => splitWords(line), /means something to a shell only/, line)
  }
  assert.deepEqual(splitWords(`a '$HOME | b' "x;y" \\$z`), ['a', '$HOME | b', 'x;y', '$z'])
})

test('words that are joined are split into the same words, by us and by a shell', () => {
  const word = fc.string().filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(word), (words) => {
      assert.deepEqual(splitWords(joinWords(words)), words)
    }),
  )
  const words = ['', "it's", 'a b', '$HOME', '\\', '"', '*', '-x', 'ä\n']
  const shown = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${joinWords(words)}`], {
    encoding: 'utf8',
  })
  assert.deepEqual(shown.split('\0').slice(0, -1), words)
})
