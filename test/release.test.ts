/** A release, built from these sources and run far away from them. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

const home = join(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'picket-test-'))
const tree = join(work, 'a release')
const env = { PATH: '/usr/bin:/bin', HOME: work }

before(() => {
  const made = join(work, 'made')
  execFileSync(join(home, 'bin/node'), [join(home, 'bin/build.ts'), made], { cwd: work })
  renameSync(made, tree)
})
after(() => rmSync(work, { recursive: true, force: true }))

function start(program: string, ...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: '/', env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const picket = (...words: readonly string[]) => start(join(tree, 'bin/picket'), ...words)

/** What the sources say to the same words. */
const checkout = (...words: readonly string[]) => start(join(home, 'bin/picket'), ...words)

test('its programs tell their version, also through a link', () => {
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  assert.deepEqual(picket('--version'), { status: 0, stdout: `picket ${version}\n`, stderr: '' })
  const link = join(work, 'picketd')
  symlinkSync(join(tree, 'bin/picketd'), link)
  assert.deepEqual(start(link, '--version').stdout, `picketd ${version}\n`)
})

test('its commands answer as those of the checkout', () => {
  for (const words of [['--help'], ['drivers'], ['fence', '--help'], ['config', 'schema']]) {
    assert.deepEqual(picket(...words), checkout(...words), words.join(' '))
  }
})

function writeExample(): string {
  const secrets = join(work, 'secrets.yaml')
  cpSync(join(tree, 'examples/minimal.secrets.yaml'), secrets)
  chmodSync(secrets, 0o600)
  const file = join(work, 'minimal.yaml')
  const example = readFileSync(join(tree, 'examples/minimal.yaml'), 'utf8')
  writeFileSync(file, `${example}\nfence: { credentials_file: ${secrets} }\n`)
  return file
}

test('what a command loads when it is called for is there', () => {
  const config = ['--config', writeExample()]
  const state = ['--state', join(work, 'state')]
  const replayed = ['simulate', '--replay', join(work, 'no-journal')]
  for (const words of [
    ['fence', 'status', 'nobody', ...config],
    ['fence', 'check', 'nobody', ...config],
    ['fence', 'off', 'nobody', '--dry-run', ...config],
    ['fence', 'off', 'nobody', ...config, ...state],
    replayed,
  ]) {
    assert.deepEqual(picket(...words), checkout(...words), words.join(' '))
  }
})

test('A1 its agents are placed, and answer as those of the checkout, in no environment', () => {
  const sbin = join(work, 'sbin')
  assert.equal(picket('agents', 'install', '--dir', sbin).status, 0)
  const agent = (name: string, input: string) => {
    const options = { cwd: '/', env: {}, input, encoding: 'utf8' } as const
    const { status, stdout, stderr } = spawnSync(join(sbin, name), [], options)
    return { status, stdout, stderr }
  }
  const device = 'ip=127.0.0.1\nipport=1\nusername=a\npassword=b\nlogin_timeout=1\n'
  const main = join(home, 'src/agent/main.ts')
  for (const input of ['action=metadata\n', 'action=of\n', `${device}action=validate-all\n`]) {
    const options = { env, input, encoding: 'utf8' } as const
    const words = [main, 'fence_picket_ipmi']
    const { status, stdout, stderr } = spawnSync(join(home, 'bin/node'), words, options)
    assert.deepEqual(agent('fence_picket_ipmi', input), { status, stdout, stderr }, input)
  }
  const off = agent('fence_picket_ipmi', `${device}action=off\n`)
  assert.equal(off.status, 1)
  assert.match(off.stderr, /^Unable to connect\/login to fencing device: /)
})

test('it reads a configuration, and says what is wrong with one', () => {
  const file = writeExample()
  const checked = picket('config', 'check', file)
  assert.match(checked.stdout, /minimal\.yaml is valid/)
  assert.deepEqual(checked, checkout('config', 'check', file))

  const wrong = join(work, 'wrong.yaml')
  writeFileSync(wrong, 'cluster: { name: wrong, nodes: [{ name: a, fence: { driver: impi } }] }\n')
  const refused = picket('config', 'check', wrong)
  assert.equal(refused.status, 2)
  assert.match(refused.stderr, /"impi".*ipmi/)
  const daemon = start(join(tree, 'bin/picketd'), '--once-check', '--config', wrong)
  assert.equal(daemon.status, 2)
  assert.match(daemon.stderr, /picketd cannot start with/)
})

test('it simulates, in threads and in one life, and plays the demonstration', () => {
  const lives = picket('simulate', '--seeds', '3')
  assert.equal(lives.status, 0, lives.stderr)
  assert.match(lives.stdout, /^3 lives, 0 broke a promise/)
  assert.match(picket('demo', '--simulate').stdout, /Every promise held\./)
})

test('it holds what it runs by path, and nothing of where it was made', () => {
  const scripts = globSync('{lab,fence}/**/*.sh', { cwd: join(home, 'src') })
  const programs = ['demo/client.js', 'demo/service.js', 'sim/worker.js', 'daemon/main.js']
  for (const file of [...scripts, ...programs]) {
    assert.ok(existsSync(join(tree, 'lib', file)), file)
  }
  const text = globSync('{bin,lib}/**/*.{js,cjs,sh,bundle,code}', { cwd: tree })
    .map((file) => readFileSync(join(tree, file), 'latin1'))
    .join('\n')
  assert.ok(text.length > 1_000_000)
  assert.ok(!text.includes(`${home}/`), 'the path of the checkout is in it')
})

test('compiled code that is lost, cut, or damaged is not missed', () => {
  const asked = ['fence', 'status', 'nobody', '--config', writeExample()]
  for (const [piece, words] of [
    ['fence', ['fence', '--help']],
    ['devices', asked],
  ] as const) {
    const [code = ''] = globSync(`lib/cli/${piece}-*.code`, { cwd: tree })
    const said = checkout(...words)
    const whole = readFileSync(join(tree, code))
    const flipped = Buffer.from(whole)
    for (let at = 20_000; at < flipped.length; at += 30_000) flipped[at]! ^= 0xff
    const nearTheEnd = Buffer.from(whole)
    nearTheEnd[whole.length / 2 - 100]! ^= 1
    const cut = [whole.subarray(0, 900), whole.subarray(0, -1), whole.subarray(0, -2)]
    for (const bytes of ['', 'no code of anything', ...cut, flipped, nearTheEnd]) {
      writeFileSync(join(tree, code), bytes)
      assert.deepEqual(picket(...words), said)
    }
    rmSync(join(tree, code))
    assert.deepEqual(picket(...words), said)
  }
})

test('a checkout starts its sources, whatever was built', () => {
  for (const name of ['picket', 'picketd']) {
    const text = readFileSync(join(home, 'bin', name), 'utf8')
    assert.match(text, /\/src\/\w+\/main\.ts"/)
    assert.doesNotMatch(text, /dist|lib\//)
  }
})
