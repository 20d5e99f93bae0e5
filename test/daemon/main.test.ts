import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { otherMaster } from '../../src/daemon/strangers.ts'
import { scratch } from './scratch.ts'

const main = new URL('../../src/daemon/main.ts', import.meta.url).pathname
const skip = otherMaster() ?? false
const config = `
cluster:
  name: test
  nodes: [{ name: a }, { name: b }, { name: c }]
`

interface Started {
  readonly child: ChildProcess
  readonly said: () => string
  /** Waits until it has said this. */
  heard(what: RegExp): Promise<void>
  ended(): Promise<{ code: number | null; said: string }>
}

/** A node whose Corosync does not run: picketd sees no Corosync but that of its own network. */
function node(t: TestContext, text = config, env: NodeJS.ProcessEnv = {}) {
  const dir = scratch(t)
  const file = join(dir, 'config.yaml')
  writeFileSync(file, text)
  const runDir = join(dir, 'run')
  const places = ['--config', file, '--state', join(dir, 'state'), '--run', runDir]
  const start = (...words: string[]): Started => {
    const command = [process.execPath, main, ...places, ...words]
    const apart = process.getuid?.() === 0 ? ['unshare', '--net', '--', ...command] : command
    const child = spawn(apart[0]!, apart.slice(1), { env: { PATH: process.env.PATH, ...env } })
    t.after(() => child.kill('SIGKILL'))
    let said = ''
    let wake = () => {}
    const hear = (words: string) => {
      said += words
      wake()
    }
    child.stderr.setEncoding('utf8').on('data', hear)
    child.stdout.setEncoding('utf8').on('data', hear)
    const closed = once(child, 'close')
    closed.then(() => wake())
    return {
      child,
      said: () => said,
      async heard(what) {
        while (!what.test(said)) {
          assert.equal(child.exitCode, null, `it ended with: ${said}`)
          const { promise, resolve } = Promise.withResolvers<void>()
          wake = resolve
          await promise
        }
      },
      async ended() {
        const [code] = await closed
        return { code, said }
      },
    }
  }
  return { dir, runDir, start }
}

async function ask(runDir: string, request: object): Promise<unknown> {
  const socket = connect(join(runDir, 'control.sock'))
  socket.write(`${JSON.stringify(request)}\n`)
  const [line] = await once(socket.setEncoding('utf8'), 'data')
  socket.destroy()
  return JSON.parse(line)
}

test('a wrong config is told whole, and nothing is begun', async (t) => {
  const { start, dir } = node(t, 'cluster:\n  nam: x\n  nodes: 7\n')
  const { code, said } = await start().ended()
  assert.equal(code, 2)
  assert.match(said, /config\.yaml:2:\d+: .*nam/)
  assert.match(said, /config\.yaml:3:\d+: /)
  assert.match(said, /picketd cannot start with .*config\.yaml: it has \d faults/)
  assert.deepEqual(readdirSync(dir), ['config.yaml'])
})

test('arguments and config can be checked without starting anything', { skip }, async (t) => {
  const { start, dir } = node(t)
  const { code, said } = await start('--once-check').ended()
  assert.equal(code, 0)
  assert.match(said, /is right: 3 nodes, 0 fence devices, 0 resources/)
  assert.deepEqual(readdirSync(dir), ['config.yaml'])
  assert.equal((await start('--wat').ended()).code, 2)
})

test('without Corosync picketd waits, says so, answers, and goes when it is told to', {
  skip,
}, async (t) => {
  const { start, runDir } = node(t)
  const first = start()
  await first.heard(/picketd waits for Corosync: .*\(systemctl status corosync\)/)
  const answer = JSON.stringify(await ask(runDir, { do: 'status' }))
  assert.match(answer, /"ok":false.*has not joined the cluster yet: .*Corosync/)
  assert.equal(JSON.stringify(await ask(runDir, { do: 'watch' })), answer)
  const order = { do: 'fence', action: 'off', target: 'b', requester: 'x', reason: 'x' }
  assert.match(JSON.stringify(await ask(runDir, order)), /"ok":false.*not joined the cluster yet/)

  const second = await start().ended()
  assert.equal(second.code, 1)
  const owner = `picketd (process ${first.child.pid}) runs on this node already`
  assert.ok(second.said.includes(owner), second.said)

  first.child.kill('SIGHUP')
  await first.heard(/The secrets were read again/)
  first.child.kill('SIGTERM')
  assert.equal((await first.ended()).code, 0)
  const third = start()
  await third.heard(/waits for Corosync/)
  third.child.kill('SIGINT')
  assert.equal((await third.ended()).code, 0)
})

test('F12 a credential of systemd is read again on SIGHUP, and never told', { skip }, async (t) => {
  const credentials = scratch(t)
  const credential = join(credentials, 'bmc')
  writeFileSync(credential, 'canary-7\n', { mode: 0o400 })
  const fenced = config.replace(
    '{ name: a }',
    '{ name: a, fence: { driver: ipmi, host: 192.0.2.1, user: u, password_credential: bmc } }',
  )
  const { start } = node(t, fenced, { CREDENTIALS_DIRECTORY: credentials })
  const life = start()
  await life.heard(/waits for Corosync/)
  rmSync(credential)
  life.child.kill('SIGHUP')
  await life.heard(/there is no credential bmc, .*picketd\.service. The secrets are as they were/)
  writeFileSync(credential, 'canary-8\n', { mode: 0o400 })
  life.child.kill('SIGHUP')
  await life.heard(/The secrets were read again/)
  life.child.kill('SIGTERM')
  const { code, said } = await life.ended()
  assert.equal(code, 0)
  assert.doesNotMatch(said, /canary/)
})

test('after five violent deaths picketd comes up to watch only, until it is restarted', {
  skip,
}, async (t) => {
  const { start } = node(t)
  for (let death = 0; death < 5; death++) {
    const life = start()
    await life.heard(/waits for Corosync/)
    assert.doesNotMatch(life.said(), /it watches/)
    life.child.kill('SIGKILL')
    await life.ended()
  }
  const watching = start()
  await watching.heard(/alarm: picketd crashed 5 times within 10 minutes; it watches/)
  watching.child.kill('SIGTERM')
  assert.equal((await watching.ended()).code, 0)
})

test('a place that cannot be used is told in one sentence', { skip }, async (t) => {
  const { start, dir } = node(t)
  writeFileSync(join(dir, 'state'), 'a file where the directory should be')
  const { code, said } = await start().ended()
  assert.equal(code, 1)
  assert.match(said, /alarm: picketd cannot run: EEXIST.*state/)
  assert.ok(!existsSync(join(dir, 'run')))
})
