/** The `redfish` driver on doubles of several vendors' BMCs: the contract, and every known trap. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { openDevice } from '../../src/fence/device.ts'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { bmc } from './certificates.ts'
import { contract } from './contract.ts'
import { type Double, operator } from './redfish-double.ts'
import { blades, hgx, idrac, idracMockup, ilo, openbmc, xcc } from './redfish-profiles.ts'
import { between, on, problemsOf, redfishStand } from './redfish-stand.ts'
import { resetContract } from './reset-contract.ts'

contract(redfish, () => redfishStand(ilo))
resetContract(redfish, () => redfishStand(idracMockup, { by: 'reset' }))

const ask = { timeoutMs: 5_000 }

/** What was posted to this system. */
const posted = ({ commands }: Double, id?: string) =>
  commands.filter(({ system }) => id === undefined || system === id).map((each) => each.resetType)

for (const profile of [xcc, idrac, openbmc]) {
  test(`F2 off and on of ${profile.vendor} is read back`, () =>
    on(profile, async (double, device) => {
      const bmc = device()
      assert.equal((await bmc.off(ask)).outcome, 'accepted')
      await until(async () => (await bmc.read(ask)).power === 'off')
      assert.equal(double.power(), 'off')
      assert.equal((await bmc.on(ask)).outcome, 'accepted')
      await until(async () => (await bmc.read(ask)).power === 'on')
      assert.equal(double.power(), 'on')
      assert.deepEqual(posted(double), ['ForceOff', 'On'])
    }))
}

test('trap 1: what is accepted is not done, and a liar accepts anything', async () => {
  await on(openbmc, async (double, device) => {
    assert.equal((await device().off(ask)).outcome, 'accepted')
    assert.equal(double.power(), 'on', 'it takes a while')
    assert.deepEqual(await device().read(ask).then(rawAndPower), ['PoweringOff', 'unknown'])
  })
  await on(xcc, async (double, device) => {
    double.quirks.liar = true
    assert.equal((await device({ reset_type: 'Nonsense' }).off(ask)).outcome, 'accepted')
    assert.deepEqual(await device().read(ask).then(rawAndPower), ['On', 'on'])
    assert.equal(double.power(), 'on')
  })
})

test('trap 1: a task that has failed by then is told, and is not called without effect', () =>
  on(idrac, async (double, device) => {
    for (const state of ['Exception', 'Killed', 'Cancelled']) {
      double.setPower('on')
      double.quirks.task = { state, messageId: 'IDRAC.2.8.SYS413' }
      const pressed = await device().off(ask)
      // This one had an effect all the same: a task says nothing about the power.
      assert.equal(double.power(), 'off')
      assert.equal(pressed.outcome, 'unknown')
      assert.match(pressed.detail, new RegExp(`task ended as ${state}: IDRAC.2.8.SYS413`))
    }
    double.setPower('on')
    double.quirks.task = { state: 'Completed' }
    assert.equal((await device().off(ask)).outcome, 'accepted')
  }))

test('trap 2: only the exact Off is off, only the exact On is on', () =>
  on(xcc, async (double, device) => {
    for (const shown of [null, ...between]) {
      double.show(shown)
      const read = await device().read(ask)
      assert.equal(read.power, 'unknown', `${shown}`)
      assert.equal((await device().identify(ask)).ok, false)
      assert.equal(double.power(), 'on')
    }
    double.setPower('off')
    assert.deepEqual(await device().read(ask).then(rawAndPower), ['Off', 'off'])
  }))

test('trap 3: of several systems none is taken that the config does not name', () =>
  on(hgx, async (double, device) => {
    const pressed = await device().off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /several systems: HGX_Baseboard_0, System_0\).*option system/)
    assert.equal((await device().read(ask)).power, 'unknown')
    assert.deepEqual(posted(double), [])
    assert.equal(double.power(), 'on')
  }))

test('trap 3: a system is found by its id, name, serial number or UUID, and no other', async () => {
  const [, second] = blades.systems
  for (const system of [second?.id, second?.serial, second?.uuid, second?.uuid.toUpperCase()]) {
    await on(blades, async (double, device) => {
      const blade = device({ system })
      assert.equal((await blade.off(ask)).outcome, 'accepted', system)
      assert.equal((await blade.read(ask)).power, 'off')
      assert.deepEqual(
        blades.systems.map(({ id }) => double.power(id)),
        ['on', 'off', 'on'],
      )
    })
  }
  await on(blades, async (double, device) => {
    assert.equal((await device({ system: 'first' }).off(ask)).outcome, 'accepted')
    assert.equal(double.power('Blade1'), 'off')
    const two = await device({ system: 'Compute Blade' }).off(ask)
    assert.match(two.detail, /2 systems are called so: Blade2 .*Blade3/)
    const none = await device({ system: 'Blade9' }).off(ask)
    assert.match(none.detail, /no system Blade9, but Blade1/)
    assert.deepEqual([two.outcome, none.outcome], ['refused', 'refused'])
    assert.deepEqual([double.power('Blade2'), double.power('Blade3')], ['on', 'on'])
  })
})

test('trap 3: a blade on a later page of the list is found', () =>
  on({ ...blades, pageSize: 1 }, async (double, device) => {
    assert.equal((await device({ system: 'BLADE-SN-3' }).off(ask)).outcome, 'accepted')
    assert.deepEqual(posted(double, 'Blade3'), ['ForceOff'])
    assert.deepEqual([double.power('Blade2'), double.power('Blade3')], ['on', 'off'])
  }))

test('trap 3: a broken neighbour does not hide a blade, unless it may be the one meant', () =>
  on(blades, async (double, device) => {
    double.quirks.broken.add('Blade3')
    const patient = { timeoutMs: 12_000 }
    assert.equal((await device({ system: 'Blade2' }).read(ask)).power, 'on')
    assert.equal((await device({ system: 'BLADE-SN-2' }).read(patient)).power, 'on')
    assert.equal((await device({ system: 'Compute Blade' }).off(patient)).outcome, 'refused')
    assert.deepEqual(posted(double), [])
    assert.equal(double.power('Blade2'), 'on')
  }))

test('trap 3: the answer for another system is no answer, and a blade that is gone is no off', () =>
  on(blades, async (double, device) => {
    double.setPower('off', 'Blade1')
    const blade = device({ system: 'Blade2' })
    double.quirks.mixedUp.set('Blade2', 'Blade1')
    const read = await blade.read(ask)
    assert.equal(read.power, 'unknown')
    assert.match(read.detail ?? '', /asked for \S+Blade2, got \S+Blade1/)
    assert.equal((await blade.off(ask)).outcome, 'refused')
    assert.equal(double.power('Blade2'), 'on')
  }))

test('trap 4: a BMC that refuses to become what it is already is read again', async () => {
  for (const profile of [ilo, idrac]) {
    await on(profile, async (double, device) => {
      double.setPower('off')
      assert.equal((await device().off(ask)).outcome, 'accepted', profile.vendor)
      assert.equal(double.power(), 'off')
      double.setPower('on')
      assert.equal((await device().on(ask)).outcome, 'accepted', profile.vendor)
      // The same words about a machine that is on are a refusal.
      double.quirks.refuses = profile.already
      const pressed = await device().off(ask)
      assert.equal(pressed.outcome, 'refused', profile.vendor)
      assert.match(pressed.detail, new RegExp(profile.already?.messageId ?? ''))
      assert.equal(double.power(), 'on')
    })
  }
})

test('trap 4: a power command soon after another is refused, and left to the next round', async () => {
  for (const profile of [ilo, idrac]) {
    await on({ ...profile, repeatAfterMs: 400 }, async (double, device) => {
      assert.equal((await device().off(ask)).outcome, 'accepted')
      const soon = await device().on(ask)
      assert.equal(soon.outcome, 'refused')
      assert.match(soon.detail, new RegExp(profile.already?.messageId ?? ''))
      assert.equal(double.power(), 'off')
      assert.deepEqual(posted(double), ['ForceOff', 'On'], 'asked once')
      await until(async () => (await device().on(ask)).outcome === 'accepted')
      assert.equal(double.power(), 'on')
    })
  }
})

test('trap 5: without a hard off nothing is sent, and the error names what there is', async () => {
  await on(idracMockup, async (double, device) => {
    const pressed = await device().off(ask)
    assert.equal(pressed.outcome, 'refused')
    assert.match(pressed.detail, /no ForceOff, only On, GracefulRestart, ForceRestart, PowerCycle/)
    assert.match(pressed.detail, /or settle for by: reset, which fence.least_evidence has to allow/)
    assert.equal((await device().identify(ask)).ok, false)
    assert.deepEqual(posted(double), [])
    assert.equal(double.power(), 'on')
  })
  const soft = { ...openbmc, resetTypes: ['On', 'PushPowerButton', 'GracefulShutdown'] }
  await on(soft, async (double, device) => {
    assert.match((await device().off(ask)).detail, /only On, PushPowerButton, GracefulShutdown/)
    assert.deepEqual(posted(double), [])
    assert.equal(double.power(), 'on')
  })
})

test('trap 5: a list that is wrong, missing or cannot be read', async () => {
  const forgets = { ...xcc, resetTypes: ['On', 'OemOff'] }
  await on(forgets, async (double, device) => {
    assert.equal((await device({ reset_type: 'OemOff' }).off(ask)).outcome, 'accepted')
    const insists = device({ reset_type: 'ForceOff' })
    assert.match((await insists.identify(ask)).detail, /does not list ForceOff/)
    assert.equal((await insists.off(ask)).outcome, 'refused')
    assert.deepEqual(posted(double), ['OemOff', 'ForceOff'])
    assert.equal(double.power(), 'on')
  })
  await on({ ...xcc, listed: 'nowhere' }, async (double, device) => {
    assert.match((await device().identify(ask)).detail, /does not say whether it offers ForceOff/)
    assert.equal((await device().off(ask)).outcome, 'accepted')
    assert.equal(double.power(), 'off')
  })
  for (const reset_type of ['PushPowerButton', 'GracefulShutdown', 'PowerCycle', 'ForceRestart']) {
    const options = { host: 'bmc', user: 'u', password: 'p', reset_type }
    assert.match(problemsOf(options), /not a hard off/)
  }
})

test('trap 5: OpenBMC’s Off of the host counts only with that of its chassis', () =>
  on(openbmc, async (double, device) => {
    double.show('Off')
    assert.deepEqual(await device().read(ask).then(rawAndPower), [
      'Off, but its chassis "On"',
      'unknown',
    ])
    assert.equal((await device().off(ask)).outcome, 'accepted')
    await until(async () => (await device().read(ask)).power === 'off')
    assert.equal(double.power(), 'off')
  }))

test('trap 6: a ForceRestart leaves no off to be read, and is never sent as one', async () => {
  for (const profile of [ilo, idrac, xcc, openbmc]) {
    await on(profile, async (double, device) => {
      const bmc = device({ by: 'reset' })
      assert.equal((await bmc.reset(ask)).outcome, 'accepted')
      assert.notEqual((await bmc.read(ask)).power, 'off')
      await until(async () => (await bmc.read(ask)).power === 'on')
      assert.deepEqual(posted(double), ['ForceRestart'])
      assert.equal(double.power(), 'on')
      await device().off(ask)
      assert.deepEqual(posted(double).slice(1), ['ForceOff'])
    })
  }
})

test('trap 6: only LastResetTime proves a reset, where it moves with every one', async () => {
  for (const profile of [ilo, xcc]) {
    await on(profile, async (_, device) => {
      const { ok, detail } = await device({ by: 'reset' }).identify(ask)
      assert.equal(ok, false)
      assert.match(detail, /no LastResetTime, by which a reset could be proven/)
      assert.equal((await device().identify(ask)).ok, true, 'an off needs none')
    })
  }
  // OpenBMC notes when the chassis was given current: a ForceRestart does not move that.
  await on(openbmc, async (double, device) => {
    const quick = device({ by: 'reset' })
    const before = (await quick.read(ask)).boot
    assert.equal((await quick.reset(ask)).outcome, 'accepted')
    await until(async () => double.boots() === 2)
    assert.equal((await quick.read(ask)).boot, before)
    const slow = device({ by: 'reset', reset_type: 'PowerCycle' })
    assert.equal((await slow.reset(ask)).outcome, 'accepted')
    await until(async () => (await slow.read(ask)).boot !== before)
    assert.equal(double.boots(), 3)
    assert.deepEqual(posted(double), ['ForceRestart', 'PowerCycle'])
  })
})

test('trap 6: a reset is ForceRestart, or PowerCycle where that alone is offered', async () => {
  await on({ ...idrac, resetTypes: ['On', 'PowerCycle'] }, async (double, device) => {
    assert.match((await device({ by: 'reset' }).identify(ask)).detail, /offers PowerCycle/)
    assert.equal((await device({ by: 'reset' }).reset(ask)).outcome, 'accepted')
    assert.deepEqual(posted(double), ['PowerCycle'])
  })
  await on({ ...idrac, resetTypes: ['On', 'Nmi'] }, async (double, device) => {
    const { outcome, detail } = await device({ by: 'reset' }).reset(ask)
    assert.equal(outcome, 'refused')
    assert.match(detail, /no ForceRestart or PowerCycle, only On, Nmi/)
    assert.deepEqual(posted(double), [])
  })
  const options = { host: 'bmc', user: 'u', password: 'p', by: 'reset' }
  assert.equal(problemsOf({ ...options, reset_type: 'PowerCycle' }), '')
  for (const reset_type of ['GracefulRestart', 'ForceOff', 'Nmi']) {
    assert.match(problemsOf({ ...options, reset_type }), /not a hard reset; those are ForceRestart/)
  }
})

test('trap 7: while a BMC restarts its GETs are asked again, a command never is', async () => {
  for (const status of [503, 500]) {
    await on(xcc, async (double, device) => {
      double.quirks.unavailable = { count: 2, status }
      assert.equal((await device().read(ask)).power, 'on')
      double.quirks.refuses = { status, messageId: 'Base.1.8.InternalError' }
      const pressed = await device().off(ask)
      // Whatever is behind a 5xx may have heard the command.
      assert.equal(pressed.outcome, 'unknown')
      assert.deepEqual(posted(double), ['ForceOff'])
      assert.equal(double.power(), 'on')
    })
  }
})

for (const slash of ['redirects', 'redirects a post', 'wanted'] as const) {
  test(`trap 7: a slash at the end of paths (firmware: ${slash})`, () =>
    on({ ...ilo, slash }, async (double, device) => {
      for (const auth of ['basic', 'session']) {
        double.setPower('on')
        const bmc = device({ auth })
        assert.equal((await bmc.off(ask)).outcome, 'accepted')
        assert.equal((await bmc.read(ask)).power, 'off')
        assert.equal(double.power(), 'off')
        assert.equal(double.sessions.size, 0)
      }
      assert.deepEqual(posted(double), ['ForceOff', 'ForceOff'])
    }))
}

test('trap 8: a BMC that knows TLS 1.0 alone is spoken to when the config says so', () =>
  on(xcc, async (double) => {
    const { host, port, fingerprint } = double.transport
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const front = createServer({ ...bmc, ...old }, (socket) => {
      const behind = connect({ host, port, rejectUnauthorized: false })
      for (const end of [socket, behind]) end.on('error', () => end.destroy())
      socket.pipe(behind).pipe(socket)
    })
    await new Promise<void>((done) => front.listen(0, '127.0.0.1', done))
    const address = front.address()
    const at = { host: '127.0.0.1', port: typeof address === 'object' ? address?.port : 0 }
    const { user, password } = operator
    const device = (more: object) =>
      openDevice({
        id: 'web-02/1/1',
        driver: redfish,
        options: { ...at, user, password, fingerprint, ...more },
      })
    try {
      const modern = await device({}).off(ask)
      assert.equal(modern.outcome, 'refused')
      assert.match(modern.detail, /certificate|reached/)
      assert.equal(double.power(), 'on')
      const legacy = device({ legacy_tls: true })
      assert.equal((await legacy.off(ask)).outcome, 'accepted')
      assert.equal((await legacy.read(ask)).power, 'off')
      assert.equal(double.power(), 'off')
      // Old ciphers are no excuse for another certificate.
      const other = device({ legacy_tls: true, fingerprint: '00'.repeat(32) })
      assert.match((await other.off(ask)).detail, /certificate/)
    } finally {
      await new Promise((done) => front.close(done))
    }
  }))

const rawAndPower = ({ raw, power }: { raw: string; power: string }) => [raw, power]

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 5_000
  while (!(await isSo())) {
    assert.ok(performance.now() < untilMs, 'it never came about')
    await new Promise((go) => setTimeout(go, 20))
  }
}
