import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quorumRisks } from '../../src/config/corosync.ts'
import { quorumAlarms, refusedIn, sayLinks } from '../../src/daemon/ring.ts'
import { sound } from '../corosync/sound.ts'
import { listener } from './scratch.ts'

test('H25 rules that weaken quorum are refused, unless they are accepted by that name', () => {
  assert.deepEqual(refusedIn(sound, []), [])
  assert.deepEqual(quorumAlarms(sound, ['quorum_votes']), [])
  assert.deepEqual(refusedIn({ ...sound, twoNode: true, waitForAll: true }, []), [])
  for (const [name, change, risk] of [
    ['two_node', { twoNode: true }, /two_node without wait_for_all .* neither takes over/],
    ['auto_tie_breaker', { autoTieBreaker: true }, /auto_tie_breaker lets half/],
    ['last_man_standing', { lastManStanding: true }, /last_man_standing lets fewer/],
    ['allow_downscale', { allowDownscale: true }, /allow_downscale lets nodes/],
    ['quorum_votes', { unequalVotes: true }, /quorum_votes gives some nodes more/],
    ['expected_votes', { understated: true }, /expected_votes is less than the nodes have/],
  ] as const) {
    const options = { ...sound, ...change }
    const others = quorumRisks.filter((each) => each !== name)
    const refused = refusedIn(options, others)
    assert.equal(refused.length, 1)
    assert.match(refused[0] ?? '', risk)
    assert.match(refused[0] ?? '', new RegExp(`corosync: \\{accept: \\[${name}\\]\\}`))
    assert.deepEqual(refusedIn(options, [name]), [])
    const [alarm, ...more] = quorumAlarms(options, [name])
    assert.match(alarm ?? '', new RegExp(`accepted by corosync.accept: ${name}`))
    assert.deepEqual(more, [])
    assert.match(quorumAlarms(options, [])[0] ?? '', /new since picketd started, and refused at/)
  }
})

test('H25 votes that were taken back at run time are an alarm, and no reason not to start', () => {
  const options = { ...sound, expectedVotes: 2 }
  assert.deepEqual(refusedIn(options, []), [])
  assert.match(
    quorumAlarms(options, [])[0] ?? '',
    /from 2 votes, and the configuration has 3; corosync-quorumtool -e 3 puts it right/,
  )
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
