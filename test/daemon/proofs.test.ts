/** H21: which nodes count as proven off for dlm_controld, and how little ends that. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { State } from '../../src/core/state.ts'
import { openProofs, whatToOrder } from '../../src/daemon/proofs.ts'
import { config, Table } from '../core/table.ts'

const ids = ['a', 'b', 'c']

/** A cluster, and what `b` finds proven of it. */
function watching() {
  const table = new Table(config())
  for (const id of ids) table.seat(id)
  const told: string[] = []
  const proofs = openProofs(({ node }) => told.push(node))
  const state = () => table.seats.get('b')!.state
  const run = (forMs: number) => {
    for (let ms = 0; ms < forMs; ms += 50) {
      table.run(50)
      proofs.follow(state())
    }
  }
  table.ring(ids)
  run(3_000)
  return { table, proofs, told, state, run }
}

/** The ring as it would be with this node in it, and no daemon of ours there. */
const withGuest = (state: State, node: string): State => ({
  ...state,
  group: { ...state.group!, ringMembers: [...state.group!.ringMembers, node] },
})

test('a lost node is proven off by its verdict, and not before', () => {
  const { table, proofs, told, run } = watching()
  assert.equal(proofs.of('a'), undefined)
  table.ring(['b', 'c'])
  proofs.follow(table.seats.get('b')!.state)
  assert.equal(proofs.of('a'), undefined)
  run(3_000)
  assert.match(proofs.of('a')!.text, /^off confirmed via ipmi \(a\/1\/1\)/)
  assert.deepEqual(told, ['a'])
})

test('whoever was in a ring again since is proven nothing, with or without picketd', () => {
  const { table, proofs, told, state, run } = watching()
  table.ring(['b', 'c'])
  run(3_000)
  const fenced = state()
  proofs.follow(withGuest(fenced, 'a'))
  assert.equal(proofs.of('a'), undefined)
  // It dies without ever having been a member: the old verdict stands in the ledger still.
  proofs.follow(fenced)
  assert.equal(proofs.of('a'), undefined)
  assert.equal(whatToOrder(fenced, 'a'), 'reboot')
  const order = { id: 'o', action: 'reboot', target: 'a', requester: 'x', reason: 'y' } as const
  table.tell('b', { kind: 'order', order })
  run(3_000)
  assert.ok(proofs.of('a'))
  assert.deepEqual(told, ['a', 'a'])
})

test('a member that is fenced in the ring is proven off when it has left the ring', () => {
  const { table, proofs, told, state, run } = watching()
  const order = { id: 'o', action: 'off', target: 'a', requester: 'x', reason: 'y' } as const
  table.tell('b', { kind: 'order', order })
  run(3_000)
  assert.deepEqual([proofs.of('a'), told], [undefined, []])
  assert.ok(state().group!.ringMembers.includes('a'))
  table.ring(['b', 'c'])
  run(2_000)
  assert.ok(proofs.of('a'))
  assert.deepEqual(told, ['a'])
  assert.equal(whatToOrder(state(), 'a'), 'off')
})

test('a break in the chain of quorate rings ends every proof, for good', () => {
  for (const broken of [
    { chain: false },
    { corosyncLost: 'it died' },
    { group: undefined },
  ] as const) {
    const { table, proofs, state, run } = watching()
    table.ring(['b', 'c'])
    run(3_000)
    assert.ok(proofs.of('a'))
    proofs.follow({ ...state(), ...broken })
    assert.equal(proofs.of('a'), undefined)
    run(3_000)
    assert.equal(proofs.of('a'), undefined)
  }
})

test('a daemon that finds a node fenced has not seen the verdict', () => {
  const { table, state, run } = watching()
  table.ring(['b', 'c'])
  run(3_000)
  const later = openProofs()
  later.follow(state())
  assert.equal(later.of('a'), undefined)
})

test('of a node that is lost or being fenced nothing is ordered', () => {
  const { table, state, run } = watching()
  assert.equal(whatToOrder(state(), 'a'), 'reboot')
  table.ring(['b', 'c'])
  assert.equal(whatToOrder(state(), 'a'), '')
  run(3_000)
})
