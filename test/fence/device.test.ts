import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { openDevice } from '../../src/fence/device.ts'
import { type Driver, defineDriver } from '../../src/fence/driver.ts'
import { FenceError } from '../../src/fence/errors.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import type { Wire } from '../../src/fence/wire.ts'

const canary = 'hunter2-canary'

/** A driver whose verbs each test writes itself; whatever it leaves out hangs for ever. */
function driverWith(verbs: Partial<Driver>): Driver {
  const hang = (): Promise<never> => new Promise(() => {})
  return {
    ...defineDriver({
      name: 'plug',
      title: 'A plug of the tests',
      options: z.strictObject({
        token: z.string().default(canary).meta({ title: 'Token', secret: true }),
        box: z.string().default('box').meta({ title: 'Box' }),
      }),
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
        timeoutMs: 1000,
      },
      endpoint: ({ box }) => box,
      status: hang,
      powerOff: hang,
      powerOn: hang,
      verify: hang,
    }),
    ...verbs,
  }
}

function device(verbs: Partial<Driver>, more: { box?: string; identity?: string } = {}) {
  const { identity, ...options } = more
  return openDevice({ id: 'a/1/1', driver: driverWith(verbs), options, identity })
}

const ask = { timeoutMs: 5000 }
const sh = (wire: Wire, script: string, stdin = '') =>
  wire.run('sh', ['-c', script], { stdin, debianPackage: 'dash' })

test('F2 whatever a driver says but the two words is unknown power', async () => {
  for (const power of ['OFF', 'Off', '', 'stopping', undefined, null, 0]) {
    const read = await device({ status: async () => ({ power, raw: 'r' }) as never }).read(ask)
    assert.equal(read.power, 'unknown', `${power}`)
  }
  const nothing = await device({ status: async () => undefined as never }).read(ask)
  assert.equal(nothing.power, 'unknown')
})

test('F2 a throw is unknown power, never off, and tells nothing of a foreign error', async () => {
  const status = async (): Promise<never> => {
    throw new Error(`Chassis Power is off, ${canary}`)
  }
  const read = await device({ status }).read(ask)
  assert.equal(read.power, 'unknown')
  assert.match(read.detail ?? '', /the driver plug broke/)
  assert.ok(!JSON.stringify(read).includes(canary))
})

test('a driver that breaks is told with the place where it did, and without its words', async () => {
  const status = async (): Promise<never> => {
    const error = new Error(canary)
    error.stack = `Error: ${canary}\n    at f (file:///opt/drivers/plug.ts:7:3)\n    at g (a:1:1)`
    throw error
  }
  const { detail = '' } = await device({ status }).read(ask)
  assert.match(detail, /the driver plug broke \(Error at drivers\/plug\.ts:7\): report this/)
  assert.ok(!detail.includes(canary))
})

test('F3 a driver that hangs is left at the deadline, and its command counts as unknown', async () => {
  const powerOff = async (_: unknown, wire: Wire): Promise<void> => {
    await sh(wire, 'true')
    await new Promise(() => {})
  }
  const pressed = await device({ powerOff }).off({ timeoutMs: 200 })
  assert.equal(pressed.outcome, 'unknown')
})

test('a command that never left is refused, even if its driver hangs or throws', async () => {
  const hung = await device({}).off({ timeoutMs: 50 })
  assert.equal(hung.outcome, 'refused')
  const thrown = await device({ powerOff: () => Promise.reject(new Error('x')) }).off(ask)
  assert.equal(thrown.outcome, 'refused')
  const gone = await device({}).off({ timeoutMs: 5000, signal: AbortSignal.abort() })
  assert.equal(gone.outcome, 'refused')
})

test('after something was sent, only a certain no is a refusal', async () => {
  const failing = (error: Error) => async (_: unknown, wire: Wire) => {
    await sh(wire, 'true')
    throw error
  }
  const outcome = async (error: Error) =>
    (await device({ powerOff: failing(error) }).off(ask)).outcome
  assert.equal(await outcome(new FenceError('refused', 'no')), 'refused')
  assert.equal(await outcome(new FenceError('timeout', 'late')), 'unknown')
  assert.equal(await outcome(new FenceError('garbled', 'what')), 'unknown')
  assert.equal(await outcome(new Error('bug')), 'unknown')
})

test('S14 the right to press is asked for before every write, and its end stops the command', async () => {
  let writes = 0
  const powerOff = async (_: unknown, wire: Wire): Promise<void> => {
    for (;;) {
      await sh(wire, 'true')
      writes += 1
    }
  }
  const pressed = await device({ powerOff }).off({ ...ask, allowed: () => writes < 2 })
  assert.equal(writes, 2)
  assert.match(pressed.detail, /the right to send it ended/)
  const never = await device({ powerOff }).off({ ...ask, allowed: () => false })
  assert.equal(never.outcome, 'refused')
  assert.equal(writes, 2)
})

test('an abort kills the program and everything it started', async () => {
  // Found again by its odd length among all processes of the machine.
  const span = `60.${process.pid}`
  const status = async (_: unknown, wire: Wire) => {
    await sh(wire, `sleep ${span} & sleep ${span}`)
    return { power: 'off' as const, raw: '' }
  }
  const ending = new AbortController()
  const running = device({ status }).read({ timeoutMs: 60_000, signal: ending.signal })
  await until(() => sleepers(span) === 2)
  ending.abort()
  assert.equal((await running).power, 'unknown')
  await until(() => sleepers(span) === 0)
})

test('a program that prints without end is ended, long before its deadline', async () => {
  const status = async (_: unknown, wire: Wire) => {
    await sh(wire, 'yes')
    return { power: 'off' as const, raw: '' }
  }
  const read = await device({ status }).read({ timeoutMs: 60_000 })
  assert.equal(read.power, 'unknown')
  assert.match(read.detail ?? '', /printed without end/)
})

test('F11 a program gets PATH, LANG and what its driver gives it, and no more', async () => {
  process.env.PICKET_TEST_LEAK = 'leak'
  let seen = ''
  const status = async (_: unknown, wire: Wire) => {
    const options = { env: { GIVEN: 'yes' }, debianPackage: 'coreutils' }
    seen = (await wire.run('env', [], options)).stdout
    return { power: 'on' as const, raw: '' }
  }
  await device({ status }).read(ask)
  delete process.env.PICKET_TEST_LEAK
  const names = seen
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0])
    .sort()
  assert.deepEqual(names, ['GIVEN', 'LANG', 'PATH'])
})

test('standard input can be read, and opened again by its name', async () => {
  let seen = ''
  const status = async (_: unknown, wire: Wire) => {
    seen = (await sh(wire, 'cat; cat /dev/stdin', 'text\n')).stdout
    return { power: 'on' as const, raw: '' }
  }
  await device({ status }).read(ask)
  assert.equal(seen, 'text\ntext\n')
})

test('a missing program says which package brings it', async () => {
  const verify = async (_: unknown, wire: Wire): Promise<never> => {
    await wire.run('picket-no-such-program', [], { debianPackage: 'no-such-package' })
    throw new Error('not reached')
  }
  const { ok, detail } = await device({ verify }).identify(ask)
  assert.equal(ok, false)
  assert.match(detail, /no picket-no-such-program in the PATH.*apt install no-such-package/)
})

test('commands to one box go one after the other, to two boxes side by side', async () => {
  let running = 0
  let most = 0
  const status = async () => {
    running += 1
    most = Math.max(most, running)
    await sleep(20)
    running -= 1
    return { power: 'on' as const, raw: 'on' }
  }
  const one = device({ status }, { box: 'one' })
  const reads = await Promise.all([one.read(ask), device({ status }, { box: 'one' }).read(ask)])
  assert.deepEqual([most, reads.map(({ power }) => power)], [1, ['on', 'on']])
  await Promise.all([one.read(ask), device({ status }, { box: 'two' }).read(ask)])
  assert.equal(most, 2)
})

test('a power command overtakes a question that hangs, and the question is asked again', async () => {
  let asked = 0
  const off = Promise.withResolvers<void>()
  const target = device({
    status: async () => {
      asked += 1
      if (asked === 1) await new Promise(() => {})
      return { power: 'off', raw: 'off' }
    },
    powerOff: async () => off.resolve(),
  })
  const read = target.read({ timeoutMs: 20_000 })
  await until(() => asked === 1)
  assert.equal((await target.off(ask)).outcome, 'accepted')
  await off.promise
  assert.deepEqual([(await read).power, asked], ['off', 2])
})

test('a hung command holds the next one up to its own deadline, and no longer', async () => {
  const target = device({ status: async () => ({ power: 'on', raw: 'on' }) })
  const first = target.off({ timeoutMs: 300 })
  const second = await target.read({ timeoutMs: 100 })
  assert.equal(second.power, 'unknown')
  assert.match(second.detail ?? '', /an earlier command held it until the deadline/)
  assert.equal((await first).outcome, 'refused')
  assert.equal((await target.read(ask)).power, 'on')
})

test('the line of questions before a box is bounded', async () => {
  const target = device({})
  const reads = Array.from({ length: 30 }, () => target.read({ timeoutMs: 300 }))
  const refused = (await Promise.all(reads)).filter(({ detail }) =>
    /commands wait/.test(detail ?? ''),
  )
  assert.ok(refused.length >= 20, `${refused.length}`)
})

test('S15 a device that calls itself something else is neither pressed nor believed', async () => {
  let pressed = 0
  const mine = '03000200-0400-4500-9006-000700080009'
  let itself: string | undefined = 'somebody-else'
  const verbs: Partial<Driver> = {
    status: async () => ({ power: 'off', raw: 'off', identity: itself }),
    verify: async () => ({ identity: itself, detail: 'fine' }),
    powerOff: async () => {
      pressed += 1
    },
  }
  for (itself of ['somebody-else', undefined]) {
    const target = device(verbs, { identity: mine })
    const off = await target.off(ask)
    assert.equal(off.outcome, 'refused')
    assert.match(off.detail, /the config expects 03000200/)
    assert.equal((await target.read(ask)).power, 'unknown')
    assert.equal((await target.identify(ask)).ok, false)
  }
  assert.equal(pressed, 0)

  itself = mine.toUpperCase()
  const target = device(verbs, { identity: mine })
  assert.equal((await target.off(ask)).outcome, 'accepted')
  const read = await target.read(ask)
  assert.deepEqual([read.power, read.identity], ['off', mine])
  assert.equal((await target.identify(ask)).ok, true)
})

test('F11 a secret that a device echoes is masked in every answer', async () => {
  const loud = device({
    status: async () => ({ power: 'on', raw: `token=${canary}` }),
    verify: async () => ({ detail: Buffer.from(canary).toString('base64') }),
    powerOff: () => Promise.reject(new FenceError('refused', canary)),
  })
  const answers = [await loud.read(ask), await loud.identify(ask), await loud.off(ask)]
  for (const answer of answers) {
    assert.match(JSON.stringify(answer), /\*{5}/)
    assert.ok(!JSON.stringify(answer).includes(canary))
  }
})

test('F11 a secret that is a word of ours is masked in foreign words alone', async () => {
  for (const token of ['power', 'off', 'y', 'plug', 'device']) {
    const verbs: Partial<Driver> = {
      status: async () => ({ power: 'off', raw: `it is ${token}` }),
      powerOn: async () => {},
      powerOff: () => Promise.reject(new FenceError('refused', `<${token}>`)),
    }
    const odd = openDevice({ id: 'a/1/1', driver: driverWith(verbs), options: { token } })
    const [read, off, on] = [await odd.read(ask), await odd.off(ask), await odd.on(ask)]
    assert.equal(read.power, 'off')
    assert.ok(read.raw.includes('*****') && !read.raw.endsWith(token), read.raw)
    assert.equal(
      off.detail,
      "plug box: the device refused the command (<*****>): look into the device's own log",
    )
    assert.match(on.detail, /^plug box accepted powerOn after \d+ ms$/)
  }
})

test('wrong options are a sentence that names them and keeps secrets', () => {
  const options = { token: 7, bxo: canary }
  const open = () => openDevice({ id: 'a/1/1', driver: driverWith({}), options })
  assert.throws(open, (error) => {
    assert.ok(error instanceof FenceError)
    assert.match(error.message, /a\/1\/1, driver plug: token .*bxo/)
    assert.ok(!error.message.includes(canary))
    return true
  })
})

function sleepers(span: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\x00${span}\x00`
    } catch {
      return false
    }
  }).length
}

async function until(reached: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  while (!reached()) {
    assert.ok(performance.now() < deadlineMs, 'it never happened')
    await sleep(5)
  }
}

test('F11 what a device calls itself is bounded and masked, and steers no terminal', async () => {
  const identity = `\x1b[2J\x1b]0;pwned\x07 ${canary} ${'x'.repeat(2 ** 21)}`
  const status = async () => ({ power: 'on', raw: 'on', identity }) as const
  const verify = async () => ({ identity, detail: 'it is there' })
  const found = device({ status, verify })
  // It goes into verdicts, and a verdict that is longer than CPG takes is never sent.
  for (const { identity: told = '' } of [await found.read(ask), await found.identify(ask)]) {
    assert.ok(told.length <= 256, `${told.length} characters`)
    assert.doesNotMatch(told, /\p{Cc}/u)
    assert.ok(!told.includes(canary), 'a secret is told')
  }
  const uuid = '4c4c4544-0036-3410-8034-b7c04f4d3732'
  const other = device({ status: async () => ({ power: 'on', raw: 'on', identity: uuid }) })
  assert.equal((await other.read(ask)).identity, canonicalIdentity(uuid))
})
