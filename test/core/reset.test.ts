/** F15: what the core makes of a device that cannot switch off, and resets instead. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe } from '../../src/core/status.ts'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']

/** All devices reset; what they prove in `more` comes after that. */
function whole(more: Partial<Parameters<typeof config>[0]> = {}): Table {
  const plain = config(more)
  const devices = plain.devices.map((device) => ({ ...device, isolation: 'new-boot' as const }))
  const table = new Table({ ...plain, devices })
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

const said = (table: Table, text: string) => table.log.filter((line) => line.includes(text))
const statusOf = (table: Table, id: string) => describe(table.seats.get(id)!.state, table.nowMs)
const entryOf = (table: Table, id: string) => table.seats.get('b')!.state.ledger.nodes[id]!
const order = { requester: 'someone', reason: '', id: 'o1' }

test('F15 a lost node is reset, and proven by another boot; nothing is switched on', () => {
  const table = whole()
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.equal(said(table, 'presses reset of a/1/1').length, 1)
  const [line] = said(table, 'Node a fenced by b')
  assert.match(line!, /new boot confirmed via ipmi \(a\/1\/1\) after 0\.1 s$/)
  assert.equal(said(table, 'b starts vip').length, 1)
  assert.equal(said(table, 'presses on').length + said(table, 'presses off').length, 0)
  assert.equal(entryOf(table, 'a').standing, 'fenced')
  table.seat('a', 'a2', 'boot-a2')
  table.ring(ids)
  table.run(2_000)
  assert.equal(entryOf(table, 'a').standing, 'member')
})

test('F15 the evidence names the boot before and the one after', () => {
  const table = whole()
  const evidence: unknown[] = []
  table.ears.set('b', {
    append(event) {
      if (event.kind !== 'message' || event.message.say !== 'verdict') return
      const { verdict } = event.message
      evidence.push([verdict.newBoot, ...verdict.evidence.map(({ raw }) => raw)])
    },
    did: () => {},
  })
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.deepEqual(evidence, [[true, 'on, boot boot 1', 'on, boot boot 2', 'on, boot boot 2']])
})

test('F15 the same boot, or none, proves nothing, and the resource stays where it is', () => {
  const table = whole()
  table.seats.get('a')!.says = 'on'
  table.ring(['b', 'c'])
  table.run(30_000)
  assert.ok(said(table, 'presses reset').length >= 2)
  assert.equal(said(table, 'Node a fenced').length, 0)
  assert.match(statusOf(table, 'b').nodes[0]!.fencing!.at, /reads on \(on, boot boot 1\)/)
})

test('F3 what is read as off already is off, and nothing is reset', () => {
  const table = whole()
  table.seats.get('a')!.power = false
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.equal(said(table, 'presses').length, 0)
  assert.match(said(table, 'Node a fenced')[0]!, /off confirmed/)
})

test('F15 an order to switch off is refused where nothing but a reset is there', () => {
  const table = whole()
  table.tell('c', { kind: 'order', order: { ...order, action: 'off', target: 'a' } })
  table.run(2_000)
  const [found] = statusOf(table, 'c').orders
  assert.equal(found!.at, 'refused')
  assert.match(found!.because, /a can only be reset.*order a reboot/)
  assert.equal(entryOf(table, 'a').standing, 'member')
})

test('F15 an order to reboot is done by a reset, all of it', () => {
  const table = whole()
  table.tell('c', { kind: 'order', order: { ...order, action: 'reboot', target: 'a' } })
  table.run(2_000)
  const [found] = statusOf(table, 'c').orders
  assert.equal(found!.at, 'done')
  assert.match(found!.because, /new boot confirmed/)
  assert.equal(said(table, 'presses on').length, 0)
  assert.equal(entryOf(table, 'a').fencing, undefined)
})

test('F16 whoever was reset is not watched for a return', () => {
  const devices = config().devices.map((device) => ({ ...device, returnsMs: 60_000 }))
  const table = whole({ devices })
  table.ring(['b', 'c'])
  table.run(3_000)
  assert.equal(entryOf(table, 'a').standing, 'fenced')
  assert.equal(entryOf(table, 'a').watch, 0)
  table.run(30_000)
  assert.equal(said(table, 'on again').length, 0)
})

test('F15 the status names what a device proves', () => {
  const [device] = statusOf(whole(), 'b').nodes[0]!.devices
  assert.equal(device!.proves, 'proves new-boot only')
})
