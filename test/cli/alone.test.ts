/** `picket fence` where picketd is not configured: orders on a person's authority, against real BMCs. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { verify } from '../../src/audit/verify.ts'
import { configuredHere } from '../../src/cli/alone.ts'
import { noBmc } from '../fence/ipmi-sim.ts'
import { picket, program } from './picket.ts'
import { type Site, site } from './two-bmcs.ts'

function order({ config, state }: Site, action: string, ...more: string[]) {
  return picket(['fence', action, 'node-01', '--config', config, '--state', state, ...more])
}

/** What the record of the orders for node-01 says, line by line. */
function recorded({ state }: Site): readonly { what: string; [field: string]: unknown }[] {
  const path = join(state, 'orders', 'node-01', 'fencing.jsonl')
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** The audit log of the orders for node-01, line by line; it has to be whole. */
async function audited({ state }: Site) {
  const dir = join(state, 'orders', 'node-01')
  const verified = await verify(dir)
  assert.deepEqual([verified?.finding, verified?.torn], [undefined, false])
  assert.equal(statSync(join(dir, 'audit.jsonl')).mode & 0o777, 0o600)
  return readFileSync(join(dir, 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line): { kind: string; facts: Record<string, unknown> } => JSON.parse(line))
}

test('an order without picketd is proven, told, and recorded first', { skip: noBmc }, async (t) => {
  const here = await site(t)
  const { code, out, err } = await order(here, 'off', '--yes', '--reason', 'it smokes')
  assert.equal(code, 0, err)
  assert.match(out, /^Done: off confirmed via ipmi \(node-01\/1\/1\) after \d/)
  assert.match(err, /^node-01 is to be fenced: it smokes$/m)
  assert.equal(here.bmcs[0].power(), 'off')
  assert.equal(here.bmcs[1].power(), 'on')
  const lines = recorded(here)
  assert.deepEqual(
    lines.slice(0, 3).map(({ what }) => what),
    ['begun', 'attempt', 'outcome'],
  )
  assert.equal(lines[0]?.because, 'it smokes')
  assert.equal(lines.at(-1)?.what, 'verdict')
  assert.doesNotMatch(JSON.stringify(lines) + out + err, /canary/)

  const on = await order(here, 'on', '--yes', '--json')
  assert.equal(on.code, 0, on.err)
  assert.equal(here.bmcs[0].power(), 'on')
  const last = JSON.parse(on.out.trim().split('\n').at(-1) ?? '')
  assert.deepEqual([last.ok, last.refused, last.verdict.proven], [true, false, true])
})

test('F13 an order without picketd is in an audit log, from the order to the proof', {
  skip: noBmc,
}, async (t) => {
  const here = await site(t)
  const { code, err } = await order(here, 'off', '--yes', '--reason', 'it smokes')
  assert.equal(code, 0, err)
  const lines = await audited(here)
  const kinds = ['order', 'fence', 'press', 'pressed', 'read', 'read', 'verdict']
  const notable = lines.filter(({ kind }) => kinds.includes(kind))
  assert.deepEqual(
    notable.map(({ kind }) => kind),
    kinds,
  )
  const [given, , press, pressed, read, , verdict] = notable.map(({ facts }) => facts)
  const { target, action, reason } = given ?? {}
  assert.deepEqual([target, action, reason], ['node-01', 'off', 'it smokes'])
  assert.equal(press?.fencing, given?.id)
  assert.deepEqual([press?.device, press?.action], ['node-01/1/1', 'off'])
  assert.deepEqual([pressed?.outcome, read?.power, verdict?.proven], ['accepted', 'off', true])
  assert.doesNotMatch(JSON.stringify(lines), /canary/)

  assert.equal((await order(here, 'on', '--yes')).code, 0)
  const after = (await audited(here)).slice(lines.length)
  assert.deepEqual([after[0]?.kind, after[0]?.facts.action], ['order', 'on'])
  assert.equal(after.at(-1)?.kind, 'verdict')
  const dir = join(here.state, 'orders', 'node-01')
  const shown = await picket(['audit', 'show', '--state', dir])
  assert.match(shown.out, /! .* asks here to switch node-01 off: it smokes \(off-node-01-/)
})

test('an audit log that cannot be written is told, and stops no order', {
  skip: noBmc,
}, async (t) => {
  const here = await site(t)
  const dir = join(here.state, 'orders', 'node-01')
  mkdirSync(dir, { recursive: true })
  symlinkSync('/dev/full', join(dir, 'audit.jsonl'))
  const { code, err } = await order(here, 'off', '--yes')
  assert.equal(code, 0, err)
  assert.match(err, /^The audit log in .* cannot be written: ENOSPC.*Free space on its disk/m)
  assert.equal(here.bmcs[0].power(), 'off')
})

test('reboot switches on only what is proven off', { skip: noBmc }, async (t) => {
  const here = await site(t)
  const { code, err } = await order(here, 'reboot', '--yes')
  assert.equal(code, 0, err)
  assert.deepEqual(here.bmcs[0].commands(), ['power 0', 'power 1'])
})

test('a BMC that ignores is no proof: the next level does it', { skip: noBmc }, async (t) => {
  const here = await site(t)
  here.bmcs[0].setMode('ignore')
  const { code, out, err } = await order(here, 'off', '--yes')
  assert.equal(code, 0, err)
  assert.match(out, /\(node-01\/2\/1\)/)
  assert.match(err, /level 1 did not prove node-01 off: node-01\/1\/1 reads on/)
  here.bmcs[1].setMode('ignore')
  here.bmcs[1].setPower('on')
  const failed = await order(here, 'off', '--yes')
  assert.deepEqual([failed.code, failed.out], [1, ''])
  assert.match(failed.err, /^Failed: node-01\/1\/1 reads on/m)
})

test('an order that was killed is taken up by a look (F4)', { skip: noBmc }, async (t) => {
  const here = await site(t)
  here.bmcs[0].setMode({ lateMs: 4_000 })
  const args = ['fence', 'off', 'node-01', '--yes', '--config', here.config, '--state', here.state]
  const child = spawn(program, args, { stdio: 'ignore', env: { PATH: process.env.PATH } })
  const over = new Promise((resolve) => child.once('close', resolve))
  while (here.bmcs[0].commands().length === 0) await sleep(20)

  const second = await order(here, 'off', '--yes')
  assert.deepEqual([second.code, second.out], [3, ''])
  assert.match(second.err, /another order for node-01 is under way here \(process \d+\)/)

  child.kill('SIGKILL')
  await over
  while (here.bmcs[0].power() === 'on') await sleep(50)
  // What it looks like when it died in the middle of a line.
  appendFileSync(join(here.state, 'orders', 'node-01', 'audit.jsonl'), '{"seq":')
  const { code, err } = await order(here, 'off', '--yes')
  assert.equal(code, 0, err)
  assert.match(err, /\(off\) was interrupted here: the power is read before anything is pressed/)
  assert.deepEqual(here.bmcs[0].commands(), ['power 0'])
  assert.match(err, /had no end \(7 bytes\) and was cut off: picket fence died while it wrote it/)
  const kinds = (await audited(here)).map(({ kind }) => kind)
  const found = kinds.indexOf('interrupted')
  assert.deepEqual([kinds[0], kinds[found + 1]], ['order', 'order'])
  assert.equal(kinds.filter((kind) => kind === 'press').length, 1)
  assert.equal(kinds.at(-1), 'verdict')
})

test('without --yes, a device or a node it is refused, and says why', {
  skip: noBmc,
}, async (t) => {
  const here = await site(t)
  const unsure = await order(here, 'off')
  assert.deepEqual([unsure.code, unsure.out], [3, ''])
  assert.match(unsure.err, /picketd is not configured on this machine: the order needs no quorum/)
  assert.match(unsure.err, /Whatever runs on node-01 dies with its power/)
  const { config, state } = here
  const bare = await picket(['fence', 'off', 'node-02', '--yes', '--config', config])
  assert.deepEqual([bare.code, bare.out], [3, ''])
  assert.match(bare.err, /no fence device is configured for node-02/)
  const wrong = await picket(['fence', 'off', 'node-3', '--yes', '--config', config])
  assert.deepEqual([wrong.code, wrong.out], [2, ''])
  assert.match(wrong.err, /There is no node "node-3".*node-01/)
  const full = await picket([
    ...['fence', 'off', 'node-01', '--yes', '--config', config, '--state', '/dev/null/nowhere'],
  ])
  assert.deepEqual([full.code, full.out], [1, ''])
  assert.match(full.err, /cannot be recorded first: .*cannot be written \(ENOTDIR\); see --state/)
  assert.deepEqual(here.bmcs[0].commands(), [])
  assert.equal(existsSync(state), false)
})

test('S21 a node of the cluster, or one where picketd has run, orders through picketd', () => {
  const nodes = ['node-01', 'node-02']
  const none = '/nowhere/ledger.json'
  assert.equal(configuredHere(nodes, 'laptop', none, false), undefined)
  assert.match(configuredHere(nodes, 'node-01', none, false) ?? '', /this machine is node-01/)
  assert.match(configuredHere(nodes, 'node-02.example.com', none, false) ?? '', /node-02/)
  assert.match(configuredHere(nodes, 'laptop', program, false) ?? '', /it has run here before/)
})

test('S21 where Pacemaker manages this node there is no picketd to order through', () => {
  const nodes = ['node-01', 'node-02']
  assert.equal(configuredHere(nodes, 'node-01', '/nowhere/ledger.json', true), undefined)
  const before = configuredHere(nodes, 'node-01', program, true) ?? ''
  assert.match(before, /it has run here before .*take that file away where Pacemaker is to stay/)
})
