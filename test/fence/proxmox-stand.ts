/** The double of Proxmox VE as the contract wants it, and devices of the driver on it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Device, openDevice, type PowerRead } from '../../src/fence/device.ts'
import { proxmox } from '../../src/fence/drivers/proxmox.ts'
import type { Fault, Stand } from './contract.ts'
import { type Account, type Double, proxmoxDouble, root, token } from './proxmox-double.ts'
import type { Guest } from './proxmox-guests.ts'

export const uuid = '4c4c4544-0051-3010-8054-b4c04f313235'
export const ask = { timeoutMs: 4_000 }

/** States that look like off, and are not: what each makes of the guest. */
export const between: Readonly<Record<string, Partial<Guest>>> = {
  ...Object.fromEntries(
    ['paused', 'prelaunch', 'io-error', 'internal-error', 'suspended', 'shutdown', 'stopped'].map(
      (qmpstatus) => [`running, ${qmpstatus}`, { qmpstatus }],
    ),
  ),
  'asleep on disk': { power: 'off', lock: 'suspended' },
  'half migrated': { power: 'off', lock: 'migrate' },
  'about to be restarted by the HA manager': { power: 'off', ha: 'started' },
  'to be recovered by the HA manager': { power: 'off', ha: 'recovery' },
  ...Object.fromEntries(
    ['unknown', 'Stopped', 'stopping', 'off', ''].map((shownStatus) => [
      `status "${shownStatus}"`,
      { shownStatus },
    ]),
  ),
}

export const plain: Partial<Guest> = {
  qmpstatus: 'running',
  lock: undefined,
  ha: undefined,
  shownStatus: undefined,
}

export const optionsOf = (double: Double, changes: object = {}) => ({
  api_url: double.hosts.get('pve1')?.url,
  fingerprint: double.hosts.get('pve1')?.fingerprint,
  vmid: 100,
  token_id: token.id,
  token_secret: token.secret,
  ...changes,
})

export async function stand(): Promise<Stand> {
  const double = await proxmoxDouble()
  const guest = double.add(100, 'qemu', 'pve1', { name: 'db1', uuid })
  const transport = double.hosts.get('pve1')
  assert.ok(transport)
  const own: readonly Fault[] = ['ignored', 'late', 'comes back on', 'another identity']
  return {
    over: 'https',
    options: optionsOf(double),
    secrets: [token.secret],
    identity: uuid,
    power: () => guest.power,
    setPower(power) {
      double.put(Object.assign(guest, plain), power)
      double.refresh()
    },
    between: Object.keys(between),
    setBetween(raw) {
      Object.assign(guest, { power: 'on' }, plain, between[raw])
      double.refresh()
    },
    fail(fault, from) {
      double.quirks.fault = fault
      double.mood.ignores = fault === 'ignored'
      double.mood.actMs = fault === 'late' ? 300 : 20
      double.mood.comesBackMs = fault === 'comes back on' ? 200 : undefined
      return transport.fail(fault, from) || own.includes(fault)
    },
    empty: () => (double.quirks.hidden = true),
    mend() {
      double.quirks.fault = undefined
      double.quirks.hidden = false
      Object.assign(double.mood, { ignores: false, actMs: 20, comesBackMs: undefined })
      transport.mend()
    },
    requests: transport.requests,
    offs: () => transport.arrived().filter((call) => /^POST .*\/status\/stop$/.test(call)).length,
    overheard: transport.overheard,
    close: double.close,
  }
}

export async function start(t: TestContext, accounts?: readonly Account[]): Promise<Double> {
  const double = await proxmoxDouble(accounts)
  t.after(() => double.close())
  return double
}

export function deviceOf(double: Double, changes: object = {}, identity?: string): Device {
  const options = optionsOf(double, changes)
  return openDevice({ id: 'web-02/1/1', driver: proxmox, options, identity })
}

export const asRoot = {
  token_id: undefined,
  token_secret: undefined,
  user: root.id,
  password: root.secret,
}

export async function readUntil(device: Device, power: PowerRead['power']): Promise<PowerRead> {
  const untilMs = performance.now() + 5_000
  for (;;) {
    const read = await device.read(ask)
    if (read.power === power || performance.now() > untilMs) return read
  }
}

export const commands = (double: Double) =>
  double.log.filter((line) => / POST \/nodes\//.test(line))
