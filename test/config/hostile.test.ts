/** Files that nobody sane would write, each refused with a sentence and within a bound. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { folder, load, problemsOf, twoNodes } from './files.ts'

const MIB = 1 << 20
/** Far above what any of them takes, far below what would hold up a start. */
const boundMs = 30_000

async function messageFor(path: string): Promise<string> {
  const result = await loadConfig(path)
  assert.ok(!result.ok, 'it was accepted')
  assert.equal(result.problems.length, 1)
  return result.problems[0]?.message ?? ''
}

test('C3 what is not a file is named as what it is', async (t) => {
  const dir = folder(t, { file: twoNodes })
  mkdirSync(join(dir, 'folder'))
  execFileSync('mkfifo', [join(dir, 'pipe')])
  symlinkSync('loop', join(dir, 'loop'))
  assert.match(await messageFor(join(dir, 'folder')), /this is a directory/)
  assert.match(await messageFor(join(dir, 'pipe')), /not a regular file/)
  assert.match(await messageFor('/dev/zero'), /not a regular file/)
  assert.match(await messageFor(join(dir, 'nothing')), /there is no such file/)
  assert.match(await messageFor(join(dir, 'file', 'x')), /cannot be opened \(ENOTDIR\)/)
  assert.match(await messageFor(join(dir, 'loop')), /cannot be opened \(ELOOP\)/)
})

test('C3 a file above one MiB is refused, one just below is read', async (t) => {
  const dir = folder(t, { big: Buffer.alloc(MIB + 1, '#'), fits: '' })
  assert.match(await messageFor(join(dir, 'big')), /larger than 1 MiB/)
  writeFileSync(join(dir, 'fits'), `${twoNodes}#${'x'.repeat(MIB - twoNodes.length - 1)}`)
  assert.ok((await loadConfig(join(dir, 'fits'))).ok)
})

test('C3 bytes that are not UTF-8 are refused with their place', async (t) => {
  const config = Buffer.concat([Buffer.from('cluster:\n  näme: '), Buffer.from([0xe4, 0x20])])
  const dir = folder(t, { 'config.yaml': config })
  const result = await loadConfig(join(dir, 'config.yaml'))
  assert.ok(!result.ok)
  const [problem] = result.problems
  assert.deepEqual([problem?.line, problem?.column], [2, 9])
  assert.match(problem?.message ?? '', /not UTF-8/)
})

test('a byte order mark and Windows line ends are no mistake', async (t) => {
  await load(t, { config: `\ufeff${twoNodes.replaceAll('\n', '\r\n')}` })
})

const many = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')
const bombs: readonly (readonly [what: string, text: string])[] = [
  [
    'a billion laughs',
    `a: &a [x]\n${many(20, (i) => `b${i}: &b${i} [*${i ? `b${i - 1}` : 'a'}, *${i ? `b${i - 1}` : 'a'}]`)}`,
  ],
  ['brackets without end', '['.repeat(MIB - 1)],
  ['maps in maps', '{a: '.repeat(200_000)],
  ['dashes without end', '- '.repeat(500_000)],
  ['question marks without end', '? '.repeat(500_000)],
  ['an ever deeper indent', many(1400, (i) => `${' '.repeat(i)}a:`)],
  ['sixty thousand keys', many(60_000, (i) => `k${i}: 1`)],
  ['the same key over and over', 'a:\n'.repeat(300_000)],
  ['quotes without end', '"'.repeat(MIB - 1)],
  ['a prototype', '__proto__: { cluster: { name: x, nodes: [{ name: a }] } }\n'],
  ['control characters', 'cluster: "\\x1b[2J\\u202e"\n'],
]

for (const [what, text] of bombs) {
  test(`C3 ${what}: refused in time, in printable words`, { timeout: boundMs }, async (t) => {
    const problems = await problemsOf(t, { config: text })
    assert.ok(problems.length > 0)
    for (const line of problems) {
      assert.ok(line.length < 2000, `${line.length} characters`)
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u)
    }
  })
}

test('a prototype in an option changes nothing else', async (t) => {
  const config = `${twoNodes}fence: { drivers: { __proto__: { enabled: false } } }\n`
  assert.match((await problemsOf(t, { config })).join('\n'), /"__proto__" cannot be used/)
})

test('a config that everybody may change is a warning with what mends it', async (t) => {
  const dir = folder(t, { 'config.yaml': twoNodes })
  const file = join(dir, 'config.yaml')
  chmodSync(file, 0o666)
  const result = await loadConfig(file)
  assert.ok(result.ok)
  assert.match(result.loaded.warnings.join('\n'), /Everybody may change .*chmod o-w/)
})

test('C3 of very many mistakes the first hundred are told, and how many there are', async (t) => {
  const config = `${twoNodes}timing:\n${many(500, (i) => `  k${i}: 1`)}\n`
  const problems = await problemsOf(t, { config })
  assert.equal(problems.length, 101)
  assert.match(problems[100] ?? '', /400 more problems begin here$/)
})
