/**
 * A driver that is looked at while the engine uses it: what it failed by last, and what power it
 * has told. The engine is told sentences alone; an agent also has to say which kind of failure it
 * was, and whether another try may help.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadedDevice } from '../config/load.ts'
import type { Power } from '../core/model.ts'
import type { Driver, Status } from '../fence/driver.ts'
import { FenceError, type FenceFailure, failures } from '../fence/errors.ts'

export interface Sight {
  /** How the last question or command ended, where it failed. */
  failure: FenceFailure | undefined
  /** What was read last. */
  power: Power | undefined
  pressed: boolean
}

export const blankSight = (): Sight => ({
  failure: undefined,
  power: undefined,
  pressed: false,
})

/** Would the same, asked again in a moment, perhaps work? */
export function passes({ failure }: Sight): boolean {
  return failure === undefined || failures[failure].retry
}

interface Terms {
  readonly sight: Sight
  /** After each command, before it counts as answered. */
  readonly waitMs: number
  /** Nothing is sent: it only looks. */
  readonly pressless: boolean
}

/** The same device with its driver looked at. */
export function watched(device: LoadedDevice, terms: Terms): LoadedDevice {
  return { ...device, driver: watchedDriver(device.driver, terms) }
}

function watchedDriver(driver: Driver, { sight, waitMs, pressless }: Terms): Driver {
  /** Who is still at it when the time is over has not answered. */
  async function noting<T>(work: Promise<T>): Promise<T> {
    sight.failure = 'timeout'
    try {
      const done = await work
      sight.failure = undefined
      return done
    } catch (error) {
      sight.failure = error instanceof FenceError ? error.failure : undefined
      throw error
    }
  }
  const press: (verb: Driver['powerOff']) => Driver['powerOff'] =
    (verb) =>
    async (options, wire): Promise<void> => {
      if (pressless) return
      sight.pressed = true
      await noting(verb(options, wire))
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: wire.signal })
    }
  const noted = (status: Status): Status => {
    sight.power = status.power
    return status
  }
  return {
    ...driver,
    status: async (options, wire) => noted(await noting(driver.status(options, wire))),
    verify: (options, wire) => noting(driver.verify(options, wire)),
    powerOff: press(driver.powerOff),
    powerOn: press(driver.powerOn),
    ...(driver.reset !== undefined && { reset: press(driver.reset) }),
  }
}
