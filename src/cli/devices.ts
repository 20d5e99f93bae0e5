/**
 * What the fence devices of a node say when they are asked from here: their power (`fence status`),
 * and whether they know us (`fence check`). Nothing here changes anything.
 */
import type { Loaded } from '../config/load.ts'
import { deviceText } from '../config/show.ts'
import { didYouMean } from '../config/suggest.ts'
import type { Isolation, Power } from '../core/model.ts'
import { type Device, openDevice, type PowerRead } from '../fence/device.ts'
import type { ExitCode } from './command.ts'
import { loadOrSay } from './config.ts'
import { plain } from './marks.ts'
import type { Terminal } from './terminal.ts'

export interface NodeOptions {
  readonly node: string
  readonly config: string
  readonly json: boolean
}

/** A device, opened, with its place in the topology. */
interface Opened {
  readonly level: number
  readonly isolation: Isolation
  readonly where: string
  readonly device: Device
  readonly timeoutMs: number
}

/** What one device said about the power. */
export interface Reading extends PowerRead {
  readonly device: string
  readonly level: number
  /** What its off takes away. */
  readonly isolation: Isolation
  readonly where: string
  readonly tookMs: number
}

/** `picket fence status NODE`: 0 on, 2 off, 1 for everything else. */
export async function readNode(
  { node, config, json }: NodeOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const loaded = await loadOrSay(config, terminal)
  if (loaded === undefined || !knows(loaded, node, terminal)) return 1
  const readings = await terminal.during(`asking the devices of ${node}`, readAll(loaded, node))
  const { power, because } = judge(readings)
  if (json) terminal.out(JSON.stringify({ node, power, because, devices: readings }))
  else {
    terminal.out(`${node} is ${power}: ${because}`)
    for (const line of readingLines(readings)) terminal.out(line)
  }
  return power === 'on' ? 0 : power === 'off' ? 2 : 1
}

/** Read the power of a node from all of its devices at once. */
export async function readAll(loaded: Loaded, node: string): Promise<readonly Reading[]> {
  return await Promise.all(
    openAll(loaded, node).map(async ({ device, level, isolation, where, timeoutMs }) => {
      const startedMs = performance.now()
      const read = await device.read({ timeoutMs })
      const tookMs = Math.round(performance.now() - startedMs)
      return { device: device.id, level, isolation, where, tookMs, ...read }
    }),
  )
}

/**
 * What the readings come to. Off is believed only if every device of the first level says so and
 * none of any level says on; devices that contradict each other prove nothing.
 */
export function judge(all: readonly Pick<Reading, 'device' | 'level' | 'power' | 'isolation'>[]): {
  power: Power
  because: string
} {
  const readings = all.map((each) => ({ ...each, power: powerIn(each) }))
  const say = (power: Power) => readings.filter((reading) => reading.power === power)
  const named = (some: typeof readings) => some.map(({ device }) => device).join(' and ')
  const says = (some: typeof readings) => (some.length === 1 ? 'says' : 'say')
  const on = say('on')
  const off = say('off')
  const first = readings.filter(({ level }) => level === 1)
  if (readings.length === 0) return { power: 'unknown', because: 'it has no fence device' }
  if (on.length > 0 && off.length > 0) {
    const said = `${named(on)} ${says(on)} on, ${named(off)} ${says(off)} off`
    const because = `its devices contradict each other: ${said}`
    return { power: 'unknown', because }
  }
  if (on.length > 0) return { power: 'on', because: `${named(on)} ${says(on)} so` }
  if (off.length > 0 && first.length > 0 && first.every(({ power }) => power === 'off')) {
    return { power: 'off', because: `${named(off)} ${says(off)} so` }
  }
  const silent = named(readings.filter(({ power }) => power !== 'off'))
  return { power: 'unknown', because: `${silent} could not tell` }
}

/** Who is cut off from storage or network has its power all the same. */
function powerIn({ isolation, power }: Pick<Reading, 'isolation' | 'power'>): Power {
  return isolation === 'fabric' && power === 'off' ? 'unknown' : power
}

/** Ask every device of a node whether it could fence now; changes nothing. */
export async function checkAll(loaded: Loaded, node: string): Promise<readonly Check[]> {
  return await Promise.all(openAll(loaded, node).map(identify))
}

/** One line for each reading, with what went wrong where something did. */
export function readingLines(readings: readonly Reading[]): readonly string[] {
  return readings.map(({ device, where, power, isolation, raw, detail, tookMs }) => {
    const said = detail ?? (raw === '' ? '' : `"${raw}"`)
    const word =
      isolation === 'fabric' && power === 'off' ? 'off (cut off, not powered off)' : power
    return `  ${device}  ${where}  ${word}  ${tookMs} ms  ${plain(said)}`.trimEnd()
  })
}

/** `picket fence check`: could every device of a node, or of all nodes, fence now? */
export async function checkDevices(
  { node, config, json }: Omit<NodeOptions, 'node'> & { readonly node: string | undefined },
  terminal: Terminal,
): Promise<ExitCode> {
  const loaded = await loadOrSay(config, terminal)
  if (loaded === undefined) return 2
  if (node !== undefined && !knows(loaded, node, terminal)) return 2
  const nodes = node === undefined ? loaded.core.nodes.map(({ id }) => id) : [node]
  const checks = await terminal.during(
    'asking the devices',
    Promise.all(nodes.flatMap((each) => openAll(loaded, each).map(identify))),
  )
  const without = nodes.filter(
    (id) => loaded.core.nodes.find((each) => each.id === id)?.levels.length === 0,
  )
  const ok = checks.every((check) => check.ok) && without.length === 0
  if (json) terminal.out(JSON.stringify({ ok, devices: checks, nodesWithoutDevice: without }))
  else printChecks(checks, without, terminal)
  return ok ? 0 : 1
}

/** Whether one device could fence now, and why not. */
export interface Check {
  readonly device: string
  readonly where: string
  readonly ok: boolean
  readonly identity?: string | undefined
  readonly detail: string
  readonly tookMs: number
}

async function identify({ device, where, timeoutMs }: Opened): Promise<Check> {
  const startedMs = performance.now()
  const { ok, identity, detail } = await device.identify({ timeoutMs })
  const tookMs = Math.round(performance.now() - startedMs)
  return { device: device.id, where, ok, identity, detail, tookMs }
}

function printChecks(
  checks: readonly Check[],
  without: readonly string[],
  { out, paint }: Terminal,
): void {
  const cells = checks.map(({ device, where, tookMs }) => [device, where, `${tookMs} ms`] as const)
  const widths = [0, 1, 2].map((column) =>
    Math.max(0, ...cells.map((row) => (row[column] ?? '').length)),
  )
  for (const [index, { ok, detail }] of checks.entries()) {
    const row = (cells[index] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0))
    const word = ok ? paint('good', '✓ ok    ') : paint('bad', '✗ FAILED')
    out(`${word}  ${row.join('  ')}  ${plain(detail)}`)
  }
  for (const id of without) out(`${paint('bad', '✗ FAILED')}  ${id} has no fence device`)
}

function openAll({ core, devices, details }: Loaded, node: string): readonly Opened[] {
  const levels = core.nodes.find(({ id }) => id === node)?.levels ?? []
  return levels.flatMap((level, index) =>
    level.devices.flatMap((id): Opened[] => {
      const setup = devices.get(id)
      const known = details.topology.devices.find((device) => device.id === id)
      if (setup === undefined || known === undefined) return []
      const { timeoutMs, isolation } = known.config
      const where = deviceText(known)
      return [{ level: index + 1, isolation, where, device: openDevice(setup), timeoutMs }]
    }),
  )
}

/** Is there such a node? Says so where there is not. */
export function knows({ core, file }: Loaded, node: string, { err }: Terminal): boolean {
  const names = core.nodes.map(({ id }) => id)
  if (names.includes(node)) return true
  const known = names.join(', ')
  err(`There is no node "${node}" in ${file}; there are: ${known}.${didYouMean(node, names)}`)
  return false
}
