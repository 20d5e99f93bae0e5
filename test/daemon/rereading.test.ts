import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchFiles } from '../../src/daemon/rereading.ts'
import { scratch } from './scratch.ts'

const pause = (forMs: number) => new Promise((done) => setTimeout(done, forMs))

test('F12 new secrets are noticed, written into the file or put in its place', async (t) => {
  const dir = scratch(t)
  const file = join(dir, 'fence-secrets.yaml')
  writeFileSync(file, 'old')
  let changes = 0
  const watching = watchFiles([file, join(dir, 'missing', 'x')], () => changes++, 30)
  t.after(() => watching.close())
  const next = async (count: number) => {
    for (let waited = 0; waited < 200 && changes < count; waited++) await pause(20)
    assert.equal(changes, count)
  }
  writeFileSync(file, 'new')
  writeFileSync(file, 'newer')
  await next(1)
  writeFileSync(`${file}.tmp`, 'newest')
  renameSync(`${file}.tmp`, file)
  await next(2)
  writeFileSync(join(dir, 'config.yaml'), 'no secret')
  await pause(100)
  assert.equal(changes, 2)
})
