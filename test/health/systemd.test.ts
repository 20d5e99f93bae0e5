/** The check `systemd`, of a systemd that can be told what to say; the real one is in test/real. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../resources/room.ts'
import { blankUnit, startSystemdDouble, type Unit } from '../resources/systemd-double.ts'
import { checkOf } from './stand.ts'

const unit = 'web.service'
const up = { activeState: 'active', subState: 'running' }

async function given(t: TestContext, state: Partial<Unit>) {
  const stand = await checkOf(t, 'systemd', { unit: 'web' })
  const double = await startSystemdDouble(t, stand.room.dir)
  double.units.set(unit, { ...blankUnit, ...state })
  process.env.DBUS_SYSTEM_BUS_ADDRESS = double.address
  return { ...stand, double, web: double.units.get(unit)! }
}

test('a unit that is active is good, every other one bad', async (t) => {
  const { ask, web } = await given(t, up)
  assert.equal(await ask(), 'good: active (running)')
  Object.assign(web, { activeState: 'failed', subState: 'failed' })
  assert.equal(await ask(), 'bad: web.service is failed (failed)')
  Object.assign(web, { activeState: 'activating', subState: 'auto-restart' })
  assert.equal(await ask(), 'bad: web.service is activating (auto-restart)')
  Object.assign(web, { ...blankUnit, loadState: 'not-found' })
  assert.match(await ask(), /^bad: there is no web.service on this node/)
})

test('its end is told at once, and no more often than once a second', async (t) => {
  const { ask, stirred, double } = await given(t, up)
  assert.equal(await ask(), 'good: active (running)')
  double.dies(unit)
  await until('it is told', () => stirred.length > 0)
  assert.match(await ask(), /^bad: /)
  for (let i = 0; i < 20; i++) double.dies(unit)
  await ask()
  assert.equal(stirred.length, 1)
})

test('a systemd that does not answer is bad within the bound', async (t) => {
  const { ask, double } = await given(t, up)
  double.deafTo.add('*')
  const beganMs = performance.now()
  assert.match(await ask(600), /^bad: /)
  assert.ok(performance.now() - beganMs < 2_500)
  double.deafTo.clear()
  assert.equal(await ask(), 'good: active (running)')
})
