/** The parameters that every agent has, whatever its device: names and defaults of fence-agents. */
import type { DriverFacts } from './facts.ts'
import type { Parameter } from './parameter.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const span = { type: 'second', value: 'seconds' } as const

export const action: Parameter = {
  ...{ name: 'action', letter: 'o', required: true, ...text, value: 'action' },
  title: 'What to do; there is no default, and without an action nothing is done',
}

/** Says something of how the agent is called, and nothing of the device. */
export const callParameters: readonly Parameter[] = [
  { name: 'quiet', letter: 'q', ...flag, title: 'Say nothing on standard error' },
  { name: 'verbose', letter: 'v', ...flag, title: 'Say on standard error what is being done' },
  {
    ...{ name: 'verbose_level', type: 'integer', value: 'level' },
    title: 'The same as verbose, for 1 or more',
  },
  {
    ...{ name: 'debug_file', old: ['debug'], letter: 'D', ...text, value: 'file' },
    title: 'Add what is being done to this file',
  },
  { name: 'version', letter: 'V', ...flag, title: 'Tell the version' },
  { name: 'help', letter: 'h', ...flag, title: 'Tell the parameters' },
]

/** What is separated by what. */
export const separators: readonly Parameter[] = [
  {
    ...{ name: 'plug_separator', ...text, value: 'char', standard: ',' },
    title: 'Stands between several plugs in one value',
  },
  {
    ...{ name: 'separator', ...text, value: 'char', standard: ',' },
    title: 'Stands between the columns of a list',
  },
]

/** How long a login and one request may take where nothing is known of the device. */
const usual = { timeoutMs: 8_000, settleMs: 20_000 }
const loginS = 5
const shellLeastS = 3
const powerLeastS = 20

/** Seconds for one request; with those of the login it is all that a device may take for one. */
export function shellSeconds({ timeoutMs }: Pick<DriverFacts, 'timeoutMs'> = usual): number {
  return Math.max(shellLeastS, Math.round(timeoutMs / 1_000) - loginS)
}

export function powerSeconds({ settleMs }: Pick<DriverFacts, 'settleMs'> = usual): number {
  return Math.max(powerLeastS, Math.round(settleMs / 1_000))
}

/** The spans of time; the defaults are those that a device of this driver takes. */
export function timing(facts: DriverFacts | undefined): readonly Parameter[] {
  const gap = facts === undefined ? {} : { standard: String(facts.readGapMs / 1_000) }
  const set = (name: string, standard: number, title: string): Parameter => ({
    ...{ name, ...span, standard: String(standard), title },
  })
  return [
    set('delay', 0, 'Wait before an off or a reboot, counted from the start of the agent'),
    set('login_timeout', loginS, 'How long a login may take'),
    set('shell_timeout', shellSeconds(facts), 'How long a request after it may take'),
    set('power_timeout', powerSeconds(facts), 'How long the power may take to change'),
    set('power_wait', 0, 'Wait after each command, before the power is read'),
    { name: 'stonith_status_sleep', ...span, ...gap, title: 'Gap between two readings' },
    {
      ...{ name: 'retry_on', type: 'integer', value: 'attempts', standard: '1' },
      title: 'How often a failed on is tried again; in a reboot, how often it is tried at all',
    },
    {
      ...{ name: 'disable_timeout', ...text, value: 'true/false' },
      title: 'Try again what failed for the moment; true if unset when pacemaker-fenced calls',
    },
  ]
}

export const plug: Parameter = {
  ...{ name: 'plug', old: ['port'], letter: 'n', ...text, value: 'id' },
  title: 'Which machine: its plug, outlet, number or name at the device',
}

export const passwordScript: Parameter = {
  ...{ name: 'password_script', old: ['passwd_script'], letter: 'S', ...text, value: 'command' },
  title: 'A command that prints the password',
}
