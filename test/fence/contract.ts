/**
 * The contract that every driver keeps, tried on a double of its device (F2, F3, F11). A driver's
 * own test file calls `contract(...)` with a stand; everything here is the same for all of them.
 *
 * The heart is the matrix: every fault, beginning at every request of an off. In no cell is a
 * target that is on read as off; in no cell is a command called refused that had an effect; in
 * every cell a person is told what to do; and in none does a secret leak.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Device, openDevice, type PowerRead, type Pressed } from '../../src/fence/device.ts'
import type { Driver } from '../../src/fence/driver.ts'
import { failures } from '../../src/fence/errors.ts'

/** What the transport does to requests; `httpStand` brings these for every HTTP double. */
export const transportFaults = [
  'hang',
  'drop in mid-answer',
  'reset',
  'slow drip',
  '401',
  '403',
  '404',
  '409',
  '429',
  '500',
  'HTML login page',
  'truncated JSON',
  'wrong JSON',
  'redirect elsewhere',
  'impostor certificate',
  'expired certificate',
  'huge answer',
] as const

/** What the device itself does with an off that it has accepted, and whom it takes itself for. */
export const deviceFaults = ['ignored', 'late', 'comes back on', 'another identity'] as const

/** What can go wrong with every device: a stand that cannot show it proves too little. */
const must: ReadonlySet<Fault> = new Set<Fault>(['hang', 'ignored', 'late', 'comes back on'])

export type Fault = (typeof transportFaults)[number] | (typeof deviceFaults)[number]

/** A double with its controls. */
export interface Stand {
  /** What the config would hold for it. */
  readonly options: Readonly<Record<string, unknown>>
  /** Every secret among them; none may ever be seen. */
  readonly secrets: readonly string[]
  /** The identity that the config would name; `undefined` where the device tells none. */
  readonly identity: string | undefined
  /** The truth. */
  power(): 'on' | 'off'
  setPower(power: 'on' | 'off'): void
  /** Raw states of the vendor that are not off, however much they look like it. */
  readonly between: readonly string[]
  setBetween(raw: string): void
  /**
   * From the given request on (0 is the next one) this goes wrong, until `mend`. False where it
   * cannot happen on this kind of interface; "another identity" cannot where `identity` is unset.
   */
  fail(fault: Fault, fromRequest: number): boolean
  mend(): void
  /** How many requests have come in. */
  requests(): number
  /** What somebody else got to hear: the target of a redirect, an impostor. Never our secrets. */
  overheard?(): string
  close(): Promise<void>
}

/** A generous time for what has to work, and a short one for what cannot. */
const ask = { timeoutMs: 8_000 }
const SHORT_MS = 700
const LATE_MS = 400

/** Tries a driver. `start` makes a fresh stand; `skip` says why it cannot be tried here. */
export function contract(
  driver: Driver,
  start: () => Promise<Stand>,
  skip: string | false = false,
): void {
  const name = driver.name
  const run = (title: string, work: (stand: Stand, device: Device) => Promise<void>) =>
    test(`${title} (${name})`, { skip }, async () => {
      const stand = await start()
      try {
        await work(stand, open(driver, stand))
      } finally {
        await stand.close()
      }
    })

  run(
    'F2 a running target is switched off, read back, and switched on again',
    async (stand, device) => {
      const first = await device.read(ask)
      assert.equal(first.power, 'on', `it does not read as on: ${first.detail ?? first.raw}`)
      const pressed = await device.off(ask)
      assert.equal(pressed.outcome, 'accepted', pressed.detail)
      assert.equal((await readUntil(device, 'off')).power, 'off')
      assert.equal(stand.power(), 'off')
      const back = await device.on(ask)
      assert.equal(back.outcome, 'accepted', back.detail)
      assert.equal((await readUntil(device, 'on')).power, 'on')
      assert.equal(stand.power(), 'on')
    },
  )

  run('F3 off when it is off already is no failure', async (stand, device) => {
    stand.setPower('off')
    const pressed = await device.off(ask)
    assert.equal(pressed.outcome, 'accepted', pressed.detail)
    assert.equal((await device.read(ask)).power, 'off')
  })

  run('F10 verify tells what it found, and changes nothing', async (stand, device) => {
    for (const power of ['on', 'off'] as const) {
      stand.setPower(power)
      const found = await device.identify(ask)
      assert.equal(found.ok, true, found.detail)
      assert.equal(stand.power(), power)
    }
  })

  run('F10 verify believes nothing that it has not heard', async (stand) => {
    for (const fault of ['hang', '401', 'HTML login page', 'another identity'] as const) {
      stand.mend()
      if (!stand.fail(fault, 0)) continue
      // Without a memory: what was heard before is no answer to this.
      const { ok, detail } = await open(driver, stand).identify({ timeoutMs: SHORT_MS })
      assert.equal(ok, false, `${fault}, and verify says that it could fence: ${detail}`)
    }
    stand.mend()
  })

  run('F2 none of the states in between is off', async (stand, device) => {
    assert.ok(stand.between.length > 0, 'name the vendor’s states that are not off')
    for (const raw of stand.between) {
      stand.setBetween(raw)
      const read = await device.read(ask)
      assert.notEqual(read.power, 'off', `${raw} is read as off`)
    }
  })

  run('F2 the fault matrix', async (stand, device) => {
    const rows = await matrix(driver, stand, device)
    console.log(`# ${name}: what a fence sees when things go wrong\n${rows.join('\n')}`)
  })
}

export function open(driver: Driver, { options, identity }: Stand): Device {
  return openDevice({ id: 'web-02/1/1', driver, options, identity })
}

async function readUntil(device: Device, power: PowerRead['power']): Promise<PowerRead> {
  const untilMs = performance.now() + 8_000
  for (;;) {
    const read = await device.read(ask)
    if (read.power === power || performance.now() > untilMs) return read
    await sleep(20)
  }
}

async function matrix(driver: Driver, stand: Stand, warm: Device): Promise<string[]> {
  const before = stand.requests()
  const healthy = await warm.off(ask)
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
      const device = open(driver, stand)
      if (!stand.fail(fault, from)) break
      cells.push(await cell(stand, device, fault))
      stand.mend()
      // What was accepted late is over before the next cell begins.
      await sleep(fault === 'late' || fault === 'comes back on' ? LATE_MS : 0)
    }
    assert.ok(
      cells.length > 0 || !must.has(fault),
      `the stand does not show "${fault}": let its \`fail\` do it and return true`,
    )
    rows.push(`# ${fault.padEnd(22)} ${cells.join(' | ') || 'cannot happen here'}`)
  }
  return rows
}

/** One off and what follows, with the fault in place. Says in a few words how it went. */
async function cell(stand: Stand, device: Device, fault: Fault): Promise<string> {
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
  tells(stand, pressed, [pressed.detail, ...textsOf(first), ...textsOf(second)])
  return `${pressed.outcome}, reads ${first.power}`
}

/** A target that is on is never read as off. */
async function honestRead(stand: Stand, device: Device, where: string): Promise<PowerRead> {
  const before = stand.power()
  const read = await device.read({ timeoutMs: SHORT_MS })
  const on = before === 'on' && stand.power() === 'on'
  assert.ok(!(on && read.power === 'off'), `it is on and read as off; ${where}`)
  return read
}

const textsOf = ({ raw, detail = '' }: PowerRead): string[] => [raw, detail]

/** A failure says what to do; no text holds a secret, in whatever dress. */
export function tells(stand: Stand, { outcome, detail }: Pressed, texts: readonly string[]): void {
  if (outcome !== 'accepted') {
    const broke = /the driver [\w-]+ broke/.test(detail)
    assert.ok(!broke, `it threw something else than a FenceError: ${detail}`)
    const said = Object.values(failures).some(({ says }) => detail.includes(says))
    assert.ok(said && /\): .{8,}/.test(detail), `what is to be done? ${detail}`)
  }
  const everything = [...texts, stand.overheard?.() ?? ''].join('\n')
  for (const secret of stand.secrets) {
    for (const form of [
      secret,
      Buffer.from(secret).toString('base64'),
      encodeURIComponent(secret),
    ]) {
      assert.ok(
        !everything.includes(form),
        `a secret is seen: ${everything.replaceAll(form, '***')}`,
      )
    }
  }
}
