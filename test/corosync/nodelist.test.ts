import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Value } from '../../src/corosync/cmap.ts'
import {
  halvesMayDecide,
  linkKeysOf,
  linksOf,
  nodesOf,
  optionsOf,
  totemOf,
  unlistedName,
} from '../../src/corosync/nodelist.ts'

const nodelist: readonly [string, Value][] = [
  ['nodelist.local_node_pos', 0],
  ['nodelist.node.0.name', 'web-01'],
  ['nodelist.node.0.nodeid', 1],
  ['nodelist.node.0.ring0_addr', '10.0.0.1'],
  ['nodelist.node.0.ring2_addr', '10.2.0.1'],
  ['nodelist.node.1.nodeid', 2],
  ['nodelist.node.1.ring0_addr', '10.0.0.2'],
  ['nodelist.node.1.ring2_addr', '10.2.0.2'],
  ['nodelist.node.10.name', 'web-03'],
  ['nodelist.node.10.nodeid', 3],
  ['nodelist.node.10.quorum_votes', 2],
]
const keys = new Map(nodelist)
const rules = {
  twoNode: false,
  waitForAll: true,
  lastManStanding: false,
  autoTieBreaker: false,
  allowDownscale: false,
  qdevice: false,
}

test('a node without a name is called by its first address', () => {
  assert.deepEqual(nodesOf(keys), [
    { name: 'web-01', nodeid: 1, addresses: ['10.0.0.1', '10.2.0.1'] },
    { name: '10.0.0.2', nodeid: 2, addresses: ['10.0.0.2', '10.2.0.2'] },
    { name: 'web-03', nodeid: 3, addresses: [] },
  ])
  assert.equal(unlistedName(7), 'nodeid-7')
})

test('links are those to the other nodes, by their own numbers', () => {
  const found = linkKeysOf(keys, 1)
  assert.deepEqual(found, ['stats.knet.node2.link0.connected', 'stats.knet.node2.link2.connected'])
  const stats = new Map<string, Value>([
    ['stats.knet.node2.link0.connected', 1],
    ['stats.knet.node2.link2.connected', 0],
  ])
  assert.deepEqual(
    linksOf(stats, (nodeid) => `n${nodeid}`),
    [
      { node: 'n2', link: 0, up: true },
      { node: 'n2', link: 2, up: false },
    ],
  )
})

test('the configured votes are those of all nodes and of the device', () => {
  assert.equal(optionsOf(keys, rules, 4).configuredVotes, 4)
  const device = new Map([...keys, ['quorum.device.model', 'net'], ['quorum.device.votes', 1]] as [
    string,
    Value,
  ][])
  assert.equal(optionsOf(device, rules, 4).configuredVotes, 5)
  assert.equal(optionsOf(device, rules, 4).qdevice, true)
  const stated = new Map([...keys, ['quorum.expected_votes', '9']] as [string, Value][])
  assert.equal(optionsOf(stated, rules, 4).configuredVotes, 9)
})

test('a rule that makes quorum easier counts as soon as it is configured', () => {
  const changed = new Map([...keys, ['quorum.two_node', '1']] as [string, Value][])
  assert.equal(optionsOf(changed, rules, 2).twoNode, true)
  assert.equal(optionsOf(keys, rules, 2).twoNode, false)
  assert.equal(optionsOf(keys, { ...rules, twoNode: true }, 2).twoNode, true)
})

test('H25 unequal votes are noticed, and expected ones that are fewer than there are', () => {
  assert.equal(optionsOf(keys, rules, 4).unequalVotes, true)
  const equal = new Map([...keys, ['nodelist.node.10.quorum_votes', 1]] as [string, Value][])
  assert.equal(optionsOf(equal, rules, 3).unequalVotes, false)
  for (const [stated, understated] of [
    ['3', true],
    ['4', false],
    ['9', false],
  ] as const) {
    const written = new Map([...keys, ['quorum.expected_votes', stated]] as [string, Value][])
    assert.equal(optionsOf(written, rules, 4).understated, understated)
  }
})

test('S18 half may decide by a device or two_node, not where two halves could be quorate', () => {
  const halves = { ...rules, understated: false }
  assert.equal(halvesMayDecide(halves), false)
  assert.equal(halvesMayDecide({ ...halves, twoNode: true }), true)
  assert.equal(halvesMayDecide({ ...halves, twoNode: true, waitForAll: false }), false)
  assert.equal(halvesMayDecide({ ...halves, qdevice: true }), true)
  assert.equal(halvesMayDecide({ ...halves, qdevice: true, understated: true }), false)
  assert.equal(halvesMayDecide({ ...halves, autoTieBreaker: true }), false)
})

test("Totem is shown with the values in effect, which are not the configuration's", () => {
  const found = totemOf(
    new Map<string, Value>([
      ['totem.cluster_name', 'shop'],
      ['totem.token', '1000'],
      ['totem.crypto_cipher', 'aes256'],
      ['runtime.config.totem.token', 1650],
      ['runtime.config.totem.consensus', 1980],
      ['runtime.config.totem.join', 50],
      ['runtime.config.totem.token_retransmits_before_loss_const', 4],
      ['runtime.config.totem.max_messages', 17],
    ]),
  )
  assert.deepEqual(found, {
    cluster: 'shop',
    transport: 'knet',
    tokenMs: 1650,
    consensusMs: 1980,
    joinMs: 50,
    retransmits: 4,
    messagesMax: 17,
    encrypted: true,
  })
})

test('a cipher counts for more than secauth, and without both nothing is encrypted', () => {
  const encrypted = (entries: readonly [string, Value][]) => totemOf(new Map(entries)).encrypted
  assert.equal(encrypted([]), false)
  assert.equal(encrypted([['totem.secauth', 'on']]), true)
  assert.equal(
    encrypted([
      ['totem.secauth', 'on'],
      ['totem.crypto_cipher', 'none'],
    ]),
    false,
  )
})
