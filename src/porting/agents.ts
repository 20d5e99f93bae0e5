/**
 * Which driver does what a fence agent did, and what its parameters are called there. What a driver
 * has no word for stays with the agent itself, through the driver `agent`: nothing is guessed.
 */

import type { DraftStep } from './draft.ts'
import { isSecretName, newName, number, Parameters, set } from './parameters.ts'

/** What became of one device for one of its plugs. */
export interface Mapped extends DraftStep {
  /** What is not carried over, and need not be: clauses. */
  readonly dropped: readonly string[]
  /** Names of parameters that nobody knows here. */
  readonly unknown: readonly string[]
}

/** A driver's form of it, or why there is none. */
type Native = (parameters: Parameters, plug: string | undefined) => DraftOf | string

interface DraftOf extends DraftStep {
  readonly dropped?: readonly (string | false)[]
}

/** They say how long to wait and how often to ask, which a driver knows by itself. */
const times = [
  ...['power_timeout', 'power_wait', 'stonith_status_sleep', 'login_timeout', 'shell_timeout'],
  ...['retry_on', 'disable_timeout', 'ipmitool_timeout', 'timeout'],
]
const talk = [
  ...['quiet', 'verbose', 'verbose_level', 'debug_file', 'version', 'help'],
  ...['separator', 'plug_separator', 'action', 'option', 'nodename', 'delay'],
]

/** A password that a program tells has to be asked for by the agent itself. */
const scripted = 'password_script is a program, which only the agent runs'

const ipmi =
  (lanplusIsStandard: boolean): Native =>
  (parameters, plug) => {
    if (parameters.take('password_script') !== undefined) return scripted
    if (parameters.take('hexadecimal_kg') !== undefined) return 'it has a K_g key'
    if (parameters.take('target') !== undefined) return 'it bridges to another target'
    const asIp = parameters.isOn('port_as_ip')
    const ip = parameters.take('ip')
    const lanplus = parameters.isOn('lanplus', lanplusIsStandard)
    const cipher = number(parameters.take('cipher'))
    const good = cipher === undefined || [3, 8, 12, 17].includes(Number(cipher))
    const privilege = parameters.take('privlvl')?.toLowerCase()
    const may = privilege === 'administrator' || privilege === 'operator'
    parameters.take('method')
    const needless = parameters.drop(['auth', 'ipmitool_path', 'use_sudo', 'inet4_only'])
    return {
      driver: 'ipmi',
      options: set({
        host: asIp ? (plug ?? ip) : ip,
        port: number(parameters.take('ipport')),
        user: parameters.take('username'),
        cipher: good ? cipher : undefined,
        privilege: may ? privilege : undefined,
      }),
      secrets: set({ password: parameters.take('password') }),
      dropped: [
        needless.length > 0 && `${needless.join(', ')}: Picket speaks to the BMC itself`,
        !lanplus && 'IPMI 1.5: Picket encrypts (lanplus), which the BMC has to allow',
        !good && 'its cipher suite, which does not encrypt: Picket takes 17, or else 3',
        privilege !== undefined && !may && 'privlvl: nobody may switch with it',
      ],
    }
  }

const redfish: Native = (parameters, plug) => {
  if (parameters.take('password_script') !== undefined) return scripted
  const uri = parameters.take('redfish_uri')
  if (uri !== undefined && !/^\/redfish(\/v1)?\/?$/.test(uri)) return 'its redfish_uri is another'
  if (!parameters.isOn('ssl', true)) return 'it speaks without TLS'
  if (parameters.isOn('notls')) return 'it speaks SSL 3'
  const insecure = parameters.isOn('ssl_insecure')
  parameters.take('ssl_secure')
  parameters.take('method')
  const system = parameters.take('systems_uri')?.replace(/\/+$/, '').split('/').at(-1)
  const asIp = parameters.isOn('port_as_ip')
  const ip = parameters.take('ip')
  return {
    driver: 'redfish',
    options: set({
      host: asIp ? (plug ?? ip) : ip,
      port: number(parameters.take('ipport')),
      user: parameters.take('username'),
      system,
      verify_ssl: insecure ? false : undefined,
    }),
    secrets: set({ password: parameters.take('password') }),
  }
}

const proxmox: Native = (parameters, plug) => {
  if (parameters.take('password_script') !== undefined) return scripted
  if (!parameters.isOn('ssl', true)) return 'it speaks without TLS'
  const insecure = parameters.isOn('ssl_insecure')
  const needless = parameters.drop(['ssl_secure', 'pve_node_auto', 'inet4_only', 'inet6_only'])
  parameters.take('method')
  const ip = parameters.take('ip')
  const port = parameters.take('ipport') ?? '8006'
  const host = ip?.includes(':') ? `[${ip}]` : ip
  return {
    driver: 'proxmox',
    options: set({
      api_url: host === undefined ? undefined : `https://${host}:${port}`,
      vmid: number(plug),
      type: parameters.take('vmtype'),
      node: parameters.take('pve_node'),
      user: parameters.take('username') ?? 'root@pam',
      verify_ssl: insecure ? false : undefined,
    }),
    secrets: set({ password: parameters.take('password') }),
    dropped: [needless.length > 0 && `${needless.join(', ')}: found out by itself`],
  }
}

const libvirt: Native = (parameters, plug) => {
  const key = parameters.take('identity_file')
  const password = ['password', 'password_script'].some((each) => parameters.take(each))
  if (password && key === undefined) return 'it logs in over ssh with a password, not with a key'
  if (!parameters.isOn('ssh', true)) return 'it speaks without ssh'
  if (parameters.take('ssh_options') !== undefined) return 'it has ssh_options of its own'
  const ip = parameters.take('ip')
  const user = parameters.take('username')
  const port = parameters.take('ipport')
  const host = ip?.includes(':') ? `[${ip}]` : ip
  const who = user === undefined ? '' : `${encodeURIComponent(user)}@`
  const at = port === undefined ? '' : `:${port}`
  const sudo = parameters.isOn('use_sudo')
  const needless = parameters.drop(['ssh_path', 'command_prompt', 'inet4_only', 'inet6_only'])
  parameters.take('method')
  return {
    driver: 'libvirt',
    options: set({
      uri: host === undefined ? undefined : `qemu+ssh://${who}${host}${at}/system`,
      domain: plug,
      identity_file: key,
      missing_as_off: parameters.isOn('missing_as_off') ? true : undefined,
    }),
    secrets: {},
    dropped: [
      password && 'its password: the driver logs in with the key alone',
      sudo && `use_sudo: let ${user ?? 'the user'} into the group libvirt of the hypervisor`,
      needless.length > 0 && `${needless.join(', ')}: virsh itself speaks to the hypervisor`,
    ],
  }
}

/** Agents that a driver of ours replaces; those with other names are the same program. */
const natives: Readonly<Record<string, Native>> = {
  fence_ipmilan: ipmi(false),
  fence_ipmilanplus: ipmi(true),
  fence_ilo3: ipmi(true),
  fence_ilo4: ipmi(true),
  fence_ilo5: ipmi(true),
  fence_ilo6: ipmi(true),
  fence_idrac: ipmi(false),
  fence_imm: ipmi(false),
  fence_redfish: redfish,
  fence_pve: proxmox,
  fence_virsh: libvirt,
}

/** The step of a driver that replaces this agent, or why the agent itself is kept. */
export function nativeStep(
  type: string,
  all: ReadonlyMap<string, string>,
  plug: string | undefined,
): Mapped | string | undefined {
  const native = Object.hasOwn(natives, type) ? natives[type] : undefined
  if (native === undefined) return undefined
  const parameters = new Parameters(all)
  parameters.take('plug')
  const made = native(parameters, plug)
  if (typeof made === 'string') return made
  const spans = parameters.drop(times)
  parameters.drop(talk)
  const dropped = [
    ...(made.dropped ?? []),
    spans.length > 0 && `${spans.join(', ')}: the driver has times of its own`,
  ]
  return {
    ...made,
    dropped: dropped.filter((each) => each !== false),
    unknown: parameters.left,
  }
}

/** Who sets these is not the agent's own business here. */
const ours = ['action', 'option', 'plug', 'nodename', 'delay', 'help', 'version', 'debug_file']

/** The agent itself, with its parameters as they are. */
export function agentStep(
  type: string,
  all: ReadonlyMap<string, string>,
  plug: string | undefined,
): Mapped {
  const own = [...all].map(([name, value]) => ({ name, value, today: newName(name) }))
  const kept = own.filter(({ today }) => !ours.includes(today))
  const part = (secret: boolean) =>
    Object.fromEntries(
      kept
        .filter(({ name }) => isSecretName(name) === secret)
        .map(({ name, value }) => [name, value]),
    )
  const secrets = part(true)
  return {
    driver: 'agent',
    options: set({ agent: type, options: part(false), plug }),
    secrets: Object.keys(secrets).length > 0 ? { secret_options: secrets } : {},
    dropped: [],
    unknown: [],
  }
}
