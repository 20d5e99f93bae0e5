/** `picket confirm`: a person's word, asked for in a way that no script and no habit can answer. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { NodeStatus } from '../../src/core/status.ts'
import { type Desk, healthy, member, openDesk } from './daemon.ts'
import { picket, program } from './picket.ts'

const lost: Partial<NodeStatus> = {
  standing: 'lost',
  because: 'it vanished from the ring without a goodbye',
  inRing: false,
  daemon: false,
  boot: 'boot-7',
  holds: ['address 10.0.0.9'],
  fencing: {
    id: 'f-1',
    action: 'off',
    because: 'it vanished',
    requester: 'picket',
    owner: undefined,
    round: 3,
    at: 'web-02/1/1: no answer',
    verdict: undefined,
  },
}

/** A picketd that has lost web-02, and takes what it is told. */
function openLost(t: TestContext, change: Partial<NodeStatus> = lost): Promise<Desk> {
  const nodes = [member('web-01'), member('web-02', change), member('web-03')]
  return openDesk(t, healthy({ nodes }), (desk, { id, requester, reason }) => {
    desk.orders.push({ id, at: 'done', because: `confirmed dead by ${requester}: ${reason}` })
    desk.control.changed()
  })
}

/** At a terminal, with this typed into it. */
function typing(desk: Desk, node: string, input: string) {
  const call = `'${program}' confirm ${node} --reason 'no current' --socket '${desk.socket}'`
  return picket(['-qec', call, '/dev/null'], { argv0: 'script', input, env: { TERM: 'dumb' } })
}

test('F14 it says what is at stake, and only the name of the node confirms', async (t) => {
  const desk = await openLost(t)
  for (const word of ['yes', 'web-0', 'web-01', '', '\u0004']) {
    const { code, out } = await typing(desk, 'web-02', `${word}\n`)
    assert.equal(code, 3, word)
    assert.match(out, /web-02 is lost: it vanished from the ring/)
    assert.match(out, /Its fencing so far: web-02\/1\/1: no answer/)
    assert.match(out, /It may still hold vip: that starts elsewhere, at once/)
    assert.match(out, /If web-02 still runs, what it holds runs twice/)
    assert.match(out, /Refused/)
  }
  assert.equal(desk.given.length, 0)
  const { code, out } = await typing(desk, 'web-02', 'web-02\n')
  assert.equal(code, 0, out)
  assert.match(out, /Done: confirmed dead by .*: no current/)
  const [order] = desk.given
  assert.deepEqual(
    [order?.action, order?.target, order?.boot, order?.reason],
    ['confirm', 'web-02', 'boot-7', 'no current'],
  )
})

test('F14 without a terminal nobody confirms', async (t) => {
  const desk = await openLost(t)
  const ran = await picket(['confirm', 'web-02', '--socket', desk.socket], { input: 'web-02\n' })
  assert.deepEqual([ran.code, ran.out], [3, ''])
  assert.match(ran.err, /nobody here to type its name/)
  assert.equal(desk.given.length, 0)
})

test('F14 where there is nothing to confirm nobody is asked', async (t) => {
  const cases: readonly (readonly [Partial<NodeStatus>, RegExp])[] = [
    [{}, /web-02 is a member: its picketd answers, so it runs/],
    [{ ...lost, inRing: true }, /web-02 is in the ring: its Corosync answers/],
    [{ ...lost, standing: 'fenced' }, /web-02 is fenced already/],
    [{ ...lost, standing: 'left' }, /web-02 has left with everything stopped/],
  ]
  for (const [change, says] of cases) {
    const desk = await openLost(t, change)
    const { code, out } = await typing(desk, 'web-02', 'web-02\n')
    assert.equal(code, 3)
    assert.match(out, says)
    assert.doesNotMatch(out, /Type the name/)
    assert.equal(desk.given.length, 0)
  }
})

test('F14 an unknown node, no node, and no picketd each get a sentence', async (t) => {
  const desk = await openLost(t)
  const unknown = await picket(['confirm', 'web-9', '--socket', desk.socket])
  assert.equal(unknown.code, 3)
  assert.match(unknown.err, /there is no node web-9; the nodes are web-01, web-02, web-03/)
  const none = await picket(['confirm'])
  assert.equal(none.code, 2)
  assert.match(none.err, /NODE is missing/)
  const absent = await picket(['confirm', 'web-02', '--socket', '/nowhere/s'])
  assert.equal(absent.code, 1)
  assert.match(absent.err, /picketd is not running here .*Nothing was confirmed\./)
})
