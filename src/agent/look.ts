/** What only reads: status, monitor, list, and the check of the parameters. */
import { checkAll, judge, type Reading, readAll } from '../cli/devices.ts'
import type { Power } from '../core/model.ts'
import type { Call } from './call.ts'
import { driverFacts, needsPlug } from './facts.ts'
import { type CallError, openBoxOf, openSite, type Site } from './site.ts'
import { blankSight, watched } from './watched.ts'
import { failureLine, ofParameters, oneLine } from './words.ts'

export interface Seen {
  readonly code: 0 | 1 | 2
  readonly out?: string
  readonly err?: string
}

/** The power of one node, from all of its devices, and why it is not known. */
export interface NodePower {
  readonly power: Power
  readonly because: string
  readonly readings: readonly Reading[]
  /** The line for a person where it is not known. */
  readonly line: string
}

export async function powerOf({ loaded }: Site, target: string): Promise<NodePower> {
  const sight = blankSight()
  const looked = { sight, waitMs: 0, pressless: true }
  const devices = new Map([...loaded.devices].map(([id, each]) => [id, watched(each, looked)]))
  const readings = await readAll({ ...loaded, devices }, target)
  const { power, because } = judge(readings)
  const details = readings.flatMap(({ detail }) => detail ?? [])
  const line = failureLine(sight.failure, ofParameters(details[0] ?? because))
  return { power, because, readings, line }
}

/** 0 on, 2 off, 1 for everything else. Several are on if any of them is not off. */
export async function status(call: Call): Promise<Seen> {
  const site = await openSite(call)
  const found = await Promise.all(site.targets.map((target) => powerOf(site, target)))
  const lost = found.find(({ power }) => power === 'unknown')
  if (lost !== undefined || found.length === 0) {
    return { code: 1, err: lost?.line ?? 'Failed: no node has a fence device' }
  }
  const on = found.some(({ power }) => power === 'on')
  return on ? { code: 0, out: 'Status: ON' } : { code: 2, out: 'Status: OFF' }
}

/** Would a fencing work now: device, credentials, identity? Whatever the power. */
export async function monitor(call: Call): Promise<Seen> {
  if (call.config === undefined && call.plugs.length === 0 && needsPlug(call.driver)) {
    const { box, askMs } = await openBoxOf(call)
    const { ok, detail = '' } = await box.list({ timeoutMs: askMs })
    return ok ? { code: 0 } : { code: 1, err: failureLine(undefined, detail) }
  }
  const site = await openSite(call)
  const broken = (await Promise.all(site.targets.map((target) => whyBroken(site, target)))).flatMap(
    (why) => why ?? [],
  )
  if (site.targets.length === 0) return { code: 1, err: 'Failed: no node has a fence device' }
  return broken.length === 0 ? { code: 0 } : { code: 1, err: oneLine(broken.join('; ')) }
}

/** Why no level of a node could fence it now. */
export async function whyBroken({ loaded }: Site, target: string): Promise<string | undefined> {
  const sight = blankSight()
  const looked = { sight, waitMs: 0, pressless: true }
  const devices = new Map([...loaded.devices].map(([id, each]) => [id, watched(each, looked)]))
  const checks = await checkAll({ ...loaded, devices }, target)
  const levels = loaded.core.nodes.find(({ id }) => id === target)?.levels ?? []
  const works = (id: string): boolean => checks.some(({ device, ok }) => device === id && ok)
  if (levels.some((level) => level.devices.every(works))) return undefined
  const bad = checks.find(({ ok }) => !ok)
  const why = bad?.detail ?? `no fence device is configured for ${target}`
  return failureLine(sight.failure, ofParameters(why))
}

/** Each of these becomes the name of a node that can be fenced, also an alias. */
const listable = (text: string): boolean =>
  /^[A-Za-z0-9_.-]+$/.test(text) && !/^(on|off)$|invalid|variable/i.test(text)

/** `plug,alias`, one a line, with the power where it is asked for. */
export async function list(call: Call): Promise<Seen> {
  const rows = call.config === undefined ? await rowsOfBox(call) : await rowsOfConfig(call)
  if ('because' in rows) return { code: 1, err: failureLine(undefined, rows.because) }
  const withPower = call.action === 'list-status'
  const lines = rows.map(({ plug, alias, power }) =>
    [plug, alias, ...(withPower ? [power.toUpperCase()] : [])].join(call.separator),
  )
  return { code: 0, out: lines.join('\n') }
}

interface Row {
  readonly plug: string
  readonly alias: string
  readonly power: Power
}

async function rowsOfConfig(call: Call): Promise<readonly Row[]> {
  const site = await openSite(call)
  return await Promise.all(
    site.targets.filter(listable).map(async (plug): Promise<Row> => {
      if (call.action === 'list') return { plug, alias: '', power: 'unknown' }
      return { plug, alias: '', power: (await powerOf(site, plug)).power }
    }),
  )
}

async function rowsOfBox(call: Call): Promise<readonly Row[] | { readonly because: string }> {
  // A device that switches one machine knows no names: whatever was printed would become one.
  if (driverFacts[call.driver]?.lists !== true) return []
  const { box, askMs } = await openBoxOf(call)
  const { ok, targets, detail = '' } = await box.list({ timeoutMs: askMs })
  if (!ok) return { because: detail }
  return targets
    .filter(({ plug }) => listable(plug))
    .map(({ plug, name, aliases = [], power }) => {
      // A name that could not be given back as a plug would make a node fenceable that is not.
      const alias = aliases.includes(name) && listable(name) ? name : ''
      return { plug, alias, power }
    })
}

/** Everything that can be said of the parameters without asking anybody. */
export async function validate(call: Call): Promise<Seen> {
  const unnamed = call.filledIn || call.plugs.length === 0
  if (call.config === undefined && unnamed && needsPlug(call.driver)) await openBoxOf(call)
  else await openSite(call)
  return { code: 0 }
}

/** What a mistake in the parameters comes to. */
export function mistaken(call: Pick<Call, 'action'>, error: CallError): Seen {
  const tail = call.action === 'validate-all' ? '; validate-all failed' : ''
  return { code: 1, err: oneLine(`Failed: ${error.message}${tail}`) }
}
