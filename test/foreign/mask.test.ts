import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { FenceError, failures, printable } from '../../src/fence/errors.ts'

import { createMask, createNet, isHidable, secretsOf } from '../../src/foreign/mask.ts'

const canary = 'p/ss "wörd" $x'

test('F11 a secret is masked as it stands and in every form in which it is echoed', () => {
  const mask = createMask([canary])
  const forms = [
    canary,
    encodeURIComponent(canary),
    JSON.stringify({ canary }),
    Buffer.from(canary).toString('base64'),
    Buffer.from(canary).toString('hex'),
  ]
  for (const form of forms) {
    const masked = mask(`before ${form} after`)
    assert.match(masked, /before .*\*{5}.* after/)
    assert.ok(!masked.includes(canary) && !masked.includes(form), masked)
  }
})

test('F11 a secret that is part of another one leaves nothing of it behind', () => {
  assert.equal(createMask(['abc', 'abcdef'])('x abcdef y abc z'), 'x ***** y ***** z')
})

test('an empty secret masks nothing', () => {
  assert.equal(createMask([''])('as it is'), 'as it is')
})

test('the net over whole lines hides what cannot be a word of ours, and nothing else', () => {
  const plain = ['off', 'power', 'admin', 'y', 'calvin', 'reads', 'Ab1!', 'dog']
  const others = ['Power', 'pass1', 'a-b-c', 'swordfish', 'hunter2-canary']
  assert.deepEqual([...plain, ...others].filter(isHidable), others)
  const net = createNet([...plain, ...others])
  const said = 'presses off of n2, by admin, reads the power calmly'
  assert.equal(net(said), said)
  for (const secret of others) assert.equal(net(`x ${secret} y`), 'x ***** y')
})

test('the net leaves fields that hold only our own vocabulary as they are', () => {
  const net = createNet(['operator', 'web-01'])
  assert.equal(net('operator', 'by'), 'operator')
  assert.equal(net('web-01', 'target'), 'web-01')
  assert.equal(net('said operator', 'raw'), 'said *****')
  assert.equal(net('said operator'), 'said *****')
})

test('the secrets of a driver are the options that its schema marks', () => {
  const schema = z.object({
    user: z.string().meta({ title: 'User' }),
    token: z.string().optional().meta({ title: 'Token', secret: true }),
    pin: z.number().meta({ title: 'PIN', secret: true }),
  })
  assert.deepEqual(secretsOf(schema, { user: 'u', token: 't', pin: 42 }), ['t', '42'])
  assert.deepEqual(secretsOf(schema, { user: 'u' }), [])
  assert.deepEqual(secretsOf(schema, undefined), [])
  const nested = z.object({ more: z.unknown().meta({ title: 'More', secret: true }) })
  const more = { password: 'p', list: ['l', { deep: 7 }], none: null }
  assert.deepEqual(secretsOf(nested, { more }), ['p', 'l', '7'])
})

test('a foreign text cannot colour, break or flood a line of the log', () => {
  assert.equal(printable('red \x1b[31m\r\nline\x00'), 'red [31m line')
  assert.ok(printable('x'.repeat(5000)).length < 210)
})

test('every failure says what happened and what to do, in one sentence', () => {
  for (const failure of Object.keys(failures) as (keyof typeof failures)[]) {
    const { message } = new FenceError(failure, 'detail')
    assert.match(message, /^[a-z].{10,} \(detail\): .{10,}$|install it$/, failure)
  }
  const sentences = Object.values(failures).map(({ says }) => says)
  assert.equal(new Set(sentences).size, sentences.length, 'two failures say the same')
})

test('F11 what is left of a secret where a text was cut is masked as well', () => {
  const mask = createMask([canary])
  for (let cut = 4; cut < canary.length; cut++) {
    const text = printable(`before ${canary}`, 'before '.length + cut)
    assert.equal(mask(text), 'before *****…', text)
  }
  assert.equal(mask('it is as it stands…'), 'it is as it stands…')
})

test('F11 a secret whose blanks a device or a log has drawn together is masked', () => {
  const secret = 'two  blanks,\ta tab\u200b and more'
  assert.equal(createMask([secret])(printable(`x ${secret} y`)), 'x ***** y')
})

test('F11 a secret that is no whole Unicode text is masked too', () => {
  assert.equal(createMask(['\ud800abc'])('x \ud800abc y'), 'x ***** y')
})
