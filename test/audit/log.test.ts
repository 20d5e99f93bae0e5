import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { chained, sha256 } from '../../src/audit/chain.ts'
import { type AuditOptions, openAudit } from '../../src/audit/log.ts'
import { findingText, verify } from '../../src/audit/verify.ts'
import { listener, noMounts, scratch, smallDisk } from '../daemon/scratch.ts'

/** A log in a directory of its own, with what is said about it. */
function log(t: TestContext, change: Partial<AuditOptions> = {}) {
  const { said, say } = listener()
  const dir = change.dir ?? scratch(t)
  const options = { dir, node: 'a', say, clean: (text: string) => text, gatherMs: 1, retryMs: 20 }
  const open = () => {
    const audit = openAudit({ ...options, ...change })
    t.after(audit.close)
    return audit
  }
  const path = join(dir, 'audit.jsonl')
  const lines = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  return { dir, said, open, path, lines, kinds: () => lines().map(({ kind }) => kind) }
}

/** Notes some things and waits until they are on disk. */
async function keep(audit: ReturnType<typeof openAudit>, count: number, text = ''): Promise<void> {
  for (let index = 0; index < count; index++) audit.note('test', { index, text })
  await audit.settled()
}

async function whole(dir: string, lines: number): Promise<void> {
  const verified = await verify(dir)
  assert.equal(verified?.finding && findingText(verified.finding), undefined)
  assert.equal(verified?.lines, lines)
}

async function faultIn(dir: string): Promise<string> {
  const { finding } = (await verify(dir)) ?? {}
  return finding === undefined ? 'whole' : findingText(finding)
}

test('F13 what is noted is on disk in order, tied together, for root alone, with a head', async (t) => {
  const { dir, said, open, path, lines } = log(t)
  const audit = open()
  assert.equal(existsSync(path), false, 'a note does no work of its own')
  await keep(audit, 3)
  audit.note('last', { text: 'words' })
  await audit.settled()
  assert.deepEqual(
    lines().map(({ seq, node, kind }) => [seq, node, kind]),
    [
      [1, 'a', 'test'],
      [2, 'a', 'test'],
      [3, 'a', 'test'],
      [4, 'a', 'last'],
    ],
  )
  assert.deepEqual(lines()[1].facts, { index: 1, text: '' })
  assert.match(lines()[0].at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  for (const name of ['audit.jsonl', 'audit.head']) {
    assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
  }
  assert.equal(JSON.parse(readFileSync(join(dir, 'audit.head'), 'utf8')).lines, 4)
  await whole(dir, 4)
  assert.deepEqual(said, [])
})

test('the next life goes on with the same chain', async (t) => {
  const { dir, said, open } = log(t)
  for (let life = 1; life <= 3; life++) await keep(open(), 2)
  await whole(dir, 6)
  assert.deepEqual(said, [])
})

test('F11 no secret and no control character stands in it', async (t) => {
  const clean = (text: string) => text.replaceAll('hunter2', '*****')
  const { dir, open, path } = log(t, { clean })
  const audit = open()
  audit.note('test', { text: 'hunter2\n{"seq":9}', list: [{ raw: 'x hunter2' }] })
  await audit.settled()
  assert.doesNotMatch(readFileSync(path, 'utf8'), /hunter2/)
  await whole(dir, 1)
})

test('what is masked may depend on the field, so that our own words stay', async (t) => {
  const clean = (text: string, field?: string) => (field === 'power' ? text : `${field}!`)
  const { open, lines } = log(t, { clean })
  const audit = open()
  audit.note('read', { power: 'off', raw: 'off', list: [{ raw: 'off', power: 'off' }] })
  await audit.settled()
  const list = [{ raw: 'raw!', power: 'off' }]
  assert.deepEqual(lines()[0].facts, { power: 'off', raw: 'raw!', list })
})

test('a line that was torn by a crash is cut off, and the chain tells so', async (t) => {
  const { dir, said, open, path, kinds } = log(t)
  await keep(open(), 3)
  appendFileSync(path, '{"seq":4,"at":"20')
  const before = await verify(dir)
  assert.deepEqual([before?.finding, before?.torn, before?.lines], [undefined, true, 3])
  await keep(open(), 1)
  assert.deepEqual(kinds(), ['test', 'test', 'test', 'torn', 'test'])
  await whole(dir, 5)
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /^warn: .*no end \(17 bytes\) and was cut off: picketd died while/)
})

test('whole lines that the head did not come to know of are kept', async (t) => {
  const { dir, said, open } = log(t)
  await keep(open(), 2)
  const older = readFileSync(join(dir, 'audit.head'))
  await keep(open(), 2)
  writeFileSync(join(dir, 'audit.head'), older)
  assert.equal((await verify(dir))?.beyondHead, 2)
  await keep(open(), 1)
  await whole(dir, 5)
  assert.deepEqual(said, [])
})

for (const [what, tamper, fault] of [
  ['a last line that lost its end', (path) => truncateSync(path, statSync(path).size - 9), 'cut'],
  ['a last line that is gone', (path) => cutLines(path, 1), 'cut'],
  ['half of the lines gone', (path) => cutLines(path, 2), 'cut'],
  ['a file that is gone', (path) => rmSync(path), 'cut'],
  ['an empty file', (path) => truncateSync(path, 0), 'cut'],
  ['a last line that was changed', (path) => change(path, '"index":3', '"index":4'), 'edited'],
] as const satisfies readonly (readonly [string, (path: string) => void, string])[]) {
  test(`F13 ${what}: found, and not healed by the next start of picketd`, async (t) => {
    const { dir, said, open, path } = log(t)
    await keep(open(), 4)
    tamper(path)
    assert.match(await faultIn(dir), new RegExp(fault))
    await keep(open(), 2)
    assert.match(said[0] ?? '', /^alarm: .* is not as picketd left it: .* It goes on;/)
    assert.equal(said.length, 1)
    // What is missing is missing for ever, where it was.
    assert.match(await faultIn(dir), /removed|edited|unreadable/)
    await keep(open(), 1)
    assert.equal(said.length, 1, 'and it is told once')
  })
}

function cutLines(path: string, count: number): void {
  const lines = readFileSync(path, 'utf8').split('\n')
  writeFileSync(path, lines.toSpliced(-1 - count, count).join('\n'))
}

function change(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8')
  assert.ok(text.includes(from))
  writeFileSync(path, text.replace(from, to))
}

test('F13 a head that is gone or damaged cannot be made good', async (t) => {
  const { dir, said, open, kinds } = log(t)
  await keep(open(), 2)
  for (const lose of [
    () => rmSync(join(dir, 'audit.head')),
    () => writeFileSync(join(dir, 'audit.head'), 'lines: 2'),
  ]) {
    said.length = 0
    lose()
    assert.match(await faultIn(dir), /line \d: unproven: there (is|was) no head/)
    await keep(open(), 1)
    assert.match(said[0] ?? '', /^alarm: .*audit\.head (was missing|could not be read)/)
    assert.match(await faultIn(dir), /line 3: unproven: there was no head when it was written/)
  }
  assert.deepEqual(kinds(), ['test', 'test', 'damage', 'test', 'damage', 'test'])
})

test('a file that is changed or taken away under a running picketd is noticed', async (t) => {
  const { dir, said, open, path, kinds } = log(t)
  const audit = open()
  await keep(audit, 2)
  rmSync(path)
  await keep(audit, 1)
  assert.deepEqual(kinds(), ['damage', 'test'])
  assert.match(said[0] ?? '', /^alarm: .*audit\.head counts 2 lines, and there is none/)
  assert.match(await faultIn(dir), /audit.jsonl, line 1: something is removed before it/)
})

test('a file that is long is put aside, the chain goes on, and what is dropped is told', async (t) => {
  const { dir, said, open } = log(t, { bytesMax: 2_000, filesMax: 3 })
  for (let life = 0; life < 3; life++) {
    const audit = open()
    for (let batch = 0; batch < 8; batch++) await keep(audit, 2, 'x'.repeat(300))
  }
  assert.deepEqual(readdirSync(dir).sort(), [
    'audit.1.jsonl',
    'audit.2.jsonl',
    'audit.head',
    'audit.jsonl',
  ])
  const verified = await verify(dir)
  assert.equal(verified?.finding, undefined)
  assert.equal(verified?.files, 3)
  assert.ok(verified.last.seq > 48, 'with the lines that tell what was dropped')
  assert.ok(verified.lines < 20)
  assert.match(readFileSync(join(dir, 'audit.1.jsonl'), 'utf8'), /"kind":"dropped"/)
  assert.deepEqual(said, [])

  rmSync(join(dir, 'audit.2.jsonl'))
  assert.match(await faultIn(dir), /audit.1.jsonl, line 1: something is removed .* on purpose/)
})

test('F13 a log that is written anew from a line on that says all before it was dropped', async (t) => {
  const { dir, open, path } = log(t)
  const audit = open()
  for (let batch = 0; batch < 5; batch++) await keep(audit, 1)
  const newest = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? ''
  const before = { seq: 5, hash: sha256(newest) }
  const facts = { through: before.seq, hash: before.hash }
  const entry = { at: new Date(0).toISOString(), kind: 'dropped', facts }
  const forged = chained(before, { ...entry, node: 'a' })
  writeFileSync(path, `${forged.text}\n`)
  const link = { seq: forged.link.seq, hash: forged.link.hash }
  const head = JSON.parse(readFileSync(join(dir, 'audit.head'), 'utf8'))
  writeFileSync(
    join(dir, 'audit.head'),
    JSON.stringify({ ...head, lines: link.seq, hash: link.hash }),
  )
  assert.match(await faultIn(dir), /lines 1 to 5 are missing before it, and none are dropped/)
})

test('F13 a file that is gone from the middle is found', async (t) => {
  const { dir, open } = log(t, { bytesMax: 1_000 })
  const audit = open()
  for (let batch = 0; batch < 12; batch++) await keep(audit, 1, 'x'.repeat(200))
  await whole(dir, 12)
  rmSync(join(dir, 'audit.2.jsonl'))
  assert.match(await faultIn(dir), /audit.1.jsonl, line 1: something is removed before it/)
})

test('a disk that takes nothing is one alarm; what waited follows, what did not fit is told', async (t) => {
  const { dir, said, open, path, lines, kinds } = log(t, { queueMax: 4 })
  symlinkSync('/dev/full', path)
  const audit = open()
  for (let index = 0; index < 9; index++) audit.note('test', { index })
  await audit.settled()
  await keep(audit, 0)
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /^alarm: .* cannot be written: ENOSPC.*Free space on its disk/)
  rmSync(path)
  audit.note('late', {})
  await audit.settled()
  assert.match(said.at(-1) ?? '', /^info: .* is written again/)
  assert.deepEqual(kinds().slice(0, 4), ['test', 'test', 'test', 'test'])
  assert.ok(kinds().includes('gap'), kinds().join())
  assert.equal(lines().find(({ kind }) => kind === 'gap').facts.lines, 6)
  assert.match(await faultIn(dir), /whole/)
})

test('a full disk leaves no half line behind', { skip: noMounts }, async (t) => {
  const { dir, said, open } = log(t, { dir: smallDisk(t, 64) })
  const audit = open()
  await keep(audit, 2)
  writeFileSync(join(dir, 'ballast'), 'x'.repeat(40_000))
  await keep(audit, 40, 'y'.repeat(900))
  assert.match(said[0] ?? '', /^alarm: .*ENOSPC/)
  assert.equal((await verify(dir))?.finding, undefined)
  rmSync(join(dir, 'ballast'))
  audit.note('late', {})
  await audit.settled()
  await whole(dir, 43)
  assert.equal(said.length, 2)
})

test('a disk that cannot be read is an alarm and no end', async (t) => {
  const { dir, said, open } = log(t)
  mkdirSync(join(dir, 'audit.head'))
  await keep(open(), 1)
  assert.match(said[0] ?? '', /^alarm: The audit log in .* cannot be written: EISDIR/)
})

test('picketd killed in the middle of writing leaves a log that is whole', async (t) => {
  const { dir, said, open } = log(t)
  const writer = new URL('writer.ts', import.meta.url).pathname
  for (let life = 0; life < 8; life++) {
    const child = spawn(process.execPath, [writer, dir])
    await once(child.stdout, 'data')
    await new Promise((done) => setTimeout(done, 10 + 9 * life))
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.match(await faultIn(dir), /whole/)
  }
  await keep(open(), 1)
  assert.match(await faultIn(dir), /whole/)
  for (const sentence of said) assert.match(sentence, /^warn: .*picketd died while it wrote it/)
})

test('a log that is read while it is written and put aside is whole', async (t) => {
  const { dir } = log(t)
  const writer = new URL('writer.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [writer, dir, '20000'])
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  for (let look = 0; look < 40; look++) assert.match(await faultIn(dir), /whole/)
})

test('a directory without a log has none', async (t) => {
  const { dir } = log(t)
  assert.equal(await verify(dir), undefined)
  chmodSync(dir, 0o700)
  await assert.rejects(verify(join(dir, 'gone')), /ENOENT/)
})
