/** `picket agents`: the launchers and links, and what is not ours. */
import assert from 'node:assert/strict'
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agents } from '../../src/agent/names.ts'
import { picket } from '../cli/picket.ts'
import { folder } from '../config/files.ts'

const names = agents.map(({ name }) => name)

test('A2 agents are placed, found, placed again for nothing, and taken away', async (t) => {
  const dir = folder(t, {})
  const absent = await picket(['agents', 'list', '--dir', dir])
  assert.equal(absent.code, 1)
  assert.match(absent.out, /^absent {4}fence_picket /m)
  const first = await picket(['agents', 'install', '--dir', dir])
  assert.deepEqual([first.code, first.err], [0, ''])
  assert.deepEqual(readdirSync(dir).sort(), [...names].sort())
  assert.ok(lstatSync(join(dir, 'fence_picket')).isFile())
  assert.equal(readlinkSync(join(dir, 'fence_picket_ipmi')), 'fence_picket')
  const launcher = readFileSync(join(dir, 'fence_picket'), 'utf8')
  assert.match(launcher, /^#!\/bin\/sh\n[^\n]*\nnode='\/[^\n]+'\nmain='\/[^\n]+'\n/)
  const again = await picket(['agents', 'install', '--dir', dir])
  assert.deepEqual([again.code, again.out], [0, `All of them are in ${dir} already.\n`])
  const listed = await picket(['agents', 'list', '--dir', dir, '--json'])
  assert.equal(listed.code, 0)
  const told = JSON.parse(listed.out)
  assert.deepEqual(
    told.agents.map(({ name, found }: { name: string; found: string }) => [name, found]),
    names.map((name) => [name, 'ours']),
  )
  writeFileSync(join(dir, 'fence_other'), 'not ours')
  const gone = await picket(['agents', 'uninstall', '--dir', dir])
  assert.equal(gone.code, 0)
  assert.deepEqual(readdirSync(dir), ['fence_other'])
})

test('A2 what somebody else has put there stays, and what is outdated is renewed', async (t) => {
  const dir = folder(t, {})
  writeFileSync(join(dir, 'fence_picket_ipmi'), '#!/bin/sh\n')
  const refused = await picket(['agents', 'install', '--dir', dir])
  assert.equal(refused.code, 1)
  assert.match(refused.err, /fence_picket_ipmi is not ours, and was left as it is/)
  assert.equal(readFileSync(join(dir, 'fence_picket_ipmi'), 'utf8'), '#!/bin/sh\n')
  const launcher = join(dir, 'fence_picket')
  const fresh = readFileSync(launcher, 'utf8')
  writeFileSync(launcher, fresh.replace("node='/", "node='/elsewhere/"))
  assert.match((await picket(['agents', 'list', '--dir', dir])).out, /^OUTDATED {2}fence_picket /m)
  assert.equal((await picket(['agents', 'install', '--dir', dir])).code, 1)
  assert.equal(readFileSync(launcher, 'utf8'), fresh)
  await picket(['agents', 'uninstall', '--dir', dir])
  assert.deepEqual(readdirSync(dir), ['fence_picket_ipmi'])
})

test('A1 a launcher whose Picket is gone reads its input, and says so', async (t) => {
  const dir = folder(t, {})
  await picket(['agents', 'install', '--dir', dir])
  const launcher = join(dir, 'fence_picket')
  const moved = readFileSync(launcher, 'utf8').replace("main='/", "main='/elsewhere/")
  rmSync(launcher)
  writeFileSync(launcher, moved, { mode: 0o755 })
  const input = `${'# comment\n'.repeat(20_000)}action=off\n`
  const { code, out, err } = await picket([], { argv0: join(dir, 'fence_picket_ipmi'), input })
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^Failed: Picket is not where it was: run `picket agents install` again\n$/)
})

test('A2 a wrong word, or a place where nobody may write, is said', async () => {
  const wrong = await picket(['agents', 'instal'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /no action "instal"\. Did you mean install\?/)
  const nowhere = await picket(['agents', 'install', '--dir', '/dev/null/sbin'])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.err, /^picket agents: \/dev\/null\/sbin: /)
})
