/** Scripts: what is right is played, and whatever is wrong is told with its place. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { failureNames } from '../../src/drill/failures.ts'
import { runFailure } from '../../src/drill/run.ts'
import { failureOf, forms, readScript } from '../../src/drill/script.ts'
import { rowOf } from '../../src/drill/summary.ts'
import { deeds } from '../../src/sim/scenario.ts'
import { bmc, cluster, plantIn } from './plants.ts'

const text = cluster({ a: bmc(1), b: bmc(2), c: bmc(3) })

test('every command of the language can be checked, and no other', () => {
  const known = Object.keys(deeds).filter((verb) => verb !== 'swap')
  assert.deepEqual(Object.keys(forms).sort(), known.sort())
  const page = readFileSync(new URL('../../docs/simulate.md', import.meta.url), 'utf8')
  const told = page.slice(page.indexOf('## Scenarios of your own'))
  const words = new Set(told.match(/[a-z][a-z_-]+/g))
  for (const verb of known) assert.ok(words.has(verb), verb)
})

test('the page for users names every failure', () => {
  const page = readFileSync(new URL('../../docs/simulate.md', import.meta.url), 'utf8')
  for (const name of failureNames) assert.match(page, new RegExp(`^\\| \`${name}\` \\| `, 'm'))
})

test('every mistake is told at once, with its line and column', async (t) => {
  const plant = await plantIn(t, text)
  const { mistakes } = readScript(
    [
      '# A comment, and what a cluster did:',
      '     12  a power off',
      '> crsh a',
      '> cut a d',
      '> run',
      '> run 2 3',
      '> run soon',
      'cut a',
      '>  bmc a/1/1 sleepy',
      '> bmc a/9 hang',
      '> want move resource=vop node=a via=b',
      '> want move place=a',
      '> want move resource=vip via=b',
      '> order off a through b',
      '> site nodes=3',
    ].join('\n'),
    plant,
  )
  assert.deepEqual(
    mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`),
    [
      '3:3 there is no command crsh. Did you mean crash?',
      '4:9 there is no node d. Known: a, b, c.',
      '5:6 run lacks SECONDS: run SECONDS',
      '6:9 one word too many: run SECONDS',
      '7:7 soon is no span in seconds',
      '8:1 a command begins with >, a comment with #',
      `9:14 there is no such word as sleepy. Known: ${manners}.`,
      '10:7 there is no device a/9. Did you mean a/1?',
      '11:13 there is no resource vop. Did you mean vip?',
      '12:13 write node=…, resource=… and via=…',
      '13:31 want move lacks node=…',
      '14:15 there is no such word as through. Known: via.',
      '15:3 there is no command site. The configuration is the site.',
    ],
  )
})

const manners =
  'ok, ignore, hang, slow, late, lie, unknown, refuse, vouch, stuck, markless, deceive'

test('a clone is called by its name, and its instance by the node beside that', async (t) => {
  const clone = 'resources: [{ id: web, type: systemd, unit: w, clone: true, nodes: [a, b] }]'
  const plant = await plantIn(t, cluster({ a: bmc(1), b: bmc(2), c: bmc(3) }, clone))
  const wrong = readScript('> resource-dies web c\n> start-fails web@a a\n', plant)
  assert.deepEqual(
    wrong.mistakes.map(({ column, message }) => `${column} ${message}`),
    [
      '21 web has no instance on c. It has: a, b.',
      '15 there is no resource web@a. Did you mean web?',
    ],
  )
  const script = '> monitor-fails web a\n> run 20\n> want disable resource=web via=b\n> run 20\n'
  const { commands, mistakes } = readScript(script, plant)
  assert.deepEqual(mistakes, [])
  const outcome = runFailure(plant, { ...failureOf(commands), asIs: true }, { node: 'a' }, 1)
  assert.match(outcome.trace.join('\n'), /a: web@a stops here: it failed/)
  const [service] = outcome.services
  assert.ok((service?.gaps[0]?.fromMs ?? 0) > 20_000)
  assert.match(service?.because ?? '', /^web is disabled: /)
})

test('picketd is replaced, and what runs there runs on', async (t) => {
  const plant = await plantIn(t, text)
  const script =
    '> detach a\n> stay-away a\n> run 20\n> come-back a\n> run 20\n> upgrade b\n> run 30\n'
  const { commands, mistakes } = readScript(script, plant)
  assert.deepEqual(mistakes, [])
  const outcome = runFailure(plant, { ...failureOf(commands), asIs: true }, { node: 'a' }, 1)
  assert.deepEqual([outcome.services[0]?.downMs, outcome.services[0]?.home], [0, 'a'])
})

test('a script without a command is a mistake', async (t) => {
  const { mistakes } = readScript('# nothing\n', await plantIn(t, text))
  assert.equal(mistakes.length, 1)
})

test('commands are given in their turn, to a cluster in which all is well', async (t) => {
  const plant = await plantIn(t, text)
  const script = '> run 5\n> cut a\n> run 30\n> heal\n> power-on a\n> skip 90\n'
  const { commands, mistakes } = readScript(script, plant)
  assert.deepEqual(mistakes, [])
  const failure = { ...failureOf(commands), asIs: true as const }
  const outcome = runFailure(plant, failure, { node: 'a' }, 1)
  const [service] = outcome.services
  assert.equal(service?.gaps[0]?.fromMs, 5_000)
  assert.equal(service.home, 'b')
  assert.deepEqual(outcome.out, [])
  assert.deepEqual(
    outcome.trace.filter((line) => line.includes('> ')).map((line) => line.trim()),
    ['5000  > cut a', '35000  > heal', '35000  > power-on a'],
  )
  assert.equal(rowOf('script', [outcome]).verdict, 'back')
})
