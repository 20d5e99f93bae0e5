/** R1: what keeps a recorder from its answer, and must not; and what it must not believe. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask } from '../../src/recorder/ask.ts'
import { missing } from '../needs.ts'
import { watched } from '../respond/watched.ts'
import { agentProgram, site, until } from './site.ts'

const about = { action: 'off', target: 'node-01', recorder: 'test', filesystems: [] } as const

test('a log that somebody else holds keeps no answer back', {
  skip: missing('flock'),
}, async (t) => {
  const here = await watched(t)
  await here.begin()
  const logs = site(t)
  mkdirSync(logs.logs, { mode: 0o700 })
  const mark = join(logs.root, 'held')
  const lock = join(logs.logs, '.fence-events.lock')
  const script = `touch '${mark}'; sleep 60`
  const holder = spawn('flock', [lock, 'sh', '-c', script], { detached: true })
  t.after(() => process.kill(-(holder.pid ?? 0), 'SIGKILL'))
  await until(() => existsSync(mark))
  const beganMs = performance.now()
  const lines = { directory: here.place.dir, log_dir: logs.logs, action: 'off', plug: 'node-01' }
  const { code, err } = await logs.agent(lines)
  assert.equal(code, 0, err)
  assert.match(err, /were not written: somebody else has held/)
  const tookMs = performance.now() - beganMs
  assert.ok(tookMs < 9_000, `${tookMs} ms`)
})

test('that its files cannot be put aside takes nothing from the answer', async (t) => {
  const here = await watched(t)
  here.deed = async () => {
    rmSync(here.place.kept, { recursive: true })
    writeFileSync(here.place.kept, '')
    return { success: true, message: 'off confirmed' }
  }
  await here.begin()
  const answer = await ask({ ...about, place: here.place, timeoutMs: 10_000 })
  assert.ok(answer.ok && answer.response.success)
})

test('what has no end on standard input is drained, and none of it is believed', async (t) => {
  const { place, logs } = site(t)
  const head = `action=off\nplug=n1\ndirectory=${place.dir}\nlog_dir=${logs}\nrecorder_timeout=1\n`
  const input = head + '# comment\n'.repeat(500_000)
  const ran = spawnSync(agentProgram, [], { input, env: {}, encoding: 'utf8' })
  assert.equal(ran.status, 1)
  assert.match(ran.stderr, /the input has no end/)
})
