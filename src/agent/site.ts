/**
 * What an agent works on: a configuration, or a single device that becomes one, so that the same
 * checks are made and the same words are said. It never touches a disk that the configuration does
 * not name.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { type Loaded, type LoadResult, loadConfig, loadSource } from '../config/load.ts'
import { isSecret, isText } from '../config/merge.ts'
import type { Place, Problem } from '../config/problem.ts'
import { nameSchema } from '../config/schema.ts'
import type { Secrets } from '../config/secrets.ts'
import type { Source } from '../config/yaml.ts'
import type { DeviceConfig } from '../core/model.ts'
import { type Box, openBox } from '../fence/box.ts'
import type { Driver } from '../fence/driver.ts'
import { loadDriver } from '../fence/drivers/index.ts'
import { FenceError } from '../fence/errors.ts'
import { runChild } from '../foreign/child.ts'
import type { Call } from './call.ts'
import { truth } from './parameter.ts'

/** A mistake in what the agent was given, as the rest of a line that begins with `Failed: `. */
export class CallError extends Error {
  override readonly name = 'CallError'
}

export interface Site {
  readonly loaded: Loaded
  /** The names of the nodes that are meant. */
  readonly targets: readonly string[]
}

/** The configuration, and who is meant in it. Throws a CallError. */
export async function openSite(call: Call): Promise<Site> {
  const { config } = call
  const site = await (config === undefined ? siteOfDevice(call) : siteOfConfig(call, config))
  return { ...site, loaded: withTimes(site.loaded, call) }
}

/** The spans that the call names, in place of those of drivers and configuration. */
function withTimes(loaded: Loaded, { times }: Call): Loaded {
  const { powerMs, gapMs, requestMs, waitMs } = times
  const timed = (device: DeviceConfig): DeviceConfig => ({
    ...device,
    timeoutMs: (requestMs ?? device.timeoutMs) + waitMs,
    ...(powerMs !== undefined && { settleMs: powerMs }),
    // A shorter one than the driver's would read one stale answer twice.
    ...(gapMs !== undefined && { readGapMs: Math.max(device.readGapMs, gapMs) }),
  })
  const { core, details } = loaded
  const known = details.topology.devices.map((each) => ({ ...each, config: timed(each.config) }))
  return {
    ...loaded,
    core: { ...core, devices: core.devices.map(timed) },
    details: { ...details, topology: { ...details.topology, devices: known } },
  }
}

async function siteOfConfig(call: Call, config: string): Promise<Site> {
  const loaded = loadedOf(await loadConfig(config))
  const known = loaded.core.nodes.map(({ id }) => id)
  for (const plug of call.plugs) {
    if (known.includes(plug) || (call.action === 'validate-all' && call.filledIn)) continue
    throw new CallError(`there is no node "${plug}" in ${config}; there are: ${known.join(', ')}`)
  }
  const all = loaded.core.nodes.filter(({ levels }) => levels.length > 0).map(({ id }) => id)
  return { loaded, targets: call.plugs.length > 0 ? call.plugs : all }
}

/** One node for each plug, with one step. */
async function siteOfDevice(call: Call): Promise<Site> {
  const { driver: name, plugs } = call
  const driver = await loadDriver(name)
  const { open, secret } = await optionsOf(call, driver)
  const own = driver.plug
  const plugged = plugs.length === 0 || own === undefined ? [undefined] : plugs
  const targets = plugged.map((plug, at) => targetName(plug ?? plugs[0] ?? call.nodename, at))
  const names = new Set(targets)
  if (names.size < targets.length) throw new CallError('two of the plugs have one name')
  const common = call.identity === undefined ? {} : { identity: call.identity }
  const nodes = targets.map((target, at) => {
    const plug = plugged[at]
    const named =
      own !== undefined && plug !== undefined ? { [own]: optionFrom(driver, own, plug) } : {}
    const listens = call.addresses.length > 0 ? { addresses: { network: call.addresses } } : {}
    return { name: target, fence: { driver: name, ...common, ...open, ...named }, ...listens }
  })
  const source = sourceOf({ cluster: { name: 'agent', nodes } })
  const read = { file: source.file, source, mode: 0o600 }
  return { loaded: loadedOf(await loadSource(read, { secrets: secretsOf(name, secret) })), targets }
}

/** A plug may be a number or a path; the name of a node may not. */
function targetName(text: string | undefined, at: number): string {
  const fits = nameSchema.safeParse(text)
  return fits.success ? fits.data : `machine-${at + 1}`
}

/** The box behind a single device, for whoever names no target. Throws a CallError. */
export async function openBoxOf(
  call: Call,
): Promise<{ readonly box: Box; readonly askMs: number }> {
  const driver = await loadDriver(call.driver)
  const { open, secret } = await optionsOf(call, driver)
  try {
    const box = openBox({ id: 'device', driver, options: { ...open, ...secret } })
    return { box, askMs: 2 * (call.times.requestMs ?? driver.capabilities.timeoutMs) }
  } catch (error) {
    throw error instanceof FenceError ? new CallError(error.message) : error
  }
}

/** The driver's options, those that are secret apart. */
async function optionsOf(call: Call, driver: Driver) {
  const open: Record<string, unknown> = {}
  const secret: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(call.options)) {
    const to = isSecret(driver, name) ? secret : open
    to[name] = optionFrom(driver, name, text)
  }
  if (call.passwordScript !== undefined && call.action !== 'validate-all') {
    secret.password = await printedBy(call.passwordScript)
  } else if (call.passwordScript !== undefined) secret.password ??= 'not asked for yet'
  return { open, secret }
}

/** Text as it stands; a switch by its value; numbers, lists and maps as in YAML. */
function optionFrom(driver: Driver, name: string, text: string): unknown {
  if (isText(driver, name)) return text
  const { type } = driver.options.shape[name]?.toJSONSchema?.({ io: 'input' }) ?? {}
  if (type === 'boolean') return truth(text) ?? text
  try {
    return parse(text)
  } catch {
    throw new CallError(`${name} is not YAML; put a text with such characters in quotes`)
  }
}

const scriptMs = 10_000

/** What a command prints, without the blanks at its end. It is no argument of ours that is run. */
async function printedBy(command: string): Promise<string> {
  const late = AbortSignal.timeout(scriptMs)
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }
  try {
    const terms = { env, signal: late, outputMaxBytes: 4_096 }
    const { code, stdout } = await runChild('/bin/sh', ['-c', command], terms)
    if (code === 0 && stdout.trimEnd() !== '') return stdout.trimEnd()
    throw new CallError(
      `password_script ended with ${code} and printed no password: call it by hand on this node`,
    )
  } catch (error) {
    if (error instanceof CallError) throw error
    throw new CallError('password_script printed no password within 10 s')
  }
}

const place: Place = { file: 'parameters', line: 0, column: 0 }

function sourceOf(value: unknown): Source {
  return {
    file: place.file,
    value,
    placeOf: () => place,
    placeOfKey: () => place,
    writtenAt: () => undefined,
  }
}

/** What would stand in a secrets file. */
function secretsOf(driver: string, shared: Readonly<Record<string, unknown>>): Secrets {
  const source = sourceOf({ [driver]: shared })
  return {
    drivers: new Map([[driver, { source, shared, perNode: new Map() }]]),
    resources: new Map(),
    files: [],
    problems: [],
    unread: false,
    usual: place.file,
    fileFor: () => place.file,
  }
}

function loadedOf(result: LoadResult): Loaded {
  if (result.ok) return result.loaded
  throw new CallError([...new Set(result.problems.map(textOf))].join('; '))
}

/** Where something stands means nothing without a file. */
function textOf({ file, line, message }: Problem): string {
  return file === place.file
    ? message
    : line === 0
      ? `${file}: ${message}`
      : `${file}:${line}: ${message}`
}

/** Keeps the delay, which counts from the start of the process. */
export async function keepDelay({ action, times }: Call): Promise<void> {
  if (action !== 'off' && action !== 'reboot') return
  const leftMs = times.delayMs - 1_000 * process.uptime()
  if (leftMs > 0) await sleep(leftMs)
}
