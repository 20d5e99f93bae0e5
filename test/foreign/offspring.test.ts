/** A program in our own group that is ended, and everything that it has started. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepChildrenInGroup, runChild } from '../../src/foreign/child.ts'
import { folder } from '../config/files.ts'

test('what a program has started ends with it, also in our own group', async (t) => {
  keepChildrenInGroup()
  const dir = folder(t, {})
  const late = (name: string) => `sleep 1; touch '${join(dir, name)}'`
  // One beside it, one that got away from it, one whose parent has ended before.
  const script = `(${late('a')}) & setsid sh -c "${late('b')}" & ( (${late('c')}) & ); sleep 60`
  const terms = { env: { PATH: '/usr/bin:/bin' }, outputMaxBytes: 1_000 }
  const signal = AbortSignal.timeout(300)
  await assert.rejects(runChild('/bin/sh', ['-c', script], { ...terms, signal }), /was killed/)
  // It has ended by itself, and left one behind that holds its output.
  const left = `(${late('d')}) & exit 0`
  const patient = AbortSignal.timeout(10_000)
  const { code } = await runChild('/bin/sh', ['-c', left], { ...terms, signal: patient })
  assert.equal(code, 0)
  const child = join(import.meta.dirname, '../../src/foreign/child.ts')
  const leaver = `import { keepChildrenInGroup, runChild } from '${child}'
keepChildrenInGroup()
const signal = AbortSignal.timeout(9_000)
void runChild('/bin/sh', ['-c', "${late('e')}"], { env: {}, outputMaxBytes: 9, signal })
setTimeout(() => process.exit(0), 200)`
  const gone = spawnSync(process.execPath, ['--input-type=module', '-e', leaver])
  assert.equal(gone.status, 0, String(gone.stderr))
  await sleep(1_500)
  const done = ['a', 'b', 'c', 'd', 'e'].filter((name) => existsSync(join(dir, name)))
  assert.deepEqual(done, [])
})
