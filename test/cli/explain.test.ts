/** `picket explain`: sentences about one resource. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { healthy, openDesk } from './daemon.ts'
import { picket } from './picket.ts'

const explanation = {
  ...{ id: 'web', thing: 'program /bin/web', state: 'running', node: 'web-02', because: '' },
  ...{ belongs: 'web-02', why: 'vip is there, beside which it must run', waits: '' },
  elsewhere: {
    'web-01': 'it is lost',
    'web-3': 'vip, beside which it must run, belongs on web-02',
  },
  intents: ['web is banned from node3 (by root)'],
  checks: ['on web-02 answers of web has failed once: status 503'],
  failures: {},
  wishes: ['beside vip, always'],
  live: '',
}

test('H3 where it is, where it belongs, why, and why not elsewhere', async (t) => {
  const desk = await openDesk(t, healthy())
  desk.world.explanation = explanation
  const { code, out } = await picket(['explain', 'web', '--socket', desk.socket])
  assert.equal(code, 0)
  assert.equal(
    out,
    `✓ web (program /bin/web) is running on web-02
  it belongs on web-02: vip is there, beside which it must run
  not on web-01  it is lost
  not on web-3   vip, beside which it must run, belongs on web-02
  ordered: web is banned from node3 (by root)
  check: on web-02 answers of web has failed once: status 503
  wish: beside vip, always
`,
  )
  const json = await picket(['explain', 'web', '--json', '--socket', desk.socket])
  assert.deepEqual(JSON.parse(json.out), explanation)
  const waits = { node: undefined, state: 'stopped', because: 'x', waits: 'it waits for vip' }
  desk.world.explanation = { ...explanation, ...waits }
  const told = await picket(['explain', 'web', '--socket', desk.socket])
  assert.match(told.out, /^… web \(program \/bin\/web\) runs nowhere: x\n/)
  assert.match(told.out, /\n {2}it waits for vip\n/)
})

test('H3 what is no resource, or no daemon, is a sentence', async (t) => {
  const desk = await openDesk(t, healthy())
  desk.world.explanation = 'there is no resource wbe; there are vip, web'
  const { code, err } = await picket(['explain', 'wbe', '--socket', desk.socket])
  assert.equal(code, 3)
  assert.match(err, /no resource wbe; there are vip, web/)
  assert.equal((await picket(['explain'])).code, 2)
  assert.equal((await picket(['explain', 'web', '--socket', '/nowhere/s'])).code, 1)
})

test('H2 whether it moves live is told where somebody has asked for it', async (t) => {
  const desk = await openDesk(t, healthy())
  desk.world.explanation = { ...explanation, live: 'moves live where its agent can' }
  const { out } = await picket(['explain', 'web', '--socket', desk.socket])
  assert.match(out, /\n {2}it moves live where its agent can\n$/)
})

test('H2 a clone is explained instance by instance', async (t) => {
  const desk = await openDesk(t, healthy())
  const down = { node: undefined, state: 'stopped', belongs: undefined, why: 'it is disabled' }
  const none = { elsewhere: {}, intents: [], wishes: [], checks: [] }
  const instances = [
    { ...explanation, id: 'web@web-02', ...none },
    { ...explanation, ...down, id: 'web@web-03', ...none },
  ]
  const elsewhere = { 'web-01': 'it is a witness' }
  desk.world.explanation = { id: 'web', max: 2, instances, elsewhere }
  const { code, out } = await picket(['explain', 'web', '--socket', desk.socket])
  assert.equal(code, 0)
  assert.equal(
    out,
    `… web is a clone: it runs on 1 of 2 nodes
✓ web@web-02 (program /bin/web) is running on web-02
  it belongs on web-02: vip is there, beside which it must run
… web@web-03 (program /bin/web) runs nowhere
  it belongs nowhere now: it is disabled
  not on web-01  it is a witness
`,
  )
})
