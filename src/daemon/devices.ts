/** The fence devices of the config, opened; and opened again when their secrets have changed. */

import type { Loaded, LoadedDevice } from '../config/load.ts'
import type { DeviceId } from '../core/model.ts'
import { type Device, openDevice } from '../fence/device.ts'
import { secretsOf } from '../foreign/mask.ts'

export interface Devices {
  get(id: DeviceId): Device | undefined
  /** The same devices with other secrets. Questions under way end with the old ones. */
  replace(devices: Iterable<LoadedDevice>): void
}

export function openDevices(devices: Iterable<LoadedDevice>): Devices {
  let open = opened(devices)
  return {
    get: (id) => open.get(id),
    replace(others) {
      open = opened(others)
    },
  }
}

function opened(devices: Iterable<LoadedDevice>): ReadonlyMap<DeviceId, Device> {
  return new Map([...devices].map((device) => [device.id, openDevice(device)]))
}

/** Every secret value that a config brings, for the log to hide. */
export function secretsOfAll({ devices, resources }: Loaded): string[] {
  return [...secretsIn(devices.values()), ...resources.flatMap(({ secrets }) => secrets)]
}

/** Every secret value that the devices were given. */
export function secretsIn(devices: Iterable<LoadedDevice>): string[] {
  return [...devices].flatMap(({ driver, options }) => secretsOf(driver.options, options))
}
