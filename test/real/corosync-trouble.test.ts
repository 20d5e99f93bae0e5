import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import type { News } from '../../src/core/event.ts'
import type { Word } from '../../src/corosync/corosync.ts'
import { type Box, noBox, openBox } from './corosync-box.ts'
import { type Member, nowMs, settle, startMember } from './corosync-driver.ts'
import { assertAllSteps } from './corosync-order.ts'

const skip = noBox
const device = fileURLToPath(new URL('./corosync-qdevice.ts', import.meta.url))
const quorate = (news: News) => news.kind === 'quorum' && news.quorate

/** What votequorum says of the ring that CPG has told of, which may be a moment earlier. */
async function wordInItsRing(member: Member): Promise<Word> {
  for (let attempt = 0; ; attempt++) {
    const word: Word = await member.answer({ ask: 'authority' }, 'authority')
    const group = member.news().findLast((news) => news.kind === 'group')
    if (group !== undefined && isDeepStrictEqual(word.ring, group.ring)) return word
    assert.ok(attempt < 20, `votequorum stays with ${JSON.stringify(word)}`)
    await sleep(50)
  }
}

describe('the newest word of a Corosync in trouble', { skip, timeout: 120_000 }, () => {
  let box: Box
  let one: Member
  let three: Member

  before(async () => {
    box = await openBox({ nodes: 3 })
    await Promise.all([1, 2, 3].map((node) => box.start(node)))
    one = startMember(box, 1)
    three = startMember(box, 3)
    await settle([one, three], 2, 3)
    await Promise.all([one, three].map((member) => member.line('news', quorate)))
  })
  after(() => box?.close())

  test('tells the loss of quorum, also to an event loop that has slept through it', async () => {
    const since = [one.lines.length, three.lines.length]
    const asked = three.answer({ ask: 'block', forMs: 4_500 }, 'authority')
    await sleep(100)
    box.cut(3)
    const { before: first, after: then }: { before: Word; after: Word } = await asked
    assert.equal(first.quorate, true)
    assert.equal(then.quorate, false)
    assert.notDeepEqual(then.ring, first.ring)
    // It was heard early, but it is news all the same.
    const lost = (news: News) => news.kind === 'quorum' && !news.quorate
    await three.line('news', lost, since[1])
    box.heal(3)
    await settle([one, three], 2, 3, since)
  })

  test('never waits for a frozen Corosync, and loses no message to it', async () => {
    const since = [one.lines.length, three.lines.length]
    box.signal(3, 'SIGSTOP')
    const sent: number = await three.answer(
      { ask: 'flood', session: 'frozen', count: 1_000, everyMs: 0 },
      'flooded',
    )
    assert.equal(sent, 1_000)
    const beganMs = nowMs()
    await three.answer({ ask: 'authority' }, 'authority')
    await three.answer({ ask: 'links' }, 'links')
    const tookMs = nowMs() - beganMs
    assert.ok(tookMs < 1_000, `the event loop was held up for ${tookMs} ms`)

    const alone = (news: News) => news.kind === 'group' && news.ringMembers.length === 2
    await one.line('news', alone, since[0])
    const back = [one.lines.length, three.lines.length]
    box.signal(3, 'SIGCONT')
    await settle([one, three], 2, 3, back)
    const last = (news: News) =>
      news.kind === 'message' && news.message.say === 'ack' && news.message.step === 999
    await three.line('news', last)
    assertAllSteps(three, 'frozen', 'node3', 1_000)
  })

  test('ends without waiting for a frozen Corosync', async () => {
    const brief = startMember(box, 2)
    await brief.line('open')
    box.signal(2, 'SIGSTOP')
    const tookMs: number = await brief.answer({ ask: 'close' }, 'closed')
    box.signal(2, 'SIGCONT')
    assert.ok(tookMs < 1_000, `close took ${tookMs} ms`)
    brief.process.stdin?.end()
  })

  test('notices within a second that the local Corosync is gone, and says it once', async () => {
    const killedMs = nowMs()
    box.signal(3, 'SIGKILL')
    const { atMs } = await three.line('lost')
    assert.ok(atMs - killedMs < 1_000, `noticed after ${atMs - killedMs} ms`)
    const word: Word = await three.answer({ ask: 'authority' }, 'authority')
    assert.equal(word.quorate, false)
    const refused = { session: 'late', say: 'ack', step: 1 } as const
    const sent: boolean[] = await three.answer({ ask: 'send', messages: [refused] }, 'sent')
    assert.deepEqual(sent, [false])
    assert.equal(three.lines.filter(({ kind }) => kind === 'lost').length, 1)
  })

  test('says what to do when Corosync is not running', async () => {
    const { value } = await startMember(box, 3).line('failed')
    assert.match(String(value), /not running on this node .*: systemctl start corosync/)
  })

  test('says what to do when a library is missing', async () => {
    const listed = box.run(2, ['sh', '-c', 'ldconfig -p | grep libcpg.so.4'])
    const [, path = ''] = /=> (\S+)/.exec(listed) ?? []
    box.run(2, ['mount', '--bind', '/dev/null', path])
    const { value } = await startMember(box, 2).line('failed')
    box.run(2, ['umount', path])
    assert.match(String(value), /libcpg\.so\.4 is missing on this node: apt install corosync/)
  })

  test('says what to do when Corosync does not answer, and may be tried again', async () => {
    box.signal(2, 'SIGSTOP')
    const late = startMember(box, 2, 'box', 'patient')
    const { value } = await late.line('failed')
    assert.match(String(value), /does not answer .*: systemctl restart corosync/)
    box.signal(2, 'SIGCONT')
    const both = (news: News) => news.kind === 'group' && news.members.length === 2
    await Promise.all([one, late].map((member) => member.line('news', both)))
    await late.line('news', quorate)
  })
})

describe('two nodes with a quorum device that thinks', { skip, timeout: 60_000 }, () => {
  let box: Box
  let one: Member
  let two: Member

  before(async () => {
    const quorum = 'device {\n model: none\n votes: 1\n timeout: 20000\n sync_timeout: 20000\n }'
    box = await openBox({ nodes: 2, quorum })
    await Promise.all([1, 2].map((node) => box.start(node)))
    one = startMember(box, 1)
    two = startMember(box, 2)
    await settle([one, two], 2, 2)
    // It votes for node 1 and against node 2, three seconds after it has heard of the ring.
    for (const [node, vote] of [
      [1, '1'],
      [2, '0'],
    ] as const) {
      box.spawn(node, [process.execPath, device, '3000', vote])
    }
    for (const member of [one, two]) await member.line('news', quorate)
  })
  after(() => box?.close())

  test('is not quorate in a ring that has no verdict yet', async () => {
    // Three votes are expected: that of the device has to be there before the cut.
    for (let attempt = 0; attempt < 100; attempt++) {
      const votes = box.run(1, ['sh', '-c', 'corosync-quorumtool -s || true'])
      if (/Total votes:\s+3/.test(votes)) break
      await sleep(100)
    }
    const since = [one.lines.length, two.lines.length]
    box.cut(2)
    await settle([one, two], 1, 1, since)
    const words = await Promise.all([one, two].map(wordInItsRing))
    for (const word of words) assert.equal(word.quorate, false)
    // Corosync itself goes on saying that the ring before was quorate.
    assert.match(box.run(1, ['sh', '-c', 'corosync-quorumtool -s || true']), /Quorate:\s+Yes/)

    const winner = await one.line('news', quorate, since[0])
    assert.deepEqual((winner.value as Extract<News, { kind: 'quorum' }>).ring, words[0]?.ring)
    const now: Word = await one.answer({ ask: 'authority' }, 'authority')
    assert.equal(now.quorate, true)
    const loser = await two.line('news', ({ kind }: News) => kind === 'quorum', since[1])
    assert.equal((loser.value as Extract<News, { kind: 'quorum' }>).quorate, false)
  })
})
