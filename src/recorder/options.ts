/**
 * What `fence_recorder` takes: one table from which its two grammars, its metadata and its help
 * follow. How such a table is read is the same for all agents (`agent/input.ts`).
 */
import { known, type Given as Pairs, pairsIn, pairsOf } from '../agent/input.ts'
import { namesOf, type Parameter, truth } from '../agent/parameter.ts'
import { defaultTimeoutMs } from './message.ts'
import { defaultDirectory, defaultLogDirectory } from './names.ts'

export const parameters = [
  { name: 'action', letter: 'o', type: 'string', title: 'Fencing action' },
  {
    ...{ name: 'plug', old: ['port'], letter: 'n', type: 'string' },
    title: 'Name of the node, as the responder knows it',
  },
  {
    ...{ name: 'plug_separator', type: 'string', standard: ',' },
    title: 'Separator for several nodes in one value',
  },
  {
    ...{ name: 'separator', letter: 'C', type: 'string', standard: ',' },
    title: "Separator of the columns of 'list'",
  },
  {
    ...{ name: 'directory', type: 'string', standard: defaultDirectory },
    title: 'Directory of the requests and the responses; its responder knows it too',
  },
  {
    ...{ name: 'recorder_timeout', type: 'second', standard: `${defaultTimeoutMs / 1_000}` },
    title: 'How long a response is waited for; the variable FENCE_TIMEOUT says the same',
  },
  {
    ...{ name: 'priority', type: 'integer', standard: '0' },
    title: 'From -100 to 100: requests with a higher one are carried out first',
  },
  {
    ...{ name: 'log_dir', type: 'string', standard: defaultLogDirectory },
    title: 'Directory of the three logs',
  },
  {
    ...{ name: 'gfs2_discovery', type: 'boolean', standard: '1' },
    title: 'Ask kubectl, DLM and Pacemaker which GFS2 filesystems there are',
  },
  { name: 'kubeconfig', type: 'string', title: 'File by which kubectl finds its cluster' },
  {
    ...{ name: 'delay', type: 'second', standard: '0' },
    title: 'Wait so long before off or reboot is asked for',
  },
  { name: 'quiet', letter: 'q', type: 'boolean', title: 'Say nothing but what failed' },
  { name: 'verbose', letter: 'v', type: 'boolean', title: 'Tell on standard error what is done' },
  { name: 'version', letter: 'V', type: 'boolean', title: 'Print the version and exit' },
  { name: 'help', letter: 'h', type: 'boolean', title: 'Print the help and exit' },
] as const satisfies readonly Parameter[]

export type OptionName = (typeof parameters)[number]['name']

/** What all agents are given, and what means nothing to one that has no device. */
const foreign: readonly Parameter[] = [
  ...['nodename', 'nodeid', 'mode', 'disable_timeout', 'login_timeout', 'shell_timeout'],
  ...['power_timeout', 'power_wait', 'retry_on', 'stonith_status_sleep', 'verbose_level'],
  ...['debug_file', 'debug', 'method', 'crm_feature_set'],
].map((name) => ({ name, type: 'string', title: '' }))

const all: readonly Parameter[] = [...parameters, ...foreign]

export const agentActions = [
  ...['off', 'on', 'reboot', 'status', 'monitor', 'list', 'list-status'],
  ...['metadata', 'manpage', 'validate-all'],
] as const

export interface Given {
  /** The last of several counts; a boolean is 1 or 0. */
  readonly values: ReadonlyMap<OptionName, string>
  /** Sentences for standard error, of what was given and means nothing. */
  readonly warnings: readonly string[]
  /** Why nothing of it is used. */
  readonly error?: string
}

/** Parameters as Pacemaker writes them to standard input. */
export function fromInput(text: string): Given {
  return valuesOf(known(pairsIn(text), all))
}

/** The words of a command line, as GNU's getopt takes them. */
export function fromWords(words: readonly string[]): Given {
  const { pairs, warnings, error } = pairsOf(words, all)
  const read = known(pairs, all)
  const given = valuesOf({ ...read, warnings: [...warnings, ...read.warnings] })
  return error === undefined ? given : { ...given, error }
}

function valuesOf({ pairs, warnings }: Pairs): Given {
  const values = new Map<OptionName, string>()
  for (const { name, value } of pairs) {
    const parameter = parameters.find((each) => namesOf(each).includes(name))
    if (parameter === undefined) continue
    const plain = parameter.type === 'boolean' ? (truth(value) === true ? '1' : '0') : value
    values.set(parameter.name, plain)
  }
  return { values, warnings }
}

/** What an option is where nobody says otherwise. */
export function standardOf(name: OptionName): string {
  const parameter: Parameter | undefined = parameters.find((each) => each.name === name)
  return parameter?.standard ?? ''
}
