import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { News } from '../../src/core/event.ts'
import type { ClusterNode, Link, QuorumOptions, Totem } from '../../src/corosync/corosync.ts'
import { PROTOCOL } from '../../src/corosync/validate.ts'
import { type Box, noBox, openBox } from './corosync-box.ts'
import { type Member, settle, startMember } from './corosync-driver.ts'
import { assertAllSteps, assertConsistent, mark, orderedSince } from './corosync-order.ts'

interface About {
  readonly self: string
  readonly nodes: readonly ClusterNode[]
  readonly totem: Totem
  readonly options: QuorumOptions
}

const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')

/** Said in our own protocol: of any other nothing is read but its frame. */
const own = (text: string) => text.replace('{', `{"protocol":${PROTOCOL},`)

const hostile: readonly string[] = [
  base64(''),
  base64(Uint8Array.of(0xff, 0xfe, 0x00, 0x80)),
  base64(own('{"session":"a","say":"ack","step":1')),
  base64('null'),
  base64('[]'),
  base64('"text"'),
  base64('['.repeat(500_000)),
  base64(
    own(`{"session":"a","say":"report","report":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_001)}`),
  ),
  base64(own('{"session":"a","say":"fire"}')),
  base64(own('{"session":"a","say":"toString"}')),
  base64(own('{"session":1,"say":"ack","step":1}')),
  base64(own('{"session":"a","say":"ack","step":"1"}')),
  base64(own('{"session":"a","say":"ack","step":1e999}')),
  base64(own('{"session":"a","say":"sync","sync":{"report":null}}')),
]

describe('a group on three real Corosync nodes', { skip: noBox, timeout: 120_000 }, () => {
  let box: Box
  let one: Member
  let two: Member
  let three: Member
  const all = () => [one, two, three]
  const now = () => all().map(({ lines }) => lines.length)

  before(async () => {
    box = await openBox({ nodes: 3 })
    await Promise.all([1, 2, 3].map((node) => box.start(node)))
    one = startMember(box, 1)
    two = startMember(box, 2)
    three = startMember(box, 3)
    await settle(all(), 3, 3)
    const quorate = (news: News) => news.kind === 'quorum' && news.quorate
    await Promise.all(all().map((member) => member.line('news', quorate)))
  })
  after(() => box?.close())

  test('names the nodes, the token in effect and the rules of quorum', async () => {
    const about: About = await one.answer({ ask: 'about' }, 'about')
    assert.equal(about.self, 'node1')
    const addresses = ['10.77.0.3', '10.77.1.3']
    assert.deepEqual(about.nodes[2], { name: 'node3', nodeid: 3, addresses })
    assert.deepEqual(about.totem, {
      cluster: 'box',
      transport: 'knet',
      tokenMs: 1000,
      consensusMs: 1200,
      joinMs: 50,
      retransmits: 4,
      messagesMax: 17,
      encrypted: false,
    })
    assert.equal(about.options.twoNode, false)
    assert.equal(about.options.expectedVotes, 3)
    assert.equal(about.options.configuredVotes, 3)
  })

  test('knows of a change of the expected votes', async () => {
    const expected = async (votes: number) => {
      box.run(1, ['corosync-quorumtool', '-e', String(votes)])
      for (let attempt = 0; attempt < 100; attempt++) {
        const { options }: About = await one.answer({ ask: 'about' }, 'about')
        if (options.expectedVotes === votes) return
        await sleep(50)
      }
      assert.fail(`the expected votes are not ${votes}`)
    }
    await expected(5)
    await expected(3)
  })

  test('tells all members the same order of messages, joins and deaths', async () => {
    await mark(one, all(), 'order')
    const since = now()
    const floods = all().map((member) =>
      member.answer({ ask: 'flood', session: 'order', count: 300, everyMs: 1 }, 'flooded'),
    )
    const fourth = startMember(box, 2)
    await settle(all(), 4, 3, since)
    const open = await fourth.line('open')
    const joined = now()
    box.run(2, ['kill', '-9', String((open.value as { pid: number }).pid)])
    await settle(all(), 3, 3, joined)
    assert.deepEqual(await Promise.all(floods), [300, 300, 300])
    await mark(two, all(), 'order-end')

    const orders = all().map((member) => orderedSince(member, 'order'))
    assert.deepEqual(orders[1], orders[0])
    assert.deepEqual(orders[2], orders[0])
    for (const from of ['node1', 'node2', 'node3']) assertAllSteps(one, 'order', from, 300)
  })

  test('tells both sides of a cut their ring, their group and their verdict', async () => {
    await mark(one, all(), 'cut')
    const since = now()
    const floods = all().map((member) =>
      member.answer({ ask: 'flood', session: 'cut', count: 900, everyMs: 4 }, 'flooded'),
    )
    await sleep(200)
    box.cut(3)
    await settle([one, two], 2, 2, since)
    await settle([three], 1, 1, since.slice(2))
    const verdict = async (member: Member, from: number) => {
      const line = await member.line('news', ({ kind }: News) => kind === 'quorum', from)
      return line.value as Extract<News, { kind: 'quorum' }>
    }
    const verdicts = await Promise.all(all().map((member, at) => verdict(member, since[at] ?? 0)))
    assert.deepEqual(
      verdicts.map(({ quorate }) => quorate),
      [true, true, false],
    )
    const rings = all().map((member) => member.news().findLast(({ kind }) => kind === 'group'))
    for (const [at, news] of rings.entries()) {
      assert.deepEqual(news?.kind === 'group' && news.ring, verdicts[at]?.ring)
    }
    const down = (links: readonly Link[]) =>
      links.every(({ node, up }) => up === (node !== 'node3')) && links.length === 4
    await one.line('links', down)

    const healed = now()
    box.heal(3)
    await settle(all(), 3, 3, healed)
    await Promise.all(floods)
    await mark(three, all(), 'cut-end')
    assert.deepEqual(orderedSince(two, 'cut'), orderedSince(one, 'cut'))
    const orders = all().map((member) => orderedSince(member, 'cut'))
    const merged = orders.map((order) =>
      order.slice(order.findLastIndex((each) => each.startsWith('{"kind":"group"'))),
    )
    assert.deepEqual(merged[2], merged[0])
    for (const [at, member] of all().entries()) {
      const rings = member.news().flatMap((news) => (news.kind === 'group' ? [news.ring.seq] : []))
      const changes = member.news(since[at]).filter(({ kind }) => kind === 'group').length
      const last = rings.slice(-changes - 1)
      assert.equal(new Set(last).size, last.length, 'a change of the ring was told in two steps')
      // Whatever becomes of the ring, what one says comes back to oneself, once and in order.
      assertAllSteps(member, 'cut', `node${member.node}`, 900)
      assertConsistent(member)
    }
  })

  test('drops what is no message, with one warning for each sender', async () => {
    const since = now()
    const stranger = startMember(box, 2, 'another-group')
    await stranger.line('open')
    await stranger.answer({ ask: 'raw', group: 'box', base64: hostile }, 'posted')
    const odd = own(
      '{"session":"hostile","say":"ack","step":7,"more":{"__proto__":1},"constructor":2}',
    )
    await stranger.answer({ ask: 'more', base64: [base64(odd)] }, 'posted')
    const heard = (news: News) => news.kind === 'message' && news.message.session === 'hostile'
    for (const [at, member] of all().entries()) {
      const line = await member.line('news', heard, since[at])
      const { message } = line.value as Extract<News, { kind: 'message' }>
      assert.deepEqual(message, { session: 'hostile', say: 'ack', step: 7 })
      const told = member.lines.slice(since[at])
      const messages = told.filter(({ kind, value }) => {
        return kind === 'news' && (value as News).kind === 'message'
      })
      assert.equal(messages.length, 1, 'something hostile was told')
      assert.equal(told.filter(({ kind }) => kind === 'warning').length, 1)
    }
    stranger.process.stdin?.end()
  })

  test('carries 900 KiB, and refuses more than 1 MiB at the sender', async () => {
    const because = 'x'.repeat(60_000)
    const long = (count: number) => ({
      session: 'size',
      say: 'verdict' as const,
      node: 'node2',
      id: 'f-1',
      round: 1,
      verdict: {
        proven: true,
        newBoot: false,
        text: 'sizes',
        level: 1,
        tookMs: 1,
        late: false,
        commanded: 'yes' as const,
        evidence: Array(count).fill({ device: 'd', raw: because, askedMs: 1, tookMs: 1 }),
      },
    })
    const since = now()
    one.ask({ ask: 'send', messages: [long(15)] })
    const heard = (news: News) => news.kind === 'message' && news.message.session === 'size'
    await Promise.all(all().map((member, at) => member.line('news', heard, since[at])))
    const refused: string = await one.answer({ ask: 'send', messages: [long(18)] }, 'error')
    assert.match(refused, /a message may have \d+ bytes, this verdict has \d+/)
  })

  test('leaves the group at once, and goes on without it', async () => {
    const since = now()
    await three.answer({ ask: 'leave' }, 'left')
    await settle([one, two], 2, 3, since)
    const { quorate }: { quorate: boolean } = await three.answer({ ask: 'authority' }, 'authority')
    assert.equal(quorate, true)
    const sent: boolean[] = await three.answer({ ask: 'send', messages: [] }, 'sent')
    assert.deepEqual(sent, [])
  })

  test('a listener that throws ends the process at once', async () => {
    const ended = new Promise<number | null>((resolve) => two.process.on('exit', resolve))
    two.ask({ ask: 'throw' })
    const since = now()
    one.ask({ ask: 'send', messages: [{ session: 'throw', say: 'ack', step: 1 }] })
    assert.equal(await Promise.race([ended, sleep(5_000, 'still alive', { ref: false })]), 1)
    await settle([one], 1, 3, since)
  })
})
