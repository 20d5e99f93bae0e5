/**
 * Picket's own fence agents, as a cluster of Pacemaker calls them: their names, and what the
 * options of a driver are called there: the names of fence-agents where those have one.
 */
import { parse } from 'yaml'
import { classicName } from '../agent/dialect.ts'
import { agentOf, anyAgent, verifyAgent } from '../agent/names.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { isSecret } from '../config/merge.ts'
import { defaultConfigFile } from '../config/paths.ts'
import type { Driver } from '../fence/driver.ts'
import { driverNames, loadDriver } from '../fence/drivers/index.ts'
import type { Mapped } from './agents.ts'
import type { DraftLevel } from './draft.ts'
import { newName } from './parameters.ts'

export function parameterOf(driver: Driver, option: string): string {
  if (option === driver.plug) return 'plug'
  return classicName(option)
}

/** A value as its text; maps and lists in a form that is YAML as well. */
export function textOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Does it fence, by the name of a driver or with one in its parameters? */
export function isOwn(type: string): boolean {
  return type === anyAgent || driverNames.some((driver) => agentOf(driver) === type)
}

export const isVerification = (type: string): boolean => type === verifyAgent

const addressesIn = (parameters: ReadonlyMap<string, string>): readonly string[] =>
  (parameters.get('addresses') ?? '').split(/[\s,;]+/).filter(Boolean)

/** What has to be silent: the addresses that it names, or those of the node in its config. */
export async function verifiedAddresses(
  parameters: ReadonlyMap<string, string>,
  node: string,
): Promise<readonly string[]> {
  const file = parameters.get('config')
  if (file === undefined) return addressesIn(parameters)
  const loaded = await loadedAt(file)
  return loaded?.core.nodes.find(({ id }) => id === node)?.addresses ?? []
}

/** The command by which an agent learns the password of a device; no shell finds more in it. */
export function passwordCommand(device: string, config: string): string {
  const where = config === defaultConfigFile ? '' : ` --config ${config}`
  return `picket password ${device}${where}`
}

const files = new Map<string, Promise<Loaded | undefined>>()

/** A configuration that an agent names; read once. */
function loadedAt(file: string): Promise<Loaded | undefined> {
  const known = files.get(file)
  if (known !== undefined) return known
  const found = loadConfig(file).then((result) => (result.ok ? result.loaded : undefined))
  files.set(file, found)
  return found
}

/** The levels that `fence_picket` with a configuration uses for a node; or why there are none. */
export async function levelsInConfig(
  file: string,
  node: string,
): Promise<readonly DraftLevel[] | string> {
  const loaded = await loadedAt(file)
  if (loaded === undefined) return `${file} cannot be read here: picket config check ${file}`
  const levels = loaded.core.nodes.find(({ id }) => id === node)?.levels ?? []
  if (levels.length === 0) return `${file} has no level for ${node}`
  const { devices } = loaded.details.topology
  return levels.map(({ devices: ids, verify }) => ({
    verify,
    steps: ids.flatMap((id) => {
      const device = devices.find((each) => each.id === id)
      if (device === undefined) return []
      const { driver, settings } = device
      const part = (keep: (key: string) => boolean) =>
        Object.fromEntries(
          [...settings].filter(([key]) => keep(key)).map(([key, { value }]) => [key, value]),
        )
      const isOption = (key: string) => Object.hasOwn(driver.options.shape, key)
      return {
        driver: driver.name,
        options: part((key) => isOption(key) && !isSecret(driver, key)),
        secrets: part((key) => isOption(key) && isSecret(driver, key)),
        common: part((key) => !isOption(key)),
      }
    }),
  }))
}

/** How an agent of ours is called, and nothing of its device. */
const callers = [
  ...['action', 'driver', 'delay', 'quiet', 'verbose', 'verbose_level', 'debug_file', 'version'],
  ...['help', 'separator', 'plug_separator', 'method', 'lanplus', 'power_timeout', 'power_wait'],
  ...['stonith_status_sleep', 'retry_on', 'disable_timeout', 'login_timeout', 'shell_timeout'],
]

/** The step behind `fence_picket_ipmi` and its like, or why there is none. */
export async function ownStep(
  type: string,
  parameters: ReadonlyMap<string, string>,
  plug: string | undefined,
): Promise<Mapped | string> {
  const all = new Map([...parameters].map(([name, value]) => [newName(name), value]))
  const name = driverNames.find((each) => agentOf(each) === type) ?? all.get('driver') ?? ''
  if (!driverNames.includes(name)) return `${type} names no driver`
  const driver = await loadDriver(name)
  const options: Record<string, unknown> = {}
  const secrets: Record<string, unknown> = {}
  for (const option of Object.keys(driver.options.shape)) {
    const parameter = parameterOf(driver, option)
    const text = parameter === 'plug' ? plug : (all.get(parameter) ?? all.get(option))
    all.delete(parameter)
    all.delete(option)
    if (text === undefined) continue
    const to = isSecret(driver, option) ? secrets : options
    to[option] = optionFrom(driver, option, text)
  }
  const identity = all.get('identity')
  const script = all.get('password_script')
  if (script !== undefined) {
    const password = await passwordBy(script)
    if (password === undefined) return 'its password_script is a program, which is not run here'
    secrets.password = password
  }
  const known = [...callers, 'identity', 'password_script', 'plug']
  const times = ['login_timeout', 'shell_timeout'].map((each) => Number(all.get(each) ?? 0))
  const seconds = times.reduce((sum, each) => sum + each, 0)
  const common = {
    ...(identity !== undefined && { identity }),
    ...(seconds >= 0.1 && { timeout_seconds: Math.min(seconds, 600) }),
  }
  return {
    ...{ driver: name, options, secrets, common, dropped: [] },
    unknown: [...all.keys()].filter((each) => !known.includes(each)),
  }
}

/** Text as it stands where the driver takes it so; numbers, lists and maps as in YAML. */
function optionFrom(driver: Driver, option: string, text: string): unknown {
  const schema = driver.options.shape[option]
  const { type } = schema?.toJSONSchema?.({ io: 'input' }) ?? {}
  if (type === 'boolean') return /^(1|yes|on|true)$/i.test(text)
  if (schema === undefined || schema.safeParse(text).success) return text
  try {
    return parse(text)
  } catch {
    return text
  }
}

/** What `picket password` would print; no other program is run. */
async function passwordBy(script: string): Promise<string | undefined> {
  const asked = /^picket password (\S+)(?: --config (\S+))?$/.exec(script.trim())
  if (asked === null) return undefined
  const [, device = '', file = defaultConfigFile] = asked
  const loaded = await loadedAt(file)
  const password = loaded?.devices.get(device)?.options.password
  return typeof password === 'string' ? password : undefined
}
