/** R4: the three logs, line by line, held by one chain, whoever writes and whoever rotates. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Event } from '../../src/recorder/event.ts'
import { detailedLog, operationalLog, readableLog, writeEvents } from '../../src/recorder/log.ts'
import { verifyLogs } from '../../src/recorder/verify.ts'
import { linesIn, site } from './site.ts'

const event = (change: Partial<Event> = {}): Event => ({
  atMs: new Date(2025, 0, 10, 14, 23, 16).getTime(),
  request_id: 'r1',
  action: 'reboot',
  target_node: 'compute-node-3',
  gfs2_filesystems: ['nnf-storage-1'],
  status: 'initiated',
  details: 'Fence action reboot initiated by Pacemaker',
  recorder_node: 'rabbit-node-1',
  pacemaker_action: 'reboot',
  ...change,
})

test('the lines have exactly their forms', async (t) => {
  const { logs } = site(t)
  const text = 'Fence action requested: reboot for target: compute-node-3'
  await writeEvents(logs, [event({ remarks: [{ level: 'INFO', text }] })])
  assert.deepEqual(linesIn(join(logs, readableLog)), [
    '[2025-01-10 14:23:16] ACTION=reboot TARGET=compute-node-3 GFS2=["nnf-storage-1"] ' +
      'STATUS=initiated DETAILS=Fence action reboot initiated by Pacemaker',
  ])
  assert.equal(linesIn(join(logs, operationalLog))[0], `[2025-01-10 14:23:16] [INFO] ${text}`)
  const line = JSON.parse(linesIn(join(logs, detailedLog))[0] ?? '')
  assert.deepEqual(Object.keys(line).slice(0, 8), [
    ...['timestamp', 'action', 'target_node', 'gfs2_filesystems', 'status', 'details'],
    ...['recorder_node', 'pacemaker_action'],
  ])
  assert.match(line.timestamp, /^2025-01-10T\d\d:23:16Z$/)
  for (const name of [detailedLog, readableLog, operationalLog, 'audit.head']) {
    assert.equal(statSync(join(logs, name)).mode & 0o777, 0o600, name)
  }
  assert.equal(statSync(logs).mode & 0o777, 0o700)
})

test('nobody writes a second line in our name', async (t) => {
  const { logs } = site(t)
  await writeEvents(logs, [event({ details: 'a\n[2025-01-10 00:00:00] ACTION=off \x1b[31m' })])
  assert.equal(linesIn(join(logs, readableLog)).length, 1)
  assert.equal(linesIn(join(logs, detailedLog)).length, 1)
})

test('many writers side by side make one chain', async (t) => {
  const { logs } = site(t)
  const writers = Array.from({ length: 20 }, (_, at) =>
    writeEvents(logs, [event({ request_id: `r${at}` }), event({ status: 'completed' })]),
  )
  await Promise.all(writers)
  assert.deepEqual(await verifyLogs(logs), { lines: 40, gone: 0, finding: undefined })
})

test('logrotate may put all three aside at any moment', async (t) => {
  const { logs } = site(t)
  for (const age of [3, 2, 1, 0]) {
    await writeEvents(logs, [event({ request_id: `age ${age}` })])
    if (age === 0) continue
    for (const name of [detailedLog, readableLog, operationalLog]) {
      renameSync(join(logs, name), join(logs, `${name}.${age}`))
      if (age > 1) execFileSync('gzip', [join(logs, `${name}.${age}`)])
    }
  }
  assert.deepEqual(await verifyLogs(logs), { lines: 4, gone: 0, finding: undefined })
  for (const name of [detailedLog, readableLog, operationalLog]) {
    execFileSync('rm', [join(logs, `${name}.3.gz`)])
  }
  assert.deepEqual(await verifyLogs(logs), { lines: 3, gone: 1, finding: undefined })
})

test('a line that is changed, taken out or put in is found, in each of the three', async (t) => {
  const { logs } = site(t)
  const statuses = ['requested', 'initiated', 'completed'] as const
  await writeEvents(
    logs,
    statuses.map((status) => event({ status, details: `it is ${status}` })),
  )
  for (const name of [detailedLog, readableLog, operationalLog]) {
    const path = join(logs, name)
    const text = readFileSync(path, 'utf8')
    const lines = text.split('\n')
    const without = (at: number) => lines.filter((_, index) => index !== at).join('\n')
    const frauds = [
      text.replace('compute-node-3', 'compute-node-4'),
      without(0),
      without(1),
      without(2),
      `${text}${lines[2]}\n`,
      '',
    ]
    for (const [index, fraud] of frauds.entries()) {
      writeFileSync(path, fraud)
      const { finding } = await verifyLogs(logs)
      assert.ok(finding, `${name}, fraud ${index}`)
      assert.ok(
        finding.file === name || name !== readableLog,
        `${finding.file}: ${finding.because}`,
      )
    }
    writeFileSync(path, text)
  }
  assert.equal((await verifyLogs(logs)).finding, undefined)
})

test('a writer that was killed in the middle of a line leaves no trace', async (t) => {
  const { logs } = site(t)
  await writeEvents(logs, [event()])
  appendFileSync(join(logs, detailedLog), '{"timestamp":"2025')
  await writeEvents(logs, [event({ status: 'completed' })])
  assert.deepEqual(await verifyLogs(logs), { lines: 2, gone: 0, finding: undefined })
})
