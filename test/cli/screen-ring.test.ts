/** H1: Corosync's ring on the screen of `picket status`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { screen } from '../../src/cli/screen.ts'
import { type RingStatus, ringStatus } from '../../src/daemon/ring-status.ts'
import { sound } from '../corosync/sound.ts'
import { healthy } from './daemon.ts'

const totem = {
  cluster: 'shop',
  transport: 'knet',
  tokenMs: 1650,
  consensusMs: 1980,
  joinMs: 50,
  retransmits: 4,
  messagesMax: 17,
  encrypted: true,
}

const both = [0, 1].flatMap((link) =>
  ['web-02', 'web-03'].map((node) => ({ node, link, up: true })),
)

const shown = (corosync: RingStatus) =>
  screen({ ...healthy(), corosync } as ReturnType<typeof healthy>, (_, text) => text)

test('H1 a ring in good health is one line', () => {
  const lines = shown(ringStatus({ totem, options: sound, links: () => both }))
  assert.equal(
    lines[2],
    'Corosync: knet, 2 links, encrypted, token 1.65 s, consensus 1.98 s, join 0.05 s, ' +
      '4 retransmits, 17 messages a token; quorum of 3 votes',
  )
  assert.equal(lines[3], '')
})

test('H1 links that are down have lines of their own, and rules stand beside the votes', () => {
  const links = () => [...both, { node: 'web-03', link: 2, up: false }]
  const options = { ...sound, twoNode: true, qdevice: true, expectedVotes: 2 }
  const lines = shown(ringStatus({ totem: { ...totem, encrypted: false }, options, links }))
  assert.match(lines[2]!, /^Corosync: knet, 3 links, not encrypted, /)
  assert.match(lines[2]!, /quorum of 2 votes, two_node, a quorum device$/)
  assert.equal(lines[3], '✗ link 2 to web-03 is down')
  assert.equal(lines[4], '')
})

test('H1 without knet there are no links to show', () => {
  const udp = { ...totem, transport: 'udpu' }
  const lines = shown(ringStatus({ totem: udp, options: sound, links: () => [] }))
  assert.match(lines[2]!, /^Corosync: udpu, encrypted, token/)
})
