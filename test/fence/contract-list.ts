/**
 * The part of the contract for drivers that list what they could switch. It is tried on the same
 * stands: the list names the stand's own target without being told its plug, changes nothing, and
 * whatever goes wrong is a sentence.
 */
import assert from 'node:assert/strict'
import { openBox } from '../../src/fence/box.ts'
import type { Device } from '../../src/fence/device.ts'
import { type Driver, type Target, withoutPlug } from '../../src/fence/driver.ts'
import { canonicalIdentity } from '../../src/fence/identity.ts'
import { openWire } from '../../src/fence/wire.ts'
import type { Stand } from './contract.ts'
import { transportFaults } from './faults.ts'
import { advises, holdsNone } from './matrix.ts'

type Run = (title: string, work: (stand: Stand, device: Device) => Promise<void>) => void

const ask = { timeoutMs: 8_000 }
const SHORT_MS = 700

/** What nobody may take for a list. */
const never: readonly string[] = ['hang', '401', 'HTML login page', 'wrong JSON', 'huge answer']

export function listContract(driver: Driver, run: Run): void {
  run('list names the target and its power, without being told its plug', async (stand) => {
    assert.ok(driver.plug, 'say which option names the target')
    const { [driver.plug]: wanted, ...others } = stand.options
    for (const power of ['on', 'off'] as const) {
      stand.setPower(power)
      for (const options of [others, { ...others, [driver.plug]: 'nothing that is there' }]) {
        const { ok, targets, detail } = await boxOf(driver, options).list(ask)
        assert.equal(ok, true, detail)
        const found = targetIn(targets, wanted)
        assert.equal(found.power, power)
        if (found.identity !== undefined && stand.identity !== undefined) {
          assert.equal(found.identity, canonicalIdentity(stand.identity))
        }
      }
      assert.equal(stand.power(), power, 'it changed the power')
    }
  })

  run('list only asks', async (stand) => {
    const { [driver.plug ?? '']: _, ...others } = stand.options
    const open = openWire({
      signal: AbortSignal.timeout(ask.timeoutMs),
      deadlineMs: performance.now() + ask.timeoutMs,
    })
    await driver.list?.(withoutPlug(driver).parse(others), open.wire)
    assert.equal(open.writes(), 0)
  })

  run('none of the states in between is listed as off', async (stand) => {
    const wanted = stand.options[driver.plug ?? '']
    for (const raw of stand.between) {
      stand.setBetween(raw)
      const { ok, targets, detail } = await boxOf(driver, stand.options).list(ask)
      assert.equal(ok, true, detail)
      assert.notEqual(targetIn(targets, wanted).power, 'off', raw)
    }
  })

  run('list fails with a sentence, whatever goes wrong and whenever', async (stand) => {
    const before = stand.requests()
    await boxOf(driver, stand.options).list(ask)
    const steps = Math.max(1, stand.requests() - before)
    for (const fault of transportFaults) {
      for (let from = 0; from < steps; from++) {
        stand.mend()
        // Without a memory of the call before.
        const box = boxOf(driver, stand.options)
        if (!stand.fail(fault, from)) break
        const startedMs = performance.now()
        const { ok, targets, detail = '' } = await box.list({ timeoutMs: SHORT_MS })
        assert.ok(performance.now() - startedMs < SHORT_MS + 500, `${fault}: it takes too long`)
        holdsNone(stand.secrets, `${detail}\n${JSON.stringify(targets)}\n${stand.overheard?.()}`)
        if (from === 0 && never.includes(fault)) assert.equal(ok, false, fault)
        if (ok) continue
        assert.deepEqual(targets, [])
        advises(detail)
      }
    }
    stand.mend()
  })

  run('an empty list is no list, and says what to do', async (stand) => {
    assert.ok(stand.empty, 'let the stand show an empty list')
    stand.empty()
    const { ok, targets, detail = '' } = await boxOf(driver, stand.options).list(ask)
    assert.equal(ok, false)
    assert.deepEqual(targets, [])
    advises(detail)
    stand.mend()
  })
}

const boxOf = (driver: Driver, options: unknown) => openBox({ id: 'web-02/1/1', driver, options })

/** The stand's own target: the one that its options name, or the only one there is. */
function targetIn(targets: readonly Target[], wanted: unknown): Target {
  const all = JSON.stringify(targets)
  if (wanted === undefined) assert.equal(targets.length, 1, `which of them? ${all}`)
  const found =
    wanted === undefined
      ? targets[0]
      : targets.find(({ plug, aliases = [] }) => [plug, ...aliases].includes(String(wanted)))
  assert.ok(found, `${wanted} is not among ${all}`)
  return found
}
