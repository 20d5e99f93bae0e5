/**
 * Any fence agent of ClusterLabs' family (`fence_*`), by its own contract: parameters on stdin, one
 * verdict as an exit code.
 *
 * An agent is a foreign program. It may hang, start helpers, print what it likes, and take for off
 * what is not: so its output is bounded, its whole process group ends with the deadline, and only
 * a status of 2 that also says so is off.
 *
 * @see ClusterLabs' FenceAgentAPI.md.
 */
import { z } from 'zod'
import type { ChildResult } from '../../foreign/child.ts'
import { type AgentMetadata, MetadataError, readMetadata } from '../../foreign/metadata.ts'
import { faultOf, secretName } from '../../foreign/parameters.ts'
import { defineDriver, type Status, type Target } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire } from '../wire.ts'

const value = z.union([
  z.string().regex(/^[^\r\n\0]*$/, 'is more than one line, which no parameter can be'),
  z.number(),
  z.boolean(),
])
const parameters = z.record(
  z
    .string()
    .regex(/^[a-zA-Z][\w-]*$/, 'is no name of a parameter')
    .refine(
      (name) => !['action', 'plug', 'port', 'help', 'version'].includes(name),
      'is set by the driver; the plug is an option of its own',
    ),
  value,
)
const plugForm = /^[^\s,]+$/

const options = z
  .strictObject({
    agent: z
      .string()
      .regex(/^fence_[\w-]+$/, 'is not the name of a fence agent like fence_apc')
      .meta({ title: 'The executable, as it is called in /usr/sbin' }),
    options: parameters.default({}).meta({
      title: 'Its parameters, as its manual page names them',
    }),
    secret_options: parameters.default({}).meta({
      title: 'Those of its parameters that nobody may see: password and the like',
      secret: true,
    }),
    plug: z
      .union([z.string().regex(plugForm, 'is not a single plug'), z.int().min(0)])
      .optional()
      .meta({ title: 'Outlet, blade or machine, where the device has several' }),
    cuts: z.enum(['power', 'fabric']).default('power').meta({
      title: 'What its off takes from the node: its power, or its storage or network',
    }),
  })
  .refine(({ options }) => !Object.keys(options).some((name) => secretName.test(name)), {
    path: ['options'],
    message: 'holds a password; write it in secret_options, in the secrets file',
  })
  .refine(({ options, secret_options: secret }) => !Object.keys(options).some((k) => k in secret), {
    path: ['options'],
    message: 'has a parameter in common with secret_options',
  })

type Options = z.output<typeof options>
/** What holds for all plugs. */
type Login = Omit<Options, 'plug'>

/** They switch nothing, or only say that they would: no proof may ever come from one of them. */
const powerless: Readonly<Record<string, string>> = {
  fence_ack_manual: 'believes a person',
  fence_heuristics_ping: 'only sends echo requests',
  fence_kdump: 'only waits for a crash dump',
  fence_dummy: 'switches nothing',
  fence_evacuate: 'moves machines, and switches nothing',
  fence_compute: 'tells OpenStack, and switches nothing',
}

/** Agents that are known to take for off what is not, and what to do about it. */
const credulous: Readonly<Record<string, string>> = {
  fence_virsh: 'takes every unknown state for off: the driver libvirt does not',
  fence_vmware_rest: 'takes a suspended machine for off',
  fence_redfish: 'presses the last of several systems',
  fence_gce: 'resets by default: set method to onoff',
  fence_hetzner_cloud: 'does not look whether its action was carried out',
}

export const agent = defineDriver({
  name: 'agent',
  title: 'Any installed fence agent (fence_apc, fence_cisco_ucs, ...), by its own contract',
  options,
  capabilities: {
    hardOff: true,
    statusAuthoritative: true,
    isolation: 'power',
    // Nobody knows what is behind it: a BMC, a switch, a cloud.
    sharedFate: 'host-power',
    readGapMs: 1_000,
    lateMs: 60_000,
    // What stands behind the agent is not known.
    returnsMs: 60_000,
    settleMs: 30_000,
    vouches: false,
    // An agent polls until its own off can be read, 20 times by default.
    timeoutMs: 30_000,
  },

  plug: 'plug',
  isolationOf: ({ cuts }) => cuts,

  endpoint({ agent, options: { ip, ipaddr, ipport } }) {
    const where = [ip ?? ipaddr, ipport].filter((part) => part !== undefined).join(':')
    return `${agent} ${where}`.trim()
  },

  status: readStatus,
  powerOff: (options, wire) => press(options, wire, 'off'),
  powerOn: (options, wire) => press(options, wire, 'on'),

  async verify(options, wire) {
    admit(options)
    const { agent } = options
    const metadata = await metadataOf(options, wire)
    check(options, metadata)
    admitFabric(options, metadata)
    // Its monitor may be content with a login; the status asks for exactly this target.
    const { power, raw } = await readStatus(options, wire)
    if (power === 'unknown') throw new FenceError('garbled', `${agent}: ${raw}`)
    const warnings = credulous[agent] === undefined ? [] : [`it ${credulous[agent]}`]
    const what = options.cuts === 'fabric' ? 'what it cuts' : 'the power'
    return { detail: [`${agent} reads ${what} as ${power}`, ...warnings].join('; ') }
  },

  async list(options, wire) {
    admit(options)
    const { agent } = options
    const metadata = await metadataOf(options, wire)
    const known = metadata.actions.map(({ name }) => name)
    const action = ['list-status', 'list'].find((each) => known.includes(each))
    if (action === undefined) {
      throw new FenceError('options', `${agent} has no action list`, NO_PLUGS)
    }
    checkParameters(options, metadata, ['plug', 'port'])
    const ran = await call({ ...options, plug: undefined }, wire, [], action, 'question')
    if (ran.code !== 0) throw failureOf(options, ran)
    const separator = wordFor(options.options.separator ?? ',')
    const targets = readPlugs(ran.stdout, separator, action === 'list-status')
    if (targets.length > 0) return targets
    // Many have the action, and nothing behind it: they say so in a line, and report no failure.
    const said = printable(ran.stdout) || 'nothing'
    throw new FenceError('noSuchPlug', `asked for a list, ${agent} said: ${said}`, NO_PLUGS)
  },
})

const NO_PLUGS = 'look at the device itself, or at its manual, for its plugs'

async function metadataOf(options: Login, wire: Wire): Promise<AgentMetadata> {
  const told = await call(options, wire, ['-o', 'metadata'], undefined, 'question')
  if (told.code !== 0) throw failureOf(options, told)
  try {
    return readMetadata(options.agent, told.stdout)
  } catch (error) {
    throw error instanceof MetadataError ? new FenceError('garbled', error.message) : error
  }
}

/** `plug,alias` or `plug,alias,status`, line by line; what has another form is a remark. */
function readPlugs(stdout: string, separator: string, withStatus: boolean): readonly Target[] {
  return stdout.split('\n').flatMap((line): readonly Target[] => {
    const [plug = '', ...rest] = line.trim().split(separator)
    const status = withStatus ? rest.pop()?.trim().toLowerCase() : ''
    const known = !withStatus || ['on', 'off', 'unknown'].includes(status ?? '')
    // Only these can be written in a config.
    if (rest.length === 0 || !known || !plugForm.test(plug)) return []
    const power = status === 'on' || status === 'off' ? status : 'unknown'
    return [{ plug, name: rest.join(separator).trim(), power }]
  })
}

/** Also here, and not in the schema alone: their answer shall not count, however they are asked. */
function admit({ agent }: Login): void {
  const why = powerless[agent]
  if (why === undefined) return
  const mend = 'configure a device that cuts the power'
  throw new FenceError('options', `${agent} ${why}, and can never prove an off`, mend)
}

/** The options of agents that were seen to cut what the options say. */
const admitted = new WeakSet<Options>()

/** A node whose storage is cut still answers: that is no off, unless the config settles for it. */
function admitFabric(options: Options, { fabric }: AgentMetadata): void {
  if (fabric && options.cuts === 'power') {
    const detail = `${options.agent} cuts storage or network and no power: its off is no proof`
    const mend = 'write cuts: fabric, which fence.least_evidence has to allow'
    throw new FenceError('options', detail, mend)
  }
  admitted.add(options)
}

async function readStatus(options: Options, wire: Wire): Promise<Status> {
  admit(options)
  const ran = await call(options, wire, [], 'status', 'question')
  const { code, stdout, stderr } = ran
  const raw = printable(`exit ${code} ${stdout.trim() || stderr.trim()}`)
  if (code === 0) return { power: 'on', raw }
  if (code !== 2) throw failureOf(options, ran)
  // 2 is also what a shell or a parser of arguments ends with when it chokes.
  const saysOff = /^(status: *)?off$/im.test(stdout.trim())
  const silent = `${stdout}${stderr}`.trim() === ''
  if (!saysOff && !silent) return { power: 'unknown', raw }
  // Whoever asks, and whether or not the agent was verified before.
  if (!admitted.has(options)) admitFabric(options, await metadataOf(options, wire))
  return { power: 'off', raw }
}

async function press(options: Options, wire: Wire, action: 'off' | 'on'): Promise<void> {
  admit(options)
  const ran = await call(options, wire, [], action, 'command')
  // Whatever it says, it may have switched before it failed.
  if (ran.code !== 0) throw failureOf(options, ran)
}

function call(
  options: Options,
  wire: Wire,
  args: readonly string[],
  action: string | undefined,
  kind: Kind,
): Promise<ChildResult> {
  return wire.run(options.agent, args, {
    env: { LC_ALL: 'C' },
    stdin: action === undefined ? '' : parametersFor(options, action),
    debianPackage: 'fence-agents',
    kind,
  })
}

/** What the agent reads: `name=value`, line by line. */
function parametersFor({ options, secret_options, plug }: Options, action: string): string {
  // Old agents know the plug as port, new ones as plug; what one does not know, it ignores.
  const plugs = plug === undefined ? {} : { plug, port: plug }
  const all = { ...options, ...secret_options, ...plugs, action }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${quoted(wordFor(value))}\n`)
    .join('')
}

const wordFor = (value: string | number | boolean): string =>
  typeof value === 'boolean' ? (value ? '1' : '0') : String(value)

/** Agents strip blanks at both ends and then one pair of quotes. */
const quoted = (text: string): string => (/^[\s"]|[\s"]$/.test(text) ? `"${text}"` : text)

function failureOf({ agent }: Login, { code, stdout, stderr }: ChildResult): FenceError {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '')
  const ended = code === null ? 'was killed by a signal' : `ended with ${code}`
  return new FenceError('failed', `${agent} ${ended}: ${printable(lines.at(-1) ?? 'no word')}`)
}

/** Compares the options with what the agent says it knows. */
function check(options: Options, metadata: AgentMetadata): void {
  const { agent, plug } = options
  for (const action of ['off', 'on', 'status']) {
    if (metadata.actions.some(({ name }) => name === action)) continue
    throw wrong(`${agent} has no action ${action}, and without it cannot be used here`)
  }
  const hasPlugs = metadata.parameters.some(({ name }) => name === 'plug' || name === 'port')
  if (plug !== undefined && !hasPlugs) throw wrong(`${agent} has no plugs`, 'drop the option plug')
  checkParameters(options, metadata, plug === undefined ? [] : ['plug', 'port'])
}

const wrong = (detail: string, mend?: string) => new FenceError('options', detail, mend)

/** Those that are set, and whether one is missing; `taken` need not be set. */
function checkParameters(
  options: Login,
  { parameters }: AgentMetadata,
  taken: readonly string[],
): void {
  const { agent } = options
  const known = new Map(parameters.map((parameter) => [parameter.name, parameter]))
  const set = { ...options.options, ...options.secret_options }
  for (const [name, value] of Object.entries(set)) {
    const parameter = known.get(name.replaceAll('-', '_')) ?? known.get(name)
    if (parameter === undefined) {
      const own = [...known.keys()].filter((key) => key !== 'action')
      throw wrong(`${agent} has no parameter ${name}`, `it has ${own.join(', ')}`)
    }
    // It would ignore a value that it does not understand, and take its default.
    const fault = faultOf(parameter, wordFor(value))
    if (fault !== undefined) throw wrong(`${agent}: ${name} ${fault}`)
  }
  const own = Object.keys(set).map((name) => name.replaceAll('-', '_'))
  const given = new Set([...own, ...taken, 'action'])
  const meant = parameters.filter(({ name }) => given.has(name)).map(({ meaning }) => meaning)
  const missing = parameters.filter((each) => each.required && !meant.includes(each.meaning))
  if (missing.length > 0) {
    throw wrong(`${agent} needs ${missing.map(({ name }) => name).join(', ')}`)
  }
}
