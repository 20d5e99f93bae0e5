/**
 * The `redfish` driver with sessions instead of a login in each request, on BMCs that carry a
 * command out as a task and list their resets elsewhere: the contract, and what becomes of sessions.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redfish } from '../../src/fence/drivers/redfish.ts'
import { contract } from './contract.ts'
import { operator, reader } from './redfish-double.ts'
import { idrac, ilo, xcc } from './redfish-profiles.ts'
import { on as onBasic, redfishStand } from './redfish-stand.ts'

// Whom a device takes itself for is tried without sessions: here it would only double the matrix.
contract(redfish, async () => {
  const stand = await redfishStand(idrac, { auth: 'session' })
  return {
    ...stand,
    identity: undefined,
    fail: (fault, from) => fault !== 'another identity' && stand.fail(fault, from),
  }
})

const ask = { timeoutMs: 5_000 }

const on: typeof onBasic = (profile, work) =>
  onBasic(profile, (double, device) => work(double, (more) => device({ auth: 'session', ...more })))

test('trap 7: every session is deleted, also after an error', async () => {
  const named = { ...ilo, sessionLocation: 'name' } as const
  for (const profile of [named, ilo, idrac, xcc]) {
    await on(profile, async (double, device) => {
      const bmc = device()
      assert.equal((await bmc.identify(ask)).ok, true)
      assert.equal((await bmc.read(ask)).power, 'on')
      double.quirks.refuses = { status: 409, messageId: 'Base.1.8.GeneralError' }
      assert.equal((await bmc.off(ask)).outcome, 'refused')
      double.quirks.refuses = undefined
      double.quirks.broken.add(profile.systems[0]?.id ?? '')
      assert.equal((await bmc.read({ timeoutMs: 1_500 })).power, 'unknown')
      double.quirks.broken.clear()
      const { user, password } = reader
      assert.equal((await device({ user, password }).off(ask)).outcome, 'refused')
      assert.equal(double.power(), 'on')
      assert.equal((await bmc.off(ask)).outcome, 'accepted')
      assert.equal(double.power(), 'off')
      assert.equal(double.logins(), 6)
      assert.equal(double.sessions.size, 0, profile.vendor)
    })
  }
})

test('trap 7: many more calls than slots leave no session behind', () =>
  on({ ...xcc, sessionsMax: 2 }, async (double, device) => {
    for (let call = 0; call < 12; call++) {
      assert.equal((await device().read(ask)).power, 'on')
    }
    assert.equal(double.logins(), 12)
    assert.equal(double.sessions.size, 0)
    assert.equal(double.power(), 'on')
  }))

test('trap 7: a session whose end was not seen is ended by the next call that has time', () =>
  on(idrac, async (double, device) => {
    const bmc = device()
    assert.equal((await bmc.read(ask)).power, 'on')
    // From the read of the system on nothing is answered: neither it nor the end of the session.
    double.transport.fail('hang', 1)
    assert.equal((await bmc.read({ timeoutMs: 400 })).power, 'unknown')
    double.transport.mend()
    assert.equal(double.sessions.size, 1)
    // A fence has no time for it.
    assert.equal((await bmc.off(ask)).outcome, 'accepted')
    assert.equal(double.sessions.size, 1)
    assert.equal((await bmc.read(ask)).power, 'off')
    assert.equal(double.power(), 'off')
    assert.equal(double.sessions.size, 0)
  }))

test('trap 7: slots that others have filled are told as such, and basic still works', () =>
  on({ ...xcc, sessionsMax: 3 }, async (double, device) => {
    for (const id of ['901', '902', '903']) {
      double.sessions.set(`other-${id}`, { id, user: operator.user, token: `other-${id}` })
    }
    const full = await device().off({ timeoutMs: 1_500 })
    assert.equal(full.outcome, 'refused')
    assert.match(full.detail, /sessions are taken.*auth: basic/)
    assert.equal(double.power(), 'on')
    assert.equal((await device({ auth: 'basic' }).off(ask)).outcome, 'accepted')
    assert.equal(double.power(), 'off')
    assert.equal(double.sessions.size, 3, 'those of others are left alone')
  }))

test('F11 a login that is refused says so, and tells no password', () =>
  on(xcc, async (double, device) => {
    double.quirks.echoes = true
    const { ok, detail } = await device({ password: 'canary-wrong-1' }).identify(ask)
    assert.equal(ok, false)
    assert.match(detail, /refused our password/)
    assert.ok(!detail.includes('canary'))
    assert.equal(double.sessions.size, 0)
    assert.equal(double.power(), 'on')
  }))
