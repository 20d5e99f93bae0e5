/** What CPG promises to be the same at all members of a ring, read from what members were told. */
import assert from 'node:assert/strict'
import type { News } from '../../src/core/event.ts'
import type { Member } from './corosync-driver.ts'

/** Messages and changes of the group, as text, from a message of this session on. */
export function orderedSince(member: Member, session: string): string[] {
  const all = member.news().flatMap((news) => {
    if (news.kind === 'group') return [JSON.stringify(news)]
    if (news.kind !== 'message') return []
    return [`${news.from}:${news.pid} ${JSON.stringify(news.message)}`]
  })
  const at = all.findIndex((each) => each.includes(`"session":"${session}"`))
  assert.notEqual(at, -1, `node${member.node} never heard of ${session}`)
  return all.slice(at)
}

/** Says something in a session, and waits until all have heard it. */
export async function mark(from: Member, all: readonly Member[], session: string): Promise<void> {
  from.ask({ ask: 'send', messages: [{ session, say: 'resign', because: 'a marker' }] })
  const heard = (news: News) => news.kind === 'message' && news.message.session === session
  await Promise.all(all.map((member) => member.line('news', heard)))
}

/** No `group` news names a member outside of its ring, or leaves out the one that is told. */
export function assertConsistent(member: Member): void {
  for (const news of member.news()) {
    if (news.kind !== 'group') continue
    const nodes = news.members.map(({ node }) => node)
    const told = `node${member.node} was told ${JSON.stringify(news)}`
    assert.ok(
      nodes.every((node) => news.ringMembers.includes(node)),
      told,
    )
    assert.ok(nodes.includes(`node${member.node}`), told)
  }
}

/** The steps that one node flooded a session with, as a member was told. */
export function stepsFrom(member: Member, session: string, from: string): number[] {
  return member.news().flatMap((news) => {
    if (news.kind !== 'message' || news.from !== from || news.message.say !== 'ack') return []
    return news.message.session === session ? [news.message.step] : []
  })
}

/** Every step came once, in order. */
export function assertAllSteps(member: Member, session: string, from: string, count: number): void {
  const steps = stepsFrom(member, session, from)
  assert.deepEqual(steps, [...Array(count).keys()], `steps of ${from} at node${member.node}`)
}
