/**
 * What every driver keeps whose device may be reset instead of switched off (F15). The mark of the
 * boot moves with every reset and with nothing else: in no cell of the matrix does a target that was
 * not reset tell another mark, in none is a reset called refused that had an effect, and what the
 * device cannot prove fails its check.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Device } from '../../src/fence/device.ts'
import type { Driver } from '../../src/fence/driver.ts'
import type { Stand } from './contract.ts'
import { transportFaults } from './faults.ts'
import { openOn, tells } from './matrix.ts'

/** What the firmware does with the mark of the boot. */
export type Mark = 'told' | 'missing' | 'stuck' | 'wavers'

/** A double with options that ask for a reset. */
export interface ResetStand extends Stand {
  /** The truth: how often the target has booted. */
  boots(): number
  setMark(mark: Mark): void
}

const ask = { timeoutMs: 8_000 }
const SHORT_MS = 700
const LATE_MS = 400

export function resetContract(driver: Driver, start: () => Promise<ResetStand>): void {
  const run = (title: string, work: (stand: ResetStand, device: Device) => Promise<void>) =>
    test(`${title} (${driver.name}, by a reset)`, async () => {
      const stand = await start()
      try {
        await work(stand, openOn(driver, stand))
      } finally {
        await stand.close()
      }
    })

  run('F15 the options make it one that proves a new boot', async ({ options }) => {
    assert.equal(driver.isolationOf?.(driver.options.parse(options)), 'new-boot')
  })

  run('F15 a reset is told by another mark, which then stays', async (stand, device) => {
    for (let round = 0; round < 2; round++) {
      const before = await told(device)
      assert.equal(await told(device), before)
      const pressed = await device.reset(ask)
      assert.equal(pressed.outcome, 'accepted', pressed.detail)
      assert.equal(stand.boots(), round + 2)
      const after = await told(device)
      assert.notEqual(after, before)
      assert.equal(await told(device), after)
    }
  })

  run('F15 what was not reset tells the same mark, however often', async (stand, device) => {
    for (const mark of ['told', 'wavers'] as const) {
      stand.setMark(mark)
      const before = await told(device)
      for (let i = 0; i < 5; i++) assert.equal(await told(device), before)
    }
  })

  run('F15 without a mark the check fails; an old one proves nothing', async (stand, device) => {
    assert.equal((await device.identify(ask)).ok, true)
    stand.setMark('stuck')
    const before = await told(device)
    assert.equal((await device.reset(ask)).outcome, 'accepted')
    assert.equal(stand.boots(), 2)
    assert.equal(await told(device), before)
    stand.setMark('missing')
    assert.equal((await device.read(ask)).boot, undefined)
    assert.equal((await device.identify(ask)).ok, false)
  })

  run('F15 the fault matrix', async (stand, warm) => {
    const requests = stand.requests()
    assert.equal((await warm.reset(ask)).outcome, 'accepted')
    const steps = Math.max(1, stand.requests() - requests)
    for (const fault of [...transportFaults, 'ignored', 'late', 'another identity'] as const) {
      for (let from = 0; from < steps; from++) {
        stand.mend()
        stand.setPower('on')
        const device = openOn(driver, stand)
        const before = await told(device)
        const boots = stand.boots()
        // The reading before has to be a good one; nothing else of the device is warm.
        if (!stand.fail(fault, from)) break
        await cell(stand, device, { before, boots, where: `${fault}, request ${from}` })
        stand.mend()
        await sleep(fault === 'late' ? LATE_MS : 0)
      }
    }
  })
}

interface Cell {
  readonly before: string
  readonly boots: number
  readonly where: string
}

async function cell(stand: ResetStand, device: Device, { before, boots, where }: Cell) {
  const pressed = await device.reset({ timeoutMs: SHORT_MS })
  const text = `${where}: ${pressed.outcome}, ${pressed.detail}`
  if (pressed.outcome === 'refused')
    assert.equal(stand.boots(), boots, `refused, and done; ${text}`)
  const read = await device.read({ timeoutMs: SHORT_MS })
  const other = read.boot !== undefined && read.boot !== before
  assert.ok(!other || stand.boots() > boots, `another mark, and no reset; ${text}`)
  assert.notEqual(read.power, 'off', `a reset reads as off; ${text}`)
  tells(stand, pressed, [pressed.detail, read.raw, read.detail ?? '', read.boot ?? ''])
}

/** The mark that a healthy device tells. */
async function told(device: Device): Promise<string> {
  const { boot, raw, detail } = await device.read(ask)
  assert.ok(boot, `it tells no boot: ${detail ?? raw}`)
  return boot
}
