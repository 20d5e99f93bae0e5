/** `picket devices`: what picketd last found of every fence device, and what it cannot know. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { span } from '../../src/cli/device-list.ts'
import { judge } from '../../src/cli/devices.ts'
import { healthy, member, openDesk } from './daemon.ts'
import { picket } from './picket.ts'

const nodes = [
  member('web-01', { devices: [{ id: 'web-01/1/1', driver: 'ipmi', ok: undefined, detail: '' }] }),
  member('web-02', {
    devices: [
      {
        id: 'web-02/1/1',
        driver: 'redfish',
        ok: true,
        detail: 'it lets us in',
        okForMs: 480_000,
        nextInMs: 95_000,
      },
      { id: 'web-02/2/1', driver: 'ipmi', ok: false, detail: 'no answer', nextInMs: 12_000 },
      { id: 'web-02/3/1', driver: 'agent', ok: true, detail: '', proves: 'proves fabric only' },
    ],
  }),
  member('web-03', { devices: [] }),
]

test('every device has a line, with since when and when again; 1 when one fails', async (t) => {
  const { socket } = await openDesk(t, healthy({ nodes }))
  const { code, out } = await picket(['devices', '--socket', socket])
  assert.equal(code, 1)
  assert.equal(
    out,
    `seen from web-01
· unknown  web-01/1/1  ipmi     fences this node: the others check it
✓ ok       web-02/1/1  redfish  for 8 min; asked again in 95 s
✗ FAILED   web-02/2/1  ipmi     no answer; asked again in 12 s
✓ ok       web-02/3/1  agent    proves fabric only
✗ none     web-03 has no fence device
`,
  )
  const json = JSON.parse((await picket(['devices', '--json', '--socket', socket])).out)
  assert.deepEqual([json.seenFrom, json.ok, json.devices.length], ['web-01', false, 4])
  assert.deepEqual([json.devices[2].node, json.devices[2].ok], ['web-02', false])
})

test('0 when all is well; without picketd it says what asks the devices itself', async (t) => {
  const { socket } = await openDesk(t, healthy())
  assert.equal((await picket(['devices', '--socket', socket])).code, 0)
  const { code, err } = await picket(['devices', '--socket', '/nowhere/s'])
  assert.equal(code, 1)
  assert.match(err, /picketd is not running here .*`picket fence check` needs no picketd/)
})

test('spans are as exact as a person wants them', () => {
  const spans = [0, 42_400, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000]
  assert.deepEqual(spans.map(span), ['0 s', '42 s', '119 s', '2 min', '120 min', '2 h', '2 d'])
})

test('what the readings of a node come to names every device that could not tell', () => {
  const reading = (level: number, power: 'on' | 'off' | 'unknown') =>
    ({ device: `b/${level}/1`, level, power, isolation: 'power' }) as const
  const one = judge([reading(1, 'unknown'), reading(2, 'off')])
  assert.deepEqual(one, { power: 'unknown', because: 'b/1/1 could not tell' })
  const both = judge([reading(1, 'unknown'), reading(2, 'unknown')])
  assert.deepEqual(both, { power: 'unknown', because: 'b/1/1 and b/2/1 could not tell' })
})
