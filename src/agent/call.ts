/**
 * From what an agent was given to what it is to do, or to the one line that says why it will not.
 * All that can be said against a call without a driver or a device is said here.
 */
import { action, callParameters, plug as plugParameter, separators, timing } from './common.ts'
import { habitOf } from './dialect.ts'
import { driverFacts } from './facts.ts'
import type { Given, Pair } from './input.ts'
import { actionsOf } from './metadata.ts'
import { anyAgent, driverIn, verifyAgent } from './names.ts'
import { namesOf, type Parameter, truth } from './parameter.ts'
import { parametersOf } from './parameters.ts'
import { type Times, timesIn, type Values } from './times.ts'

/** What an agent is asked to do, in its own words. */
export interface Call {
  readonly agent: string
  readonly action: string
  /** Where the levels of a configuration are used. */
  readonly config: string | undefined
  /** Where its orders are recorded, instead of the usual place. */
  readonly state: string | undefined
  /** Where a single device is; empty with a configuration. */
  readonly driver: string
  /** The driver's options, as text, by their own names. */
  readonly options: Readonly<Record<string, string>>
  readonly identity: string | undefined
  readonly plugs: readonly string[]
  /** The plug is a name that Pacemaker has filled in, and perhaps means nothing to the device. */
  readonly filledIn: boolean
  /** Whom Pacemaker wants fenced, for messages. */
  readonly nodename: string | undefined
  readonly addresses: readonly string[]
  readonly passwordScript: string | undefined
  readonly separator: string
  readonly times: Times
  readonly voice: Voice
}

export interface Voice {
  readonly quiet: boolean
  readonly verbose: boolean
  readonly debugFile: string | undefined
}

export type Read =
  | { readonly ok: true; readonly call: Call }
  | { readonly ok: false; readonly error: string }

/** Values by the name of their parameter; the last one of each counts. */
export function valuesOf(pairs: readonly Pair[], parameters: readonly Parameter[]): Values {
  return new Map(
    pairs.flatMap(({ name, value }) => {
      const parameter = parameters.find((each) => namesOf(each).includes(name))
      return parameter === undefined ? [] : [[parameter.name, value] as const]
    }),
  )
}

/** The action, in its usual spelling; empty where none is given. */
export function actionIn(pairs: readonly Pair[]): string {
  const last = pairs.findLast(({ name }) => name === 'action')?.value.toLowerCase() ?? ''
  return last === 'meta-data' ? 'metadata' : last
}

/** Why an agent will not do this, whatever its parameters; `undefined` where it may. */
export function refusedAction(agent: string, action: string): string | undefined {
  if (action === '') return 'Failed: no action is given; write action=off, on, reboot or another'
  if (action === 'diag') return "Failed: Unrecognised action 'diag': nothing here sends an NMI"
  const known = [...actionsOf(agent), 'list', 'list-status']
  if (known.includes(action) && !(action === 'reboot' && agent === verifyAgent)) return undefined
  return `Failed: Unrecognised action '${action.slice(0, 40)}'`
}

/** `service` is what Pacemaker says of itself in PCMK_service. */
export function readCall(agent: string, given: Given, service: string | undefined): Read {
  const asked = actionIn(given.pairs)
  const named = given.pairs.findLast(({ name }) => name === 'driver')?.value
  const config = given.pairs.findLast(({ name }) => name === 'config')?.value || undefined
  const driver = config === undefined ? (driverIn(agent) ?? named ?? '') : ''
  const parameters = parametersOf(agent, driver === '' ? undefined : driver)
  const values = valuesOf(given.pairs, parameters)
  const nodename = given.pairs.findLast(({ name }) => name === 'nodename')?.value
  const plug = plugIn(given.pairs, parameters, nodename)
  const numbers = timesIn(values, driver, service)
  const faults = [
    ...whoFaults(agent, driver, config, named),
    ...besideFaults(driver, config, values),
    ...(typeof plug === 'string' ? [plug] : []),
    ...(typeof numbers === 'string' ? [numbers] : []),
    ...valueFaults(values, parameters),
    ...missing(asked, driver, config, values, typeof plug === 'string' ? '?' : plug.text),
    ...plugFaults(agent, driver, config, typeof plug === 'string' ? '' : plug.text, values),
  ]
  if (faults.length > 0 || typeof plug === 'string' || typeof numbers === 'string') {
    return { ok: false, error: `Failed: ${[...new Set(faults)].join('; ')}` }
  }
  const { password_script: script } = Object.fromEntries(values)
  const asIp = isTrue(values, 'port_as_ip')
  const nobody = asIp || plug.text === '' || (plug.filledIn && habitOf(driver).single === true)
  const separator = values.get('plug_separator') || ','
  const options = optionsIn(driver, values, parameters)
  return {
    ok: true,
    call: {
      ...{ agent, action: asked, config, driver, nodename },
      state: values.get('state') || undefined,
      options: asIp ? { ...options, host: plug.text } : options,
      identity: values.get('identity') || undefined,
      plugs: nobody ? [] : plug.text.split(separator).map((one) => one.trim()),
      filledIn: plug.filledIn,
      addresses: (values.get('addresses') ?? '').split(/[\s,;]+/).filter(Boolean),
      passwordScript: script || undefined,
      separator: values.get('separator') || ',',
      times: numbers,
      voice: voiceOf(values),
    },
  }
}

const isTrue = (values: Values, name: string): boolean => truth(values.get(name) ?? '') === true

export function voiceOf(values: Values): Voice {
  const level = Number(values.get('verbose_level') ?? 0)
  return {
    quiet: isTrue(values, 'quiet'),
    verbose: isTrue(values, 'verbose') || level >= 1,
    debugFile: values.get('debug_file') || undefined,
  }
}

/**
 * The plug under each of its names. Pacemaker fills in one of them with the node's name although
 * another one is configured: then the configured one is meant.
 */
function plugIn(
  pairs: readonly Pair[],
  parameters: readonly Parameter[],
  nodename: string | undefined,
): { readonly text: string; readonly filledIn: boolean } | string {
  const names = parameters.filter(({ name }) => name === 'plug').flatMap(namesOf)
  const byName = new Map(
    pairs.filter(({ name }) => names.includes(name)).map(({ name, value }) => [name, value]),
  )
  const all = [...new Set(byName.values())].filter((text) => text !== '')
  const configured = all.length > 1 ? all.filter((text) => text !== nodename) : all
  if (configured.length > 1) {
    return `${[...byName.keys()].join(' and ')} name different machines; keep one of them`
  }
  const [text = ''] = configured
  return { text, filledIn: byName.size === 1 && text !== '' && text === nodename }
}

function whoFaults(
  agent: string,
  driver: string,
  config: string | undefined,
  named: string | undefined,
): readonly string[] {
  if (config !== undefined && named !== undefined) return ['config and driver exclude each other']
  if (config !== undefined || driverIn(agent) !== undefined) return []
  if (driver === '') return ['You have to enter config, or driver and the parameters of a device']
  if (Object.hasOwn(driverFacts, driver)) return []
  const choice = Object.keys(driverFacts).join(', ')
  return [`You have to enter a valid choice for --driver from the valid values: [${choice}]`]
}

const ofCall = new Set(
  [action, plugParameter, ...timing(undefined), ...separators, ...callParameters].map(
    ({ name }) => name,
  ),
)

/** What would count for nothing beside something else. */
function besideFaults(
  driver: string,
  config: string | undefined,
  values: Values,
): readonly string[] {
  if (config === undefined) {
    const composed = Object.keys(habitOf(driver).compose(values))
    const twice = composed.filter((name) => values.has(name) && name !== 'verify_ssl')
    const said = twice.map((name) => `${name} says again what ip says; keep one of them`)
    return values.has('state') ? [...said, 'state goes with config'] : said
  }
  const devices = [...values.keys()].filter(
    (name) => !ofCall.has(name) && !['config', 'driver', 'state'].includes(name),
  )
  return devices.length === 0 ? [] : [`${devices.join(', ')} mean nothing beside config`]
}

/** Values that are none of the choices, or no numbers. */
function valueFaults(values: Values, parameters: readonly Parameter[]): readonly string[] {
  return parameters.flatMap(({ name, type, choices = [] }) => {
    const value = values.get(name)
    if (value === undefined || name === 'driver') return []
    if (type === 'select' && !choices.includes(value)) {
      const choice = choices.join(', ')
      return [`You have to enter a valid choice for --${name} from the valid values: [${choice}]`]
    }
    const isNumber = type === 'integer' || type === 'second'
    return isNumber && !/^\d{1,9}(\.\d+)?$/.test(value) ? [`${name} is no number`] : []
  })
}

/** What each device needs, in the words of fence-agents. */
const needed: Readonly<Record<string, string>> = {
  ip: 'You have to enter fence address',
  username: 'You have to enter login name',
  password: 'You have to enter login password or password script',
}
const plugNeeded = 'You have to enter plug number or machine identification'

/** Who asks for these wants no particular machine. */
const plugless = ['list', 'list-status', 'monitor', 'validate-all']

function missing(
  action: string,
  driver: string,
  config: string | undefined,
  values: Values,
  plug: string,
): readonly string[] {
  if (config !== undefined) {
    return plug === '' && !plugless.includes(action) ? [plugNeeded] : []
  }
  const { options = [], plug: own } = driverFacts[driver] ?? {}
  const made = habitOf(driver).compose(values)
  const parameters = parametersOf(anyAgent, driver === '' ? undefined : driver)
  return options.flatMap(({ name, required = false }) => {
    const parameter = parameters.find((each) => namesOf(each).includes(name))
    const key = name === own ? 'plug' : name === 'port' ? 'ipport' : (parameter?.name ?? name)
    if (!required || Object.hasOwn(made, name)) return []
    if (key === 'plug') return plug === '' && !plugless.includes(action) ? [plugNeeded] : []
    const there = (values.get(key) ?? '') !== ''
    const scripted = key === 'password' && (values.get('password_script') ?? '') !== ''
    const asIp = key === 'ip' && isTrue(values, 'port_as_ip') && plug !== ''
    if (there || scripted || asIp) return []
    return [needed[key] ?? `You have to enter ${key}`]
  })
}

/** Two machines behind a device that switches one would be one of them fenced for the other. */
function plugFaults(
  agent: string,
  driver: string,
  config: string | undefined,
  plug: string,
  values: Values,
): readonly string[] {
  const separator = values.get('plug_separator') || ','
  const plugs = plug.split(separator).map((one) => one.trim())
  if (plugs.some((one) => one === '') && plug !== '') return ['a plug between separators is empty']
  if (new Set(plugs).size < plugs.length) return ['a plug is named twice']
  const single = config === undefined && driver !== '' && driverFacts[driver]?.plug === undefined
  if (!single || plugs.length === 1) return []
  return [`${agent === anyAgent ? driver : agent} switches one machine, and several are named`]
}

/** The driver's options among the values, by their own names. */
function optionsIn(
  driver: string,
  values: Values,
  parameters: readonly Parameter[],
): Readonly<Record<string, string>> {
  const { options = [], plug } = driverFacts[driver] ?? {}
  const own = options.flatMap(({ name }): readonly (readonly [string, string])[] => {
    if (name === plug) return []
    const parameter =
      name === 'port'
        ? parameters.find((each) => each.name === 'ipport')
        : parameters.find((each) => namesOf(each).includes(name))
    const value = parameter === undefined ? undefined : values.get(parameter.name)
    return value === undefined || value === '' ? [] : [[name, value]]
  })
  return { ...habitOf(driver).compose(values), ...Object.fromEntries(own) }
}
