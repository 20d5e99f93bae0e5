/** Every driver by name, loaded only when a config uses it. */
import type { Driver } from '../driver.ts'

const loaders = {
  agent: async () => (await import('./agent.ts')).agent,
  http: async () => (await import('./http.ts')).http,
  ipmi: async () => (await import('./ipmi.ts')).ipmi,
  redfish: async () => (await import('./redfish.ts')).redfish,
  libvirt: async () => (await import('./libvirt.ts')).libvirt,
  qemu: async () => (await import('./qemu.ts')).qemu,
  'qemu-guest-agent': async () => (await import('./qemu-guest-agent.ts')).qemuGuestAgent,
  recorder: async () => (await import('./recorder.ts')).recorder,
  proxmox: async () => (await import('./proxmox.ts')).proxmox,
} satisfies Record<string, () => Promise<Driver>>

/** The names that may stand after `driver:` in a config. */
export const driverNames: readonly string[] = Object.keys(loaders)

/** The driver of that name. Throws a sentence that lists the known ones. */
export async function loadDriver(name: string): Promise<Driver> {
  const load = Object.entries(loaders).find(([known]) => known === name)?.[1]
  if (load === undefined) {
    throw new Error(`there is no fence driver "${name}": known are ${driverNames.join(', ')}`)
  }
  return load()
}
