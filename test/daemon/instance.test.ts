import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { claimNode } from '../../src/daemon/instance.ts'
import { scratch } from './scratch.ts'

const claimer = new URL('claimer.ts', import.meta.url).pathname

/** Starts a process that claims the node and stays; its first line tells what became of it. */
function claim(t: TestContext, directories: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [claimer, ...directories])
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function outcome(child: ChildProcess): Promise<string> {
  const [text] = await once(child.stdout!, 'data')
  return String(text).trim()
}

test('of many that start at once exactly one gets the node', async (t) => {
  const dir = scratch(t)
  const children = Array.from({ length: 6 }, () => claim(t, [dir]))
  const outcomes = await Promise.all(children.map(outcome))
  assert.equal(outcomes.filter((each) => each === 'claimed').length, 1)
  for (const each of outcomes.filter((one) => one !== 'claimed')) {
    assert.match(each, /^(picketd \(process \d+\)|another picketd) runs on this node already/)
  }
})

test('the node is free as soon as its daemon is killed, and nothing has to be cleaned up', async (t) => {
  const dir = scratch(t)
  const first = claim(t, [dir])
  assert.equal(await outcome(first), 'claimed')
  const refused = claimNode([dir])
  assert.ok(!refused.ok)
  assert.match(refused.because, new RegExp(`process ${first.pid}\\).*picketd\\.lock`))
  first.kill('SIGKILL')
  await once(first, 'close')
  const claimed = claimNode([dir])
  assert.ok(claimed.ok)
  assert.equal(readFileSync(join(dir, 'picketd.lock'), 'utf8'), `${process.pid}\n`)
  claimed.release()
})

test('a program that the daemon has started does not keep the node', async (t) => {
  const dir = scratch(t)
  const claimed = claimNode([dir])
  assert.ok(claimed.ok)
  const child = spawn('sleep', ['30'])
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  claimed.release()
  const again = claimNode([dir])
  assert.ok(again.ok)
  again.release()
})

test('to share one of two directories is enough to be refused, and what was taken is given back', (t) => {
  const [shared, own] = [scratch(t), scratch(t)]
  const claimed = claimNode([shared])
  assert.ok(claimed.ok)
  assert.ok(!claimNode([own, shared]).ok)
  const other = claimNode([own])
  assert.ok(other.ok)
  other.release()
  claimed.release()
})
