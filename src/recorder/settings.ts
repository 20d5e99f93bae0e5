/** What an agent was given, checked as far as that can be without looking at the world. */
import { isNodeName } from './message.ts'
import { agentActions, type Given, type OptionName, standardOf } from './options.ts'

export type AgentAction = (typeof agentActions)[number]

export interface Settings {
  readonly action: AgentAction
  /** Each of them once. */
  readonly plugs: readonly string[]
  readonly separator: string
  readonly directory: string
  readonly logDir: string
  readonly timeoutMs: number
  readonly priority: number
  readonly discovery: boolean
  readonly kubeconfig: string | undefined
  readonly delayMs: number
  readonly quiet: boolean
  readonly verbose: boolean
}

/** Either what it comes to, or all that is wrong with it. */
export type Checked =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly problems: readonly string[] }

const secondsMax = 3_600
const plugsMax = 64
const synonyms: Readonly<Record<string, string>> = {
  'meta-data': 'metadata',
  enable: 'on',
  disable: 'off',
}

/** The action, in the one spelling that the rest knows; a sentence where there is none. */
export function actionOf({ values }: Given): AgentAction | { readonly because: string } {
  const given = (values.get('action') ?? '').toLowerCase()
  const wanted = synonyms[given] ?? given
  const known = agentActions.find((action) => action === wanted)
  if (known !== undefined) return known
  if (given === '') return { because: 'Failed: No action given; say action=off or --action=off' }
  return { because: `Failed: Unrecognised action '${given.slice(0, 64)}'` }
}

export function check(
  { values }: Given,
  action: AgentAction,
  env: Readonly<Record<string, string | undefined>>,
): Checked {
  const problems: string[] = []
  const text = (name: OptionName): string => values.get(name) ?? standardOf(name)
  const whole = (name: OptionName, given: string, min: number, max: number): number => {
    const number = Number(given)
    if (/^-?\d{1,9}$/.test(given) && number >= min && number <= max) return number
    problems.push(`${name} is "${given.slice(0, 64)}": give a whole number from ${min} to ${max}`)
    return min
  }
  const path = (name: OptionName): string => {
    const given = text(name)
    if (!/^\/[^\0\n]*$/.test(given)) problems.push(`${name} is "${given}": give a whole path`)
    return given
  }
  const plugs = plugsIn(values, text('plug_separator'), action, problems)
  const timeout = values.get('recorder_timeout') ?? env.FENCE_TIMEOUT ?? text('recorder_timeout')
  const kubeconfig = values.get('kubeconfig') ?? env.KUBECONFIG
  const settings: Settings = {
    ...{ action, plugs, separator: text('separator') },
    ...{ directory: path('directory'), logDir: path('log_dir') },
    timeoutMs: 1_000 * whole('recorder_timeout', timeout, 1, secondsMax),
    priority: whole('priority', text('priority'), -100, 100),
    discovery: text('gfs2_discovery') !== '0',
    kubeconfig: kubeconfig === '' ? undefined : kubeconfig,
    delayMs: 1_000 * whole('delay', text('delay'), 0, secondsMax),
    quiet: text('quiet') === '1',
    verbose: text('verbose') === '1',
  }
  return problems.length === 0 ? { ok: true, settings } : { ok: false, problems }
}

/** The names of nodes in `plug`; what needs one and has none is wrong. */
function plugsIn(
  values: Given['values'],
  separator: string,
  action: AgentAction,
  problems: string[],
): readonly string[] {
  const given = values.get('plug') ?? ''
  const parts = separator === '' ? [given] : given.split(separator)
  const plugs = [...new Set(parts.map((part) => part.trim()).filter(Boolean))]
  const needed = ['off', 'on', 'reboot', 'status'].includes(action)
  if (plugs.length === 0 && needed) {
    problems.push('Failed: You have to enter plug number or machine identification (plug)')
  }
  if (plugs.length > plugsMax) problems.push(`plug names more than ${plugsMax} nodes`)
  for (const plug of plugs) {
    if (!isNodeName(plug))
      problems.push(`plug is "${plug.slice(0, 64)}": that is no name of a node`)
  }
  return plugs
}
