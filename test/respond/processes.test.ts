/** R5, R6, R7, R11: `picket respond` as a process: two of them, killed ones, programs of the user's. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { put } from '../../src/recorder/place.ts'
import { picket } from '../cli/picket.ts'
import { linesIn, requestOf, type Site, site, until } from '../recorder/site.ts'

/** A program that notes what it is told, and does what the test says. */
function programOf(
  { root }: Site,
  name: string,
  body: string,
): { path: string; calls(): string[] } {
  const path = join(root, name)
  const log = join(root, `${name}.calls`)
  writeFileSync(path, `#!/bin/sh\necho "$FENCE_ACTION $FENCE_TARGET" >>'${log}'\n${body}\n`)
  chmodSync(path, 0o755)
  return { path, calls: () => (existsSync(log) ? [...linesIn(log)] : []) }
}

const acts = /answers the requests in/

test('R6 a program of the user carries the requests out, and is told what it needs', async (t) => {
  const here = site(t)
  const heard = join(here.root, 'heard')
  const { path, calls } = programOf(here, 'mine', `cat >'${heard}'; echo "switched $FENCE_TARGET"`)
  const responder = await here.responder('--exec', path)
  await responder.says(acts)
  const { code, err } = await here.agent({ action: 'reboot', plug: 'node-7', verbose: '1' })
  assert.equal(code, 0, err)
  assert.deepEqual(calls(), ['reboot node-7'])
  const { request } = JSON.parse(readFileSync(heard, 'utf8'))
  assert.deepEqual([request.action, request.target_node], ['reboot', 'node-7'])
  const failing = programOf(here, 'mine', 'echo "the PDU is dark" >&2; exit 3')
  const failed = await here.agent({ action: 'off', plug: 'node-7' })
  assert.equal(failed.code, 1)
  assert.match(failed.err, /Failed: node-7: the PDU is dark/)
  assert.deepEqual(failing.calls().slice(1), ['off node-7', 'off node-7', 'off node-7'])
  programOf(here, 'mine', 'exit 2')
  assert.equal((await here.agent({ action: 'status', plug: 'node-7' })).code, 2)
})

test('R7 one acts, the other takes over when it is killed, and nothing is done twice', async (t) => {
  const here = site(t)
  const { path, calls } = programOf(here, 'mine', '[ "$FENCE_TARGET" = slow ] && sleep 20; exit 0')
  const first = await here.responder('--exec', path)
  await first.says(acts)
  const second = await here.responder('--exec', path)
  await second.says(/this one waits until it is gone/)
  assert.equal((await here.agent({ action: 'off', plug: 'n1' })).code, 0)
  assert.match(first.said(), /off n1\) is done/)
  assert.doesNotMatch(second.said(), acts)
  const slow = here.agent({ action: 'off', plug: 'slow' })
  await until(() => calls().length === 2)
  await first.end('SIGKILL')
  await second.says(acts)
  const { code, err } = await slow
  assert.equal(code, 1)
  assert.match(err, /begun by a responder that has ended, and is not begun twice/)
  assert.equal((await here.agent({ action: 'off', plug: 'n2' })).code, 0)
  assert.equal((await here.agent({ action: 'monitor' })).code, 0)
  assert.deepEqual(calls(), ['off n1', 'off slow', 'off n2'])
})

test('R7 a responder that is frozen is not replaced, for nobody knows that it is dead', async (t) => {
  const here = site(t)
  const { path, calls } = programOf(here, 'mine', 'exit 0')
  const first = await here.responder('--exec', path)
  await first.says(acts)
  const second = await here.responder('--exec', path)
  await second.says(/this one waits/)
  first.child.kill('SIGSTOP')
  const late = await here.agent({ action: 'off', plug: 'n1', recorder_timeout: '2' })
  assert.equal(late.code, 1)
  assert.match(late.err, /timed out/)
  first.child.kill('SIGCONT')
  await sleep(1_500)
  assert.deepEqual(calls(), [], 'its deadline has passed')
})

test('R11 hooks are told, bounded, and change nothing', async (t) => {
  const here = site(t)
  const { path } = programOf(here, 'mine', 'exit 0')
  const before = programOf(here, 'before', 'exit 9')
  const after = programOf(here, 'after', 'sleep 60')
  const hooks = ['--before', before.path, '--after', after.path]
  const responder = await here.responder('--exec', path, ...hooks)
  await responder.says(acts)
  assert.equal((await here.agent({ action: 'off', plug: 'n1' })).code, 0)
  assert.deepEqual(before.calls(), ['off n1'])
  await responder.says(/before ended with 9/)
  await responder.says(/after failed: .* was killed/)
})

test('R8 monitor finds that the responder has just been killed', async (t) => {
  const here = site(t)
  const { path } = programOf(here, 'mine', 'exit 0')
  const responder = await here.responder('--exec', path)
  await responder.says(acts)
  assert.equal((await here.agent({ action: 'monitor' })).code, 0)
  await responder.end('SIGKILL')
  const { code, err } = await here.agent({ action: 'monitor' })
  assert.equal(code, 1)
  assert.match(err, /has ended/)
})

test('a killed responder has left a request that is late by now: it is not carried out', async (t) => {
  const here = site(t)
  const { path, calls } = programOf(here, 'mine', 'exit 0')
  const request = requestOf({ deadline: new Date(Date.now() - 1_000).toISOString() })
  await put(here.place.requests, request.request_id, JSON.stringify(request))
  const responder = await here.responder('--exec', path)
  await responder.says(/its deadline has passed/)
  assert.deepEqual(calls(), [])
})

test('the self-test tries the whole round', async (t) => {
  const { place } = site(t)
  const { code, out, err } = await picket(['respond', '--self-test', '--directory', place.dir])
  assert.equal(code, 0, out + err)
  assert.match(out, /✓ off is asked for, done and told/)
})

test('mistakes of the call are told', async (t) => {
  const { place, root } = site(t)
  const token = join(root, 'token')
  writeFileSync(token, 'short')
  for (const [args, because] of [
    [['--exec', 'mine'], /--exec takes a whole path/],
    [['--exec', '/bin/true', '--config', '/x'], /--config means nothing beside --exec/],
    [['--tries', '0'], /--tries takes a whole number/],
    [['--token-file', token], /--token-file means nothing without --listen/],
    [['--listen', 'example.org'], /--listen takes an address/],
    [['--listen', '192.0.2.1'], /without TLS it listens on this machine alone/],
    [['--listen', '127.0.0.1'], /nobody could tell who asks/],
    [['--listen', '127.0.0.1', '--token-file', token], /one word of at least 16/],
  ] as const) {
    const { code, err } = await picket(['respond', '--directory', place.dir, ...args])
    assert.equal(code, 2, args.join(' '))
    assert.match(err, because)
  }
  const config = join(root, 'none.yaml')
  const { code, err } = await picket(['respond', '--directory', place.dir, '--config', config])
  assert.deepEqual([code, /none.yaml is not valid/.test(err)], [2, true], err)
})
