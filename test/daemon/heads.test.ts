/** Members that keep the heads of each other's audit logs, on real disks, and what they find out. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Facts } from '../../src/audit/chain.ts'
import { type Audit, openAudit } from '../../src/audit/log.ts'
import { findingText, verify } from '../../src/audit/verify.ts'
import type { Message } from '../../src/core/message.ts'
import { readMessage, writeMessage } from '../../src/corosync/validate.ts'
import { type Heads, openHeads } from '../../src/daemon/heads.ts'
import { listener, scratch } from './scratch.ts'

const names = ['web-01', 'web-02', 'web-03']
const sync = { session: 's', say: 'again' } as const satisfies Message

interface Member {
  readonly name: string
  readonly dir: string
  readonly said: string[]
  audit: Audit
  heads: Heads
}

/** A cluster of members that talk when they are told to. */
class Cluster {
  nowMs = 0
  readonly t: TestContext
  readonly members: Member[]

  constructor(t: TestContext) {
    this.t = t
    this.members = names.map((name) => {
      const { said, say } = listener()
      const dir = scratch(t)
      return { name, dir, said, ...this.life(name, dir, say) }
    })
  }

  private life(self: string, dir: string, say: ReturnType<typeof listener>['say']) {
    const onHead: Parameters<typeof openAudit>[0]['onHead'] = (head, opened) =>
      heads.own(head, opened)
    const common = { dir, say, gatherMs: 1 }
    const audit = openAudit({ ...common, node: self, clean: (text) => text, onHead })
    const clock = { nowMs: () => this.nowMs }
    const heads = openHeads({ ...common, self, nodes: names, audit, clock })
    this.t.after(() => Promise.all([audit.close(), heads.settled()]))
    return { audit, heads }
  }

  of(name: string): Member {
    return this.members.find((member) => member.name === name)!
  }

  /** Its picketd ends; `then` is what happens to its disk; and another one begins. */
  async restart(name: string, then: (dir: string) => void = () => {}): Promise<void> {
    const member = this.of(name)
    await member.audit.close()
    await member.heads.settled()
    then(member.dir)
    const { said } = member
    Object.assign(
      member,
      this.life(name, member.dir, (level, text) => void said.push(`${level}: ${text}`)),
    )
    await this.note(name, 1)
  }

  async note(name: string, count: number): Promise<void> {
    const { audit } = this.of(name)
    for (let index = 0; index < count; index++) audit.note('test', { index })
    await audit.settled()
  }

  /** All tell all, as at the beginning of a session, and look at what they have heard. */
  async talk(who: readonly string[] = names): Promise<void> {
    const members = this.members.filter(({ name }) => who.includes(name))
    for (const from of members) {
      const aside = from.heads.asideOf({ ...sync, say: 'sync' } as unknown as Message)
      const received = readMessage(writeMessage(sync, aside))
      assert.ok(received.ok)
      if (received.aside === undefined) continue
      for (const { heads } of members) heads.heard(from.name, received.aside)
    }
    await this.settled()
  }

  async settled(): Promise<void> {
    this.nowMs += 60_000
    for (const { heads, audit } of this.members) {
      await heads.settled()
      await audit.settled()
      await heads.settled()
    }
  }
}

/** Everybody has some lines, and everybody has heard of them. */
async function cluster(t: TestContext): Promise<Cluster> {
  const all = new Cluster(t)
  for (const name of names) await all.note(name, 5)
  await all.talk()
  await all.talk()
  return all
}

/** Cuts off the last lines, and makes the head fit: what root on that machine can do. */
function cut(count: number) {
  return (dir: string): void => {
    const path = join(dir, 'audit.jsonl')
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .toSpliced(-1 - count, count)
    const head = JSON.parse(readFileSync(join(dir, 'audit.head'), 'utf8'))
    const { prev } = JSON.parse(
      readFileSync(path, 'utf8')
        .split('\n')
        .at(-1 - count) ?? '',
    )
    writeFileSync(path, lines.join('\n'))
    const rewritten = { ...head, lines: lines.length - 1, hash: prev }
    writeFileSync(join(dir, 'audit.head'), JSON.stringify(rewritten))
  }
}

const lines = (dir: string): { kind: string; facts: Facts }[] =>
  readFileSync(join(dir, 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

const contradicted = (dir: string) =>
  lines(dir)
    .filter(({ kind }) => kind === 'contradicted')
    .map(({ facts }) => facts)

async function foundIn(dir: string): Promise<string> {
  const { finding } = (await verify(dir)) ?? {}
  return finding === undefined ? 'whole' : findingText(finding)
}

const alarms = ({ said }: Member) => said.filter((sentence) => sentence.startsWith('alarm'))

test('F13 members keep each other’s heads on disk, for root alone, and vouch for each other', async (t) => {
  const all = await cluster(t)
  for (const { dir, said } of all.members) {
    assert.deepEqual(said, [])
    assert.equal(statSync(join(dir, 'audit.peers')).mode & 0o777, 0o600)
    assert.equal(await foundIn(dir), 'whole')
    const peers = (await verify(dir))?.peers
    assert.ok(peers !== 'damaged')
    assert.deepEqual(
      peers?.map(({ peer, stand, head }) => `${peer} ${stand} ${head.seq}`).sort(),
      names.filter((name) => dir !== all.of(name).dir).map((name) => `${name} held 5`),
    )
  }
})

test('a peer that is behind vouches for what it has seen; so do restarts of all', async (t) => {
  const all = await cluster(t)
  await all.note('web-01', 4)
  await all.talk(['web-01', 'web-02'])
  for (const name of names) await all.restart(name)
  const { dir } = all.of('web-01')
  await all.talk()
  await all.talk()
  assert.equal(await foundIn(dir), 'whole')
  for (const member of all.members) assert.deepEqual(member.said, [])
})

test('F13 a tail that was cut off with its head rewritten is found, by the peers and at home', async (t) => {
  const all = await cluster(t)
  const [one, two] = [all.of('web-01'), all.of('web-02')]
  await all.note('web-01', 3)
  await all.talk()
  await all.talk()
  await all.restart('web-01', (dir) => {
    cut(3)(dir)
    rmSync(join(dir, 'audit.peers'))
  })
  assert.equal(await foundIn(one.dir), 'whole', 'nothing on that machine can tell')
  await all.talk()
  assert.deepEqual(alarms(one), [
    'alarm: Line 8 of the audit log of this node was seen by web-02, web-03, and the log ends ' +
      'with line 6 now: it was cut off, or its disk was set back. Run `picket audit verify`; if ' +
      'you know why, accept it there.',
  ])
  assert.match(
    alarms(two)[0] ?? '',
    /^alarm: Line 8 of .* of web-01 was seen by this node, and the log ends/,
  )
  assert.equal(alarms(two).length, 1)
  const [own] = contradicted(one.dir)
  assert.deepEqual([own?.by, own?.target, own?.line, own?.ends], ['web-02', 'web-01', 8, 6])
  const [theirs] = contradicted(two.dir)
  assert.deepEqual([theirs?.by, theirs?.target, theirs?.found], ['web-02', 'web-01', 'cut off'])

  // It grows beyond that line: that heals nothing, here or elsewhere, nor does a restart.
  await all.note('web-01', 9)
  for (const name of names) await all.restart(name)
  await all.talk()
  await all.talk()
  const where = /^audit\.jsonl, line 8: edited: web-0[23] has seen another line 8:/
  assert.match(await foundIn(one.dir), where)
  assert.deepEqual([alarms(one).length, alarms(two).length], [1, 1], 'and it is told once')
  assert.deepEqual(
    (await Promise.all([two, all.of('web-03')].map(({ dir }) => foundIn(dir)))).join(),
    'whole,whole',
  )
})

test('F13 verify finds it with picketd stopped', async (t) => {
  const all = await cluster(t)
  const { dir } = all.of('web-01')
  await all.of('web-01').audit.close()
  cut(2)(dir)
  assert.match(
    await foundIn(dir),
    /^audit\.jsonl, line 3: cut off behind it: web-02 has seen line 5 of it, and it ends with line 3\./,
  )
})

test('a member that was away while it happened is heard as well', async (t) => {
  const all = await cluster(t)
  await all.restart('web-01', cut(2))
  await all.note('web-01', 7)
  rmSync(join(all.of('web-02').dir, 'audit.peers'))
  await all.talk(['web-01', 'web-03'])
  assert.match(
    alarms(all.of('web-01'))[0] ?? '',
    /Line 5 .* was seen by web-03, .* holds another line 5/,
  )
})

test('F13 a log that was written anew from its first line on is another log, and told as that', async (t) => {
  const all = await cluster(t)
  const one = all.of('web-01')
  await all.restart('web-01', (dir) => {
    for (const name of readdirSync(dir)) rmSync(join(dir, name))
  })
  await all.talk()
  assert.match(
    alarms(one)[0] ?? '',
    /Line 5 .* seen by web-02, web-03, and there is another log now, at line 1: /,
  )
  assert.match(
    alarms(all.of('web-02'))[0] ?? '',
    /^alarm: Line 5 .* of web-01 was seen by this node, and there is another log now, at line 1:/,
  )
  assert.match(
    await foundIn(one.dir),
    /^audit\.jsonl, line 1: another log: web-02 has seen line 5 of/,
  )
  // From now on the new one is kept, and vouched for.
  await all.note('web-01', 3)
  await all.talk()
  await all.talk()
  const peers = (await verify(one.dir))?.peers
  assert.ok(Array.isArray(peers))
  const held = peers.filter(({ stand }) => stand === 'held')
  assert.deepEqual(
    held.map(({ peer }) => peer),
    ['web-02', 'web-03'],
  )
})

test('what an operator accepts is in the log, and no fault of it any more', async (t) => {
  const all = await cluster(t)
  const one = all.of('web-01')
  assert.match(String(await one.heads.accept('anna', 'new disk')), /^nobody has seen lines/)
  await all.restart('web-01', (dir) => {
    for (const name of readdirSync(dir)) rmSync(join(dir, name))
  })
  await all.talk()
  assert.match(await foundIn(one.dir), /another log/)
  assert.equal(await one.heads.accept('anna', 'new disk'), 1)
  const [accepted] = lines(one.dir).filter(({ kind }) => kind === 'accepted')
  assert.deepEqual([accepted?.facts.requester, accepted?.facts.reason], ['anna', 'new disk'])
  assert.equal(await foundIn(one.dir), 'whole')
  await all.restart('web-01')
  await all.talk()
  await all.talk()
  assert.equal(await foundIn(one.dir), 'whole')
  assert.equal(alarms(one).length, 1)
})

test('garbage from a peer is told once, and costs nothing', async (t) => {
  const all = await cluster(t)
  const { heads, said, dir } = all.of('web-01')
  const before = readFileSync(join(dir, 'audit.peers'), 'utf8')
  for (const audit of [null, 7, 'x', [], { kept: { 'web-01': { head: {}, lost: [] } } }]) {
    for (let times = 0; times < 3; times++) heads.heard('web-02', { audit })
  }
  heads.heard('web-02', 'words')
  heads.heard('web-02', { another: 'thing' })
  heads.heard('web-09', { audit: 7 })
  heads.heard('web-01', { audit: 7 })
  await all.settled()
  assert.deepEqual(said, [
    'warn: What web-02 tells of audit logs cannot be read, and is left aside. Install one version ' +
      'of Picket everywhere.',
  ])
  assert.equal(readFileSync(join(dir, 'audit.peers'), 'utf8'), before)
})

test('a peer that lies without end is bounded: few alarms, few lines, a small file', async (t) => {
  const all = await cluster(t)
  const { heads, dir, said } = all.of('web-01')
  const lie = (seq: number) => ({
    chain: 'a'.repeat(16),
    seq,
    hash: seq.toString(16).padStart(64, '0'),
  })
  for (let at = 1; at <= 2_000; at++) {
    const word = { head: lie(at), lost: [1, 2, 3, 4].map((more) => lie(9_000 + 4 * at + more)) }
    heads.heard('web-02', { audit: { head: lie(3_000 - at), kept: { 'web-01': word } } })
  }
  await all.settled()
  await all.settled()
  assert.ok(said.length <= 12, said.join('\n'))
  assert.ok(contradicted(dir).length <= 12)
  assert.ok(statSync(join(dir, 'audit.peers')).size < 10_000)
})

test('what is told goes with messages that are sent anyway, and only when there is news', async (t) => {
  const all = await cluster(t)
  const { heads } = all.of('web-01')
  const report = { session: 's', say: 'report' } as unknown as Message
  const ack = { session: 's', say: 'ack', step: 1 } as const
  assert.ok(heads.asideOf(report))
  assert.equal(heads.asideOf(report), undefined)
  assert.equal(heads.asideOf(ack), undefined)
  await all.note('web-01', 1)
  assert.ok(heads.asideOf(report))
  assert.equal(heads.asideOf(report), undefined)
  all.nowMs += 10_000
  assert.ok(heads.asideOf(report), 'now and then all the same: a message may be lost')
})

test('a file that is damaged, or a disk that takes nothing, is an alarm and no end', async (t) => {
  const all = await cluster(t)
  const one = all.of('web-01')
  await all.restart('web-01', (dir) => writeFileSync(join(dir, 'audit.peers'), '{"kept":7}'))
  assert.match(alarms(one)[0] ?? '', /audit\.peers in .* cannot be read: it is damaged\./)
  assert.match(await foundIn(one.dir), /^audit\.peers, line 1: unreadable: nobody can tell what/)
  await all.talk()
  assert.equal(await foundIn(one.dir), 'whole')
  rmSync(join(one.dir, 'audit.peers'))
  mkdirSync(join(one.dir, 'audit.peers.tmp'))
  await all.note('web-02', 1)
  await all.talk()
  assert.match(alarms(one)[1] ?? '', /audit\.peers in .* cannot be written: EISDIR/)
  assert.equal(alarms(one).length, 2)
})
