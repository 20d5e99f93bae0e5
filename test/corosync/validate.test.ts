import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Ledger, NodeEntry } from '../../src/core/ledger.ts'
import type { Body, Message, Report, Sync, Verdict } from '../../src/core/message.ts'
import { PROTOCOL, readMessage, writeMessage } from '../../src/corosync/validate.ts'

const report: Report = {
  seq: 3,
  sentMs: 1234.5,
  step: 2,
  saved: -1,
  resources: {
    vip: {
      ...{ thing: 'ip 192.0.2.7/24', state: 'running', refuses: false, mends: false },
      ...{ failures: 1, last: 'it failed', grave: '' },
    },
  },
  checks: [
    {
      check: 'gateway',
      resource: '',
      verdict: 'failing',
      settled: true,
      forMs: 1_500,
      against: 1,
      needed: 4,
      detail: 'no answer',
    },
  ],
  pressing: ['f-1'],
  hears: { node3: 'it answers on 192.0.2.3' },
  dumps: ['node2'],
  leaving: false,
  detaching: false,
  passive: false,
  durable: true,
}
const watchdog = { armed: true, timeoutMs: 10_000, detail: 'i6300ESB timer' }
const entry: NodeEntry = {
  standing: 'condemned',
  because: 'it was silent',
  holds: [{ thing: 'ip 192.0.2.7/24', step: 4 }],
  seen: true,
  rests: true,
  detached: false,
  quarantined: true,
  watch: 1,
  deferred: '',
  barred: false,
  late: true,
  boot: 'b-1',
  hardware: '',
  fencing: {
    id: 'f-1',
    action: 'off',
    because: 'it was silent',
    requester: 'picketd on node1',
    owner: undefined,
    life: '',
    round: 2,
    dangling: [{ node: 'node2', life: 'x', step: 3 }],
    last: 'level 1 failed',
    staysOff: false,
    commanded: 'no',
  },
}
const ledger: Ledger = {
  shots: [{ id: 'f-1', node: 'node2', round: 3 }],
  intents: [{ kind: 'moved', resource: 'vip', node: 'node2', by: 'root', reason: 'it is quiet' }],
  epoch: { seq: 12, rep: 1, step: 7, half: 'node1' },
  coordinator: 'node1',
  nodes: { node1: { ...entry, holds: 'anything', fencing: undefined }, node2: entry },
  recovery: { id: 'w', nodes: ['node2'], votes: 1, boots: { node1: 'b-1' }, because: 'fire' },
}
const sync: Sync = {
  identity: { incarnation: 'i-1', boot: 'b-1', hardware: undefined },
  configHash: 'abc',
  ledger,
  chain: true,
  shown: ['node1'],
  report,
  recovery: { id: 'w', nodes: ['node2'], votes: 1, boots: {}, because: 'fire' },
}
const verdict: Verdict = {
  proven: true,
  newBoot: false,
  text: 'level 1: off by node2/1/1',
  level: 1,
  tookMs: 812.25,
  late: false,
  commanded: 'yes' as const,
  evidence: [{ device: 'node2/1/1', raw: 'Off', askedMs: 700, tookMs: 80 }],
}

/** One message of every kind: a kind without one does not compile. */
const samples: {
  readonly [Kind in Exclude<Body['say'], 'foreign'>]: Extract<Body, { say: Kind }>
} = {
  sync: { say: 'sync', sync },
  again: { say: 'again' },
  ready: { say: 'ready', digest: 'd', durable: true },
  report: { say: 'report', report },
  ack: { say: 'ack', step: 4 },
  accuse: { say: 'accuse', node: 'node2' },
  grant: { say: 'grant', resource: 'vip', thing: 'ip', to: 'node1' },
  migrate: { say: 'migrate', resource: 'vm', thing: 'vm', from: 'node1', to: 'node2' },
  unlink: { say: 'unlink', thing: 'vm', node: 'node2' },
  release: { say: 'release', resource: 'vip', node: 'node1', because: 'it moved' },
  condemn: {
    say: 'condemn',
    node: 'node2',
    id: 'f-1',
    action: 'off',
    because: 'it was silent',
    requester: 'picketd',
    barred: false,
  },
  fence: {
    say: 'fence',
    node: 'node2',
    id: 'f-1',
    action: 'reboot',
    because: 'it was silent',
    requester: 'picketd',
    owner: 'node1',
    round: 1,
    confirmFirst: true,
    heldBack: 'the storm limit',
  },
  verdict: { say: 'verdict', node: 'node2', id: 'f-1', round: 1, verdict },
  settle: { say: 'settle', node: 'node2' },
  defer: { say: 'defer', node: 'node2', because: 'the storm limit', leftMs: 1_500 },
  forget: { say: 'forget', id: 'f-1', round: 3 },
  rested: { say: 'rested', node: 'node2' },
  unwatch: { say: 'unwatch', node: 'node2' },
  want: {
    say: 'want',
    id: 'o-2',
    action: 'standby',
    resource: '',
    node: 'node2',
    requester: 'root',
    reason: 'a new kernel',
  },
  request: {
    say: 'request',
    id: 'o-1',
    action: 'on',
    target: 'node2',
    resource: '',
    requester: 'root',
    reason: '',
    boot: '',
  },
  confirm: {
    say: 'confirm',
    node: 'node2',
    id: 'o-1',
    boot: 'boot-1',
    because: 'confirmed dead by root',
  },
  refuse: { say: 'refuse', id: 'o-1', because: 'it is a member' },
  unbar: { say: 'unbar', node: 'node2', id: 'o-1' },
  resign: { say: 'resign', because: 'its disk fails' },
  goodbye: { say: 'goodbye', report: { ...report, watchdog } },
  detach: { say: 'detach' },
  unfence: { say: 'unfence', node: 'node2', id: 'order-8' },
}
const messages = Object.values(samples).map((body): Message => ({ session: '1.12#0', ...body }))

const read = (value: unknown) => {
  const own = typeof value === 'object' && value !== null && !Array.isArray(value)
  const text = JSON.stringify(own ? { protocol: PROTOCOL, ...value } : value)
  return readMessage(Buffer.from(text))
}

/** Every field of a value, as a path. */
function pathsOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]]
  const inner = Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key]))
  return path.length === 0 ? inner : [[...path], ...inner]
}

function withChange(value: unknown, [key = '', ...rest]: readonly string[], to: unknown): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = rest.length === 0 ? to : withChange(copy[key], rest, to)
  return copy
}

for (const message of messages) {
  test(`a message that says ${message.say} comes out as it went in`, () => {
    assert.deepEqual(readMessage(writeMessage(message)), { ok: true, message })
  })

  test(`no field of ${message.say} may be of another type`, () => {
    const known = JSON.parse(JSON.stringify(message))
    for (const path of pathsOf(known)) {
      for (const wrong of [null, [[]], { a: {} }, 'no such word', 0.5, -0.5, true]) {
        const given = path.reduce((at, key) => at[key], known)
        const received = read(withChange(known, path, wrong))
        // A value of the right type passes; nothing of another type ever does.
        const same = wrong !== null && typeof wrong === typeof given
        assert.ok(!received.ok || same, `${path.join('.')} may be ${JSON.stringify(wrong)}`)
      }
    }
  })
}

test('whatever the bytes are, reading them does not throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readMessage(bytes)
    }),
  )
  fc.assert(fc.property(fc.jsonValue(), (value) => !read(value).ok))
  const seeds = fc.constantFrom(...messages.map((message) => JSON.parse(JSON.stringify(message))))
  fc.assert(
    fc.property(seeds, fc.nat(), fc.jsonValue(), (message, at, value) => {
      const paths = pathsOf(message)
      read(withChange(message, paths[at % paths.length] ?? [], value))
    }),
  )
})

test('S16 of another protocol, or of none, nothing is understood but what every version knows', () => {
  const bytes = (value: object) => Buffer.from(JSON.stringify(value))
  const ack = { session: 's', say: 'ack', step: 1 }
  const foreign = { session: 's', say: 'foreign', ours: PROTOCOL }
  for (const [protocol, theirs] of [
    [PROTOCOL + 1, PROTOCOL + 1],
    [undefined, 0],
    ['1', 0],
  ]) {
    const message = { ...foreign, theirs }
    assert.deepEqual(readMessage(bytes({ ...ack, protocol })), { ok: true, message })
    const sync = { protocol, session: 's', say: 'a word of tomorrow', more: [] }
    assert.deepEqual(readMessage(bytes(sync)), { ok: true, message })
  }
  const again = { session: 's', say: 'again' }
  assert.deepEqual(readMessage(bytes({ ...again, protocol: 7 })), { ok: true, message: again })
  const accuse = { session: 's', say: 'accuse', node: 'node2' }
  assert.deepEqual(readMessage(bytes({ ...accuse, protocol: 7 })), { ok: true, message: accuse })
  assert.equal(readMessage(bytes({ say: 'ack', protocol: 7 })).ok, false)
})

test('nobody says by itself that it is foreign', () => {
  const said = { session: 's', say: 'foreign', theirs: 2, ours: 1 }
  assert.equal(read(said).ok, false)
})

test('unknown fields are left out, and known ones are never inherited', () => {
  const ack = { session: 's', say: 'ack', step: 1 }
  const received = read({ ...ack, more: 1, nested: { deep: [] } })
  assert.deepEqual(received, { ok: true, message: ack })
  const bare = readMessage(Buffer.from('{"__proto__":{"session":"s","say":"ack","step":1}}'))
  assert.equal(bare.ok, false)
})

test('what goes beside a message is no part of it, and is not looked at', () => {
  const ack = { session: 's', say: 'ack', step: 1 } as const
  const aside = { audit: { deep: [[{ x: 1 }]] } }
  assert.deepEqual(readMessage(writeMessage(ack, aside)), { ok: true, message: ack, aside })
  assert.deepEqual(readMessage(writeMessage(ack)), { ok: true, message: ack })
  assert.deepEqual(read({ ...ack, aside: 7 }), { ok: true, message: ack, aside: 7 })
})

test('text that is no UTF-8 is refused, not mended', () => {
  const bytes = Buffer.from('{"session":"?","say":"ack","step":1}')
  assert.equal(readMessage(bytes).ok, true)
  bytes[bytes.indexOf('?')] = 0xff
  assert.equal(readMessage(bytes).ok, false)
})

test('no name is one that every object of the language has already', () => {
  const text = JSON.stringify({ protocol: PROTOCOL, session: 's', say: 'report', report })
  for (const name of ['__proto__', 'toString', 'constructor']) {
    const keyed = readMessage(Buffer.from(text.replace('"vip"', JSON.stringify(name))))
    assert.equal(keyed.ok, false, name)
    assert.deepEqual(read({ session: 's', say: 'accuse', node: name }), {
      ok: false,
      because: 'node is not a name that something can have',
    })
  }
})

test('the reason names the field', () => {
  const received = read({ session: 's', say: 'report', report: { ...report, seq: 'x' } })
  assert.deepEqual(received, { ok: false, because: 'report.seq is not an integer' })
})

test('nesting without end is refused', () => {
  for (const text of ['['.repeat(500_000), `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`]) {
    assert.equal(readMessage(Buffer.from(text)).ok, false)
  }
})
