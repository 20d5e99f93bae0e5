/**
 * `picket simulate` with the configurations that people copy. What it prints is kept in
 * test/drill/golden; `UPDATE=1` rewrites it, and the difference is the review.
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Report } from '../../src/cli/drill-report.ts'
import { command } from '../../src/cli/simulate.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { failureNames } from '../../src/drill/failures.ts'
import { picket } from './picket.ts'

const home = join(import.meta.dirname, '..', '..')
const golden = new URL('../drill/golden/', import.meta.url)

/** A folder in which there is a configuration, and no secret. */
const folder = mkdtempSync(join(tmpdir(), 'picket-simulate-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const exampleNames = ['minimal', 'three-nodes'] as const
for (const name of exampleNames) {
  copyFileSync(join(home, 'examples', `${name}.yaml`), join(folder, `${name}.yaml`))
}
const configOf = (name: string) => join(folder, `${name}.yaml`)

interface Told {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(...args: readonly string[]): Promise<Told> {
  const out: string[] = []
  const err: string[] = []
  const terminal: Terminal = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    paint: (_, text) => text,
    ask: async () => undefined,
    during: (_, work) => work,
  }
  const code = await command.run(args, terminal)
  const told = (lines: readonly string[]) => `${lines.join('\n')}\n`.replaceAll(`${folder}/`, '')
  return { code, out: told(out), err: told(err) }
}

function matches(name: string, actual: string): void {
  const file = new URL(`${name}.txt`, golden)
  if (process.env.UPDATE) writeFileSync(file, actual)
  else assert.equal(actual, readFileSync(file, 'utf8'))
}

for (const name of exampleNames) {
  test(`all failures of examples/${name}.yaml, as a table`, async () => {
    const { code, out } = await run('--config', configOf(name))
    assert.equal(code, 1)
    matches(name, out)
  })

  test(`each failure of examples/${name}.yaml, on one node, second by second`, async () => {
    const config = configOf(name)
    const node = name === 'minimal' ? 'alpha' : 'web-01'
    const all: Report = JSON.parse((await run('--config', config, '--json')).out)
    for (const failure of failureNames) {
      // What can happen to nobody here, as a live move that is cut short.
      if (all.cases.every((each) => each.failure !== failure)) continue
      const { code, out } = await run(failure, '--node', node, '--config', config)
      // A service counts for the node that it prefers, wherever it runs.
      const own = all.cases.filter((each) => {
        return each.failure === failure && (each.node === node || each.resource !== null)
      })
      const well = own.every(({ verdict }) => verdict === 'back' || verdict === 'kept')
      assert.equal(code, well ? 0 : 1, failure)
      assert.match(out, /^ {4}0\.00 s {3}/m, failure)
      assert.ok(
        own.some(({ text }) => out.replace(/\n +/g, ' ').includes(text)),
        failure,
      )
    }
  })
}

test('stories: a failover, and a promise that is broken', async () => {
  const well = await run('crash', '--node', 'web-01', '--config', configOf('three-nodes'))
  assert.equal(well.code, 0)
  matches('crash', well.out)
  const lied = await run('lying-device', '--node', 'alpha', '--config', configOf('minimal'))
  assert.equal(lied.code, 1)
  matches('lying-device', lied.out)
  const lost = await run('power-loss', '--node', 'alpha', '--config', configOf('minimal'))
  assert.match(lost.out, /^ {2}When you have seen it off: picket confirm alpha$/m)
})

test('--all shows each case in a line of its own', async () => {
  const args = ['crash', 'cut', '--config', configOf('minimal')]
  const few = await run(...args)
  const many = await run(...args, '--all')
  const lines = ({ out }: Told) => out.split('\n').filter((line) => /^✓ /.test(line)).length
  assert.equal(lines(few), 2)
  assert.equal(lines(many), 6)
})

test('--json tells the same, under names that stay', async () => {
  const { code, out } = await run('crash', 'power-loss', '--json', '--config', configOf('minimal'))
  assert.equal(code, 1)
  const report: Report = JSON.parse(out)
  assert.deepEqual(Object.keys(report), ['cluster', 'tokenMs', 'cases', 'advice', 'assumed'])
  const [first] = report.cases
  assert.deepEqual(Object.keys(first ?? {}), [
    ...['failure', 'node', 'box', 'resource', 'seeds', 'verdict', 'text'],
    ...['detectedMs', 'provenMs', 'services', 'broken', 'commands'],
  ])
  const names = ['id', 'medianMs', 'worstMs', 'stays', 'instances']
  assert.deepEqual(Object.keys(first?.services[0] ?? {}), names)
  const lost = report.cases.find(({ failure }) => failure === 'power-loss')
  assert.deepEqual(
    [lost?.verdict, lost?.provenMs, lost?.commands, lost?.services[0]?.stays],
    ['person', null, ['picket confirm alpha'], true],
  )
  assert.deepEqual(Object.keys(report.advice[0] ?? {}), ['place', 'text'])
})

test('another seed is another life, and a longer token a longer detection', async () => {
  const args = ['crash', '--node', 'alpha', '--json', '--config', configOf('minimal')]
  const reportOf = async (...more: string[]): Promise<Report['cases'][number] | undefined> =>
    (JSON.parse((await run(...args, ...more)).out) as Report).cases[0]
  const [one, other, slow] = [
    await reportOf(),
    await reportOf('--seed', '9'),
    await reportOf('--token', '3650'),
  ]
  assert.deepEqual(other?.seeds, [9, 10, 11])
  assert.notEqual(one?.provenMs, other?.provenMs)
  assert.ok((slow?.detectedMs ?? 0) > 3 * (one?.detectedMs ?? 0))
})

test('a script is played against the configuration, and its mistakes are told', async () => {
  const file = join(folder, 'drill.txt')
  writeFileSync(file, '> cut beta\n> run 30\n> heal\n')
  const played = await run('--scenario', file, '--config', configOf('minimal'))
  assert.equal(played.code, 0)
  assert.match(played.out, /^ {4}0\.00 s {3}> cut beta$/m)
  writeFileSync(file, '> cut beat\n')
  const wrong = await run('--scenario', file, '--config', configOf('minimal'))
  assert.equal(wrong.code, 2)
  assert.equal(wrong.err, 'drill.txt:1:7: there is no node beat. Did you mean beta?\n')
})

test('what cannot be simulated is refused with a sentence', async () => {
  const config = configOf('minimal')
  const broken = join(folder, 'broken.yaml')
  writeFileSync(broken, 'cluster: { name: x, nodes: [{ name: a, fence: { driver: ipmy } }] }\n')
  for (const [args, says] of [
    [['crsh', '--config', config], /there is no failure "crsh"\. Did you mean crash\?/],
    [['--node', 'alhpa', '--config', config], /no node "alhpa" .*Did you mean alpha\?/],
    [['start-fails', '--node', 'gamma', '--config', config], /gamma has nothing to which start-f/],
    [['--config', broken], /broken\.yaml:1:57: there is no fence driver "ipmy"/],
    [['--config', join(folder, 'none.yaml')], /none\.yaml: there is no such file/],
    [['--config', config, '--seeds', '3'], /--seeds belongs to lives of the dice/],
    [['crash', '--scenario', 'x', '--config', config], /a scenario has failures of its own/],
    [['--scenario', join(folder, 'none.txt'), '--config', config], /none\.txt: there is no such/],
    [['--token', 'fast', '--config', config], /--token is a whole number/],
  ] as const) {
    const { code, err } = await run(...args)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, says)
  }
})

test('as a program: without a configuration it says which one it looked for', async () => {
  const { code, err } = await picket(['simulate', 'crash'])
  assert.equal(code, 2)
  assert.match(err, /^\/etc\/picket\/config\.yaml: there is no such file\n/)
  assert.match(err, /`--config FILE` reads another one\.\n$/)
})

test('the help names every failure, examples and exit codes', () => {
  for (const name of failureNames) assert.ok(command.help.includes(`\n  ${name} `), name)
  assert.match(command.help, /picket simulate --config cluster\.yaml crash/)
  assert.match(command.help, /Exit codes: 0 every service comes back by itself, 1 /)
})
