import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { blankLedger, type Ledger, unknownNode } from '../../src/core/ledger.ts'
import { renderFile, renderLedger } from '../../src/daemon/ledger-file.ts'
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

test('a change of any one byte of a ledger, and any shorter file, is noticed', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  const store = openStore(dir, 'prod', say)
  for (const step of [1, 2, 3]) await store.save(ledgerOf(step))
  const good = readFileSync(path)
  const used = good.indexOf(Buffer.alloc(512))
  let tries = 0
  const noticed = (bad: Buffer, what: string) => {
    tries++
    writeFileSync(path, bad)
    assert.equal(openStore(dir, 'prod', say).ledger, undefined, what)
  }
  for (let at = 0; at < used; at++) {
    const bad = Buffer.from(good)
    bad[at] = bad[at]! ^ (1 << (at % 8))
    noticed(bad, `byte ${at} was changed`)
  }
  for (let at = 0; at < good.length; at += 37) noticed(good.subarray(0, at), `cut to ${at} bytes`)
  noticed(good.subarray(512), 'its first sector is gone')
  // Of the last ledger alone sectors may be missing.
  const lastAt = good.lastIndexOf('{"picket":"ledger"')
  for (let at = 0; at < lastAt; at += 512) {
    const bad = Buffer.from(good)
    noticed(bad.fill(0, at, at + 512), `the sector at ${at} is zero`)
  }
  writeFileSync(path, good)
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 3)
  assert.equal(said.length, tries)
  assert.match(said[0] ?? '', /^alarm: The ledger .*ledger\.json (is damaged|was written).*kept as/)
  const aside = readdirSync(dir).filter((name) => name.includes('corrupt'))
  assert.equal(aside.length, 5)
})

test('what is whole and yet no ledger is put aside', (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  for (const strange of [null, {}, { ...ledgerOf(1), nodes: { toString: unknownNode } }]) {
    const file = renderFile(renderLedger('prod', strange as unknown as Ledger))
    writeFileSync(join(dir, 'ledger.json'), file!)
    assert.equal(openStore(dir, 'prod', say).ledger, undefined)
    assert.match(said.at(-1) ?? '', /alarm: The ledger .* holds no ledger: .*; kept as/)
  }
})

test('a save that the power cut short leaves the one before it', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  const store = openStore(dir, 'prod', say)
  await store.save(ledgerOf(1))
  const before = readFileSync(path)
  const from = before.indexOf(Buffer.alloc(512))
  const begins = 512 * Math.ceil(from / 512)
  await store.save(ledgerOf(2, 'x'.repeat(1_500)))
  const after = readFileSync(path)
  const sectors = Math.ceil((after.indexOf(Buffer.alloc(512), begins) - begins) / 512)
  assert.ok(sectors >= 4)
  // A disk writes the sectors of one write in any order, and each whole or not at all.
  for (let written = 0; written < 2 ** sectors; written++) {
    const torn = Buffer.from(before)
    for (let sector = 0; sector < sectors; sector++) {
      const at = begins + 512 * sector
      if (written & (1 << sector)) after.copy(torn, at, at, at + 512)
    }
    writeFileSync(path, torn)
    const whole = written === 2 ** sectors - 1
    assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, whole ? 2 : 1)
  }
  assert.deepEqual(said, [])
})

test('a file has space for a few ledgers, and is then followed by another one', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  const store = openStore(dir, 'prod', say)
  const files = new Set<number>()
  for (let step = 0; step < 40; step++) {
    await store.save(ledgerOf(step, 'x'.repeat(4_000)))
    files.add(statSync(path).ino)
    assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, step)
  }
  assert.ok(files.size > 1 && files.size <= 40 / 6, `${files.size} files`)
  assert.deepEqual(readdirSync(dir), ['ledger.json'])
  assert.deepEqual(said, [])
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
  assert.match(said[1] ?? '', /written in version 9 of the format, not 3.*kept as .*corrupt-2/)
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
  const dir = smallDisk(t, 256)
  const { say } = listener()
  const store = openStore(dir, 'prod', say)
  assert.deepEqual(await store.save(ledgerOf(1)), { ok: true })
  const full = await store.save(ledgerOf(2, 'x'.repeat(400_000)))
  assert.ok(!full.ok)
  assert.match(full.because, /ENOSPC/)
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 1)
  assert.deepEqual(await store.save(ledgerOf(3)), { ok: true })
  // What the file has space for is taken also by a disk that is full.
  const fill = spawnSync('dd', ['if=/dev/zero', `of=${join(dir, 'fill')}`, 'bs=4k'])
  assert.match(fill.stderr.toString(), /No space left/)
  for (let step = 4; step < 20; step++) {
    assert.deepEqual(await store.save(ledgerOf(step)), { ok: true })
  }
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 19)
})

test('what somebody has removed, or put another in the place of, is written anew', async (t) => {
  const dir = scratch(t)
  const { said, say } = listener()
  const path = join(dir, 'ledger.json')
  const store = openStore(dir, 'prod', say)
  await store.save(ledgerOf(1))
  rmSync(path)
  assert.deepEqual(await store.save(ledgerOf(2)), { ok: true })
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 2)
  const before = readFileSync(path)
  rmSync(path)
  writeFileSync(path, before)
  assert.deepEqual(await store.save(ledgerOf(3)), { ok: true })
  assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 3)
  // A copy that is put back into the same file, and one that is made empty.
  for (const [step, bytes] of [before, Buffer.alloc(0)].entries()) {
    await new Promise((done) => setTimeout(done, 20))
    writeFileSync(path, bytes)
    assert.deepEqual(await store.save(ledgerOf(4 + step)), { ok: true })
    assert.equal(openStore(dir, 'prod', say).ledger?.epoch.step, 4 + step)
  }
  assert.deepEqual(said, [])
})

test('a ledger that is too long for any file is refused with the reason', async (t) => {
  const dir = scratch(t)
  const store = openStore(dir, 'prod', listener().say)
  const long = await store.save(ledgerOf(1, 'x'.repeat(17 * 2 ** 20)))
  assert.deepEqual(long, { ok: false, because: 'the ledger is longer than 16777216 bytes' })
  assert.deepEqual(await store.save(ledgerOf(2)), { ok: true })
})
