import assert from 'node:assert/strict'
import { test } from 'node:test'
import { risksOf, sayLinks } from '../../src/daemon/ring.ts'
import { listener } from './scratch.ts'

const sound = {
  twoNode: false,
  waitForAll: false,
  lastManStanding: false,
  autoTieBreaker: false,
  allowDownscale: false,
  qdevice: false,
  expectedVotes: 3,
  configuredVotes: 3,
}

test('H25 rules of quorum that let a minority decide are told, sound ones are not', () => {
  assert.deepEqual(risksOf(sound), [])
  assert.deepEqual(risksOf({ ...sound, twoNode: true, waitForAll: true }), [])
  for (const [change, risk] of [
    [{ twoNode: true }, /two_node without wait_for_all .* neither takes over/],
    [{ autoTieBreaker: true }, /auto_tie_breaker/],
    [{ lastManStanding: true }, /last_man_standing/],
    [{ allowDownscale: true }, /allow_downscale/],
    [{ expectedVotes: 2 }, /from 2 votes, and the configuration has 3; corosync-quorumtool -e 3/],
  ] as const) {
    const risks = risksOf({ ...sound, ...change })
    assert.equal(risks.length, 1)
    assert.match(risks[0] ?? '', risk)
  }
})

test('a link is told when it goes down and when it comes up again, and only then', () => {
  const { said, say } = listener()
  const onLinks = sayLinks(say)
  const both = (first: boolean, second: boolean) => [
    { node: 'b', link: 0, up: first },
    { node: 'b', link: 1, up: second },
  ]
  onLinks(both(true, true))
  onLinks(both(false, true))
  onLinks(both(false, true))
  onLinks(both(true, true))
  assert.deepEqual(said, [
    "warn: Corosync's link 0 to b is down.",
    "info: Corosync's link 0 to b is up again.",
  ])
})
