/** The agent by the contract of fence agents: its two grammars, its actions, its exit codes. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AgentWorld, runAgent } from '../../src/recorder/agent.ts'
import { beat } from '../../src/recorder/alive.ts'
import { detailedLog } from '../../src/recorder/log.ts'
import { idIn, type Request, type Response, readRequest } from '../../src/recorder/message.ts'
import { parameters } from '../../src/recorder/options.ts'
import { type Place, put, readText } from '../../src/recorder/place.ts'
import { verifyLogs } from '../../src/recorder/verify.ts'
import { responseOf } from '../../src/respond/pool.ts'
import { missing } from '../needs.ts'
import { agentProgram, linesIn, type Site, site, until } from './site.ts'

/** Runs it in this process. */
async function run(
  given: { input?: string; args?: readonly string[]; env?: Record<string, string> },
  name = 'fence_recorder',
) {
  const said = { out: '', err: '' }
  const world: AgentWorld = {
    ...{ name, args: given.args ?? [], env: given.env ?? {} },
    input: async () => given.input ?? '',
    out(text) {
      said.out += `${text}\n`
    },
    err(text) {
      said.err += `${text}\n`
    },
  }
  return { code: await runAgent(world), ...said }
}

const schema = '/usr/share/cluster/relaxng/metadata.rng'
const noSchema = existsSync(schema) ? missing('xmllint') : 'needs the package fence-agents-common'

for (const name of ['fence_recorder', 'fence_gfs2_recorder']) {
  test(`the metadata of ${name} is valid, and names all that it takes`, {
    skip: noSchema,
  }, async () => {
    const { code, out, err } = await run({ input: 'action=metadata\n' }, `/usr/sbin/${name}`)
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, new RegExp(`<resource-agent name="${name}"`))
    const args = ['--noout', '--relaxng', schema, '-']
    const { status, stderr } = spawnSync('xmllint', args, { input: out, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    for (const { name } of parameters) assert.ok(out.includes(`name="${name}"`), name)
  })
}

test('it starts with an empty environment, through a link, and drains what it is given', async (t) => {
  const { root } = site(t)
  const link = join(root, 'fence_gfs2_recorder')
  symlinkSync(agentProgram, link)
  const input = `${'# comment\n'.repeat(100_000)}action=metadata\n`
  const ran = spawnSync(link, [], { input, env: {}, encoding: 'utf8', maxBuffer: 2 ** 22 })
  assert.deepEqual([ran.status, ran.stderr, ran.error], [0, '', undefined])
  assert.match(ran.stdout, /<resource-agent name="fence_gfs2_recorder"/)
  const wrong = spawnSync(link, [], { input: input.replace('metadata', 'nonsense'), env: {} })
  assert.deepEqual([wrong.status, wrong.error], [1, undefined])
})

test('without an action nothing is done; neither with one that is none', async (t) => {
  const { place } = site(t)
  for (const [input, because] of [
    [`plug=n1\ndirectory=${place.dir}\n`, /No action given/],
    [`action=destroy\nplug=n1\n`, /Unrecognised action 'destroy'/],
    ['action=off\n', /You have to enter plug number/],
    ['action=off\nnodename=n1\n', /You have to enter plug number/],
    ['action=off\nplug=../n1\n', /no name of a node/],
    ['action=off\nplug=n1\nrecorder_timeout=soon\n', /recorder_timeout is "soon"/],
    ['action=off\nplug=n1\ndirectory=here\n', /directory is "here": give a whole path/],
  ] as const) {
    const { code, err, out } = await run({ input })
    assert.deepEqual([code, out], [1, ''], input)
    assert.match(err, because)
  }
  assert.deepEqual(readdirSync(place.requests), [])
})

test('validate-all names all that is wrong, and contacts nobody', async () => {
  const good = await run({ input: 'action=validate-all\nplug=n1\nnodename=n1\nmode=pass\n' })
  assert.deepEqual(good, { code: 0, out: '', err: '' })
  const bad = await run({ input: 'action=validate-all\npriority=high\ndelay=x\n' })
  assert.equal(bad.code, 1)
  assert.match(bad.err, /priority is "high"[\s\S]*delay is "x"[\s\S]*validate-all failed/)
})

type Told = Partial<Response> | string | undefined

/** Answers requests as somebody else would, for as long as the test lasts. */
function answering(
  place: Place,
  answer: (request: Request) => Told,
): { readonly seen: Request[]; stop(): void } {
  const seen: Request[] = []
  const timer = setInterval(() => {
    for (const name of readdirSync(place.requests)) {
      const id = idIn(name)
      const text = id === undefined ? undefined : readText(join(place.requests, name))
      if (id === undefined || text === undefined || !text.ok) continue
      if (seen.some(({ request_id }) => request_id === id)) continue
      const request = readRequest(text.text, id)
      assert.ok(request.ok)
      seen.push(request.value)
      const told = answer(request.value)
      if (told === undefined) continue
      const whole = { ...responseOf(request.value, { success: true, message: 'done' }) }
      const body = typeof told === 'string' ? told : JSON.stringify({ ...whole, ...told })
      void put(place.responses, id, body)
    }
  }, 5)
  return { seen, stop: () => clearInterval(timer) }
}

const base = ({ place, logs }: Site) =>
  `directory=${place.dir}\nlog_dir=${logs}\ngfs2_discovery=no\nrecorder_timeout=5\n`

test('off is asked for, awaited, recorded, and told', async (t) => {
  const here = site(t)
  const { seen, stop } = answering(here.place, () => ({}))
  t.after(stop)
  const ran = await run({
    input: `${base(here)}action=off\nport=n1\nnodename=n1\nmode=pass\npriority=7\n`,
    env: { PCMK_service: 'pacemaker-fenced' },
  })
  assert.deepEqual(ran, { code: 0, out: 'Success: Powered OFF\n', err: '' })
  const [request] = seen
  assert.deepEqual(
    [request?.action, request?.target_node, request?.priority, request?.gfs2_filesystems],
    ['off', 'n1', 7, ['unknown']],
  )
  assert.equal(Date.parse(request!.deadline!) - Date.parse(request!.timestamp), 5_000)
  assert.deepEqual(readdirSync(here.place.requests), [])
  assert.deepEqual(readdirSync(here.place.responses), [])
  assert.equal(readdirSync(here.place.kept).length, 2)
  const lines = linesIn(join(here.logs, detailedLog)).map((line) => JSON.parse(line))
  assert.deepEqual(
    lines.map(({ status, details }) => [status, details]),
    [
      ['requested', 'Fence action off requested by Pacemaker'],
      ['initiated', 'Fence action off initiated by Pacemaker'],
      ['completed', 'Fence action off completed successfully: done'],
    ],
  )
  assert.equal((await verifyLogs(here.logs)).finding, undefined)
})

test('what is not believed is a failure with its reason', async (t) => {
  const here = site(t)
  let told: Told = {}
  const { stop } = answering(here.place, () => told)
  t.after(stop)
  const off = () => run({ input: `${base(here)}action=off\nplug=n1\n` })
  const wrong: readonly [Told, RegExp][] = [
    [{ success: false, message: 'the BMC is deaf' }, /^Failed: n1: the BMC is deaf$/m],
    [{ target_node: 'n2' }, /about "n2", not about n1/],
    [{ action_performed: 'reboot' }, /tells of "reboot"/],
    [{ request_id: crypto.randomUUID() }, /answers another request/],
    ['{"request_id": "', /no whole JSON/],
    [`{"message":"${'x'.repeat(70_000)}"}`, /longer than 64 KiB/],
  ]
  for (const [answer, because] of wrong) {
    told = answer
    const { code, out, err } = await off()
    assert.deepEqual([code, out], [1, ''], JSON.stringify(answer).slice(0, 80))
    assert.match(err, because)
  }
  assert.match(linesIn(join(here.logs, detailedLog)).at(-1) ?? '', /"status":"failed"/)
})

test('a response that is written where it is looked for is given a moment', async (t) => {
  const here = site(t)
  const { stop } = answering(here.place, (request) => {
    const path = join(here.place.responses, `${request.request_id}.json`)
    const text = JSON.stringify(responseOf(request, { success: true, message: 'slowly' }))
    writeFileSync(path, text.slice(0, 30))
    setTimeout(() => writeFileSync(path, text), 150)
    return undefined
  })
  t.after(stop)
  assert.equal((await run({ input: `${base(here)}action=on\nplug=n1\n` })).code, 0)
})

test('nobody answers: it fails in time, in words that Pacemaker looks for', async (t) => {
  const here = site(t)
  const beganMs = performance.now()
  const input = `${base(here)}action=off\nplug=n1\n`.replace('=5', '=')
  const late = await run({
    input: input.replace('recorder_timeout=\n', ''),
    env: { FENCE_TIMEOUT: '1' },
  })
  assert.equal(late.code, 1)
  assert.match(late.err, /timed out: no response within 1 s/)
  assert.ok(performance.now() - beganMs < 3_000)
  assert.deepEqual(readdirSync(here.place.requests), [], 'nobody may carry it out any more')
})

test('several nodes are off only when every one of them is', async (t) => {
  const here = site(t)
  const { stop } = answering(here.place, ({ target_node }) => ({ success: target_node !== 'n2' }))
  t.after(stop)
  const off = (plug: string) => run({ input: `${base(here)}action=off\nplug=${plug}\n` })
  assert.equal((await off('n1,n3')).code, 0)
  assert.equal((await off('n1,n2,n3')).code, 1)
})

test('status tells 0 for on and 2 for off; a responder that does not tell is no off', async (t) => {
  const here = site(t)
  let told: Partial<Response> = { power: 'on' }
  const { stop } = answering(here.place, () => told)
  t.after(stop)
  const status = () => run({ input: `${base(here)}action=status\nplug=n1\n` })
  assert.deepEqual(await status(), { code: 0, out: 'Status: ON\n', err: '' })
  told = { power: 'off' }
  assert.deepEqual(await status(), { code: 2, out: 'Status: OFF\n', err: '' })
  for (const nothing of [{}, { power: 'off', success: false }] as const) {
    told = nothing
    const { code, out } = await status()
    assert.deepEqual([code, out], [1, ''])
  }
})

test('R8 monitor fails when no responder is alive', async (t) => {
  const here = site(t)
  const monitor = (more = '') => run({ input: `${base(here)}action=monitor\n${more}` })
  const never = await monitor()
  assert.equal(never.code, 1)
  assert.match(never.err, /no responder has ever said that it is there/)
  await beat(here.place, 'ours', ['n1', 'n2'])
  assert.deepEqual(await monitor(), { code: 0, out: '', err: '' })
  assert.equal((await monitor('plug=n1\n')).code, 0)
  assert.match((await monitor('plug=n9\n')).err, /does not know n9/)
  const file = join(here.place.dir, 'responder.json')
  const old = { name: 'other', timestamp: new Date(Date.now() - 60_000).toISOString() }
  writeFileSync(file, JSON.stringify(old))
  assert.match((await monitor()).err, /last heard of 6\d s ago/)
  writeFileSync(file, 'nonsense')
  assert.match((await monitor()).err, /it is damaged/)
  writeFileSync(file, JSON.stringify({ ...old, timestamp: new Date().toISOString() }))
  assert.equal((await monitor()).code, 0)
  rmSync(here.logs, { recursive: true, force: true })
  writeFileSync(here.logs, '')
  assert.equal((await monitor()).code, 1)
})

test('list prints what can be fenced, and nothing else', async (t) => {
  const here = site(t)
  await beat(here.place, 'ours', ['n1', 'n2'])
  const list = await run({ input: `${base(here)}action=list\n` })
  assert.deepEqual(list, { code: 0, out: 'n1,\nn2,\n', err: '' })
  const { stop } = answering(here.place, () => ({ power: 'off' }))
  t.after(stop)
  const status = await run({ input: `${base(here)}action=list-status\n` })
  assert.deepEqual(status, { code: 0, out: 'n1,,OFF\nn2,,OFF\n', err: '' })
})

test('the command line is that of getopt, and both name spaces are known', async (t) => {
  const here = site(t)
  const { seen, stop } = answering(here.place, () => ({}))
  t.after(stop)
  const more = ['--directory', here.place.dir, `--log_dir=${here.logs}`, '--gfs2-disc=0']
  for (const args of [
    ['-o', 'off', '-n', 'n1', ...more],
    ['-ooff', '-nn1', ...more],
    ['--action=OFF', '--plug=n1', ...more],
    ['--act', 'disable', '--port', 'n1', '--power-timeout', '9', ...more],
  ]) {
    const { code, err } = await run({ args })
    assert.deepEqual([code, err], [0, ''], args.join(' '))
  }
  assert.equal(seen.length, 4)
  assert.match((await run({ args: ['-X'] })).err, /option -X not recognized/)
  assert.match((await run({ args: ['--p=1', '-o', 'off'] })).err, /not a unique prefix/)
  assert.deepEqual((await run({ args: ['-V'] })).code, 0)
  assert.match((await run({ args: ['-h'] })).out, /Usage: fence_recorder/)
})

test('the last of two counts, 0 is false, quotes are taken off, what is unknown is told', async (t) => {
  const here = site(t)
  const { seen, stop } = answering(here.place, () => ({}))
  t.after(stop)
  const input = `${base(here)}action=status\naction=off\nplug="n1"\n# plug=n2\nspeed=9\nquiet=1\n`
  const { code, out, err } = await run({ input })
  assert.deepEqual([code, out], [0, ''])
  assert.equal(err, "Parse error: Ignoring unknown option 'speed'\n")
  for (const no of ['0', 'no', 'off', 'false']) {
    const flags = `quiet=${no}\nverbose=${no}\nversion=${no}\nhelp=${no}\n`
    const told = await run({ input: `${base(here)}action=off\nplug=n1\n${flags}` })
    assert.deepEqual(told, { code: 0, out: 'Success: Powered OFF\n', err: '' }, no)
  }
  assert.deepEqual(
    seen.map(({ action, target_node }) => [action, target_node]),
    Array.from({ length: 5 }, () => ['off', 'n1']),
  )
})

test('delay is waited for off and reboot, before anything is asked for', async (t) => {
  const here = site(t)
  const { seen, stop } = answering(here.place, () => ({}))
  t.after(stop)
  const running = run({ input: `${base(here)}action=off\nplug=n1\ndelay=1\n` })
  await sleep(500)
  assert.equal(seen.length, 0)
  assert.equal((await running).code, 0)
  const again = run({ input: `${base(here)}action=reboot\nplug=n1\ndelay=1\n` })
  await sleep(500)
  assert.equal(seen.length, 1)
  assert.equal((await again).code, 0)
  const beganMs = performance.now()
  assert.equal((await run({ input: `${base(here)}action=on\nplug=n1\ndelay=9\n` })).code, 0)
  assert.ok(performance.now() - beganMs < 5_000)
})

test('a log that takes nothing is told, and stops nothing', async (t) => {
  const here = site(t)
  const { stop } = answering(here.place, () => ({}))
  t.after(stop)
  mkdirSync(join(here.root, 'x'))
  symlinkSync(join(here.root, 'x'), here.logs)
  const { code, err } = await run({ input: `${base(here)}action=off\nplug=n1\n` })
  assert.equal(code, 0)
  assert.match(err, /The logs in .* were not written/)
})

test('an agent that is killed leaves a request that ends by itself', async (t) => {
  const here = site(t)
  const killed = spawn(agentProgram, { env: {}, stdio: ['pipe', 'ignore', 'ignore'] })
  killed.stdin.end(`${base(here)}action=off\nplug=n1\n`)
  await until(() => readdirSync(here.place.requests).some((name) => name.endsWith('.json')))
  killed.kill('SIGKILL')
  await once(killed, 'close')
  const [name = ''] = readdirSync(here.place.requests)
  const text = readText(join(here.place.requests, name))
  assert.ok(text?.ok)
  const request = readRequest(text.text)
  assert.ok(request.ok && Date.parse(request.value.deadline ?? '') < Date.now() + 5_000)
})
