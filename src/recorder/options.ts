/**
 * What `fence_recorder` takes: one table from which its two grammars, its metadata and its help
 * follow. Names stand as in the metadata; `-` and `_` mean the same in them.
 */
import { defaultTimeoutMs } from './message.ts'
import { defaultDirectory, defaultLogDirectory } from './names.ts'

export type Kind = 'string' | 'boolean' | 'second' | 'integer'

export interface Option {
  readonly kind: Kind
  readonly shortdesc: string
  /** The letter of the command line, where it has one. */
  readonly letter?: string
  readonly default?: string
  readonly required?: true
  /** The old name of the same thing. */
  readonly obsoletes?: string
  /** Told by an older name only, and listed as deprecated. */
  readonly deprecatedFor?: string
}

export const options = {
  action: { kind: 'string', letter: 'o', shortdesc: 'Fencing action' },
  plug: {
    kind: 'string',
    letter: 'n',
    obsoletes: 'port',
    shortdesc: 'Name of the node, as the responder knows it',
  },
  port: {
    kind: 'string',
    letter: 'n',
    deprecatedFor: 'plug',
    shortdesc: 'Name of the node, as the responder knows it',
  },
  plug_separator: {
    kind: 'string',
    default: ',',
    shortdesc: 'Separator for several nodes in one value',
  },
  separator: {
    kind: 'string',
    letter: 'C',
    default: ',',
    shortdesc: "Separator of the columns of 'list'",
  },
  directory: {
    kind: 'string',
    default: defaultDirectory,
    shortdesc: 'Directory that holds the requests and the responses; its responder knows it too',
  },
  recorder_timeout: {
    kind: 'second',
    default: String(defaultTimeoutMs / 1_000),
    shortdesc: 'How long a response is waited for; the variable FENCE_TIMEOUT says the same',
  },
  priority: {
    kind: 'integer',
    default: '0',
    shortdesc: 'From -100 to 100: requests with a higher one are carried out first',
  },
  log_dir: {
    kind: 'string',
    default: defaultLogDirectory,
    shortdesc: 'Directory of the three logs',
  },
  gfs2_discovery: {
    kind: 'boolean',
    default: '1',
    shortdesc: 'Ask kubectl, DLM and Pacemaker which GFS2 filesystems there are',
  },
  kubeconfig: { kind: 'string', shortdesc: 'File by which kubectl finds its cluster' },
  delay: {
    kind: 'second',
    default: '0',
    shortdesc: 'Wait so long before off or reboot is asked for',
  },
  quiet: { kind: 'boolean', letter: 'q', shortdesc: 'Say nothing but what failed' },
  verbose: { kind: 'boolean', letter: 'v', shortdesc: 'Tell on standard error what is done' },
  version: { kind: 'boolean', letter: 'V', shortdesc: 'Print the version and exit' },
  help: { kind: 'boolean', letter: 'h', shortdesc: 'Print the help and exit' },
} as const satisfies Record<string, Option>

export type OptionName = keyof typeof options

/** What the agents of others are also given, and what means nothing to one without a device. */
export const ignored: ReadonlySet<string> = new Set([
  ...['nodename', 'nodeid', 'mode', 'disable_timeout', 'login_timeout', 'shell_timeout'],
  ...['power_timeout', 'power_wait', 'retry_on', 'stonith_status_sleep', 'verbose_level'],
  ...['debug_file', 'debug', 'method', 'crm_feature_set'],
])

export const agentActions = [
  ...['off', 'on', 'reboot', 'status', 'monitor', 'list', 'list-status'],
  ...['metadata', 'manpage', 'validate-all'],
] as const

export interface Given {
  readonly values: ReadonlyMap<OptionName, string>
  /** Sentences for standard error, of what was given and means nothing. */
  readonly warnings: readonly string[]
}

/** A mistake in how the agent was called. */
export class CallError extends Error {
  override readonly name = 'CallError'
}

/** The option that a name means, in any of its spellings. */
export function optionOf(name: string): OptionName | undefined {
  const plain = name.toLowerCase().replaceAll('-', '_')
  return Object.hasOwn(options, plain) ? (plain as OptionName) : undefined
}

const truths: Readonly<Record<string, string>> = {
  ...{ 1: '1', yes: '1', on: '1', true: '1' },
  ...{ 0: '0', no: '0', off: '0', false: '0' },
}

/** Parameters as Pacemaker writes them to standard input: one `name=value` a line, the last counts. */
export function fromInput(text: string): Given {
  const values = new Map<OptionName, string>()
  const warnings: string[] = []
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const at = line.indexOf('=')
    const name = at < 0 ? line : line.slice(0, at).trim()
    const value = unquoted(at < 0 ? '' : line.slice(at + 1).trim())
    take({ values, warnings }, name, value)
  }
  return { values, warnings }
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value
}

interface Taking {
  readonly values: Map<OptionName, string>
  readonly warnings: string[]
}

function take({ values, warnings }: Taking, name: string, value: string): void {
  const option = optionOf(name)
  if (option === undefined) {
    const plain = name.toLowerCase().replaceAll('-', '_')
    if (!ignored.has(plain)) warnings.push(`Parse error: Ignoring unknown option '${name}'`)
    return
  }
  if (options[option].kind !== 'boolean') {
    values.set(option, value)
    return
  }
  const truth = truths[value.toLowerCase()] ?? (value === '' ? '1' : undefined)
  if (truth === undefined) warnings.push(`Parse error: '${name}' is neither true nor false`)
  else values.set(option, truth)
}

/** The words of a command line, as GNU's getopt takes them. */
export function fromWords(words: readonly string[]): Given {
  const taking: Taking = { values: new Map(), warnings: [] }
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') break
    if (word.startsWith('--')) long(taking, word.slice(2), rest)
    else if (word.startsWith('-') && word.length > 1) short(taking, word.slice(1), rest)
    else taking.warnings.push(`Parse error: Ignoring unknown option '${word}'`)
  }
  for (const word of rest) taking.warnings.push(`Parse error: Ignoring unknown option '${word}'`)
  return taking
}

function long(taking: Taking, text: string, rest: string[]): void {
  const at = text.indexOf('=')
  const name = at < 0 ? text : text.slice(0, at)
  const option = abbreviated(name)
  if (option === undefined) return foreign(taking, name, at < 0, rest)
  if (options[option].kind === 'boolean')
    return take(taking, option, at < 0 ? '1' : text.slice(at + 1))
  const value = at < 0 ? rest.shift() : text.slice(at + 1)
  if (value === undefined) throw new CallError(`Parse error: option --${name} needs a value`)
  take(taking, option, value)
}

/** An option of other agents: it takes a value, and means nothing here. */
function foreign(_: Taking, name: string, separate: boolean, rest: string[]): void {
  if (!ignored.has(name.replaceAll('-', '_'))) {
    throw new CallError(`Parse error: there is no option --${name}`)
  }
  if (separate && rest[0] !== undefined && !rest[0].startsWith('-')) rest.shift()
}

function abbreviated(name: string): OptionName | undefined {
  const exact = optionOf(name)
  if (exact !== undefined) return exact
  const plain = name.replaceAll('-', '_')
  if (plain === '' || ignored.has(plain)) return undefined
  const found = (Object.keys(options) as OptionName[]).filter((each) => each.startsWith(plain))
  if (found.length > 1) {
    throw new CallError(
      `Parse error: --${name} could be ${found.map((one) => `--${one}`).join(', ')}`,
    )
  }
  return found[0]
}

function short(taking: Taking, letters: string, rest: string[]): void {
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at] ?? ''
    const option = (Object.keys(options) as OptionName[]).find(
      (name) => (options[name] as Option).letter === letter,
    )
    if (option === undefined) throw new CallError(`Parse error: there is no option -${letter}`)
    if (options[option].kind === 'boolean') {
      take(taking, option, '1')
      continue
    }
    const attached = letters.slice(at + 1)
    const value = attached === '' ? rest.shift() : attached
    if (value === undefined) throw new CallError(`Parse error: option -${letter} needs a value`)
    return take(taking, option, value)
  }
}
