/**
 * What a box makes of whatever a driver lists; and the lists of the drivers redfish and agent beyond
 * their contract. Those of guests have a file of their own.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { openBox } from '../../src/fence/box.ts'
import { type Driver, defineDriver, type Target } from '../../src/fence/driver.ts'
import { agent } from '../../src/fence/drivers/agent.ts'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { run } from '../../src/lab/run.ts'
import { missing } from '../needs.ts'
import { createAgentDouble, metadata, password } from './agent-double.ts'
import { ask, lines, listed } from './listing.ts'
import { redfishDouble } from './redfish-double.ts'
import { blades, openbmc, type Profile } from './redfish-profiles.ts'
import { optionsFor } from './redfish-stand.ts'

const canary = 'hunter2-canary'

// What a box makes of it.

function driverWith(list: Driver['list']): Driver {
  const hang = (): Promise<never> => new Promise(() => {})
  const driver = defineDriver({
    name: 'plug',
    title: 'A strip of the tests',
    plug: 'outlet',
    options: z
      .strictObject({
        token: z.string().default(canary).meta({ title: 'Token', secret: true }),
        outlet: z.int().meta({ title: 'Outlet' }),
      })
      .refine(({ token }) => token !== 'none', 'needs a token'),
    capabilities: agent.capabilities,
    endpoint: ({ outlet }) => `strip ${outlet ?? 'as a whole'}`,
    status: hang,
    powerOff: hang,
    powerOn: hang,
    verify: hang,
  })
  return { ...driver, ...(list && { list }) }
}

const one: Target = { plug: '1', name: 'a', power: 'on' }

test('the option that names the target is not looked at, and the others are', async () => {
  const strip = driverWith(async () => [one])
  for (const options of [{}, { outlet: 7 }, { outlet: 'x' }, { outlet: null }]) {
    assert.deepEqual(await listed(strip, options), [one])
  }
  assert.equal(
    openBox({ id: 'a', driver: strip, options: { outlet: 1 } }).endpoint,
    'strip as a whole',
  )
  for (const options of [{ token: 'none' }, { outle: 1 }, { token: 1 }]) {
    assert.throws(() => openBox({ id: 'a', driver: strip, options }), /options of the device/)
  }
})

test('what a driver lists is masked, bounded and judged again', async () => {
  const wild = {
    plug: `3\u001b[31m ${canary}`,
    name: `${'x'.repeat(120)}${canary}`,
    power: 'OFF',
    identity: `{6695EB01-F6A4-8304-79AA-97F2502E193F}`,
    aliases: [canary],
  }
  const [found] = await openBox({
    id: 'a',
    driver: driverWith(async () => [wild as never]),
    options: {},
  })
    .list(ask)
    .then(({ targets }) => targets)
  assert.ok(found)
  assert.equal(found.plug, '3 [31m *****')
  assert.equal(found.name, `${'x'.repeat(120)}*****`)
  assert.equal(found.power, 'unknown')
  assert.match(found.identity ?? '', /^[0-9a-f-]{36}$/)
  assert.deepEqual(found.aliases, ['*****'])
})

test('a driver that hangs, breaks, lists nothing, nonsense or without end is a sentence', async () => {
  const cases: readonly [Driver['list'], RegExp][] = [
    [() => new Promise(() => {}), /did not answer in time/],
    [() => Promise.reject(new Error(canary)), /the driver plug broke \(Error/],
    [async () => [], /its list is empty.*what our user may see/],
    [async () => undefined as never, /broke/],
    [async () => [{ plug: 7 }] as never, /broke/],
    [async () => new Array(5_001).fill(one), /more than 5000 targets/],
    [undefined, /cannot tell which there are/],
  ]
  for (const [list, expected] of cases) {
    const box = openBox({ id: 'a', driver: driverWith(list), options: {} })
    const { ok, targets, detail = '' } = await box.list({ timeoutMs: 200 })
    assert.deepEqual([ok, targets], [false, []])
    assert.match(detail, expected)
    assert.ok(!detail.includes(canary))
  }
})

// redfish

async function bmc(t: TestContext, profile: Profile) {
  const double = await redfishDouble(profile)
  t.after(() => double.close())
  return double
}

test('redfish: every system, page by page, with all that names it; sessions are ended', async (t) => {
  const double = await bmc(t, { ...blades, pageSize: 2 })
  double.setPower('off', 'Blade2')
  const found = await listed(redfish, optionsFor(double, { auth: 'session', system: 'not there' }))
  assert.deepEqual(lines(found), [
    'Blade1 first on',
    'Blade2 Compute Blade off',
    'Blade3 Compute Blade on',
  ])
  assert.deepEqual((found[1] as Target).aliases, ['Compute Blade', 'BLADE-SN-2'])
  assert.equal(double.sessions.size, 0)
  assert.deepEqual(double.commands, [])
})

test('redfish: a system that cannot be read is there, and nothing is known of it', async (t) => {
  const double = await bmc(t, blades)
  double.quirks.broken.add('Blade2')
  const found = await listed(redfish, optionsFor(double))
  assert.deepEqual(lines(found), ['Blade1 first on', 'Blade2  unknown', 'Blade3 Compute Blade on'])
})

test('redfish: OpenBMC’s Off of a host whose board has power is none', async (t) => {
  const double = await bmc(t, openbmc)
  double.show('Off')
  assert.deepEqual(lines(await listed(redfish, optionsFor(double))), ['system system unknown'])
})

const noTool = missing('redfishtool')

test('redfish: redfishtool counts the same systems', { skip: noTool }, async (t) => {
  const double = await bmc(t, blades)
  const { url } = double.transport
  const found = await listed(redfish, optionsFor(double))
  const { user, password: secret } = optionsFor(double)
  assert.equal(found.length, 3)
  const args = ['-r', new URL(url).host, '-u', `${user}`, '-p', `${secret}`, '-S', 'Always']
  const told = await run(['redfishtool', ...args, 'Systems', 'list'])
  for (const target of found) assert.ok(told.stdout.includes((target as Target).plug))
})

// agent

const double = {
  agent: 'fence_double',
  options: { ip: '192.0.2.1' },
  secret_options: { passwd: password },
}

async function ofAgent({
  list,
  meta,
  more = {},
}: {
  list?: string
  meta?: string
  more?: object
}): Promise<readonly string[] | string> {
  const made = createAgentDouble()
  const path = process.env.PATH ?? ''
  process.env.PATH = `${made.folder}:${path}`
  try {
    if (list !== undefined) made.setList(list)
    if (meta !== undefined) made.setMetadata(meta)
    return lines(await listed(agent, { ...double, ...more }))
  } finally {
    process.env.PATH = path
    made.remove()
  }
}

test('agent: list-status where it has that, else list, else a sentence', async () => {
  const without = (...actions: readonly string[]): string =>
    actions.reduce((xml, action) => xml.replace(`<action name="${action}" />`, ''), metadata())
  assert.deepEqual(await ofAgent({}), ['1 left, below off', '3 web-02 on'])
  assert.deepEqual(await ofAgent({ meta: without('list-status') }), [
    '1 left, below unknown',
    '3 web-02 unknown',
  ])
  const none = await ofAgent({ meta: without('list-status', 'list') })
  assert.match(String(none), /fence_double has no action list.*look at the device/)
})

test('agent: what is no line of a list is not taken for one', async () => {
  const cases: readonly [string, readonly string[] | RegExp][] = [
    [
      "echo '1,a,ON'; echo 'NOTICE: x, y'; echo '2,b,MAYBE'; echo 'a b,c,ON'; echo '3,,off'",
      ['1 a on', '3  off'],
    ],
    ["echo 'N/A'", /fence_double said: N\/A/],
    ['true', /fence_double said: nothing/],
    ["echo '1,a,ON'; exit 1", /fence_double ended with 1/],
    ['yes 1,a,ON', /do not understand/],
  ]
  for (const [list, expected] of cases) {
    const found = await ofAgent({ list })
    if (expected instanceof RegExp) assert.match(String(found), expected)
    else assert.deepEqual(found, expected)
  }
})

test('agent: parameters are checked first, and an agent that switches nothing is not asked', async () => {
  assert.match(String(await ofAgent({ more: { options: {} } })), /needs ip, ipaddr/)
  assert.match(
    String(await ofAgent({ more: { options: { ip: 'a', sll: 1 } } })),
    /no parameter sll/,
  )
  await assert.rejects(ofAgent({ more: { agent: 'fence_dummy' } }), /switches nothing/)
})
