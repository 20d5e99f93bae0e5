/** H7: which node has a watchdog, and a Corosync that is slower than the lease allows for. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { watchdogFor } from '../../src/daemon/guard.ts'
import { nothingKept } from '../../src/watchdog/keeper.ts'
import { load, twoNodes } from '../config/files.ts'

const corosync = (self: string, tokenMs: number) => ({
  self,
  totem: { cluster: 'test', transport: 'knet', tokenMs, consensusMs: 1.2 * tokenMs },
})

async function guard(t: TestContext, text: string, self: string, tokenMs = 1_000) {
  const loaded = await load(t, { config: `${twoNodes}${text}` })
  const said: string[] = []
  const log = {
    say: (_: unknown, sentence: string) => void said.push(sentence),
    hide() {},
    clean: (text: string) => text,
  }
  const around = { kept: nothingKept, notify: () => false, log }
  const { watchdog } = watchdogFor(loaded, corosync(self, tokenMs), around)
  // Nothing is opened before it is armed.
  watchdog?.disarm()
  await watchdog?.settled()
  return { has: watchdog !== undefined, said }
}

test('H7 a node has a watchdog where the config says so, and nowhere else', async (t) => {
  const absent = 'watchdog: { mode: required, device: /nonexistent/watchdog }\n'
  assert.deepEqual(await guard(t, absent, 'a'), { has: true, said: [] })
  assert.equal((await guard(t, absent, 'stranger')).has, false)
  assert.equal((await guard(t, '', 'a')).has, false)
})

test('H7 a Corosync that notices later than the lease allows for is remarked on', async (t) => {
  const absent = 'watchdog: { mode: automatic, device: /nonexistent/watchdog }\n'
  const { said } = await guard(t, absent, 'a', 10_000)
  assert.match(said.join(), /^Corosync takes 22 s to notice .*leaves 10 s.*lease_seconds/)
})
