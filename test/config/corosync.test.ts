/** H25: what of Corosync's quorum the config accepts, by name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effectiveYaml } from '../../src/config/show.ts'
import { load, problemsOf, twoNodes } from './files.ts'

test('H25 rules of quorum are accepted by name, as a part of what all nodes agree on', async (t) => {
  const plain = await load(t, { config: twoNodes })
  assert.deepEqual(plain.details.config.corosync.accept, [])
  assert.doesNotMatch(effectiveYaml(plain), /corosync/)
  const section = 'corosync: { accept: [quorum_votes, auto_tie_breaker] }\n'
  const accepting = await load(t, { config: twoNodes + section })
  assert.notEqual(accepting.core.hash, plain.core.hash)
  assert.match(effectiveYaml(accepting), /corosync:\n {2}accept:\n {4}- quorum_votes/)
  const [problem] = await problemsOf(t, { config: `${twoNodes}corosync: { accept: [twonode] }\n` })
  assert.match(problem ?? '', /^config\.yaml:6:\d+: .*two_node/)
})
