/**
 * `npm run build`: makes a release, a tree that runs wherever it is copied
 * (docs/decisions/0014-release-bundle.md). What programs read or run lies at the places that it has
 * in a checkout, with `lib` for `src`.
 *
 * `build.ts DIR` makes it there instead of in `dist`. A release that is there is replaced; anything
 * else is left alone, and nothing is built.
 */
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { nodeFlags } from '../src/agent/install.ts'
import { startDouble } from '../test/fence/ipmi-double.ts'
import { admin } from '../test/fence/ipmi-sim.ts'
import { bundle, pieces, writeStart } from './bundle.ts'

const home = dirname(import.meta.dirname)
const node = `node-linux-${process.arch}`

/** What is started as a program or as a thread, from `src`. */
const programs = [
  ...['agent/main', 'recorder/main', 'cli/main', 'daemon/main'],
  ...['sim/worker', 'watchdog/thread', 'demo/client', 'demo/service'],
]

/** The flags of Node.js for each program that people start. None of them may change its code. */
const starts = {
  // Little is thrown away before a command ends: it hardly ever pays to look for it. Nobody debugs
  // a command while it runs, and nothing in it is WebAssembly.
  picket: {
    entry: 'cli/main',
    flags: ['--min-semi-space-size=16', '--disable-sigusr1', '--disable-wasm-trap-handler'],
  },
  picketd: { entry: 'daemon/main', flags: ['--max-semi-space-size=2'] },
} as const

/** What goes into a release as it is. */
const files = [
  ...['README.md', 'CHANGELOG.md', 'LICENSE', 'ARCHITECTURE.md', 'PROMISES.md', 'SECURITY.md'],
  ...['docs', 'examples', 'packaging/picketd.service', 'bin/node'],
  ...['packaging/picket-respond.service', 'packaging/gfs2-fencing.logrotate'],
  ...['packaging/needrestart.conf', 'packaging/unattended-upgrades.conf', 'packaging/picket_dlm'],
  // `picket demo` plays it where the real parts lack.
  'test/scenarios/demo.txt',
]

async function build(dir: string): Promise<void> {
  const there = existsSync(dir) ? readdirSync(dir) : []
  if (there.length > 0 && !existsSync(join(dir, 'lib/boot.cjs'))) {
    console.error(`${dir} holds something else than a release; name an empty folder.`)
    process.exit(2)
  }
  rmSync(dir, { recursive: true, force: true })
  const lib = join(dir, 'lib')
  mkdirSync(lib, { recursive: true })
  const bundled = [...programs, ...pieces].map(
    async (program) => [program, await bundle(program, lib)] as const,
  )
  const names = new Map(await Promise.all(bundled))
  for (const program of programs) writeStart(program, lib, names)
  cpSync(join(home, 'packaging/boot.cjs'), join(lib, 'boot.cjs'))
  for (const script of globSync('*/**/*.sh', { cwd: join(home, 'src'), exclude: ['bench/**'] })) {
    cpSync(join(home, 'src', script), join(lib, script))
  }
  for (const file of files) cpSync(join(home, file), join(dir, file), { recursive: true })
  for (const name of ['koffi', `@koromix/koffi-linux-${process.arch}`, node]) copy(name, dir)
  for (const name of Object.keys(starts)) writeScript(name as keyof typeof starts, dir)
  writeManifest(dir)
  writeLicences(dir)
  await keepCode(lib)
}

/** A package as it is installed here, without what only compilers and readers want. */
function copy(name: string, dir: string): void {
  const from = join(home, 'node_modules', name)
  const needless = /^\/(CHANGELOG\.md|README\.md|cnoke\.cjs|doc|include|lib|share|vendor|musl_\w+)$/
  cpSync(from, join(dir, 'node_modules', name), {
    recursive: true,
    filter: (path) => !needless.test(path.slice(from.length)) && !/\.(cc|hh|S|asm)$/.test(path),
  })
}

function writeScript(name: keyof typeof starts, dir: string): void {
  const { entry, flags } = starts[name]
  const text = readFileSync(join(home, 'packaging/start.sh'), 'utf8')
    .replace('@PROGRAM@', name)
    .replace('@ARCH@', process.arch)
    .replace('@FLAGS@', flags.join(' '))
    .replace('@ENTRY@', entry)
  writeFileSync(join(dir, 'bin', name), text, { mode: 0o755 })
}

/** `npm pack` and `npm install --global` take the tree as it is. */
function writeManifest(dir: string): void {
  const own = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  const { name, version, description, license, engines, bin, optionalDependencies } = own
  const manifest = {
    ...{ name, version, description, license, private: true, type: 'commonjs', engines, bin },
    dependencies: { koffi: own.dependencies.koffi },
    optionalDependencies,
  }
  writeFileSync(join(dir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Those of the packages that have become part of the bundles. */
function writeLicences(dir: string): void {
  const texts = ['yaml', 'zod'].map((name) => {
    const text = readFileSync(join(home, 'node_modules', name, 'LICENSE'), 'utf8')
    return `${name}\n\n${text.trim()}\n`
  })
  writeFileSync(join(dir, 'lib/LICENSES'), texts.join('\n\n'))
}

/**
 * Runs each command once, for the code that V8 compiles on its usual way. Not picketd: it starts
 * once, and ends without a word to Node.js.
 */
async function keepCode(lib: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'picket-build-'))
  const bmc = await startDouble()
  try {
    const config = writeConfig(work, bmc.port)
    await run(lib, ['config', 'check', config])
    for (const name of [
      'status',
      'devices',
      'confirm',
      'audit',
      'respond',
      'events',
      'demo',
      'lab',
      'simulate',
    ]) {
      await run(lib, [name, '--help'])
    }
    await run(lib, ['drivers'])
    const fence = (...words: readonly string[]) => ['fence', ...words, '--config', config]
    // No node can have such a name: what loads is what an order needs, and nobody is ever switched.
    await run(lib, fence('off', 'no/node'), [1, 2, 3])
    await run(lib, fence('off', 'machine', '--dry-run'))
    await run(lib, fence('check'))
    await run(lib, fence('status', 'machine'))
    const login = ['-a', '127.0.0.1', '-u', `${bmc.port}`, '-l', admin.name, '-p', admin.password]
    for (const action of ['metadata', 'monitor', 'off', 'on', 'status']) {
      await runAgent(lib, 'agent', ['fence_picket_ipmi', ...login, '-o', action])
    }
    const directories = ['--directory', join(work, 'requests'), '--log-dir', join(work, 'logs')]
    await runAgent(lib, 'recorder', ['fence_recorder', '-o', 'metadata'])
    // Nobody answers: what loads is what a fencing needs.
    const off = ['-o', 'off', '-n', 'machine', '--recorder-timeout', '1', ...directories]
    await runAgent(lib, 'recorder', ['fence_recorder', ...off], [1])
  } finally {
    await bmc.close()
    rmSync(work, { recursive: true, force: true })
  }
}

function writeConfig(dir: string, port: number): string {
  const config = join(dir, 'config.yaml')
  const secrets = join(dir, 'secrets.yaml')
  const fence = { driver: 'ipmi', host: '127.0.0.1', port }
  const cluster = { name: 'build', nodes: [{ name: 'machine', address: '192.0.2.1', fence }] }
  const resources = [
    { id: 'address', type: 'vip', address: '192.0.2.9/24', nodes: ['machine'] },
    { id: 'program', type: 'exec', run: ['/bin/true'], nodes: ['machine'] },
  ]
  const settings = { cluster, fence: { credentials_file: secrets }, resources }
  writeFileSync(config, stringify(settings), { mode: 0o600 })
  // In the other style of YAML.
  writeFileSync(secrets, JSON.stringify({ ipmi: { user: admin.name, password: admin.password } }), {
    mode: 0o600,
  })
  return config
}

function run(lib: string, words: readonly string[], codes: readonly number[] = [0]): Promise<void> {
  const { entry, flags } = starts.picket
  return keepRun([...flags, ...keeping, join(lib, `${entry}.js`), ...words], codes)
}

/** An agent with the flags of its launcher. */
function runAgent(
  lib: string,
  folder: 'agent' | 'recorder',
  words: readonly string[],
  codes?: readonly number[],
): Promise<void> {
  return keepRun([...nodeFlags, ...keeping, join(lib, folder, 'main.js'), ...words], codes)
}

const keeping = ['--require', join(import.meta.dirname, 'keep-code.cjs')]

function keepRun(argv: readonly string[], codes: readonly number[] = [0]): Promise<void> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => {
      if (code !== null && codes.includes(code)) done()
      else fail(new Error(`${argv.join(' ')} ended with ${code}: ${said}`))
    })
  })
}

const { positionals } = parseArgs({ allowPositionals: true })
const place = resolve(positionals[0] ?? join(home, 'dist'))
await build(place)
console.log(`${basename(place)}: a release for ${process.arch}`)
