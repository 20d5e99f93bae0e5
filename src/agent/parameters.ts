/** All parameters of an agent, by its name: the list from which everything else follows. */
import { action, callParameters, passwordScript, plug, separators, timing } from './common.ts'
import { habitOf, parameterFor } from './dialect.ts'
import { driverFacts } from './facts.ts'
import { anyAgent, driverIn, verifyAgent } from './names.ts'
import type { Parameter } from './parameter.ts'

const identity: Parameter = {
  ...{ name: 'identity', type: 'string', value: 'uuid' },
  title: 'The hardware that the device must name: BMC GUID, machine UUID',
}

const portAsIp: Parameter = {
  ...{ name: 'port_as_ip', type: 'boolean' },
  title: 'The plug is the address of the device',
}

const chosen: readonly Parameter[] = [
  {
    ...{ name: 'config', type: 'string', value: 'file' },
    title: 'A configuration of Picket: plug is the name of a node in it, and its levels are used',
  },
  {
    ...{ name: 'state', type: 'string', value: 'dir' },
    title: 'With config: where each order is recorded (/var/lib/picket)',
  },
  {
    ...{ name: 'driver', type: 'select', value: 'name', choices: Object.keys(driverFacts) },
    title: 'The driver, where no configuration is named',
  },
]

const addresses: Parameter = {
  ...{ name: 'addresses', type: 'string', value: 'list' },
  title: 'Addresses that have to be silent, with commas between; in a config it is those of plug',
}

/** What belongs to the device of this driver. */
function deviceParameters(driver: string): readonly Parameter[] {
  const { options = [], plug: driverPlug } = driverFacts[driver] ?? {}
  const { parameters, sets } = habitOf(driver)
  const own = options.map((option) => {
    const parameter = parameterFor(option, driverPlug)
    return sets.includes(option.name) ? { ...parameter, required: false } : parameter
  })
  const byPassword = options.some(({ name }) => name === 'password')
  const byHost = driverPlug === undefined && options.some(({ name }) => name === 'host')
  return [
    // `ip` of a habit is what another driver calls its host; nobody has both.
    ...own,
    ...parameters.filter(({ name }) => !own.some((each) => each.name === name)),
    ...(driverPlug === undefined ? [plug] : []),
    // It may come from the script.
    ...(byPassword ? [passwordScript] : []),
    ...(byHost ? [portAsIp] : []),
    identity,
  ].map((each) => (each.name === 'password' && byPassword ? { ...each, required: false } : each))
}

/** Of all drivers together: each once, and none of them required. */
function anyParameters(): readonly Parameter[] {
  const all = Object.keys(driverFacts).flatMap(deviceParameters)
  const once = new Map<string, Parameter>()
  for (const each of all) {
    const { standard: _, required: __, choices: ___, ...rest } = each
    const before = once.get(each.name)
    const old = [...new Set([...(before?.old ?? []), ...(each.old ?? [])])]
    const type = before !== undefined && before.type !== each.type ? 'string' : each.type
    const loose = type === 'select' && each.name !== 'method' ? 'string' : type
    const choices = loose === 'select' ? { choices: each.choices ?? [] } : {}
    once.set(each.name, { ...rest, ...choices, type: loose, ...(old.length > 0 && { old }) })
  }
  return [...once.values()]
}

/** Those of an agent; with a driver named to it, those that count then. */
export function parametersOf(agent: string, named?: string): readonly Parameter[] {
  const driver = driverIn(agent) ?? named
  const facts = driver === undefined ? undefined : driverFacts[driver]
  const free = agent === anyAgent || agent === verifyAgent
  const device = facts === undefined ? anyParameters() : deviceParameters(driver ?? '')
  return [
    action,
    ...(free ? chosen : []),
    ...device,
    ...(agent === verifyAgent ? [addresses] : []),
    ...timing(facts),
    ...separators,
    ...callParameters,
  ]
}
