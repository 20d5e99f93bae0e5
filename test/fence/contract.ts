/**
 * The contract that every driver keeps, tried on a double of its device (F2, F3, F11). A driver's
 * own test file calls `contract(...)` with a stand; everything here is the same for all of them.
 * The heart is the fault matrix (`matrix.ts`).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Device, PowerRead } from '../../src/fence/device.ts'
import type { Driver } from '../../src/fence/driver.ts'
import { listContract } from './contract-list.ts'
import type { Fault, Interface } from './faults.ts'
import { holdsNone, matrix, openOn } from './matrix.ts'
import { watchDescendants } from './processes.ts'

export type { Fault } from './faults.ts'

/** A double with its controls. */
export interface Stand {
  /** How the driver reaches it: which faults it has to show follows from that (`faults.ts`). */
  readonly over: Interface
  /** What the config would hold for it. */
  readonly options: Readonly<Record<string, unknown>>
  /** Every secret among them; none may ever be seen. */
  readonly secrets: readonly string[]
  /** The one program that is given secrets in its environment, where there is one. */
  readonly trusted?: string
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
  /** Lists nothing, and says that all is well, until `mend`; for drivers that list. */
  empty?(): void
  /** How many requests have come in. */
  requests(): number
  /** How many of them were to switch off, whatever became of them. */
  offs(): number
  /** How often one off may be told, where copies of one packet are: once, if unset. */
  readonly copies?: number
  /** What somebody else got to hear: the target of a redirect, an impostor. Never our secrets. */
  overheard?(): string
  close(): Promise<void>
}

/** What differs from one call of the contract to another. */
export interface Terms {
  /** Why it cannot be tried here. */
  readonly skip?: string | false
  /** In the titles, where one driver is tried in several ways. */
  readonly name?: string
}

/** A generous time for what has to work, and a short one for what cannot. */
const ask = { timeoutMs: 8_000 }
const SHORT_MS = 700

/** Tries a driver. `start` makes a fresh stand. */
export function contract(
  driver: Driver,
  start: () => Promise<Stand>,
  { skip = false, name = driver.name }: Terms = {},
): void {
  const run = (title: string, work: (stand: Stand, device: Device) => Promise<void>) =>
    test(`${title} (${name})`, { skip }, async () => {
      const stand = await start()
      try {
        await work(stand, openOn(driver, stand))
      } finally {
        await stand.close()
      }
    })

  // Where the operating system is only asked, its silence is no off, and nobody is there to wake.
  if (driver.capabilities.isolation === 'cooperative') {
    run('F2 a running target shuts down when it is asked, which proves nothing', shutsDown)
  } else {
    run('F2 a running target is switched off, read back, and switched on again', switches)
    run('F3 off when it is off already is no failure', async (stand, device) => {
      stand.setPower('off')
      const pressed = await device.off(ask)
      assert.equal(pressed.outcome, 'accepted', pressed.detail)
      assert.equal((await device.read(ask)).power, 'off')
    })
  }

  run('F10 verify tells what it found, and changes nothing', async (stand, device) => {
    const cooperative = driver.capabilities.isolation === 'cooperative'
    for (const power of ['on', 'off'] as const) {
      stand.setPower(power)
      const found = await device.identify({ timeoutMs: cooperative ? SHORT_MS : ask.timeoutMs })
      assert.equal(found.ok, power === 'on' || !cooperative, found.detail)
      assert.equal(stand.power(), power)
    }
  })

  run('F10 verify believes nothing that it has not heard', async (stand) => {
    for (const fault of ['hang', '401', 'HTML login page', 'another identity'] as const) {
      stand.mend()
      if (!stand.fail(fault, 0)) continue
      // Without a memory: what was heard before is no answer to this.
      const { ok, detail } = await openOn(driver, stand).identify({ timeoutMs: SHORT_MS })
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

  run('F2 the fault matrix', async (stand) => {
    const rows = await matrix(driver, stand)
    console.log(`# ${name}: what a fence sees when things go wrong\n${rows.join('\n')}`)
  })

  run('F11 no secret is in an argument or an environment that does not need it', hidesSecrets)
  if (driver.list !== undefined) listContract(driver, run)
}

async function switches(stand: Stand, device: Device): Promise<void> {
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
}

async function shutsDown(stand: Stand, device: Device): Promise<void> {
  assert.equal((await device.read(ask)).power, 'on')
  const pressed = await device.off(ask)
  assert.equal(pressed.outcome, 'accepted', pressed.detail)
  assert.equal(stand.power(), 'off')
  assert.equal((await device.read({ timeoutMs: SHORT_MS })).power, 'unknown')
}

/** Looks at every process that the driver starts, for as long as it lives. */
async function hidesSecrets(stand: Stand, device: Device): Promise<void> {
  const watch = watchDescendants()
  const answers: unknown[] = []
  for (let round = 0; round < 3; round++) {
    answers.push(await device.identify(ask), await device.read(ask), await device.off(ask))
    stand.setPower('on')
  }
  const seen = await watch.end()
  if (stand.over === 'program' || stand.trusted !== undefined) {
    assert.ok(seen.length > 0, 'no program was seen')
  }
  for (const { program, args, environment } of seen) {
    holdsNone(stand.secrets, args.join('\n'), ` in the arguments of ${program}`)
    if (program === stand.trusted) continue
    holdsNone(stand.secrets, environment, ` in the environment of ${program}`)
  }
  holdsNone(stand.secrets, JSON.stringify(answers), ' in an answer')
}

async function readUntil(device: Device, power: PowerRead['power']): Promise<PowerRead> {
  const untilMs = performance.now() + 8_000
  for (;;) {
    const read = await device.read(ask)
    if (read.power === power || performance.now() > untilMs) return read
    await sleep(20)
  }
}
