/**
 * How the options of a driver are called by those who know fence-agents, and what else they are
 * used to write. The options themselves are the driver's (facts.ts).
 */
import type { OptionFacts } from './facts.ts'
import { type Parameter, truth } from './parameter.ts'

interface Classic {
  readonly name: string
  readonly old?: readonly string[]
  readonly letter?: string
  readonly value?: string
}

/** By the driver's own name of it. `port` is never one of them: it is the old name of the plug. */
const classic: Readonly<Record<string, Classic>> = {
  host: { name: 'ip', old: ['ipaddr', 'host'], letter: 'a', value: 'ip' },
  port: { name: 'ipport', letter: 'u', value: 'port' },
  user: { name: 'username', old: ['login', 'user'], letter: 'l', value: 'name' },
  password: { name: 'password', old: ['passwd'], letter: 'p', value: 'password' },
  privilege: { name: 'privlvl', old: ['privilege'], letter: 'L', value: 'level' },
  cipher: { name: 'cipher', letter: 'C', value: 'cipher' },
  identity_file: { name: 'identity_file', letter: 'k', value: 'file' },
}

/** What an option of a driver is called by those who know fence-agents. */
export function classicName(own: string): string {
  return (Object.hasOwn(classic, own) && classic[own]?.name) || own
}

/** The parameter that sets an option. */
export function parameterFor(option: OptionFacts, driverPlug: string | undefined): Parameter {
  const { name: own, title, type, choices, standard, required = false, secret = false } = option
  const rest = {
    ...{ title, type, required, secret },
    ...(choices !== undefined && { choices }),
    ...(standard !== undefined && { standard }),
  }
  if (own === driverPlug) {
    const old = ['port', ...(own === 'plug' ? [] : [own])]
    return { name: 'plug', old, letter: 'n', value: 'id', ...rest, type: 'string' }
  }
  return { name: own, ...classic[own], ...rest }
}

/** More that people write for a driver, and what it comes to in the driver's own options. */
interface Habit {
  readonly parameters: readonly Parameter[]
  /** Options that these parameters stand for: they need not be given themselves. */
  readonly sets: readonly string[]
  /** Mostly it switches one machine: a node's name that Pacemaker has filled in is no plug. */
  readonly single?: true
  compose(given: ReadonlyMap<string, string>): Readonly<Record<string, string>>
}

const ip: Parameter = {
  ...{ name: 'ip', old: ['ipaddr'], letter: 'a', type: 'string', value: 'ip' },
  title: 'Address of the device',
}
const insecure: Parameter = {
  ...{ name: 'ssl_insecure', type: 'boolean' },
  title: 'The same as verify_ssl=0: do not check the certificate',
}
const method: Parameter = {
  ...{ name: 'method', letter: 'm', type: 'select', value: 'method', choices: ['onoff'] },
  ...{ standard: 'onoff', title: 'A reboot is an off that was read back, and an on' },
}

const unchecked = (given: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  truth(given.get('ssl_insecure') ?? '') === true ? { verify_ssl: '0' } : {}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const habits: Readonly<Record<string, Habit>> = {
  ipmi: {
    parameters: [
      method,
      {
        ...{ name: 'lanplus', letter: 'P', type: 'boolean', standard: '1' },
        title: 'Accepted for compatibility: IPMI 2.0 is spoken, whatever it says',
      },
    ],
    sets: [],
    compose: () => ({}),
  },
  redfish: { parameters: [method, insecure], sets: [], single: true, compose: unchecked },
  proxmox: {
    parameters: [
      method,
      { ...ip, title: 'Address of the API, instead of api_url' },
      {
        ...{ name: 'ipport', letter: 'u', type: 'integer', value: 'port', standard: '8006' },
        title: 'TCP port of the API, with ip',
      },
      insecure,
    ],
    sets: ['api_url'],
    compose(given) {
      const address = given.get('ip')
      const port = given.get('ipport') ?? '8006'
      return {
        ...unchecked(given),
        ...(address !== undefined && { api_url: `https://${bracketed(address)}:${port}` }),
      }
    },
  },
  libvirt: {
    parameters: [
      method,
      { ...ip, title: 'Address of the hypervisor, which is reached over ssh; instead of uri' },
      {
        ...{ name: 'username', old: ['login'], letter: 'l', type: 'string', value: 'name' },
        ...{ standard: 'root', title: 'Login name there, with ip' },
      },
    ],
    sets: ['uri'],
    compose(given) {
      const address = given.get('ip')
      const user = given.get('username') ?? 'root'
      if (address === undefined) return {}
      return { uri: `qemu+ssh://${user}@${bracketed(address)}/system` }
    },
  },
}

const none: Habit = { parameters: [method], sets: [], compose: () => ({}) }

export function habitOf(driver: string): Habit {
  return habits[driver] ?? none
}
