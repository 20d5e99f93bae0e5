/** R12: the example of a responder of one's own, with the agent that it answers. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { put } from '../../src/recorder/place.ts'
import { missing } from '../needs.ts'
import { linesIn, requestOf, site, until } from './site.ts'

const example = join(import.meta.dirname, '../../examples/responder.sh')

test('examples/responder.sh fences, once, in time, and says that it is there', {
  skip: missing('jq'),
}, async (t) => {
  const here = site(t)
  const log = join(here.root, 'calls')
  const program = join(here.root, 'switch')
  writeFileSync(program, `#!/bin/sh\necho "$1 $2" >>'${log}'\n[ "$2" != bad ]\n`)
  chmodSync(program, 0o755)
  const child = spawn(example, [program, here.place.dir], { stdio: 'inherit', detached: true })
  t.after(() => process.kill(-(child.pid ?? 0), 'SIGKILL'))
  await until(() => existsSync(join(here.place.dir, 'responder.json')))
  assert.equal((await here.agent({ action: 'monitor' })).code, 0)
  const good = await here.agent({ action: 'off', plug: 'n1' })
  assert.equal(good.code, 0, good.err)
  const bad = await here.agent({ action: 'reboot', plug: 'bad' })
  assert.deepEqual([bad.code, /the program failed/.test(bad.err)], [1, true], bad.err)
  const late = requestOf({ timestamp: new Date(Date.now() - 61_000).toISOString() })
  await put(here.place.requests, late.request_id, JSON.stringify(late))
  await until(() => existsSync(join(here.place.responses, `${late.request_id}.json`)))
  assert.deepEqual(linesIn(log), ['off n1', 'reboot bad'])
})
