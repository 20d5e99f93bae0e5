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
import type { ChildResult } from '../../foreign/child.ts'
import { type AgentMetadata, MetadataError, readMetadata } from '../../foreign/metadata.ts'
import { faultOf } from '../../foreign/parameters.ts'
import { defineDriver, type Status, type Target } from '../driver.ts'
import { FenceError, printable } from '../errors.ts'
import type { Kind, Wire } from '../wire.ts'
import { FABRIC, FABRIC_MEND, type Options, options, plugForm } from './agent-options.ts'

/** What holds for all plugs. */
type Login = Omit<Options, 'plug'>

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

/** The options of agents that were seen to cut what the options say. */
const admitted = new WeakSet<Options>()

/** A node whose storage is cut still answers: that is no off, unless the config settles for it. */
function admitFabric(options: Options, { fabric }: AgentMetadata): void {
  if (fabric && options.cuts === 'power') {
    throw new FenceError('options', `${options.agent} ${FABRIC}`, FABRIC_MEND)
  }
  admitted.add(options)
}

async function readStatus(options: Options, wire: Wire): Promise<Status> {
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
