/** The frame of the command line: help, version, mistakes, exit codes, and a quick start. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { commands } from '../../src/cli/main.ts'
import { picket, program } from './picket.ts'

test('--version prints the version of the package', async () => {
  const packageFile = join(import.meta.dirname, '..', '..', 'package.json')
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8'))
  const { code, out, err } = await picket(['--version'])
  assert.deepEqual({ code, out, err }, { code: 0, out: `picket ${version}\n`, err: '' })
})

test('--help lists every command, and help COMMAND is its own help', async () => {
  const { code, out } = await picket(['--help'])
  assert.equal(code, 0)
  for (const name of Object.keys(commands)) assert.match(out, new RegExp(`^  ${name} `, 'm'))
  const direct = await picket(['config', '--help'])
  const asked = await picket(['help', 'config'])
  assert.equal(direct.code, 0)
  assert.equal(direct.out, asked.out)
  assert.match(direct.out, /^Usage: picket config/)
})

test('a slow reader of a pipe gets all of it', async () => {
  const whole = (await picket(['config', 'schema'])).out
  assert.ok(whole.length > 65_536, 'longer than what a pipe takes at once')
  const command = `"${program}" config schema | { sleep 0.5; cat; }`
  assert.equal(execFileSync('sh', ['-c', command], { encoding: 'utf8' }), whole)
})

for (const name of Object.keys(commands)) {
  test(`picket ${name} --help explains it, on lines that fit a terminal`, async () => {
    const { code, out, err } = await picket([name, '--help'])
    assert.equal(code, 0, err)
    assert.match(out, new RegExp(`^Usage: picket ${name}\\b`))
    for (const line of out.split('\n')) assert.ok(line.length <= 100, line)
  })
}

const mistakes: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [[], /^Usage: picket COMMAND/],
  [['statsu'], /there is no command "statsu"\. Did you mean status\?/],
  [['--versoin'], /Did you mean --version\?/],
  [['constructor'], /there is no command "constructor"/],
  [['__proto__'], /there is no command "__proto__"/],
  [['status', '--jsno'], /there is no option --jsno\. Did you mean --json\?/],
  [['status', 'extra'], /"extra" is one word too many/],
  [['status', '--json=yes'], /--json is a switch and takes no value/],
  [['status', '--socket'], /--socket needs a value: --socket PATH/],
  [['status', '--socket', '--json'], /--socket needs a value/],
  [['status', '-j'], /there is no option -j/],
  [['status', '--', '--help'], /"--help" is one word too many/],
  [['config'], /check\|show\|schema is missing/],
  [['config', 'chekc'], /there is no action "chekc"\. Did you mean check\?/],
  [['fence', 'off'], /NODE is missing/],
  [['fence', 'of', 'a'], /there is no action "of"\. Did you mean off\?/],
]

for (const [args, says] of mistakes) {
  test(`a mistake ends with 2 and a hint: picket ${args.join(' ')}`, async () => {
    const { code, out, err } = await picket(args)
    assert.equal(code, 2)
    assert.equal(out, '')
    assert.match(err, says)
    assert.doesNotMatch(err, /^\s+at /m, 'a stack trace')
  })
}

test('it starts through a link, from any folder, by a name without a folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'picket-link-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'bin'))
  symlinkSync(program, join(dir, 'once'))
  symlinkSync('../once', join(dir, 'bin', 'picket'))
  for (const argv0 of [join(dir, 'once'), join(dir, 'bin', 'picket')]) {
    assert.equal((await picket(['--version'], { argv0 })).code, 0, argv0)
  }
  const PATH = `${join(dir, 'bin')}:${process.env.PATH}`
  assert.equal(
    (await picket(['-c', 'cd / && picket --version'], { argv0: 'sh', env: { PATH } })).code,
    0,
  )
})

/** A copy of the checkout without its packages. */
function bareCheckout(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'picket-bare-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const home = join(import.meta.dirname, '..', '..')
  for (const name of ['bin', 'src', 'package.json']) {
    cpSync(join(home, name), join(dir, name), { recursive: true })
  }
  return dir
}

test('without a Node.js that is new enough it says in one sentence what to do', async (t) => {
  const dir = bareCheckout(t)
  mkdirSync(join(dir, 'old'))
  writeFileSync(join(dir, 'old', 'node'), '#!/bin/sh\necho v18.20.4\n', { mode: 0o755 })
  const argv0 = join(dir, 'bin', 'picket')
  const old = await picket(['--version'], { argv0, env: { PATH: `${dir}/old:/usr/bin:/bin` } })
  assert.equal(old.code, 1)
  assert.match(
    old.err,
    /^picket needs Node\.js 24 or newer and found v18\.20\.4: run `npm install`/,
  )
  assert.equal(old.err.trim().split('\n').length, 1)
  // Its own folder first in PATH: it must not take itself for a Node.js.
  const self = await picket(['--version'], { argv0, env: { PATH: `${dir}/bin:${dir}/old:/bin` } })
  assert.equal(self.code, 1)
})

test('what has to answer at once needs no package: no schema, no YAML, no native library', async (t) => {
  const dir = bareCheckout(t)
  const argv0 = join(dir, 'bin', 'picket')
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }
  const socket = join(dir, 'no.sock')
  const calls: readonly (readonly [code: number, says: RegExp, args: readonly string[]])[] = [
    [0, /^picket \d/, ['--version']],
    [0, /^Usage/, ['--help']],
    [2, /there is no command/, ['statsu']],
    [0, /^Usage/, ['status', '--help']],
    [0, /^Usage/, ['fence', '--help']],
    [0, /^Usage/, ['config', '--help']],
    [1, /picketd is not running/, ['status', '--socket', socket]],
    [1, /picketd is not running/, ['fence', 'off', 'a', '--yes', '--socket', socket]],
  ]
  for (const [code, says, args] of calls) {
    const ran = await picket(args, { argv0, env })
    assert.equal(ran.code, code, ran.err)
    assert.match(ran.out + ran.err, says)
  }
  // And the proof that this would notice: the configuration needs both.
  const { err } = await picket(['config', 'check'], { argv0, env })
  assert.match(err, /Cannot find package '(yaml|zod)'/)
})
