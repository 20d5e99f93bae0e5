/** The documents say what is so: links, names, commands, options, examples and ids are checked. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { commands } from '../src/cli/main.ts'
import { keysOf } from '../src/config/merge.ts'
import { driverNames, loadDriver } from '../src/fence/drivers/index.ts'
import { checkTypeNames } from '../src/health/index.ts'
import { resourceTypeNames } from '../src/resources/index.ts'
import { invariants } from '../src/sim/invariants.ts'
import { mutants } from '../src/sim/mutants/index.ts'
import { settles } from '../src/sim/promises-liveness.ts'
import { load } from './config/files.ts'
import { deviceFlagsIn, helpOf, referenceOf } from './reference.ts'

const home = join(import.meta.dirname, '..')
const columns = 100
const decisionLines = 45

interface Document {
  readonly path: string
  /** As `UPDATE=1` leaves it. */
  text: string
  /** Without the parts that follow from the code. */
  readonly written: string
}

const part = /(<!-- reference: ([\w -]+) -->\n)([\s\S]*?)(<!-- end -->)/g

const documents: readonly Document[] = [...globSync('*.md', { cwd: home }), ...inDocs()].map(
  (path) => {
    const text = read(path)
    return { path, text, written: text.replace(part, '') }
  },
)

function inDocs(): readonly string[] {
  return globSync('docs/**/*.md', { cwd: home }).sort()
}

function read(path: string): string {
  return readFileSync(join(home, path), 'utf8')
}

function documentAt(path: string): Document {
  const found = documents.find((document) => document.path === path)
  assert.ok(found, `${path} is missing`)
  return found
}

const none = (found: readonly string[], rule: string) =>
  assert.deepEqual(found, [], `${rule}:\n${found.join('\n')}`)

/** All matches of a pattern in all documents, each with its document. */
function matches(pattern: RegExp, among = documents) {
  return among.flatMap(({ path, written }) =>
    [...written.matchAll(pattern)].map((match) => ({ path, match })),
  )
}

/** What stands in code: spans, and the lines of blocks. */
function codeOf({ written }: Document): readonly string[] {
  const blocks = [...written.matchAll(/```\w*\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const prose = written.replace(/```[\s\S]*?```/g, '')
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replace(/\s+/g, ' '))
  return [...blocks.flatMap((block) => block.split('\n')), ...spans]
}

test('what follows from the code is as the code says; UPDATE=1 writes it', async () => {
  for (const document of documents) {
    const { path, text } = document
    let fresh = text
    for (const [whole, head = '', name = '', , tail = ''] of text.matchAll(part)) {
      const content = await referenceOf(name)
      assert.ok(content, `${path}: there is no reference "${name}"`)
      fresh = fresh.replace(whole, () => `${head}\n${content}\n\n${tail}`)
    }
    if (process.env.UPDATE) {
      writeFileSync(join(home, path), fresh)
      document.text = fresh
    } else assert.equal(text, fresh, `${path}: UPDATE=1 bin/node --test test/docs.test.ts`)
  }
})

test(`lines have at most ${columns} columns, but for tables`, () => {
  const long = documents.flatMap(({ path, written }) =>
    written.split('\n').flatMap((line) => {
      const isTable = line.startsWith('|')
      return !isTable && [...line].length > columns ? [`${path}: ${line}`] : []
    }),
  )
  none(long, 'break these lines')
})

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  const plain = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '')
  return plain.trim().replace(/\s/g, '-')
}

test('every link leads to a file that is there, and to a heading in it', () => {
  const dead = matches(/\]\(([^)\s]+)\)/g).flatMap(({ path, match: [, target = ''] }) => {
    if (/^https?:/.test(target)) return []
    const [file = '', anchor] = target.split('#')
    const at = file === '' ? path : relative(home, join(home, dirname(path), file))
    if (!existsSync(join(home, at))) return [`${path}: ${target}`]
    if (anchor === undefined) return []
    const headings = [...read(at).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchorOf(text))
    return headings.includes(anchor) ? [] : [`${path}: ${target} (no such heading)`]
  })
  none(dead, 'these lead nowhere')
})

test('a link under the name of a function leads to a file that has it', () => {
  const links = matches(/\[`(\w+)`\]\(([^)#]+\.ts)\)/g)
  assert.ok(links.length > 20)
  const wrong = links.flatMap(({ path, match: [, name = '', file = ''] }) =>
    new RegExp(`\\b${name}\\b`).test(read(join(dirname(path), file))) ? [] : [`${path}: ${name}`],
  )
  none(wrong, 'there is no such name')
})

test('every path of the checkout that is named is there', () => {
  const path = /(?<![\w/.])(?:src|test|docs|bin|examples|packaging)\/[\w./*-]*[\w*]/g
  const missing = documents.flatMap((document) =>
    codeOf(document)
      .flatMap((code) => [...code.matchAll(path)].map(([name]) => name))
      .filter((name) => !name.includes('NAME') && globSync(name, { cwd: home }).length === 0)
      .map((name) => `${document.path}: ${name}`),
  )
  none(missing, 'there is no such file')
})

test('ARCHITECTURE.md names every folder and every file of the core', () => {
  const { text } = documentAt('ARCHITECTURE.md')
  const folders = readdirSync(join(home, 'src'))
  none(
    folders.filter((name) => !text.includes(`── ${name}/`)),
    'say what is in it',
  )
  const files = readdirSync(join(home, 'src/core'))
  none(
    files.filter((name) => !new RegExp(`[\\s]${name.replace('.', '\\.')}\\b`).test(text)),
    'say what is in it',
  )
})

test('every command of picket that is named exists, with its action and its options', async () => {
  const wrong: string[] = []
  for (const document of documents) {
    const lines = codeOf(document).flatMap((code) => code.split(' -- '))
    const calls = lines.flatMap((line) => [
      ...line.matchAll(/(?:^|[\s`(])(?:\S*bin\/)?(picketd?)(?: +([^`#;]*))?/g),
    ])
    for (const [call, program = '', rest = ''] of calls) {
      const words = rest.trim().split(/\s+/)
      const name = program === 'picketd' ? program : (words[0] ?? '')
      if (name !== 'picketd' && !/^[a-z]+$/.test(name)) continue
      if (name !== 'picketd' && !Object.hasOwn(commands, name)) {
        wrong.push(`${document.path}: ${call.trim()}`)
        continue
      }
      const help = `${await helpOf(name)}${await deviceFlagsIn(words)}`
      const options = words
        .filter((word) => word.startsWith('--'))
        .map((word) => word.split('=')[0])
      const action = /^(fence|config|lab|audit|agents)$/.test(name) ? words[1] : undefined
      const named = [...options, ...(action && /^[a-z]+$/.test(action) ? [action] : [])]
      for (const word of named) {
        const known = new RegExp(`(^|[\\s|[])${word}([\\s|\\]]|$)`, 'm').test(help)
        if (!known) wrong.push(`${document.path}: ${call.trim()} (${word})`)
      }
    }
  }
  none(wrong, 'there is no such command, action or option')
})

test('every command is explained by its own help', () => {
  const { text } = documentAt('docs/commands.md')
  const missing = [...Object.keys(commands), 'picketd'].filter(
    (name) => !text.includes(`<!-- reference: help ${name} -->`),
  )
  none(missing, 'add a reference')
})

test('every script of npm that is named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = matches(/npm run ([\w:]+)/g).map(({ match: [, name = ''] }) => name)
  assert.ok(named.length > 5)
  none(
    named.filter((name) => scripts[name] === undefined),
    'there is no such script',
  )
})

test('every variable of the environment is explained', () => {
  const sources = globSync('src/**/*.ts', { cwd: home }).map(read).join('\n')
  const named = new Set(sources.match(/\bPICKET_(?!SCOPE\b)[A-Z_]+\b/g))
  const all = documents.map(({ text }) => text).join('\n')
  none(
    [...named].filter((name) => !all.includes(name)),
    'say what it does',
  )
})

test('every driver has a page with all of its options, every resource type has its table', async () => {
  for (const name of driverNames) {
    const { text } = documentAt(`docs/drivers/${name}.md`)
    for (const reference of [`driver ${name}`, `capabilities ${name}`]) {
      const head = `<!-- reference: ${reference} -->`
      const lacks = `docs/drivers/${name}.md lacks the lines "${head}" and "<!-- end -->"`
      assert.ok(text.includes(head), `${lacks}; UPDATE=1 fills in what stands between them`)
    }
    const keys = keysOf(await loadDriver(name))
    none(
      keys.filter((key) => !text.includes(`\`${key}\``)),
      `docs/drivers/${name}.md lacks options`,
    )
  }
  const { text } = documentAt('docs/operating.md')
  assert.ok(text.includes('<!-- reference: config -->'))
  none(
    resourceTypeNames.filter((name) => !text.includes(`<!-- reference: resource ${name} -->`)),
    'docs/operating.md lacks resource types',
  )
  const lacks = (name: string) => !text.includes(`<!-- reference: check ${name} -->`)
  none(checkTypeNames.filter(lacks), 'docs/operating.md lacks types of checks')
})

/** The YAML blocks of a document. */
function yamlOf({ text }: Document): readonly string[] {
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block)
}

test('the configuration of the README is examples/minimal.yaml', () => {
  const [config, secrets] = yamlOf(documentAt('README.md'))
  assert.equal(config, read('examples/minimal.yaml'))
  assert.equal(secrets, read('examples/minimal.secrets.yaml'))
})

/** The secrets file that a page shows for its configuration, or else the smallest. */
function secretsOf({ text }: Document): string {
  const shown = /```text\n(# \/etc\/picket\/fence-secrets\.yaml[\s\S]*?)```/.exec(text)?.[1]
  return shown ?? read('examples/minimal.secrets.yaml')
}

for (const document of documents.filter(({ path }) => path.startsWith('docs/'))) {
  for (const [index, block] of yamlOf(document).entries()) {
    test(`configuration ${index + 1} of ${document.path} is accepted`, async (t) => {
      // A section alone is read with the rest of the smallest cluster.
      const whole = { ...(parse(read('examples/minimal.yaml')) as object), ...parse(block) }
      const { core } = await load(t, { config: stringify(whole), secrets: secretsOf(document) })
      for (const node of core.nodes) assert.ok(node.levels.length > 0, node.id)
    })
  }
}

/** Source as people hear it: strings that are put together joined, what is filled in as `…`. */
function spoken(paths: string): string {
  let text = globSync(paths, { cwd: home }).map(read).join('\n')
  for (let before = ''; before !== text; ) {
    before = text
    text = text.replace(/\$\{[^{}]*\}/g, '…')
  }
  return text.replace(/['`"]\s*\+\s*['`"]/g, '').replace(/\\'/g, "'")
}

test('the sentences that docs/operating.md explains are said by the program', () => {
  const source = spoken('src/{core,audit,daemon,cli,resources}/{*,*/*}.ts')
  const { written } = documentAt('docs/operating.md')
  const from = written.slice(written.indexOf('## What status says'))
  const sentences = [...from.matchAll(/^\| `([^`]+)` \|/gm)]
    .map(([, sentence = '']) => sentence)
    .filter((sentence) => sentence.includes(' '))
  assert.ok(sentences.length > 25)
  const core = (sentence: string) => sentence.replace(/^…|…$/g, '').trim()
  none(
    sentences.filter((sentence) => !source.includes(core(sentence))),
    'nobody says so',
  )
})

test('every reason not to be ready, and every advice of the status, is explained', () => {
  const { written } = documentAt('docs/operating.md')
  const speakers = { whyNotReady: 'src/core/status.ts', adviceOf: 'src/core/advice.ts' }
  for (const [name, file] of Object.entries(speakers)) {
    const source = spoken(file)
    const body = source.slice(source.indexOf(`function ${name}(`)).split('\n}\n')[0] ?? ''
    const said = [...body.matchAll(/(['`])((?:(?!\1).)*)\1/g)].map(([, , text = '']) => text)
    const sentences = said.filter((text) => text.split(' ').length > 3)
    assert.ok(sentences.length > 3, name)
    none(
      sentences.filter((sentence) => !written.includes(sentence)),
      `${name}: say what to do about it`,
    )
  }
})

/** The text below a heading, up to the next one of its level. */
function section({ text }: Document, heading: string): string {
  const from = text.indexOf(`\n${heading}\n`)
  assert.ok(from >= 0, `there is no "${heading}"`)
  const level = heading.split(' ')[0]
  const to = text.indexOf(`\n${level} `, from + heading.length)
  return text.slice(from, to < 0 ? undefined : to)
}

const names = (text: string) => [...text.matchAll(/`([a-z][\w-]*)`/g)].map(([, name = '']) => name)
const row = (text: string, head: string) =>
  text.split('\n').find((line) => line.startsWith(`| ${head} |`)) ?? ''

test('every promise names its invariant, its mutants and its scenarios, and they exist', () => {
  const document = documentAt('PROMISES.md')
  const judged = new Set([...invariants, settles].map(({ id }) => id))
  for (const id of judged) {
    if (!id.startsWith('P')) {
      assert.ok(document.text.includes(`\`${id}\``), `${id} is judged and not named`)
      continue
    }
    const text = section(document, `## ${id}`)
    const [, file = ''] = /\]\((src\/sim\/[\w-]+\.ts)\)/.exec(row(text, 'judged by')) ?? []
    assert.match(read(file), new RegExp(`id: '${id}'`), `${id} is not judged in ${file}`)
    const named = names(row(text, 'mutants'))
    const own = mutants.filter(({ rule }) => rule === id).map(({ name }) => name)
    assert.ok(named.length > 0, `${id} has no mutant`)
    none(
      own.filter((name) => !named.includes(name)),
      `${id} lacks mutants`,
    )
    // A mutant of a safety rule may show as a broken promise.
    none(
      named.filter((name) => !mutants.some((mutant) => mutant.name === name)),
      `${id}: there is no such mutant`,
    )
    assert.match(row(text, 'scenarios'), /test\/scenarios\//, `${id} has no scenario`)
  }
  const promised = [...document.text.matchAll(/^## (P\d+)$/gm)].map(([, id = '']) => id)
  none(
    promised.filter((id) => !judged.has(id)),
    'nobody judges them',
  )
})

test('every safety rule names its mutants, and every one is explained or said to be missing', () => {
  const rules = section(documentAt('PROMISES.md'), '## Safety rules')
  const { text } = documentAt('docs/safety.md')
  const told = [...text.matchAll(/^### (S\d+)$/gm)].map(([, id = '']) => id)
  assert.ok(told.length > 20)
  for (const id of told) {
    const link = `[${id}](docs/safety.md#${id.toLowerCase()})`
    assert.ok(rules.includes(link), `${id} is not in PROMISES.md`)
    const known = mutants.filter(({ rule }) => rule === id).map(({ name }) => name)
    const line = row(rules, link)
    const cells = line.split(' | ')
    assert.deepEqual(names(cells[2] ?? '').sort(), known.sort(), `the mutants of ${id}`)
    const missing = section(documentAt('docs/safety.md'), `### ${id}`).includes('**Not built')
    assert.equal(line === '', missing, `${id} is either closed somewhere or not built`)
  }
  const shared = mutants.filter(({ rule }) => !/^[PS]\d+$/.test(rule)).map(({ name }) => name)
  const { text: all } = documentAt('PROMISES.md')
  none(
    shared.filter((name) => !all.includes(`\`${name}\``)),
    'name these mutants',
  )
})

test('every id in a comment or in the name of a test is explained', () => {
  const files = globSync('{src,test,bin}/**/*.{ts,txt,mjs}', { cwd: home })
  const used = new Set(files.flatMap((file) => read(file).match(/\b[CFHPS]\d{1,2}\b/g) ?? []))
  const known = ['docs/safety.md', 'docs/requirements.md', 'PROMISES.md'].map(
    (path) => documentAt(path).text,
  )
  const explained = [...used].filter((id) =>
    known.some((text) => text.includes(`| ${id} |`) || text.includes(` ${id}\n`)),
  )
  none(
    [...used].filter((id) => !explained.includes(id)),
    'say what these mean',
  )
})

test('decisions have one form, one page, and numbers in a row', () => {
  const files = readdirSync(join(home, 'docs/decisions')).sort()
  for (const [index, name] of files.entries()) {
    const number = String(index + 1)
    assert.ok(name.startsWith(`${number.padStart(4, '0')}-`), name)
    const text = read(`docs/decisions/${name}`)
    const headings = [...text.matchAll(/^#+ .*$/gm)].map(([heading]) => heading)
    assert.match(headings[0] ?? '', new RegExp(`^# ${number}\\. `), name)
    assert.deepEqual(headings.slice(1), ['## Context', '## Decision', '## Consequences'], name)
    assert.ok(text.split('\n').length <= decisionLines, `${name} is longer than a page`)
  }
})

test('the changelog tells of this version', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  assert.match(documentAt('CHANGELOG.md').text, new RegExp(`^## ${version}$`, 'm'))
})
