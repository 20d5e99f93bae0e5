import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { blankLedger, type Ledger, unknownNode } from '../../src/core/ledger.ts'
import { openStore } from '../../src/daemon/store.ts'
import { listener, noMounts, scratch, smallDisk } from './scratch.ts'

const ledgerOf = (step: number, because = 'ein Ümlaut, für die Bytes'): Ledger => ({
  epoch: { seq: 7, rep: 1, step },
  coordinator: 'a',
  shots: [],
  intents: [],
  nodes: { a: { ...unknownNode, standing: 'member', because }, '10': unknownNode },
})

/** A ledger as it comes back from JSON, where `undefined` is absence. */
const plain = (ledger: Ledger) => JSON.parse(JSON.stringify(ledger)) as unknown

test('a saved ledger comes back after a restart', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const store = openStore(dir, 'prod', say)
  assert.equal(store.ledger, undefined)
  assert.deepEqual(await store.save(ledgerOf(1)), { ok: true })
  assert.deepEqual(openStore(dir, 'prod', say).ledger, plain(ledgerOf(1)))
  assert.deepEqual(said, [])
})

test('every save is answered, and the newest ledger is the one that stays', async (t) => {
  const dir = scratch(t)
  const { say } = listener()
  const store = openStore(dir, 'prod', say)
  const order: number[] = []
  const saves = Array.from({ length: 50 }, async (_, step) => {
    const saved = await store.save(ledgerOf(step))
    order.push(step)
    return saved
  })
  for (const saved of await Promise.all(saves)) assert.deepEqual(saved, { ok: true })
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  )
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 49)
})

test('a change of any one byte, and any shorter file, is noticed', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  await openStore(dir, 'prod', say).save(ledgerOf(1))
  const good = readFileSync(path)
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad[at] = bad[at]! ^ (1 << (at % 8))
    writeFileSync(path, bad)
    assert.equal(openStore(dir, 'prod', say).ledger, undefined, `byte ${at} was changed`)
    writeFileSync(path, good.subarray(0, at))
    assert.equal(openStore(dir, 'prod', say).ledger, undefined, `cut to ${at} bytes`)
  }
  writeFileSync(path, good)
  assert.notEqual(openStore(dir, 'prod', say).ledger, undefined)
  assert.equal(said.length, 2 * good.length)
  assert.match(said[0] ?? '', /^alarm: The ledger .*ledger\.json (is damaged|was written).*kept as/)
  const aside = readdirSync(dir).filter((name) => name.includes('corrupt'))
  assert.equal(aside.length, 5)
})

test("another cluster's ledger and a later version are put aside, with the reason", async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  await openStore(dir, 'staging', say).save(blankLedger)
  assert.equal(openStore(dir, 'prod', say).ledger, undefined)
  assert.match(said[0] ?? '', /is of the cluster "staging", not "prod".*kept as .*corrupt-1/)
  writeFileSync(path, '{"picket":"ledger","version":9,"cluster":"prod"}\n{}\n')
  assert.equal(openStore(dir, 'prod', say).ledger, undefined)
  assert.match(said[1] ?? '', /written in version 9 of the format, not 2.*kept as .*corrupt-2/)
})

test('a file that is too long is not read, and one that is a directory not either', (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  spawnSync('truncate', ['-s', '17M', join(dir, 'ledger.json')])
  assert.equal(openStore(dir, 'prod', say).ledger, undefined)
  assert.match(said[0] ?? '', /is longer than \d+ bytes/)
  mkdirSync(join(dir, 'ledger.json'))
  assert.equal(openStore(dir, 'prod', say).ledger, undefined)
  assert.match(said[1] ?? '', /cannot be read .*kept as/)
})

test('a daemon that is killed while it saves leaves a whole ledger', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const saver = new URL('saver.ts', import.meta.url).pathname
  let newest = -1
  for (let life = 0; life < 12; life++) {
    const child = spawn(process.execPath, [saver, dir, String(newest + 1)])
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const last = text.trim().split('\n').at(-1)
      if (last) newest = Math.max(newest, Number(last))
    })
    await once(child.stdout, 'data')
    await new Promise((done) => setTimeout(done, 5 + 7 * life))
    child.kill('SIGKILL')
    await once(child, 'close')
    const step = openStore(dir, 'prod', say).ledger?.epoch.step ?? -1
    assert.ok(step >= newest, `step ${newest} was durable, and ${step} came back`)
  }
  assert.deepEqual(said, [])
})

test('a full disk is an answer, not a crash, and is over when there is space', {
  skip: noMounts,
}, async (t) => {
  const dir = smallDisk(t, 64)
  const { say } = listener()
  const store = openStore(dir, 'prod', say)
  assert.deepEqual(await store.save(ledgerOf(1)), { ok: true })
  const full = await store.save(ledgerOf(2, 'x'.repeat(100_000)))
  assert.ok(!full.ok)
  assert.match(full.because, /ENOSPC/)
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 1)
  assert.deepEqual(await store.save(ledgerOf(3)), { ok: true })
})
