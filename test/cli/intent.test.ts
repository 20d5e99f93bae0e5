/** `picket standby` and its like: what they tell, what they ask for, and how they end. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { intentActions, meanings } from '../../src/core/intents.ts'
import { type Desk, healthy, openDesk } from './daemon.ts'
import { picket } from './picket.ts'

type Ending = Pick<Desk['orders'][number], 'at' | 'because'>

/** A picketd with which every order ends like this. */
function openEnding(t: TestContext, ending: Ending): Promise<Desk> {
  return openDesk(t, healthy(), (desk, { id }) => {
    desk.orders.splice(0, 1, { id, at: 'keeping', because: '' })
    desk.control.changed()
    desk.orders.splice(0, 1, { id, ...ending })
    desk.control.changed()
  })
}

const kept = { at: 'done', because: 'web-01 is on standby' } as const

test('H8 standby tells first what moves where, and ends when the order is kept', async (t) => {
  const desk = await openEnding(t, kept)
  desk.world.foreseen = [
    { resource: 'vip', from: 'web-01', to: 'web-02', because: 'it is the best one' },
    { resource: 'web', from: 'web-01', to: 'web-02', because: 'vip is there' },
    { resource: 'db', from: 'web-01', to: undefined, because: 'none of its nodes can take it' },
  ]
  const call = ['standby', 'web-01', '--reason', 'a new kernel', '--socket', desk.socket]
  const { code, out, err } = await picket(call)
  assert.equal(code, 0, err)
  assert.equal(out, 'Done: web-01 is on standby\n')
  assert.match(err, /vip and web will move from web-01 to web-02\./)
  assert.match(err, /db will run nowhere: none of its nodes can take it\./)
  const [order] = desk.given
  assert.deepEqual(
    [order?.action, order?.target, order?.resource, order?.reason],
    ['standby', 'web-01', '', 'a new kernel'],
  )
})

test('H8 a dry run orders nothing, and JSON is one object a line', async (t) => {
  const desk = await openEnding(t, kept)
  const dry = await picket(['disable', 'vip', '--dry-run', '--socket', desk.socket])
  assert.deepEqual([dry.code, dry.out], [0, 'Nothing moves.\n'])
  assert.equal(desk.given.length, 0)
  const { code, out } = await picket(['ban', 'vip', 'web-01', '--json', '--socket', desk.socket])
  assert.equal(code, 0)
  const lines = out.trim().split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      { foreseen: [], cautions: [] },
      { ok: true, because: 'web-01 is on standby' },
    ],
  )
})

test('H8 what is refused ends with 3, where nobody answers with 1, and a wrong call with 2', async (t) => {
  const desk = await openEnding(t, { at: 'refused', because: 'this node has no quorum' })
  const refused = await picket(['enable', 'vip', '--socket', desk.socket])
  assert.deepEqual([refused.code, refused.out], [3, ''])
  assert.match(refused.err, /Refused: this node has no quorum/)
  desk.world.foreseen = 'there is no node x; the nodes are web-01'
  const unknown = await picket(['standby', 'x', '--socket', desk.socket])
  assert.equal(unknown.code, 3)
  assert.match(unknown.err, /Refused: there is no node x/)
  assert.equal(desk.given.length, 1)
  const nobody = await picket(['standby', 'web-01', '--socket', '/nowhere/control.sock'])
  assert.equal(nobody.code, 1)
  assert.match(nobody.err, /picketd is not running here.*Nothing was ordered\./)
  assert.equal((await picket(['move', 'vip', '--socket', desk.socket])).code, 2)
})

test('H8 every one of these commands asks for its own action', async (t) => {
  const desk = await openEnding(t, kept)
  // Those of a maintenance have a command of their own.
  for (const action of intentActions.filter((each) => !each.endsWith('maintain'))) {
    const { names } = meanings[action]
    const words = [...(names.resource ? ['vip'] : []), ...(names.node ? ['web-02'] : [])]
    const { code } = await picket([action, ...words, '--socket', desk.socket])
    assert.equal(code, 0, action)
    const order = desk.given.at(-1)
    const wanted = [action, names.resource ? 'vip' : '', names.node ? 'web-02' : '']
    assert.deepEqual([order?.action, order?.resource, order?.target], wanted)
  }
})

test('H9 picket status and picket explain show what operators want', async (t) => {
  const text = 'web-02 is on standby: a new kernel (by root@web-01)'
  const by = 'root@web-01'
  const intents = [
    { kind: 'standby', resource: '', node: 'web-02', by, reason: 'a new kernel', text },
  ] as const
  const desk = await openDesk(t, healthy({ intents }))
  const { out } = await picket(['status', '--socket', desk.socket])
  assert.match(out, /As operators want it\n {2}… web-02 is on standby: a new kernel \(by root@/)
})
