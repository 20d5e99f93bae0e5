import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '../../src/corosync/connection.ts'
import { createOutbox } from '../../src/corosync/outbox.ts'

/** A CPG that takes down what it is given, and answers as it is told to. */
function fakeCpg() {
  const cpg = { answer: status.ok as number, taken: [] as number[], lost: [] as string[] }
  const outbox = createOutbox({
    post(bytes) {
      if (cpg.answer === status.ok) cpg.taken.push(bytes[0] ?? -1)
      return cpg.answer
    },
    lose: (because) => cpg.lost.push(because),
  })
  return { cpg, outbox, taken: cpg.taken, lost: cpg.lost }
}

const message = (first: number, length = 1) => {
  const bytes = new Uint8Array(length)
  bytes[0] = first
  return bytes
}

test('keeps few messages under way, and sends on as they come back', () => {
  const { outbox, taken } = fakeCpg()
  for (let index = 0; index < 200; index++) assert.equal(outbox.send(message(index)), true)
  const first = taken.length
  assert.ok(first < 200, 'nothing was held back')
  for (let index = 0; index < 200; index++) outbox.onEcho()
  assert.deepEqual(taken, [...Array(200).keys()])
})

test('keeps few bytes under way, but lets a long message through alone', () => {
  const { outbox, taken } = fakeCpg()
  for (let index = 0; index < 3; index++) outbox.send(message(index, 1_000_000))
  assert.deepEqual(taken, [0])
  outbox.onEcho()
  assert.deepEqual(taken, [0, 1])
})

test('tries again what Corosync does not take while a ring forms, in order', async () => {
  const { cpg, outbox } = fakeCpg()
  cpg.answer = status.tryAgain
  for (let index = 0; index < 5; index++) outbox.send(message(index))
  assert.deepEqual(cpg.taken, [])
  cpg.answer = status.ok
  outbox.send(message(5))
  while (cpg.taken.length < 6) await sleep(5)
  assert.deepEqual(cpg.taken, [0, 1, 2, 3, 4, 5])
})

test('says so once when too many messages are waiting, and takes no more', () => {
  const { outbox, lost } = fakeCpg()
  let sent = 0
  while (outbox.send(message(sent, 100_000))) sent++
  assert.ok(sent > 100)
  assert.equal(outbox.send(message(0)), false)
  assert.equal(lost.length, 1)
  assert.match(lost[0] ?? '', /\d+ are waiting/)
})

test('says so when Corosync refuses for good', () => {
  const { cpg, outbox } = fakeCpg()
  cpg.answer = status.errorInLibrary
  outbox.send(message(0))
  assert.equal(cpg.lost.length, 1)
  assert.equal(outbox.send(message(1)), false)
})
