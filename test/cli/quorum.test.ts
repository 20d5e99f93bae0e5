/** `picket quorum expected`: what it shows, what has to be typed, and what it keeps first. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Status } from '../../src/core/status.ts'
import { type Desk, healthy, member, openDesk } from './daemon.ts'
import { picket, program } from './picket.ts'

const lost = {
  standing: 'member',
  because: 'it is in the group',
  inRing: false,
  daemon: false,
  holds: ['address 10.0.0.9'],
} as const

async function open(t: TestContext, change: Partial<Status> = {}) {
  const nodes = [member('web-01'), member('web-02', lost), member('web-03', lost)]
  const because = 'no quorum: 1 of 3 nodes are in the ring, 2 are needed'
  const status = healthy({ nodes, ready: false, quorate: false, because, ...change })
  const desk = await openDesk(t, status, (desk, { id }) => {
    desk.orders.push({ id, at: 'done', because: 'web-02, web-03: written off' })
    desk.control.changed()
  })
  const dir = mkdtempSync(join(tmpdir(), 'picket-state-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'ledger.json'), 'a ledger')
  return { desk, dir }
}

/** At a terminal, with these lines typed into it one after the other. */
function typing({ desk, dir }: { desk: Desk; dir: string }, lines: readonly string[]) {
  const flags = `--reason fire --state '${dir}' --socket '${desk.socket}'`
  const call = `'${program}' quorum expected 1 ${flags}`
  const words = lines.map((line) => `sleep 1.5; echo '${line}'`).join('; ')
  return picket(['-c', `{ ${words}; } | script -qec "${call}" /dev/null`], {
    argv0: 'sh',
    env: { TERM: 'dumb' },
  })
}

const backups = (dir: string) => readdirSync(dir).filter((name) => name.startsWith('before-'))

test('H26 every missing node and the cluster are named, and the ledger is kept first', async (t) => {
  const stand = await open(t)
  const { code, out } = await typing(stand, ['web-02', 'web-03', 'shop'])
  assert.equal(code, 0, out)
  assert.match(out, /web-02, last known as member .*, may hold vip/)
  assert.match(out, /Corosync expects 1 vote there/)
  assert.match(out, /All services start on web-01, at once/)
  assert.match(out, /Done: web-02, web-03: written off/)
  const [order] = stand.desk.given
  assert.deepEqual([order?.action, order?.reason], ['recover', 'fire'])
  assert.deepEqual(order?.recovery, { nodes: ['web-02', 'web-03'], votes: 1, ring: '1.44' })
  const [kept = ''] = backups(stand.dir)
  assert.equal(statSync(join(stand.dir, kept)).mode & 0o777, 0o700)
  assert.ok(existsSync(join(stand.dir, kept, 'ledger.json')))
  assert.match(out, new RegExp(kept))
})

test('H26 a wrong name, or the wrong cluster, writes nobody off', async (t) => {
  const stand = await open(t)
  const cases = [
    [['web-02', 'yes'], /Refused: that is not web-03/],
    [['web-02', 'web-03', 'yes'], /Refused: that is not shop/],
  ] as const
  for (const [lines, says] of cases) {
    const { code, out } = await typing(stand, lines)
    assert.equal(code, 3, out)
    assert.match(out, says)
  }
  assert.deepEqual([stand.desk.given.length, backups(stand.dir)], [0, []])
})

test('H26 a dry run asks nothing, and without a terminal nobody is written off', async (t) => {
  const { desk, dir } = await open(t)
  const words = ['quorum', 'expected', '1', '--socket', desk.socket, '--state', dir]
  const dry = await picket([...words, '--dry-run'])
  assert.equal(dry.code, 0)
  assert.match(dry.err, /If a node that you name still runs/)
  const piped = await picket(words, { input: 'web-02\nweb-03\nshop\n' })
  assert.equal(piped.code, 3)
  assert.match(piped.err, /there is nobody here to type it/)
  assert.deepEqual([desk.given.length, backups(dir)], [0, []])
})

test('H26 where it would not help it says so before anything is typed', async (t) => {
  const cases: readonly (readonly [Partial<Status>, string, RegExp])[] = [
    [{ ready: true }, '1', /the cluster decides; picket confirm is for a node that is dead/],
    [{ nodes: [member('web-01')] }, '1', /no node is missing/],
    [{}, '2', /with 1 of the nodes left, 1 vote may be expected, not 2/],
  ]
  for (const [change, votes, says] of cases) {
    const { desk } = await open(t, change)
    const { code, err } = await picket(['quorum', 'expected', votes, '--socket', desk.socket])
    assert.equal(code, 3)
    assert.match(err, says)
  }
  for (const words of [['quorum'], ['quorum', 'expected'], ['quorum', 'expected', '0']]) {
    assert.equal((await picket(words)).code, 2)
  }
})
