import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import type { Effect, Press } from '../../src/core/effect.ts'
import type { News } from '../../src/core/event.ts'
import { blankLedger, unknownNode } from '../../src/core/ledger.ts'
import type { Message } from '../../src/core/message.ts'
import { monotonic as clock } from '../../src/daemon/clock.ts'
import { openFencings } from '../../src/daemon/fencings.ts'
import { type Body, handsOf } from '../../src/daemon/hands.ts'
import { openStore } from '../../src/daemon/store.ts'
import { openDevice } from '../../src/fence/device.ts'
import { defineDriver } from '../../src/fence/driver.ts'
import { listener, scratch } from './scratch.ts'

/** A power switch that is a file: what it holds is the power. */
const fileSwitch = defineDriver({
  name: 'file',
  title: 'A switch that is a file',
  options: z.object({ file: z.string(), slowS: z.number().default(0) }),
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    sharedFate: 'network',
    readGapMs: 0,
    lateMs: 0,
    returnsMs: 0,
    settleMs: 0,
    vouches: false,
    timeoutMs: 1_000,
  },
  endpoint: ({ file }) => file,
  async status({ file }) {
    const raw = readFileSync(file, 'utf8')
    return { power: raw === 'off' ? 'off' : raw === 'on' ? 'on' : 'unknown', raw }
  },
  async powerOff({ file, slowS }, wire) {
    const script = `sleep ${slowS}; printf off >"$1"`
    await wire.run('sh', ['-c', script, 'sh', file], { debianPackage: 'dash' })
  },
  async powerOn({ file }, wire) {
    await wire.run('sh', ['-c', 'printf on >"$1"', 'sh', file], { debianPackage: 'dash' })
  },
  async verify() {
    return { detail: 'it is a file' }
  },
})

const ring = { rep: 1, seq: 8 }

function node(t: TestContext, change: Partial<Body> = {}, slowS = 0) {
  const dir = scratch(t)
  const file = join(dir, 'power')
  writeFileSync(file, 'on')
  const { said, say } = listener()
  const world = {
    ring,
    quorate: true,
    awaited: true,
    sent: [] as Message[],
    ends: [] as string[],
  }
  const device = openDevice({ id: 'b/1/1', driver: fileSwitch, options: { file, slowS } })
  const fencings = openFencings(dir, (text) => text)
  const body: Body = {
    clock,
    corosync: { send: (message) => void world.sent.push(message), authority: () => world },
    awaits: () => world.awaited,
    store: openStore(dir, 'prod', say),
    device: (id) => (id === device.id ? device : undefined),
    fencings,
    listen: async () => ({ silent: true, answered: [], because: '' }),
    resources: {
      run: async (_id, resource, op) => ({ outcome: 'done', detail: `${op} of ${resource}` }),
      abort: () => {},
      prepare: () => {},
    },
    checks: { ask: async (name) => ({ ok: true, detail: `${name} is fine` }) },
    say: ({ level, text }) => say(level, text),
    exit: (code, because) => void world.ends.push(`${code} ${because}`),
    ...change,
  }
  const hands = handsOf(body)
  const perform = (effect: Effect) => {
    const { promise, resolve } = Promise.withResolvers<News>()
    hands.perform(effect, resolve)
    return promise
  }
  const record = async () => {
    await fencings.settled()
    const lines = readFileSync(join(dir, 'fencing.jsonl'), 'utf8').trim().split('\n')
    return lines.map((line) => JSON.parse(line))
  }
  return { perform, world, said, record, power: () => readFileSync(file, 'utf8') }
}

function pressOf(change: Partial<Press> = {}): Press {
  const common = { do: 'press', id: 5, device: 'b/1/1', target: 'b', fencing: 'f1', ring } as const
  const notAfterMs = clock.nowMs() + 5_000
  return { ...common, action: 'off', notAfterMs, timeoutMs: 5_000, ...change }
}

test('a button is pressed, read back, and all of it is on record', async (t) => {
  const { perform, power, record } = node(t)
  const entry = {
    ...unknownNode,
    fencing: {
      id: 'f1',
      action: 'off',
      because: 'it is lost',
      requester: 'a',
      owner: 'a',
      life: 'x',
      round: 2,
      dangling: [],
      last: '',
      staysOff: false,
      commanded: 'no',
    },
  } as const
  const ledger = { ...blankLedger, nodes: { b: entry } }
  assert.deepEqual(await perform({ do: 'save', id: 4, ledger }), { kind: 'saved', id: 4, ok: true })
  const pressed = await perform(pressOf())
  assert.equal(pressed.kind === 'pressed' && pressed.outcome, 'accepted')
  assert.equal(power(), 'off')
  const reading = await perform({
    do: 'read',
    id: 6,
    device: 'b/1/1',
    target: 'b',
    timeoutMs: 1_000,
  })
  assert.deepEqual(reading, { kind: 'power', id: 6, power: 'off', raw: 'off' })
  const lines = await record()
  assert.deepEqual(
    lines.map(({ what }) => what),
    ['begun', 'attempt', 'outcome', 'evidence'],
  )
  assert.deepEqual([lines[0].because, lines[0].round], ['it is lost', 2])
})

for (const [why, change] of [
  ['the ring is another one', { ring: { rep: 1, seq: 12 } }],
  ['quorum is lost', { quorate: false }],
  ['the core waits for it no more', { awaited: false }],
] as const) {
  test(`S14 nothing is pressed when ${why} by the time of sending`, async (t) => {
    const { perform, world, power, record } = node(t)
    const pressed = perform(pressOf())
    Object.assign(world, change)
    assert.deepEqual(await pressed, {
      kind: 'pressed',
      id: 5,
      outcome: 'refused',
      detail: 'authority was lost before anything was sent',
    })
    assert.equal(power(), 'on')
    assert.equal((await record()).at(-1).outcome, 'refused')
  })
}

test('S14 authority that ends while another command holds the device is found out, too', async (t) => {
  const { perform, world, power } = node(t, {}, 0.3)
  const first = perform(pressOf())
  const second = perform(pressOf({ id: 6, action: 'on' }))
  setTimeout(() => Object.assign(world, { quorate: false }), 100)
  const [one, two] = await Promise.all([first, second])
  assert.equal(one.kind === 'pressed' && one.outcome, 'accepted')
  assert.equal(two.kind === 'pressed' && two.outcome, 'refused')
  assert.equal(power(), 'off')
})

test('S14 nothing is pressed after its time, and a press that is too slow is unknown', async (t) => {
  const { perform, power } = node(t, {}, 30)
  const late = await perform(pressOf({ notAfterMs: clock.nowMs() - 1 }))
  assert.equal(late.kind === 'pressed' && late.outcome, 'refused')
  const slow = await perform(pressOf({ timeoutMs: 200 }))
  assert.equal(slow.kind === 'pressed' && slow.outcome, 'unknown')
  assert.equal(power(), 'on')
})

test('F4 nothing is pressed that could not be recorded first', async (t) => {
  const fencings = openFencings(join(scratch(t), 'gone'), (text) => text)
  const { perform, power } = node(t, { fencings })
  const pressed = await perform(pressOf())
  assert.equal(pressed.kind === 'pressed' && pressed.outcome, 'refused')
  assert.match(pressed.kind === 'pressed' ? pressed.detail : '', /recorded first: ENOENT/)
  assert.equal(power(), 'on')
})

test('every deed ends in news, also where what it needs is missing or breaks', async (t) => {
  const broken = () => Promise.reject(new Error('it broke'))
  const { perform, said } = node(t, {
    listen: broken,
    store: { save: broken },
    resources: { run: broken, abort: () => {}, prepare: () => {} },
    checks: { ask: broken },
  })
  const ask = { device: 'z/1/1', target: 'z', timeoutMs: 100 } as const
  assert.deepEqual(await perform({ do: 'read', id: 1, ...ask }), {
    kind: 'power',
    id: 1,
    power: 'unknown',
    raw: '',
    detail: 'there is no device z/1/1 on this node',
  })
  const identified = await perform({ do: 'identify', id: 2, ...ask })
  assert.equal(identified.kind === 'identified' && identified.ok, false)
  const pressed = await perform(pressOf({ device: 'z/1/1' }))
  assert.equal(pressed.kind === 'pressed' && pressed.outcome, 'refused')
  const heard = await perform({ do: 'listen', id: 3, target: 'z', addresses: [], windowMs: 10 })
  assert.deepEqual(heard, { kind: 'heard', id: 3, silent: false, answered: [] })
  assert.match(said[0] ?? '', /whether z is silent: it broke/)
  const ran = await perform({ do: 'run', id: 4, resource: 'vip', op: 'start', timeoutMs: 10 })
  assert.equal(ran.kind === 'ran' && ran.outcome, 'unknown')
  const check = { do: 'check', id: 6, check: 'gateway', resource: '', timeoutMs: 10 } as const
  const checked = { kind: 'checked', id: 6, check: 'gateway' } as const
  assert.deepEqual(await perform(check), { ...checked, ok: false, detail: 'it broke' })
  const well = await node(t).perform(check)
  assert.deepEqual(well, { ...checked, ok: true, detail: 'gateway is fine' })
  const saved = await perform({ do: 'save', id: 5, ledger: blankLedger })
  assert.deepEqual(saved, { kind: 'saved', id: 5, ok: false, detail: 'it broke' })
})

test('silence that nobody could hear in time is no silence', async (t) => {
  const { perform } = node(t, { listen: () => new Promise(() => {}) })
  const heard = await perform({ do: 'listen', id: 3, target: 'b', addresses: [], windowMs: 10 })
  assert.deepEqual(heard, { kind: 'heard', id: 3, silent: false, answered: [] })
})

test('messages, sentences and the end are passed on as they are', async (t) => {
  const { perform, world, said, record } = node(t)
  const verdict = {
    proven: true,
    newBoot: false,
    text: 'off',
    level: 1,
    tookMs: 9,
    late: false,
    commanded: 'yes' as const,
    evidence: [],
  }
  const message = { say: 'verdict', session: 's', node: 'b', id: 'f1', round: 1, verdict } as const
  void perform({ do: 'send', message })
  void perform({ do: 'say', level: 'alarm', text: 'b burns' })
  void perform({ do: 'exit', code: 1, because: 'Corosync is gone' })
  assert.deepEqual(world.sent, [message])
  assert.deepEqual(said, ['alarm: b burns'])
  assert.deepEqual(world.ends, ['1 Corosync is gone'])
  assert.equal((await record())[0].what, 'verdict')
})

test('H7 the watchdog is armed, fed for as long as it is told, and let go', async (t) => {
  const done: string[] = []
  const armed = { ok: true, timeoutMs: 10_000, detail: 'a double' }
  const watchdog: Body['watchdog'] = {
    arm(untilMs, tell) {
      done.push(`arm ${untilMs}`)
      tell(armed)
    },
    feedUntil: (untilMs) => void done.push(`feed ${untilMs}`),
    disarm: () => void done.push('disarm'),
    handOver: (untilMs) => void done.push(`hand over ${untilMs}`),
  }
  const { perform } = node(t, { watchdog })
  assert.deepEqual(await perform({ do: 'arm', id: 7, untilMs: 5 }), {
    kind: 'armed',
    id: 7,
    ...armed,
  })
  void perform({ do: 'lease', untilMs: 9 })
  void perform({ do: 'disarm' })
  void perform({ do: 'handOver', untilMs: 11 })
  assert.deepEqual(done, ['arm 5', 'feed 9', 'disarm', 'hand over 11'])
})
