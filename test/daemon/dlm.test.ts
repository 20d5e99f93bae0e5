/** H21: how dlm_controld is told of a proof, by dlm_tool as it is, hung, deaf and missing. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { State } from '../../src/core/state.ts'
import { openDlm, tellDlm } from '../../src/daemon/dlm.ts'
import { openMailbox } from '../../src/daemon/mailbox.ts'
import { missing } from '../needs.ts'
import { scratch } from './scratch.ts'

const proof = { node: 'node2', text: 'off confirmed via ipmi' }
const nodeidOf = (node: string) => (node === 'node2' ? 2 : undefined)

/** A dlm_tool of this kind, told of the proof; what it was called with, and what was logged. */
async function told(t: TestContext, status: string, holds = () => true) {
  const folder = scratch(t)
  const program = join(folder, 'dlm_tool')
  const calls = join(folder, 'calls')
  const script = `#!/bin/sh\necho "$@" >> ${calls}\ncase $1 in status) ${status} ;; esac\n`
  writeFileSync(program, script, { mode: 0o755 })
  const said: string[] = []
  const say = (level: string, text: string) => said.push(`${level}: ${text}`)
  await tellDlm(proof, { say, nodeidOf, holds, program })
  return { said, calls: existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [] }
}

const well = 'echo "cluster nodeid 1 quorate 1 ring seq 8 8"'

test('a dlm_controld that answers is told the nodeid, once', async (t) => {
  const { said, calls } = await told(t, well)
  assert.deepEqual(calls, ['status', 'fence_ack 2'])
  assert.match(said.join('\n'), /^info: dlm_controld was told that node2 \(nodeid 2\) is off: off/)
})

test('one that does not answer is asked three times, and is told nothing', async (t) => {
  const { said, calls } = await told(t, 'echo "cannot connect to dlm_controld"')
  assert.deepEqual(calls, ['status', 'status', 'status'])
  assert.match(said.join('\n'), /^warn: dlm_controld was not told that node2 is off: .* not answer/)
})

test('a proof that has ended meanwhile is not told', async (t) => {
  const { said, calls } = await told(t, well, () => false)
  assert.deepEqual([calls, said], [['status'], []])
})

test('a dlm_tool that is missing, fails or hangs ends nothing', { timeout: 40_000 }, async (t) => {
  assert.match((await told(t, 'exit 9')).said[0]!, /status ended with 9/)
  assert.match((await told(t, 'sleep 60')).said[0]!, /status took longer than 5 s/)
  const said: string[] = []
  const say = (_: string, text: string) => said.push(text)
  await tellDlm(proof, { say, nodeidOf, holds: () => true, program: '/nowhere/dlm_tool' })
  assert.match(said[0]!, /was not told that node2 is off/)
})

test('the real dlm_tool tells when its daemon is not there', {
  skip: missing('dlm_tool'),
}, async () => {
  const said: string[] = []
  const say = (_: string, text: string) => said.push(text)
  await tellDlm(proof, { say, nodeidOf, holds: () => true })
  assert.match(said[0]!, /dlm_controld does not answer/)
})

test('whoever asks of no node, of this one, or in a ring that is news gets no proof', () => {
  const mailbox = openMailbox()
  const word = { ring: { rep: 1, seq: 8 }, quorate: true }
  const nodes = [
    { name: 'node1', nodeid: 1, addresses: [] },
    { name: 'node2', nodeid: 2, addresses: [] },
  ]
  const corosync = { nodes, authority: () => word }
  const dlm = openDlm({ corosync, mailbox, say: () => {}, tells: false })
  assert.match(`${dlm.prove(2, 'x')}`, /not joined/)
  const ring = { rep: 1, seq: 4 }
  const config = { nodes: [{ id: 'node1' }, { id: 'node2' }] }
  const state = { self: 'node1', config, group: { ring } } as unknown as State
  mailbox.deliverTo({
    state: () => state,
    tell() {},
    stop() {},
    lag: () => ({ lastMs: 0, worstMs: 0 }),
  })
  assert.match(`${dlm.prove(3, 'x')}`, /no node with nodeid 3/)
  assert.match(`${dlm.prove(1, 'x')}`, /this node itself/)
  const reply = dlm.prove(2, 'x')
  assert.ok(typeof reply === 'object' && 'order' in reply)
  assert.deepEqual([reply.ok, reply.order], [false, ''])
  assert.match(reply.because, /news of the newest ring/)
})
