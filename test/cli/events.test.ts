/** R9, R4: `picket events`, and the examples of jq that recorders of this form are known for. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Event } from '../../src/recorder/event.ts'
import { detailedLog, operationalLog, readableLog, writeEvents } from '../../src/recorder/log.ts'
import { csvOf, eventIn, summarise } from '../../src/recorder/summary.ts'
import { missing } from '../needs.ts'
import { picket } from './picket.ts'

const hourMs = 3_600_000

/** Three fencings: one done in 2 s, one in 4 s, one that failed; a fourth has no end yet. */
async function logged(t: TestContext, nowMs = Date.now()): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'picket-events-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const dir = join(root, 'logs')
  const one = (
    request_id: string,
    agoMs: number,
    target_node: string,
    status: Event['status'],
  ): Event => ({
    ...{ atMs: nowMs - agoMs, request_id, target_node, status, details: `it is ${status}, "so"` },
    ...{ action: 'reboot', pacemaker_action: 'reboot', recorder_node: 'rabbit-node-1' },
    gfs2_filesystems: target_node === 'compute-node-3' ? ['nnf-storage-1', 'nnf-storage-4'] : [],
  })
  await writeEvents(dir, [
    one('a', 3 * hourMs, 'compute-node-2', 'requested'),
    one('a', 3 * hourMs, 'compute-node-2', 'initiated'),
    one('a', 3 * hourMs - 2_000, 'compute-node-2', 'completed'),
    one('b', 600_000, 'compute-node-3', 'requested'),
    one('b', 600_000, 'compute-node-3', 'initiated'),
    one('b', 596_000, 'compute-node-3', 'completed'),
    one('c', 300_000, 'compute-node-3', 'requested'),
    one('c', 300_000, 'compute-node-3', 'initiated'),
    one('c', 240_000, 'compute-node-3', 'failed'),
    one('d', 1_000, 'compute-node-2', 'requested'),
  ])
  return dir
}

const events = (dir: string, ...args: readonly string[]) =>
  picket(['events', '--log-dir', dir, ...args])

test('by node, by filesystem, with how long it took', async (t) => {
  const dir = await logged(t)
  const { code, out, err } = await events(dir)
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /^10 events from .*Z to .*Z\n1 of which no end is logged/)
  assert.match(out, /^compute-node-2 +2 +1 +0$/m)
  assert.match(out, /^compute-node-3 +2 +1 +1$/m)
  assert.match(out, /^nnf-storage-4 +2 +1 +1$/m)
  assert.match(out, /^reboot +2 +2000 ms +4000 ms +4000 ms +4000 ms$/m)
  const { out: json } = await events(dir, '--json', '--node', 'compute-node-3', '--last-hour')
  const summary = JSON.parse(json)
  assert.deepEqual(summary.statuses, { requested: 2, initiated: 2, completed: 1, failed: 1 })
  assert.deepEqual(summary.latencies, [
    { action: 'reboot', count: 1, p50Ms: 4_000, p90Ms: 4_000, p99Ms: 4_000, maxMs: 4_000 },
  ])
})

test('as a timeline and as rows, of one filesystem, since a time', async (t) => {
  const dir = await logged(t)
  const timeline = await events(dir, '--timeline', '--since', '10s')
  assert.match(timeline.out, /^\S+Z {2}requested {2}reboot compute-node-2 {2}it is requested/)
  assert.equal(timeline.out.trim().split('\n').length, 1)
  const csv = await events(dir, '--csv', '--filesystem', 'nnf-storage-1')
  const [head, first, ...rest] = csv.out.trim().split('\n')
  assert.match(head ?? '', /^timestamp,action,target_node,gfs2_filesystems,status,details/)
  assert.match(first ?? '', /,nnf-storage-1 nnf-storage-4,requested,"it is requested, ""so""",/)
  assert.equal(rest.length, 5)
  const wrong = await events(dir, '--csv', '--json')
  assert.deepEqual([wrong.code, /two forms/.test(wrong.err)], [2, true])
  const none = await events(join(dir, 'none'))
  assert.deepEqual([none.code, /there is no directory/.test(none.err)], [1, true])
})

test('--verify says that the logs are whole, or the first line that is not', async (t) => {
  const dir = await logged(t)
  const good = await events(dir, '--verify')
  assert.deepEqual([good.code, good.err], [0, ''])
  assert.match(good.out, /are as they were written: 10 events\./)
  const path = join(dir, readableLog)
  writeFileSync(path, readFileSync(path, 'utf8').replace('STATUS=failed', 'STATUS=completed'))
  const bad = await events(dir, '--verify', '--json')
  assert.equal(bad.code, 1)
  assert.match(JSON.parse(bad.out).finding, /fence-events-readable.log, line 9: edited/)
})

test('lines of others count too, and what is none is told', () => {
  const theirs =
    '{"timestamp": "2025-01-10T14:23:16Z", "action": "reboot", "target_node": "n", ' +
    '"gfs2_filesystems": ["none-detected"], "status": "requested", "details": "", ' +
    '"recorder_node": "r", "pacemaker_action": "reboot"}'
  const first = eventIn(theirs)
  const done = theirs.replace('requested', 'completed').replace('23:16', '23:20')
  const last = eventIn(done)
  assert.ok(first && last)
  assert.equal(summarise([first, last], 0).latencies[0]?.p50Ms, 4_000)
  for (const none of ['', '{}', '[]', '"x"', theirs.replace('2025-01-10', 'soon')]) {
    assert.equal(eventIn(none), undefined, none)
  }
  assert.match(csvOf([{ ...first, details: '=HYPERLINK("x")' }])[1] ?? '', /"'=HYPERLINK/)
})

test('the examples of jq work on our files', { skip: missing('jq') }, async (t) => {
  const dir = await logged(t)
  const jq = (...args: readonly string[]) =>
    execFileSync('jq', [...args, join(dir, detailedLog)], { encoding: 'utf8' })
      .trim()
      .split('\n')
  assert.ok(jq('.').length > 100)
  const of = (filter: string) => jq('-r', filter)
  assert.equal(of('select(.target_node == "compute-node-3") | .status').length, 6)
  assert.equal(of('select(.action == "reboot") | .action').length, 10)
  assert.deepEqual(new Set(of('.target_node')), new Set(['compute-node-2', 'compute-node-3']))
  assert.deepEqual(new Set(of('.gfs2_filesystems[]')), new Set(['nnf-storage-1', 'nnf-storage-4']))
  assert.match(of('[.timestamp, .action, .target_node] | @csv')[0] ?? '', /^"20.*","reboot","comp/)
  assert.equal(of('[.target_node, (.gfs2_filesystems | length)] | @csv')[3], '"compute-node-3",2')
  const since = new Date(Date.now() - hourMs).toISOString().slice(0, 19)
  const recent = jq('-r', '--arg', 'since', since, 'select(.timestamp >= $since) | .status')
  assert.equal(recent.length, 7)
})

test('the lines of docs/recorder.md work on our files as they stand there', {
  skip: missing('jq'),
}, async (t) => {
  const dir = await logged(t)
  const page = readFileSync(join(import.meta.dirname, '../../docs/recorder.md'), 'utf8')
  const calls = [...page.matchAll(/^\$ (jq .*)$/gm)].map(([, call = '']) => call)
  const said = calls.map((call) =>
    execFileSync('/bin/sh', ['-c', call], { cwd: dir, encoding: 'utf8' }).trim(),
  )
  const [ofNode = '', byNode = '', bySystem = '', rows = '', recent = '', ...more] = said
  assert.deepEqual(more, [])
  assert.equal(ofNode.match(/"target_node": "compute-node-3"/g)?.length, 6)
  assert.match(byNode, /^4 compute-node-2\n +6 compute-node-3$/)
  assert.match(bySystem, /^6 nnf-storage-1\n +6 nnf-storage-4$/)
  assert.match(rows, /^("20.*Z","reboot","compute-node-[23]"(\n|$)){10}$/)
  assert.equal(recent.split('\n').length, 7)
})

test('the file for logrotate puts all three aside, and the chain goes on', {
  skip: missing('logrotate'),
}, async (t) => {
  const dir = await logged(t)
  const shipped = readFileSync(
    join(import.meta.dirname, '../../packaging/gfs2-fencing.logrotate'),
    'utf8',
  )
  for (const line of [/^ {2}daily$/m, /^ {2}rotate 30$/m, /^ {2}compress$/m]) {
    assert.match(shipped, line)
  }
  const config = join(dir, 'rotate.conf')
  writeFileSync(config, shipped.replaceAll('/var/log/gfs2-fencing', dir))
  chmodSync(config, 0o600)
  for (let turn = 0; turn < 3; turn++) {
    const args = ['--force', '--state', join(dir, 'state'), config]
    const { status, stderr } = spawnSync('logrotate', args, { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    await writeEvents(dir, [
      {
        ...{ atMs: Date.now(), request_id: `r${turn}`, action: 'off', target_node: 'n' },
        ...{ gfs2_filesystems: [], status: 'failed', details: '', recorder_node: 'r' },
        pacemaker_action: 'off',
      },
    ])
  }
  for (const name of [detailedLog, readableLog, operationalLog]) {
    assert.ok(existsSync(join(dir, `${name}.3.gz`)), name)
  }
  assert.match((await events(dir, '--verify')).out, /are as they were written: 13 events\./)
})
