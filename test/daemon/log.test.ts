import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogOptions, openLog, styleOf } from '../../src/daemon/log.ts'

function hear(style: LogOptions['style']) {
  const lines: string[] = []
  return { lines, log: openLog({ style, write: (line) => lines.push(line) }) }
}

test('under journald a line carries its priority, elsewhere its time', () => {
  const journald = hear('journald')
  journald.log.say('info', 'a')
  journald.log.say('warn', 'b')
  journald.log.say('alarm', 'c')
  assert.deepEqual(journald.lines, ['<6>a\n', '<4>b\n', '<1>c\n'])
  const plain = hear('plain')
  plain.log.say('alarm', 'c')
  assert.match(plain.lines[0] ?? '', /^\d{4}-\d\d-\d\dT[\d:.]+Z alarm: c\n$/)
  assert.equal(styleOf({ INVOCATION_ID: 'x' }), 'journald')
  assert.equal(styleOf({}), 'plain')
})

test('no device writes a second line, or another priority, in our name', () => {
  const { lines, log } = hear('journald')
  log.say('info', 'the device said: no\n<1>all is lost\r\u2028\u001b[31mred')
  assert.deepEqual(lines, ['<6>the device said: no <1>all is lost [31mred\n'])
})

test('secrets never appear, as they are, in a URL, or in JSON', () => {
  const { lines, log } = hear('json')
  const secret = 'p"ss w\u00f6rd/+'
  log.hide([secret])
  log.say('warn', `login with ${secret} failed`, { url: encodeURIComponent(secret), n: 1 })
  log.say('warn', JSON.stringify({ secret }))
  const text = lines.join('')
  assert.doesNotMatch(text, /ss w|ss%20w|ss\+w/)
  assert.deepEqual(Object.keys(JSON.parse(lines[0] ?? '')), ['url', 'n', 'level', 'text', 'time'])
})

test('a secret that is a word of ours blots out no word of ours', () => {
  const { lines, log } = hear('json')
  log.hide(['off', 'power', 'admin', 'y', 'operator'])
  const text = 'presses off of n2: the power is read by admin'
  log.say('warn', text, { action: 'off', by: 'operator', raw: 'an operator' })
  const { text: said, action, by, raw } = JSON.parse(lines[0] ?? '')
  assert.deepEqual([said, action, by, raw], [text, 'off', 'operator', 'an *****'])
})

test('facts cannot take the place of what every line has', () => {
  const { lines, log } = hear('json')
  log.say('alarm', 'true', { level: 'info', text: 'false' })
  assert.equal(JSON.parse(lines[0] ?? '').level, 'alarm')
  assert.equal(JSON.parse(lines[0] ?? '').text, 'true')
})

test('a line has an end, whatever it is made of', () => {
  const { lines, log } = hear('plain')
  log.say('info', 'x'.repeat(1_000_000))
  assert.ok((lines[0]?.length ?? 0) < 5_000)
})
