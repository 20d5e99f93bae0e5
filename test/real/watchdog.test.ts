/** H7 on a kernel: a guest whose loop is blocked is really reset, and one that was let go is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missing } from '../needs.ts'
import { guestParts, runGuest } from './watchdog-guest.ts'

const parts = guestParts()
const skip = missing('qemu-system-x86_64') || (typeof parts === 'string' ? parts : false)

test('H7 a guest whose loop is blocked is reset when its lease is over', { skip }, async () => {
  assert.ok(typeof parts !== 'string')
  const lines = await runGuest(parts, 240_000)
  const text = lines.join('\n')
  /** The uptime at which it said so, in seconds. */
  const said = (word: string) => {
    const found = lines.findLast((line) => line.startsWith(word))
    assert.ok(found, `it never said ${word}:\n${text}`)
    return Number(found.split(' ').at(-1))
  }
  assert.match(text, /ARMED true 4000 Software Watchdog/)
  assert.match(text, /REMARK The watchdog is softdog/)
  // It outlived its timeout twice after it had let go.
  assert.ok(said('BLOCKED') - said('LET-GO') > 7.5, text)
  // The timeout of four seconds begins with the last feeding, at most a second before the end.
  const livedS = said('ALIVE') - said('UNTIL')
  assert.ok(livedS > 1.5 && livedS < 6, `reset ${livedS} s after the lease:\n${text}`)
})
