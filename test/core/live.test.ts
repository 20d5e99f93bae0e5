/** Live moves: who is moved live, in which order its two nodes act, and what a failure comes to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../src/core/explain.ts'
import type { Hold, Ledger } from '../../src/core/ledger.ts'
import { blankLedger, unknownNode } from '../../src/core/ledger.ts'
import { awaitsAny, isSent, moveOf, whyNeverLive, withComing } from '../../src/core/live.ts'
import { blankReport } from '../../src/core/message.ts'
import { plainWishes, type ResourceConfig } from '../../src/core/model.ts'
import { heard } from '../../src/core/report.ts'
import { config, Table } from './table.ts'

const ids = ['a', 'b', 'c']
const [vip] = config().resources
const live: ResourceConfig = { ...vip!, live: { boundMs: 5_000 } }
const thing = live.thing

function whole(resources: readonly ResourceConfig[] = [live]): Table {
  const table = new Table(config({ resources }))
  for (const id of ids) table.seat(id)
  table.ring(ids)
  table.run(3_000)
  return table
}

function move(table: Table, resource: string, target: string): readonly string[] {
  const from = table.log.length
  const who = { requester: 'someone', reason: 'a test' }
  const order = { id: `move-${from}`, action: 'move', target, resource, ...who } as const
  table.tell('c', { kind: 'order', order })
  table.run(5_000)
  return table.log.slice(from).filter((line) => / (migrate_|starts|stops) ?/.test(line))
}
const deedsIn = (lines: readonly string[]) => lines.filter((line) => !line.includes(': '))
const runs = (table: Table) => ids.filter((id) => table.seats.get(id)!.runs.has('vip'))

test('H2 it is sent, taken over, and what is left of it is stopped, in this order', () => {
  const table = whole()
  assert.deepEqual(runs(table), ['a'])
  const deeds = deedsIn(move(table, 'vip', 'b'))
  assert.deepEqual(
    deeds.map((line) => line.replace(/^\s*\d+\s+/, '')),
    ['a migrate_to vip, a to b', 'b migrate_from vip, a to b', 'a stops vip'],
  )
  assert.deepEqual(runs(table), ['b'])
  const { ledger } = table.seats.get('c')!.state
  assert.equal(moveOf(ledger, thing), undefined, 'it is over')
})

test('H2 a move that cannot be sent stops on both and starts where it was to go', () => {
  const table = whole()
  table.seats.get('a')!.broken.set('vip', 'no route')
  const deeds = deedsIn(move(table, 'vip', 'b')).map((line) => line.replace(/^\s*\d+\s+/, ''))
  assert.deepEqual(deeds[0], 'a migrate_to vip, a to b')
  assert.deepEqual(deeds.toSorted(), [
    'a migrate_to vip, a to b',
    'a stops vip',
    'b starts vip',
    'b stops vip',
  ])
  assert.equal(deeds.at(-1), 'b starts vip')
  assert.deepEqual(runs(table), ['b'])
})

test('H2 who has company, or never asked for it, is stopped and started, and explain says why', () => {
  const must = { to: 'vip', strength: 'must' } as const
  const web: ResourceConfig = { ...vip!, id: 'web', thing: 'web', beside: [must] }
  const why = (one: ResourceConfig, ...others: ResourceConfig[]) =>
    whyNeverLive([one, ...others], one)
  assert.equal(why(live), '')
  assert.match(why(vip!), /has no `live: true`/)
  assert.match(why(live, web), /web has to stop before it does/)
  assert.match(why({ ...web, live: { boundMs: 1 } }, live), /must run beside vip/)
  assert.match(why({ ...live, after: ['web'] }, web), /starts after web/)
  assert.match(why({ ...live, clone: { id: 'vip', max: 2 } }), /is a clone/)
  assert.equal(why(live, { ...vip!, ...plainWishes, id: 'web', thing: 'web' }), '')

  const table = whole([live, web])
  const deeds = deedsIn(move(table, 'vip', 'b'))
  assert.ok(!deeds.some((line) => line.includes('migrate')))
  assert.deepEqual(runs(table), ['b'])
  const text = explain(table.seats.get('a')!.state, 'vip')?.live
  assert.equal(text, 'is stopped and started to move: web has to stop before it does')
})

test('H2 a target to which something may be on its way is not believed that it has nothing', () => {
  const coming: Hold = { thing, step: 3, from: 'a' }
  const ledgerOf = (source: readonly Hold[], target: readonly Hold[]): Ledger => ({
    ...blankLedger,
    nodes: {
      a: { ...unknownNode, standing: 'member', holds: source },
      b: { ...unknownNode, standing: 'member', holds: target },
    },
  })
  const moving = ledgerOf([{ thing, step: 1 }], [coming])
  const says = (state: 'stopped' | 'running') => {
    const told = { refuses: false, mends: false, failures: 0, last: '', grave: '' }
    return { ...blankReport, step: 9, resources: { vip: { thing, state, ...told } } }
  }
  assert.equal(heard(moving, 'b', says('stopped')), moving)
  assert.equal(heard(moving, 'b', says('running')), moving)
  assert.ok(awaitsAny(moving, 'b'))
  assert.ok(!isSent(moving, moveOf(moving, thing)!))
  assert.ok(isSent(ledgerOf([], [coming]), moveOf(moving, thing)!))

  const looks = ledgerOf([], [{ ...coming, from: '' }])
  assert.deepEqual(heard(looks, 'b', says('stopped')).nodes.b!.holds, [])
  assert.deepEqual(heard(looks, 'b', says('running')).nodes.b!.holds, [{ thing, step: 3 }])
  assert.equal(heard(looks, 'b', { ...says('running'), step: 2 }), looks, 'said before it looked')

  const again = withComing('b', [], [{ ...coming, from: '' }])
  assert.deepEqual(again, [{ thing, step: 1, from: 'b' }], 'in a new session it looks once more')
})
