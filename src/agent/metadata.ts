/** What an agent says of itself: XML for Pacemaker, pcs and crmsh, and a text for people. */
import { driverFacts } from './facts.ts'
import { type Agent, agents, anyAgent, driverIn, verifyAgent } from './names.ts'
import type { Parameter } from './parameter.ts'
import { parametersOf } from './parameters.ts'

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

export const xml = (text: string): string =>
  text.replace(/[&<>"]/g, (found) => escapes[found] ?? found)

/** Which actions an agent offers. A list only where there is one to be had. */
export function actionsOf(agent: string): readonly string[] {
  const driver = driverIn(agent)
  const lists = driver === undefined ? agent === anyAgent : driverFacts[driver]?.lists === true
  return [
    ...['on', 'off'],
    ...(agent === verifyAgent ? [] : ['reboot']),
    ...['status', 'monitor'],
    ...(lists ? ['list', 'list-status'] : []),
    ...['metadata', 'manpage', 'validate-all'],
  ]
}

export function metadataOf(agent: string): string {
  const parameters = parametersOf(agent).flatMap(elementsOf)
  const actions = actionsOf(agent).map((name) => {
    const unfencing = name === 'on' ? ' automatic="0"' : ''
    return `\t<action name="${name}"${unfencing} />`
  })
  return [
    '<?xml version="1.0" ?>',
    `<resource-agent name="${xml(agent)}" shortdesc="${xml(titleOf(agent))}">`,
    ...symlinksOf(agent),
    `<longdesc>${xml(descriptionOf(agent))}</longdesc>`,
    '<vendor-url></vendor-url>',
    ...['<parameters>', ...parameters, '</parameters>'],
    ...['<actions>', ...actions, '</actions>'],
    '</resource-agent>',
  ].join('\n')
}

const titleOf = (agent: string): string => agents.find(({ name }) => name === agent)?.title ?? agent

/** The other names of the same program. */
function symlinksOf(agent: string): readonly string[] {
  if (agent !== anyAgent) return []
  const program = (each: Agent) => each.program
  const own = agents.find(({ name }) => name === agent)
  return agents
    .filter((each) => own !== undefined && each !== own && program(each) === program(own))
    .map(({ name, title }) => `<symlink name="${xml(name)}" shortdesc="${xml(title)}" />`)
}

const proof =
  'An off counts when the device has read the power as off twice in a row after the command; a ' +
  'timeout, an unknown state and a failure are never a success. A reboot is such an off, and an on.'

function descriptionOf(agent: string): string {
  if (agent === verifyAgent) {
    return (
      'The second device of a fencing level. It presses nothing: its off fails unless the power ' +
      'of the node is read as off twice in a row and every address of the node is silent. Its on ' +
      'does nothing and succeeds.'
    )
  }
  const driver = driverIn(agent)
  if (driver !== undefined) return `The driver ${driver} of Picket as a fence agent. ${proof}`
  return (
    'Fences by the levels of a configuration of Picket (config), or by one device of any of its ' +
    `drivers (driver, and its parameters). ${proof}`
  )
}

/** One parameter, under each of its names; an older one is deprecated by the one before it. */
export function elementsOf(parameter: Parameter): readonly string[] {
  const names = [parameter.name, ...(parameter.old ?? [])]
  return names.map((name, at) => {
    const older = names[at + 1]
    const attributes = [
      `name="${xml(name)}" unique="0" required="${parameter.required === true ? 1 : 0}"`,
      ...(at > 0 ? ['deprecated="1"'] : []),
      ...(older === undefined ? [] : [`obsoletes="${xml(older)}"`]),
    ].join(' ')
    return [
      `\t<parameter ${attributes}>`,
      `\t\t<getopt mixed="${xml(getoptOf(parameter))}" />`,
      `\t\t${contentOf(parameter)}`,
      `\t\t<shortdesc lang="en">${xml(parameter.title)}</shortdesc>`,
      '\t</parameter>',
    ].join('\n')
  })
}

/** `-n, --plug=[id]`, as in manual pages. */
export function getoptOf({ name, letter, type, value = name }: Parameter): string {
  const long = `--${name.replaceAll('_', '-')}${type === 'boolean' ? '' : `=[${value}]`}`
  return letter === undefined ? long : `-${letter}, ${long}`
}

function contentOf({ type, standard, choices = [] }: Parameter): string {
  const given = standard === undefined ? '' : ` default="${xml(standard)}"`
  if (type !== 'select') return `<content type="${type}"${given} />`
  const options = choices.map((choice) => `<option value="${xml(choice)}" />`).join('')
  return `<content type="select"${given}>${options}</content>`
}

/** For `-h`. */
export function helpOf(agent: string): string {
  const rows = parametersOf(agent).map((parameter) => [getoptOf(parameter), parameter] as const)
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)))
  const lines = rows.map(([left, { title, standard }]) => {
    const usual = standard === undefined ? '' : ` (${standard})`
    return `  ${left.padEnd(width)}  ${title}${usual}`
  })
  return [
    `Usage: ${agent} -o ACTION [OPTIONS]`,
    `       ${agent}            reads name=value, one a line, from standard input`,
    `\n${descriptionOf(agent)}\n`,
    `Actions: ${actionsOf(agent).join(', ')}\n`,
    ...lines,
    '\nExit codes: 0 done, or status on; 2 status off; 1 everything else.',
  ].join('\n')
}
