/** A node with two power supplies: a level of two devices. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { config, Table } from './table.ts'

const feeds = ['a/1/1', 'a/1/2']

function twoFeeds(): Table {
  const plain = config()
  const nodes = plain.nodes.map((node) =>
    node.id === 'a' ? { ...node, levels: [{ devices: feeds, verify: false }] } : node,
  )
  const [first] = plain.devices
  assert.ok(first)
  const table = new Table(config({ nodes, devices: [...plain.devices, { ...first, id: 'a/1/2' }] }))
  for (const id of ['a', 'b', 'c']) table.seat(id)
  table.ring(['a', 'b', 'c'])
  table.run(3_000)
  return table
}

const order = { id: 'o1', requester: 'someone', reason: '', target: 'a', action: 'reboot' } as const

test('a reboot over two feeds takes both off, proves it, and only then gives one back', () => {
  const table = twoFeeds()
  table.tell('c', { kind: 'order', order })
  table.run(150)
  table.ring(['b', 'c'])
  table.run(10_000)
  const presses = table.log.flatMap((line) => /presses (\w+ of \S+)/.exec(line)?.[1] ?? [])
  const offs = feeds.map((feed) => `off of ${feed}`)
  const ons = feeds.map((feed) => `on of ${feed}`)
  assert.deepEqual(presses.slice(0, 2).sort(), offs)
  assert.deepEqual(presses.slice(2).sort(), ons)
  const place = (text: string) => table.log.findIndex((line) => line.includes(text))
  assert.ok(place('Node a fenced') > place(offs[1] ?? ''))
  assert.ok(place('Node a fenced') < place('presses on'))
})

test('partly off is not off: with one feed left nothing moves', () => {
  const table = twoFeeds()
  const { feeds: own, stuck } = table.seats.get('a')!
  stuck.add('a/1/2')
  table.ring(['b', 'c'])
  table.run(20_000)
  assert.deepEqual(
    [...own],
    [
      ['a/1/1', 'off'],
      ['a/1/2', 'on'],
    ],
  )
  assert.ok(table.log.some((line) => line.includes('presses off of a/1/2')))
  assert.ok(!table.log.some((line) => line.includes('Node a fenced')))
})
