/** Checks on the code itself. A rule that no test holds is a wish. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import type { z } from 'zod'
import { commands } from '../src/cli/main.ts'
import { configSchema } from '../src/config/schema.ts'
import { driverNames, loadDriver } from '../src/fence/drivers/index.ts'
import { checkTypeNames, loadCheckType } from '../src/health/index.ts'
import { loadResourceType, resourceTypeNames } from '../src/resources/index.ts'
import { codeOf } from './source.ts'

const home = join(import.meta.dirname, '..')
const columns = 100
const fileLines = 400
const functionLines = 70

interface Source {
  readonly path: string
  readonly text: string
  /** The text with its comments and strings blanked out, line by line. */
  readonly code: string
}

const sources: readonly Source[] = globSync('{src,test,bin}/**/*.{ts,mjs}', { cwd: home })
  .sort()
  .map((path) => {
    const text = readFileSync(join(home, path), 'utf8')
    return { path, text, code: codeOf(text) }
  })
const inFolder = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`))
const core = inFolder('src/core')

test('code, comments, strings and templates are told apart', () => {
  const text = [
    "const a = `x §{f({ b: `await §{c}` })} it's http://Date` // Date",
    "const d = /[`']/.test('Date') /* Date",
    'Date */ + Date.now()',
  ].join('\n')
  const code = codeOf(text.replaceAll('§', '$'))
  assert.deepEqual(places([{ path: 'x', text, code }], /\b(Date|await|c)\b/), [
    'x:1: c',
    'x:3: Date',
  ])
  for (const { path, text: whole, code: read } of sources) {
    assert.equal(read.split('\n').length, whole.split('\n').length, `${path} cannot be read`)
  }
})

/** Every place where a pattern stands, as `path:line`, with what stands there. */
function places(from: readonly Source[], pattern: RegExp, read: 'text' | 'code' = 'code') {
  return from.flatMap((source) =>
    source[read].split('\n').flatMap((line, index) => {
      const found = line.match(pattern)
      return found ? [`${source.path}:${index + 1}: ${found[0].trim()}`] : []
    }),
  )
}

const none = (found: readonly string[], rule: string) =>
  assert.deepEqual(found, [], `${rule}:\n${found.join('\n')}`)

/**
 * The arrows of ARCHITECTURE.md: what a folder may import besides itself. `cli` and `agent` stand on
 * top: of them others take what agents are called and how they are spoken to. What decides imports
 * nothing at all.
 */
const imports: Readonly<Record<string, readonly string[]>> = {
  core: [],
  net: ['core'],
  foreign: [],
  corosync: ['core', 'net'],
  fence: ['core', 'net', 'foreign'],
  dbus: [],
  resources: ['core', 'net', 'foreign', 'dbus'],
  health: ['foreign', 'fence', 'resources'],
  audit: [],
  watchdog: [],
  config: ['core', 'foreign', 'fence', 'resources', 'health'],
  porting: ['core', 'foreign', 'fence', 'config', 'agent'],
  daemon: [
    ...['core', 'audit', 'net', 'foreign', 'corosync', 'health', 'fence', 'resources', 'config'],
    'watchdog',
  ],
  // A third agent: it reads what it is given, and tells of itself, as the others do.
  recorder: ['audit', 'foreign', 'fence', 'daemon', 'config', 'agent'],
  respond: ['audit', 'foreign', 'daemon', 'recorder'],
  sim: ['core'],
  drill: ['core', 'config', 'sim'],
  lab: ['core', 'net', 'corosync', 'fence', 'resources', 'config', 'daemon'],
  demo: ['core', 'net', 'config', 'daemon', 'lab', 'sim'],
  bench: [
    ...['core', 'net', 'foreign', 'fence', 'config', 'daemon', 'lab', 'demo'],
    ...['recorder', 'respond'],
  ],
  soak: ['core', 'daemon', 'sim', 'lab', 'demo'],
  // The other face: `cli` places the agents, and they speak to picketd as it does.
  agent: ['core', 'net', 'foreign', 'fence', 'config', 'daemon', 'cli', 'recorder'],
  cli: [
    'agent',
    'core',
    'audit',
    'net',
    'foreign',
    'fence',
    'resources',
    'config',
    'porting',
    'daemon',
    'recorder',
    'respond',
    'sim',
    'drill',
    'lab',
    'demo',
    'bench',
  ],
}

/** What a file imports, as paths from the top, or as the name of a package. */
function importsOf({ path, text }: Source): readonly string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)
  return [...found].map(([, from = '']) =>
    from.startsWith('.') ? relative(home, join(home, path, '..', from)) : from,
  )
}

test('a folder imports only what the architecture allows it', () => {
  for (const source of inFolder('src')) {
    const folder = source.path.split('/')[1] ?? ''
    const allowed = imports[folder]
    assert.ok(allowed, `say in tidy.test.ts what src/${folder} may import`)
    const foreign = importsOf(source)
      .filter((from) => from.startsWith('src/'))
      .map((from) => from.split('/')[1] ?? '')
      .filter((from) => from !== folder && !allowed.includes(from))
    none(foreign, `${source.path} imports what src/${folder} may not`)
  }
})

test('nothing imports a test or a program', () => {
  for (const source of inFolder('src')) {
    none(
      importsOf(source).filter((from) => /^(test|bin|examples)\//.test(from)),
      source.path,
    )
  }
})

test('the core imports only the core: no package and nothing of Node.js', () => {
  assert.ok(core.length > 5)
  for (const source of core) {
    none(
      importsOf(source).filter((from) => !/^src\/core\/[\w-]+\.ts$/.test(from)),
      source.path,
    )
  }
})

test('the core reads no clock, draws no lot, waits for nothing, tells nobody', () => {
  const words = [
    ...['Date', 'performance', 'process', 'globalThis', 'console', 'crypto', 'fetch', 'require'],
    ...['await', 'async', 'Promise', 'setTimeout', 'setInterval', 'setImmediate'],
    ...['queueMicrotask', 'import\\.meta', 'Math\\.random'],
  ]
  const impure = new RegExp(`\\b(${words.join('|')})\\b|\\bimport\\(`)
  none(places(core, impure), 'the core is pure')
})

test('the core throws away no failure: it has no catch', () => {
  none(places(core, /\bcatch\b/), 'a throw in the core ends the process')
})

test('every name of a time in the core carries its unit', () => {
  const bare = /\b\w*(timeout|delay|interval|deadline|grace|duration|elapsed|age)\??: number\b/i
  none(places(core, bare), 'names of times end in Ms')
  const everywhere = /\b\w*(timeout|delay|interval|deadline|duration|elapsed)\??: number\b/i
  none(places(inFolder('src'), everywhere), 'names of times end in Ms')
})

test(`lines have at most ${columns} columns, so that two files fit side by side`, () => {
  const long = sources.flatMap(({ path, text, code }) => {
    // A text that a test expects, or a title, stands as it is, however long.
    const measured = path.startsWith('test/')
      ? code.replace(/(?<=\S) {2,}|^ +(?=\S{0,3}$)/gm, ' ')
      : text
    const shown = text.split('\n')
    return measured.split('\n').flatMap((line, index) => {
      const count = [...line.trimEnd()].length
      return count > columns ? [`${path}:${index + 1}: ${count} ${shown[index]?.trim()}`] : []
    })
  })
  none(long, 'break these lines')
})

test(`files have at most ${fileLines} lines`, () => {
  const long = sources
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > fileLines)
  none(
    long.map(({ path, lines }) => `${path}: ${lines}`),
    'one room, or several?',
  )
})

test(`functions have at most ${functionLines} lines`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'picket-tidy-'))
  try {
    const rule = { level: 'error', options: { maxLines: functionLines } }
    const rules = { preset: 'none', complexity: { noExcessiveLinesPerFunction: rule } }
    writeFileSync(join(dir, 'biome.json'), JSON.stringify({ linter: { rules } }))
    const biome = join(home, 'node_modules/@biomejs/biome/bin/biome')
    const args = ['lint', `--config-path=${dir}`, '--reporter=github', 'src', 'bin']
    const ran = spawnSync(process.execPath, [biome, ...args], { cwd: home, encoding: 'utf8' })
    assert.equal(ran.error, undefined)
    const found = ran.stdout.split('\n').filter((line) => line.startsWith('::error'))
    none(
      found.map((line) => line.replace(/^.*file=([^,]+),line=(\d+).*::/, '$1:$2: ')),
      'cut these in two',
    )
    assert.equal(ran.status, 0, ran.stderr)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('nothing is silenced, skipped for good or left for later', () => {
  const silenced = ['@ts-' + 'ignore', '@ts-' + 'nocheck', 'biome-' + 'ignore']
  none(places(sources, new RegExp(silenced.join('|')), 'text'), 'mend what it hides')
  const later = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`)
  none(places(sources, later, 'text'), 'do it, or take it out')
  none(places(sources, /\b(test|it|describe)\.(only|todo)\b/), 'a test runs')
  const loose = 'an' + 'y'
  none(places(sources, new RegExp(`: ${loose}\\b|\\bas ${loose}\\b|<${loose}>`)), 'say which type')
})

test('codes and secrets are compared in constant time', () => {
  const early = places(inFolder('src/fence'), /\.equals\(|\bcompare\(/)
  none(early, 'use timingSafeEqual: the time would tell how much was right')
})

test('no file holds a path of the machine that it was written on', () => {
  const folders = ['wo' + 'rk', 'fa' + 'rm', 'ho' + 'me/\\w+', 'Us' + 'ers']
  const path = new RegExp(`(^|[\\s'"\`(=:])/(${folders.join('|')})/`)
  const files = globSync('**/*', { cwd: home, exclude: ['node_modules', '.git'] })
    .filter((file) => /\.(ts|mjs|md|ya?ml|json|sh|txt|conf|service)$|^(bin|\.ci)\//.test(file))
    .map((file) => ({ path: file, text: readText(file), code: '' }))
  assert.ok(files.length > sources.length / 2)
  none(places(files, path, 'text'), 'write it relative, or with a variable')
})

function readText(file: string): string {
  try {
    return readFileSync(join(home, file), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return ''
    throw error
  }
}

test('every file opens with what it is for', () => {
  const files = sources.filter(({ path }) => !path.endsWith('.test.ts'))
  none(
    files.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path),
    'a file opens with a paragraph',
  )
})

test('everything that the core exports is explained', () => {
  const unexplained = core.flatMap(({ path, text }) => {
    const lines = text.split('\n')
    return lines.flatMap((line, index) => {
      const name = /^export (?:async )?(?:function|const|class) (\w+)/.exec(line)?.[1]
      // `onPower` says it all: what the machine does with that news.
      if (name === undefined || /^on[A-Z]/.test(name)) return []
      if (/\*\/\s*$/.test(lines[index - 1] ?? '')) return []
      return [`${path}:${index + 1}: ${name}`]
    })
  })
  none(unexplained, 'write a docstring')
})

/** The options of a schema that have no title, also in the maps and lists below it. */
function untitled(schema: unknown, path: string): readonly string[] {
  const { shape, element, unwrap, meta } = schema as {
    shape?: Record<string, unknown>
    element?: unknown
    unwrap?: () => unknown
    meta?: () => { title?: unknown } | undefined
  }
  if (shape !== undefined) {
    return Object.entries(shape).flatMap(([key, option]) => {
      const below = untitled(option, `${path}.${key}`)
      const title = (option as z.ZodType).meta()?.title
      const isGroup = hasShape(option)
      return isGroup || typeof title === 'string' ? below : [`${path}.${key}`, ...below]
    })
  }
  if (element !== undefined) return untitled(element, `${path}[]`)
  if (typeof unwrap === 'function' && typeof meta === 'function') return untitled(unwrap(), path)
  return []
}

/** A map of options explains itself through them. */
function hasShape(option: unknown): boolean {
  const { shape, element, unwrap } = option as {
    shape?: unknown
    element?: unknown
    unwrap?: () => unknown
  }
  if (shape !== undefined) return true
  if (element !== undefined) return hasShape(element)
  return typeof unwrap === 'function' && hasShape(unwrap())
}

test('every option of the configuration has a title', () => {
  none(untitled(configSchema, 'config'), 'give it a .meta({ title }), as the last call')
})

test('every option of a driver, of a resource type and of a check has a title', async () => {
  for (const name of driverNames) {
    none(untitled((await loadDriver(name)).options, name), 'give it a .meta({ title }) last')
  }
  for (const name of resourceTypeNames) {
    none(untitled((await loadResourceType(name)).options, name), 'give it a .meta({ title }) last')
  }
  for (const name of checkTypeNames) {
    none(untitled((await loadCheckType(name)).options, name), 'give it a .meta({ title }) last')
  }
})

test('every driver is in the list', () => {
  const defined = inFolder('src/fence/drivers').filter(({ text }) => /= defineDriver\(/.test(text))
  none(
    defined
      .filter(({ text }) => !driverNames.includes(/^ {2}name: '([\w-]+)'/m.exec(text)?.[1] ?? ''))
      .map(({ path }) => path),
    'a line in src/fence/drivers/index.ts is missing, or its name is another one there',
  )
})

test('every driver and every resource type has a test of its own', () => {
  const missing = [
    ...driverNames.map((name) => `test/fence/${name}.test.ts`),
    ...resourceTypeNames.map((name) => `test/resources/${name}.test.ts`),
    ...checkTypeNames.map((name) => `test/health/${name}.test.ts`),
  ].filter((file) => !existsSync(join(home, file)))
  none(missing, 'write it; that of a driver calls `contract(...)` of test/fence/contract.ts')
  const tests = inFolder('test/fence').map(({ code }) => code)
  const untried = inFolder('src/fence/drivers').flatMap(({ text }) => {
    const [, driver] = /^export const (\w+) = defineDriver\(/m.exec(text) ?? []
    const call = new RegExp(`^contract\\(${driver}\\b`, 'm')
    return driver === undefined || tests.some((code) => call.test(code)) ? [] : [driver]
  })
  none(untried, 'call `contract(...)` with it')
})

const documents = [
  ...globSync('*.md', { cwd: home }),
  ...globSync('docs/**/*.md', { cwd: home }),
].map((path) => readFileSync(join(home, path), 'utf8'))

test('the documents name every command', { skip: documents.length === 0 && 'none yet' }, () => {
  const all = documents.join('\n')
  none(
    Object.keys(commands).filter((name) => !all.includes(`picket ${name}`)),
    'write a sentence about it',
  )
})
