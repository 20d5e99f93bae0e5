/**
 * The fault matrix: every fault, beginning at every request of an off. In no cell is a target that
 * is on read as off; in no cell is a command called refused that had an effect, or sent twice; in
 * every cell a person is told what to do; and in none does a secret leak.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice, type PowerRead, type Pressed } from '../../src/fence/device.ts'
import type { Driver } from '../../src/fence/driver.ts'
import { failures } from '../../src/fence/errors.ts'
import type { Stand } from './contract.ts'
import { cannot, deviceFaults, type Fault, transportFaults } from './faults.ts'

/** A generous time for what has to work, and a short one for what cannot. */
const ask = { timeoutMs: 8_000 }
const SHORT_MS = 700
const LATE_MS = 400

/** The rows, as they are printed. */
export async function matrix(driver: Driver, stand: Stand): Promise<string[]> {
  const before = stand.requests()
  const healthy = await openOn(driver, stand).off(ask)
  // Where nothing works, every cell would read as refused, and look well.
  assert.equal(healthy.outcome, 'accepted', `without any fault: ${healthy.detail}`)
  const steps = Math.max(1, stand.requests() - before)
  const rows: string[] = []
  for (const fault of [...transportFaults, ...deviceFaults]) {
    const cells: string[] = []
    for (let from = 0; from < steps; from++) {
      stand.mend()
      stand.setPower('on')
      // Nothing is remembered from the cell before: sessions, ciphers, identities.
      const device = openOn(driver, stand)
      if (!stand.fail(fault, from)) break
      cells.push(await cell(stand, device, fault))
      stand.mend()
      // What was accepted late is over before the next cell begins.
      await sleep(fault === 'late' || fault === 'comes back on' ? LATE_MS : 0)
    }
    rows.push(`# ${fault.padEnd(22)} ${cells.join(' | ') || whyNot(stand, fault)}`)
  }
  stand.mend()
  return rows
}

/** Why this fault has no cell. A stand that could show it and does not proves too little. */
function whyNot({ over, identity }: Stand, fault: Fault): string {
  const tellsNone = 'the device tells no identity'
  const none = fault === 'another identity' && identity === undefined ? tellsNone : undefined
  const why = cannot[over][fault] ?? none
  assert.ok(why, `the stand does not show "${fault}": let its \`fail\` do it and return true`)
  return `cannot happen: ${why}`
}

/** Opens the device of a stand, without a memory. */
export function openOn(driver: Driver, { options, identity }: Stand): Device {
  return openDevice({ id: 'web-02/1/1', driver, options, identity })
}

/** One off and what follows, with the fault in place. Says in a few words how it went. */
async function cell(stand: Stand, device: Device, fault: Fault): Promise<string> {
  const before = stand.offs()
  const pressed = await device.off({ timeoutMs: SHORT_MS })
  const truth = stand.power()
  const where = `${fault}: ${pressed.outcome}, ${pressed.detail}`
  if (pressed.outcome === 'refused') assert.equal(truth, 'on', `refused, and yet off; ${where}`)
  const first = await honestRead(stand, device, where)
  // An off that comes late, or does not last.
  await sleep(fault === 'comes back on' ? LATE_MS : 0)
  const second = await honestRead(stand, device, where)
  if (fault === 'ignored' || fault === 'late' || fault === 'comes back on') {
    assert.equal(pressed.outcome, 'accepted', where)
  }
  const sent = stand.offs() - before
  assert.ok(sent <= (stand.copies ?? 1), `it was sent ${sent} times; ${where}`)
  tells(stand, pressed, [pressed.detail, ...textsOf(first), ...textsOf(second)])
  const then = second.power === first.power ? '' : `, then ${second.power}`
  return `${pressed.outcome}, reads ${first.power}${then}`
}

/** A target that is on is never read as off; one that can only be asked to shut down never is. */
async function honestRead(stand: Stand, device: Device, where: string): Promise<PowerRead> {
  const before = stand.power()
  const read = await device.read({ timeoutMs: SHORT_MS })
  const on = before === 'on' && stand.power() === 'on'
  const mayBeOff = !on && device.capabilities.isolation !== 'cooperative'
  assert.ok(mayBeOff || read.power !== 'off', `it is read as off; ${where}`)
  return read
}

const textsOf = ({ raw, detail = '' }: PowerRead): string[] => [raw, detail]

function tells(stand: Stand, { outcome, detail }: Pressed, texts: readonly string[]): void {
  if (outcome !== 'accepted') advises(detail)
  holdsNone(stand.secrets, [...texts, stand.overheard?.() ?? ''].join('\n'))
}

/** A failure says what to do. */
export function advises(detail: string): void {
  const broke = /the driver [\w-]+ broke/.test(detail)
  assert.ok(!broke, `it threw something else than a FenceError: ${detail}`)
  const said = Object.values(failures).some(({ says }) => detail.includes(says))
  assert.ok(said && /\): .{8,}/.test(detail), `what is to be done? ${detail}`)
}

/** None of these secrets stands in the text, in whatever dress. */
export function holdsNone(secrets: readonly string[], text: string, where = ''): void {
  for (const secret of secrets) {
    for (const form of [
      secret,
      Buffer.from(secret).toString('base64'),
      encodeURIComponent(secret),
    ]) {
      assert.ok(!text.includes(form), `a secret is seen${where}: ${text.replaceAll(form, '***')}`)
    }
  }
}
