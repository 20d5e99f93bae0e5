/**
 * What stands before `npm run demo` and `npm test`: does what is missing, and says nothing else.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folder } from '../config/files.ts'
import { notRoot } from '../needs.ts'

const home = join(import.meta.dirname, '..', '..')
const debian = 'src/lab/debian.json'

/** A checkout whose packages are those of the lock file, and an npm that writes down its words. */
function checkout(t: TestContext, npmExit = 0): Checkout {
  const dir = folder(t, {})
  for (const name of ['bin', 'package.json', 'package-lock.json', '.npmrc', debian]) {
    cpSync(join(home, name), join(dir, name), { recursive: true })
  }
  mkdirSync(join(dir, 'node_modules', '.bin'), { recursive: true })
  mkdirSync(join(dir, 'tools'))
  const lock = JSON.parse(readFileSync(join(dir, 'package-lock.json'), 'utf8'))
  writeFileSync(
    join(dir, 'node_modules', '.package-lock.json'),
    JSON.stringify({ packages: lock.packages }),
  )
  const npm = `#!/bin/sh\necho "$*" >>'${dir}/npm.log'\necho "npm says this"\nexit ${npmExit}\n`
  for (const [place, text] of [
    ['tools/npm', npm],
    // npm must not run on the Node.js that it is about to replace.
    ['node_modules/.bin/npm', '#!/bin/sh\nexit 99\n'],
  ] as const) {
    writeFileSync(join(dir, place), text)
    chmodSync(join(dir, place), 0o755)
  }
  return {
    dir,
    run(purpose = 'npm') {
      const PATH = `${dir}/node_modules/.bin:${dir}/tools:/usr/sbin:/usr/bin:/sbin:/bin`
      const script = join(dir, 'bin', 'setup.mjs')
      const ran = spawnSync(process.execPath, [script, purpose], {
        env: { PATH },
        encoding: 'utf8',
        timeout: 60_000,
      })
      return { code: ran.status, out: ran.stdout, err: ran.stderr }
    },
    npm: () => readFileSync(join(dir, 'npm.log'), { encoding: 'utf8', flag: 'a+' }),
  }
}

interface Checkout {
  readonly dir: string
  run(purpose?: 'npm' | 'demo' | 'test'): Ran
  npm(): string
}

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

test('where everything is there, it does nothing and says nothing, whatever the dates', (t) => {
  const { dir, run, npm } = checkout(t)
  utimesSync(join(dir, 'package-lock.json'), new Date(), new Date(Date.now() + 3_600_000))
  const { code, out, err } = run()
  assert.deepEqual([code, out, err], [0, '', ''])
  assert.equal(npm(), '')
})

test('packages of other platforms are not missed', (t) => {
  const { dir, run, npm } = checkout(t)
  const file = join(dir, 'node_modules', '.package-lock.json')
  const { packages } = JSON.parse(readFileSync(file, 'utf8'))
  const kept = Object.entries<{ optional?: boolean }>(packages).filter(([, p]) => !p.optional)
  assert.ok(kept.length < Object.keys(packages).length)
  writeFileSync(file, JSON.stringify({ packages: Object.fromEntries(kept) }))
  assert.equal(run().code, 0)
  assert.equal(npm(), '')
})

test('packages that differ from the lock file are installed, with the reason', (t) => {
  const { dir, run, npm } = checkout(t)
  const file = join(dir, 'node_modules', '.package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  lock.packages['node_modules/zod'].version = '0.0.1'
  writeFileSync(file, JSON.stringify(lock))
  const { code, out } = run()
  assert.equal(code, 0)
  assert.match(out, /^setup: Installing the npm packages \(zod differs from the lock file\)/)
  assert.equal(npm(), 'install --no-save --include=dev --include=optional\n')
})

test('where npm fails it ends with 1 and what npm said', (t) => {
  const { dir, run } = checkout(t, 7)
  writeFileSync(join(dir, 'node_modules', '.package-lock.json'), '{')
  const { code, out, err } = run()
  assert.equal(code, 1)
  assert.match(out, /\(there are none\)/)
  assert.match(err, /npm says this\nsetup: `npm install` in .* failed/)
})

/** Lets apt know one package and no other; gives what it was told to install. */
function aptWith(dir: string, known: string): () => string {
  const cache = `printf '${known}:\n  Installed: (none)\n  Candidate: 1.0-1\n'`
  const get = `echo "$*" >>'${dir}/apt.log'`
  for (const [name, script] of [
    ['apt-cache', cache],
    ['apt-get', get],
  ] as const) {
    writeFileSync(join(dir, 'tools', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  return () => readFileSync(join(dir, 'apt.log'), { encoding: 'utf8', flag: 'a+' })
}

test('a test run installs what tests need, and a package that is nowhere fails no other', {
  skip: notRoot || (!existsSync('/usr/bin/apt-get') && 'needs apt-get: it tries it on Debian'),
}, (t) => {
  const { dir, run } = checkout(t)
  writeFileSync(
    join(dir, debian),
    JSON.stringify({
      demo: { sh: 'dash' },
      test: {
        'no-such-a': 'picket-gone',
        'no-such-b': 'picket-new | picket-old',
        '/no/c': 'x | y',
      },
    }),
  )
  const installed = aptWith(dir, 'picket-old')
  const demo = run('demo')
  assert.deepEqual([demo.code, demo.out, demo.err, installed()], [0, '', '', ''])
  const { code, out } = run('test')
  assert.equal(code, 0)
  assert.match(out, /do not name picket-gone, y: the tests that need them are skipped\.$/m)
  assert.match(out, /^setup: Installing the Debian packages picket-old …$/m)
  assert.match(installed(), /^-q -y --no-install-recommends \S+ \S+ install picket-old\n$/)
})

test('the lock file holds no host, and a Node.js for both architectures', () => {
  const text = readFileSync(join(home, 'package-lock.json'), 'utf8')
  assert.doesNotMatch(text, /"resolved"/)
  const { packages } = JSON.parse(text)
  for (const arch of ['x64', 'arm64']) {
    assert.ok(packages[`node_modules/node-linux-${arch}`].integrity, arch)
  }
})

test('setup is written for the Node.js of Debian 12', () => {
  const text = readFileSync(join(home, 'bin', 'setup.mjs'), 'utf8')
  // What came after Node.js 18 and is tempting.
  assert.doesNotMatch(text, /import\.meta\.(dirname|filename|main)|withResolvers|toSorted|\.ts'/)
})
