/** `picket audit`: what was decided and tried, in sentences, and whether the log is as written. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Facts } from '../../src/audit/chain.ts'
import { openAudit } from '../../src/audit/log.ts'
import { scratch } from '../daemon/scratch.ts'
import { openDesk } from './daemon.ts'
import { picket } from './picket.ts'

const order = { target: 'web-02', by: 'web-01', id: 'f1', requester: 'web-01' }
const shot = { target: 'web-02', device: 'web-02/1/1', fencing: 'f1' }
const story: readonly (readonly [string, Facts])[] = [
  ['start', { version: '0.1.0', config: 'abcdef0123456789', incarnation: 'i1' }],
  ['standing', { target: 'web-02', was: 'member', standing: 'lost', because: 'it is silent' }],
  ['fence', { ...order, owner: 'web-01', action: 'off', round: 0, because: 'it is lost' }],
  ['identified', { ...shot, ok: true, detail: '' }],
  ['press', { ...shot, action: 'off' }],
  ['pressed', { ...shot, outcome: 'accepted', detail: '' }],
  ['read', { ...shot, power: 'off', raw: 'Chassis Power is off', detail: '' }],
  ['heard', { target: 'web-02', fencing: 'f1', silent: true, answered: [] }],
  ['verdict', { ...order, proven: true, level: 1, tookMs: 306, text: 'web-02/1/1 reads off' }],
  ['grant', { target: 'web-01', by: 'web-01', resource: 'vip', thing: 'address 192.0.2.1' }],
  ['refuse', { by: 'web-01', id: 'o1', because: 'there is no node web-09' }],
  ['stop', { code: 0, because: 'left cleanly' }],
]

/** A state directory with a log of this story. */
async function stateDir(t: TestContext): Promise<string> {
  const dir = scratch(t)
  const say = (_level: string, text: string) => assert.fail(text)
  const audit = openAudit({ dir, node: 'web-01', say, clean: (text) => text })
  for (const [kind, facts] of story) audit.note(kind, facts)
  await audit.close()
  return dir
}

const run = (dir: string, ...words: string[]) => picket(['audit', ...words, '--state', dir])

test('F13 show tells a fencing in sentences, one a line, with time and mark', async (t) => {
  const dir = await stateDir(t)
  const { code, out, err } = await run(dir, 'show')
  assert.deepEqual([code, err], [0, ''])
  const time = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z {2}/gm
  assert.equal(out.match(time)?.length, story.length)
  assert.equal(
    out.replace(time, ''),
    `· picketd 0.1.0 begins on web-01 (configuration abcdef012345, life i1)
✗ web-02 is lost now, before: member: it is silent
! web-01 sets out to switch web-02 off: it is lost (round 0, asked for by web-01, f1)
· web-02/1/1 is the device of web-02
! presses off of web-02 on web-02/1/1
· web-02/1/1 to the command for web-02: accepted
· web-02/1/1 reads web-02: off (says Chassis Power is off)
· web-02 is silent
✓ the fencing of web-02 by web-01 is proven: web-02/1/1 reads off, level 1, 306 ms (f1)
✓ web-01 gives vip to web-01
✗ the order o1 is refused: there is no node web-09
· picketd ends on web-01: left cleanly
`,
  )
})

test('show tells what members say against a log, and what an operator knows of it', async (t) => {
  const dir = scratch(t)
  const audit = openAudit({ dir, node: 'web-01', say: () => {}, clean: (text) => text })
  const seen = { target: 'web-01', by: 'web-02', line: 812, ends: 800, found: 'cut off' }
  audit.note('contradicted', seen)
  audit.note('accepted', { target: 'web-01', requester: 'anna', reason: 'a new disk', heads: [] })
  audit.note('interrupted', { target: 'web-02', id: 'o1', action: 'off' })
  await audit.close()
  const { out } = await run(dir, 'show')
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\S+ \S+ {2}/, '')),
    [
      '✗ web-02 has seen line 812 of the audit log of web-01, which ends with line 800: cut off',
      '! anna knows why lines of this log are gone: a new disk',
      '! an earlier order to switch web-02 off was interrupted (o1)',
    ],
  )
})

test('show takes a node and a time, and gives the lines as they are', async (t) => {
  const dir = await stateDir(t)
  const count = async (...words: string[]) => {
    const { code, out } = await run(dir, 'show', ...words)
    assert.equal(code, 0)
    return out.split('\n').length - 1
  }
  assert.equal(await count('--node', 'web-02'), 8)
  assert.equal(await count('--since', '1h'), story.length)
  assert.equal(await count('--since', '2026-01-01'), story.length)
  assert.equal(await count('--since', '2999-01-01T12:00'), 0)
  const { out } = await run(dir, 'show', '--json')
  assert.equal(out, readFileSync(join(dir, 'audit.jsonl'), 'utf8'))
})

test('F13 verify says that a log is whole, how many lines it looked at, and exits with 0', async (t) => {
  const dir = await stateDir(t)
  const { code, out, err } = await run(dir, 'verify')
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^✓ 12 lines in 1 file: all as picketd wrote them\.$/m)
  assert.match(out, /^ {2}The last is number 12, SHA-256 [0-9a-f]{64}\.$/m)
  const told = JSON.parse((await run(dir, 'verify', '--json')).out)
  assert.deepEqual([told.ok, told.lines, told.last.seq], [true, 12, 12])
})

const edits: readonly (readonly [string, (lines: string[]) => string[], RegExp])[] = [
  [
    'edited',
    (lines) => lines.with(1, (lines[1] ?? '').replace('lost', 'left')),
    /^✗ audit\.jsonl, line 2: edited: its text does not have the hash that it names\./,
  ],
  [
    'removed',
    (lines) => lines.toSpliced(4, 1),
    /^✗ audit\.jsonl, line 5: something is removed before it: it is number 6, and line 5 before/,
  ],
  [
    'reordered',
    (lines) => lines.toSpliced(4, 2, lines[5] ?? '', lines[4] ?? ''),
    /^✗ audit\.jsonl, line 5: reordered: it is number 6, and number 5 stands behind it\./,
  ],
  [
    'cut off',
    (lines) => lines.toSpliced(10, 2),
    /^✗ audit\.jsonl, line 10: cut off behind it: the head counts 12 lines: 2 behind it are/,
  ],
  [
    'unreadable',
    (lines) => lines.with(2, '{"seq":3'),
    /^✗ audit\.jsonl, line 3: unreadable: it is no line of an audit log\./,
  ],
]

for (const [what, edit, sentence] of edits) {
  test(`F13 verify exits with 1 and names the first line that was ${what}`, async (t) => {
    const dir = await stateDir(t)
    const path = join(dir, 'audit.jsonl')
    writeFileSync(path, edit(readFileSync(path, 'utf8').split('\n')).join('\n'))
    const { code, out } = await run(dir, 'verify')
    assert.equal(code, 1)
    assert.match(out, sentence)
    assert.match(out, /\d+ lines in 1 file were checked\.\n$/)
    const told = JSON.parse((await run(dir, 'verify', '--json')).out)
    assert.deepEqual([told.ok, told.finding.fault], [false, what])
    assert.match(`✗ ${told.text}`, sentence)
  })
}

const heads: readonly (readonly [string, (head: string) => string, RegExp])[] = [
  [
    'counts too few lines',
    (head) => head.replace('"lines":12', '"lines":11'),
    /^✗ audit\.head, line 1: edited: it names line 11, and the SHA-256 in it is that of line 12\./,
  ],
  [
    'counts too many lines',
    (head) => head.replace('"lines":12', '"lines":13'),
    /^✗ audit\.head, line 1: edited: it names line 13, and the SHA-256 in it is that of line 12\./,
  ],
  [
    'has another SHA-256',
    (head) => head.replace(/"hash":"\w+"/, `"hash":"${'e'.repeat(64)}"`),
    /^✗ audit\.jsonl, line 12: edited: the head names another line: .*, or audit\.head itself\./,
  ],
  [
    'is no head',
    () => 'x',
    /^✗ audit\.head, line 1: unreadable: it is no head of an audit log, so that nobody can tell/,
  ],
]

for (const [what, edit, sentence] of heads) {
  test(`F13 verify names the head where it ${what}`, async (t) => {
    const dir = await stateDir(t)
    const path = join(dir, 'audit.head')
    const head = readFileSync(path, 'utf8')
    const edited = edit(head)
    assert.notEqual(edited, head)
    writeFileSync(path, edited)
    const { code, out } = await run(dir, 'verify')
    assert.equal(code, 1)
    assert.match(out, sentence)
  })
}

test('F13 a copy of the head that does not fit itself is told apart from the log', async (t) => {
  const dir = await stateDir(t)
  const copy = join(scratch(t), 'head')
  const head = readFileSync(join(dir, 'audit.head'), 'utf8')
  writeFileSync(copy, head.replace('"lines":12', '"lines":11'))
  const { code, out } = await run(dir, 'verify', '--head', copy)
  assert.equal(code, 1)
  assert.match(out, /^✗ the copy of the head, line 1: edited: it names line 11, and the SHA-256/)
})

test('F13 a copy of the head shows a log that was written anew as a whole, head included', async (t) => {
  const dir = await stateDir(t)
  const copy = join(scratch(t), 'head')
  cpSync(join(dir, 'audit.head'), copy)
  assert.equal((await run(dir, 'verify', '--head', copy)).code, 0)
  rmSync(join(dir, 'audit.head'))
  rmSync(join(dir, 'audit.jsonl'))
  const forged = openAudit({ dir, node: 'web-01', say: () => {}, clean: (text) => text })
  for (const [kind] of story) forged.note(kind, {})
  await forged.close()
  assert.equal((await run(dir, 'verify')).code, 0)
  const { code, out } = await run(dir, 'verify', '--head', copy)
  assert.equal(code, 1)
  assert.match(out, /^✗ audit\.jsonl, line 12: edited: the head names another line/)
})

/** What other members have told, beside the log. */
function heard(dir: string, said: object): void {
  writeFileSync(join(dir, 'audit.peers'), JSON.stringify({ kept: {}, said }))
}

test('F13 verify tells which member vouches, and fails where one has seen more', async (t) => {
  const dir = await stateDir(t)
  const { lines: seq, hash, chain } = JSON.parse(readFileSync(join(dir, 'audit.head'), 'utf8'))
  const held = { head: { seq, hash, chain }, lost: [] }
  assert.match((await run(dir, 'verify')).out, /No other member has told yet what it has seen/)
  heard(dir, { 'web-02': held, 'web-03': held })
  const good = await run(dir, 'verify')
  assert.equal(good.code, 0)
  assert.match(good.out, /^ {2}web-02 vouches for it up to line 12\.\n {2}web-03 vouches for it/m)
  const told = JSON.parse((await run(dir, 'verify', '--json')).out)
  assert.deepEqual([told.peers[0].peer, told.peers[0].stand], ['web-02', 'held'])

  const more = { seq: 14, hash: 'e'.repeat(64), chain }
  heard(dir, { 'web-02': held, 'web-03': { head: held.head, lost: [more] } })
  const bad = await run(dir, 'verify')
  assert.equal(bad.code, 1)
  assert.equal(
    bad.out,
    `✗ audit.jsonl, line 12: cut off behind it: web-03 has seen line 14 of it, and it ends with line 12. 12 lines in 1 file were checked.
  web-02 vouches for it up to line 12.
  web-03 vouches for it up to line 12.
  web-03 has seen line 14 with SHA-256 ${'e'.repeat(64)}: not in this log.
  If you know why: \`picket audit accept --reason TEXT\`, with picketd running.
`,
  )
  const worse = JSON.parse((await run(dir, 'verify', '--json')).out)
  assert.deepEqual([worse.ok, worse.finding.fault], [false, 'cut off'])

  writeFileSync(join(dir, 'audit.peers'), 'x')
  const damaged = await run(dir, 'verify')
  assert.equal(damaged.code, 1)
  assert.match(damaged.out, /^✗ audit\.peers, line 1: unreadable: nobody can tell what the other/)
})

test('accept goes through picketd, and says what came of it', async (t) => {
  const desk = await openDesk(t, {})
  const words = ['audit', 'accept', '--reason', 'a new disk', '--socket', desk.socket]
  assert.deepEqual(await picket(words), {
    code: 0,
    signal: null,
    out: 'Done: it is in the audit log. `picket audit verify` goes by it.\n',
    err: '',
  })
  assert.match(desk.accepted.join(), /^.+@.+: a new disk$/)
  const again = await picket(words)
  assert.deepEqual([again.code, again.err], [3, 'Refused: there is nothing to accept.\n'])
  const gone = await picket(['audit', 'accept', '--reason', 'x', '--socket', '/gone'])
  assert.equal(gone.code, 1)
  assert.match(gone.err, /^picket audit: .*\/gone.*\.\n$/)
})

test('a copy of the head whose line was dropped on purpose proves nothing, and says so', async (t) => {
  const dir = scratch(t)
  const copy = join(scratch(t), 'head')
  const options = { dir, node: 'a', say: () => {}, clean: (text: string) => text }
  const audit = openAudit({ ...options, bytesMax: 500, filesMax: 2 })
  for (let line = 1; line <= 9; line++) {
    audit.note('test', { text: 'x'.repeat(300) })
    await audit.settled()
    if (line === 1) cpSync(join(dir, 'audit.head'), copy)
  }
  await audit.close()
  assert.equal((await run(dir, 'verify')).code, 0)
  const { code, out } = await run(dir, 'verify', '--head', copy)
  assert.equal(code, 1)
  assert.match(out, /^✗ The line that this head names was dropped .* take a newer copy\.$/m)
})

test('a line that is not as written is told by show as well, and steers no terminal', async (t) => {
  const dir = await stateDir(t)
  const path = join(dir, 'audit.jsonl')
  writeFileSync(path, readFileSync(path, 'utf8').replace('it is silent', '\x1b[2J'))
  const { code, out, err } = await run(dir, 'show')
  assert.equal(code, 1)
  assert.equal(out.split('\n').length - 1, story.length - 1)
  assert.match(err, /^audit\.jsonl, line 2: unreadable: .*\n`picket audit verify` names/)
  assert.ok(!`${out}${err}`.includes('\x1b'))
})

test('the torn last line of a crash is no tampering', async (t) => {
  const dir = await stateDir(t)
  const path = join(dir, 'audit.jsonl')
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"seq":13,`)
  const { code, out } = await run(dir, 'verify')
  assert.equal(code, 0)
  assert.match(out, /One more has no end yet/)
  assert.equal((await run(dir, 'show')).code, 0)
  truncateSync(path, 0)
  assert.match((await run(dir, 'verify')).out, /audit\.jsonl, before its first line: cut off/)
})

test('what cannot be read is one sentence that says what to do', async (t) => {
  const dir = scratch(t)
  for (const action of ['show', 'verify']) {
    const empty = await run(dir, action)
    assert.deepEqual([empty.code, empty.out], [1, ''])
    assert.match(
      empty.err,
      /^picket audit: there is no audit log in .*: picketd begins it when .*\n$/,
    )
    const gone = await run(join(dir, 'gone'), action)
    assert.equal(gone.code, 1)
    assert.match(gone.err, /^picket audit: there is no directory .*--state DIR names another\.\n$/)
  }
  mkdirSync(join(dir, 'audit.jsonl'))
  assert.match((await run(dir, 'verify')).err, /^picket audit: the audit log in .* cannot be read/)
})

for (const [words, sentence] of [
  [['shw'], /there is no action "shw"\. Did you mean show\?/],
  [[], /show\|verify\|accept is missing\./],
  [['show', '--since', 'yesterday'], /--since takes a time such as .*, not "yesterday"\./],
  [['show', '--since', '2026-99-01'], /--since takes a time such as/],
  [['verify', '--node', 'a'], /--node means nothing to verify: leave it out\./],
  [['verify', '--reason', 'x'], /--reason means nothing to verify: leave it out\./],
  [['accept', '--state', '/x'], /--state means nothing to accept: leave it out\./],
  [['accept'], /--reason is missing: say why the lines are gone\./],
  [['show', '--head', 'x'], /--head means nothing to show: leave it out\./],
  [['verify', '--head', '/dev/null'], /--head \/dev\/null: that is no copy of an audit\.head\./],
  [['verify', '--head', '/gone'], /--head \/gone: there is no such file\./],
] as const) {
  test(`wrong usage: picket audit ${words.join(' ')}`, async () => {
    const { code, out, err } = await picket(['audit', ...words])
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, sentence)
  })
}
