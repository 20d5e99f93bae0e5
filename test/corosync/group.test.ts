import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, createGroup, type View } from '../../src/corosync/group.ts'

// The callbacks below come in the order in which a real Corosync gave them.
const reason = { join: 1, leave: 2, nodeDown: 3, nodeUp: 4, procDown: 5 }
const one = { nodeid: 1, pid: 59 }
const two = { nodeid: 2, pid: 57 }
const three = { nodeid: 3, pid: 45 }
const because = (address: Address, name: keyof typeof reason) => ({
  ...address,
  reason: reason[name],
})
const ringOf = (rep: number, seq: number) => ({ rep, seq })

function joined(self: Address) {
  const group = createGroup(self)
  group.onChange([one, two, three], [because(self, 'join')])
  group.onRing(ringOf(1, 30), [1, 2, 3])
  return group
}

test('a process that joins is told when it knows both the group and the ring', () => {
  const view: View = { ring: ringOf(1, 30), nodeids: [1, 2, 3], members: [one, two] }
  const group = createGroup(two)
  assert.equal(group.onChange([two, one], [because(two, 'join')]), undefined)
  assert.deepEqual(group.onRing(ringOf(1, 30), [3, 1, 2]), view)

  const other = createGroup(two)
  assert.equal(other.onRing(ringOf(1, 30), [1, 2, 3]), undefined)
  assert.deepEqual(other.onChange([one, two], [because(two, 'join')]), view)
})

test('a death in the ring is told at once', () => {
  const view = joined(one).onChange([one, three], [because(two, 'procDown')])
  assert.deepEqual(view?.members, [one, three])
  assert.deepEqual(view?.ring, ringOf(1, 30))
})

test('a change of the ring is told once, with the new ring', () => {
  const group = joined(one)
  assert.equal(group.onChange([one, two], [because(three, 'nodeDown')]), undefined)
  const smaller = { ring: ringOf(1, 38), nodeids: [1, 2], members: [one, two] }
  assert.deepEqual(group.onRing(ringOf(1, 38), [1, 2]), smaller)

  assert.equal(group.onChange([one, two, three], [because(three, 'nodeUp')]), undefined)
  const whole = { ring: ringOf(1, 42), nodeids: [1, 2, 3], members: [one, two, three] }
  assert.deepEqual(group.onRing(ringOf(1, 42), [1, 2, 3]), whole)
})

test('a node that was away for a moment goes and comes within one change', () => {
  const group = joined(one)
  const reborn = { nodeid: 3, pid: 99 }
  assert.equal(group.onChange([one, two], [because(three, 'nodeDown')]), undefined)
  assert.equal(group.onChange([one, two, reborn], [because(reborn, 'nodeUp')]), undefined)
  const view = group.onRing(ringOf(1, 42), [1, 2, 3])
  assert.deepEqual(view?.members, [one, two, reborn])
})

test('a new ring is told also when the group is the same', () => {
  const view = joined(one).onRing(ringOf(1, 34), [1, 2, 3])
  assert.deepEqual(view?.ring, ringOf(1, 34))
})

test('what says nothing new is not told', () => {
  const group = joined(one)
  assert.equal(group.onRing(ringOf(1, 30), [1, 2, 3]), undefined)
  const unknown = { nodeid: 9, pid: 9 }
  assert.equal(group.onChange([one, two, three], [because(unknown, 'procDown')]), undefined)
})

test('members outside of the ring wait for the ring that they are in', () => {
  const group = createGroup(one)
  group.onRing(ringOf(1, 30), [1])
  assert.equal(group.onChange([one, two], [because(one, 'join')]), undefined)
  const view = group.onRing(ringOf(1, 34), [1, 2])
  assert.deepEqual(view?.members, [one, two])
})
