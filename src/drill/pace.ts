/**
 * Assumed durations: what is usual for each kind of device and of resource, as far as nobody has
 * measured it at this site. They decide no verdict, only how many seconds stand beside it.
 */
import type { ResourceOp } from '../core/effect.ts'
import type { Span } from '../sim/pace.ts'

interface DevicePace {
  readonly press: Span
  readonly read: Span
}

/** By driver: from the command to the power that is off, and one reading. */
const devicePaces: Readonly<Record<string, DevicePace>> = {
  ipmi: { press: [500, 3_000], read: [20, 150] },
  redfish: { press: [1_000, 4_000], read: [200, 800] },
  proxmox: { press: [1_000, 3_000], read: [100, 400] },
  libvirt: { press: [300, 2_000], read: [200, 600] },
  qemu: { press: [50, 300], read: [5, 50] },
  http: { press: [300, 1_500], read: [50, 300] },
  agent: { press: [2_000, 8_000], read: [1_000, 2_000] },
  'qemu-guest-agent': { press: [1_000, 5_000], read: [50, 500] },
}

const anyDevice: DevicePace = { press: [1_000, 4_000], read: [100, 1_000] }

/** By type: a start, and a stop. */
const resourcePaces: Readonly<Record<string, Readonly<Record<'start' | 'stop', Span>>>> = {
  vip: { start: [50, 200], stop: [20, 100] },
  exec: { start: [200, 1_500], stop: [200, 2_000] },
  systemd: { start: [500, 3_000], stop: [500, 3_000] },
  ocf: { start: [1_000, 6_000], stop: [1_000, 5_000] },
}

/** Sending is what takes long: a memory over a network. Taking over is as quick as a start. */
const LIVE_MOVE: Span = [2_000, 20_000]

const anyResource = { start: [500, 5_000], stop: [500, 5_000] } as const

/** From the current to Corosync and picketd. */
export const BOOT_MS = 60_000

/**
 * Corosync gives a node up after its token and its consensus, less what had passed of the token
 * when the node fell silent. The world adds up to a half, so that it is about two tokens.
 */
export function detectionMs(tokenMs: number): number {
  return Math.round(1.6 * tokenMs)
}

export function devicePace(driver: string): DevicePace {
  return devicePaces[driver] ?? anyDevice
}

export function operationPace(type: string, op: ResourceOp): Span {
  const pace = resourcePaces[type] ?? anyResource
  if (op === 'migrate_to') return LIVE_MOVE
  return op === 'stop' ? pace.stop : pace.start
}

/** What is assumed of the drivers and types in use, for people. */
export function assumptions(
  drivers: readonly string[],
  types: readonly string[],
  tokenMs: number,
  twoNode: boolean,
): readonly string[] {
  const off = drivers.map((driver) => `${spanText(devicePace(driver).press)} for ${driver}`)
  const start = types.map((type) => `${spanText(operationPace(type, 'start'))} for ${type}`)
  return [
    `Corosync gives a node up after about ${seconds(2 * tokenMs)} s (--token ${tokenMs})`,
    ...(off.length > 0 ? [`an off takes ${off.join(', ')} (\`picket fence check\` measures)`] : []),
    ...(start.length > 0 ? [`a start takes ${start.join(', ')}, within its timeout`] : []),
    `a boot takes ${seconds(BOOT_MS)} s`,
    ...(twoNode ? ['corosync.conf has two_node: 1'] : []),
  ]
}

function spanText([leastMs, mostMs]: Span): string {
  return `${seconds(leastMs)} to ${seconds(mostMs)} s`
}

function seconds(spanMs: number): string {
  return String(Math.round(spanMs / 10) / 100)
}
