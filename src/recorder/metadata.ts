/** The metadata of the agent, as Pacemaker, pcs and crmsh read it, and the help that people read. */
import { type Option, options } from './options.ts'

const shortdesc = 'Hands fencing to an external component, and records it'

const longdesc = `fence_recorder does not fence by itself. It writes a request into a directory, waits
until a responder has answered it there, and succeeds when the response says that the node is
fenced. Picket brings a responder, 'picket respond'; any other program that follows the same two
files can be one. Every fencing is recorded in three logs, with the GFS2 filesystems that it is
about.`

/** Which actions are told of to Pacemaker. */
const actions = [
  '<action name="on" automatic="0"/>',
  ...['off', 'reboot', 'status', 'list', 'list-status', 'monitor', 'metadata', 'manpage'].map(
    (name) => `<action name="${name}"/>`,
  ),
  '<action name="validate-all"/>',
]

/** Valid by fence-agents' `metadata.rng`. */
export function metadataText(name: string): string {
  const other = name === 'fence_recorder' ? 'fence_gfs2_recorder' : 'fence_recorder'
  const lines = [
    '<?xml version="1.0" ?>',
    `<resource-agent name="${name}" shortdesc="${escaped(shortdesc)}">`,
    `<symlink name="${other}" shortdesc="${escaped(shortdesc)}"/>`,
    `<longdesc>${escaped(longdesc)}</longdesc>`,
    '<vendor-url></vendor-url>',
    '<parameters>',
    ...Object.entries<Option>(options).flatMap(([key, option]) => parameter(key, option)),
    '</parameters>',
    '<actions>',
    ...actions.map((action) => `\t${action}`),
    '</actions>',
    '</resource-agent>',
  ]
  return `${lines.join('\n')}\n`
}

function parameter(name: string, option: Option): readonly string[] {
  const { kind, default: standard, obsoletes, deprecatedFor } = option
  const old = obsoletes === undefined ? '' : ` obsoletes="${obsoletes}"`
  const deprecated = deprecatedFor === undefined ? '' : ' deprecated="1"'
  const filled = standard === undefined ? '' : ` default="${escaped(standard)}"`
  return [
    `\t<parameter name="${name}" unique="0" required="0"${deprecated}${old}>`,
    `\t\t<getopt mixed="${escaped(mixed(name, option))}" />`,
    `\t\t<content type="${kind}"${filled} />`,
    `\t\t<shortdesc lang="en">${escaped(option.shortdesc)}</shortdesc>`,
    '\t</parameter>',
  ]
}

function mixed(name: string, { kind, letter }: Option): string {
  const value = kind === 'boolean' ? '' : `=[${name}]`
  const long = `--${name.replaceAll('_', '-')}${value}`
  return letter === undefined ? long : `-${letter}, ${long}`
}

const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

export function helpText(name: string): string {
  const shown = Object.entries<Option>(options).filter(([, { deprecatedFor }]) => !deprecatedFor)
  const rows = shown.map(([key, option]): [string, string] => [
    mixed(key, option),
    option.shortdesc,
  ])
  const width = Math.max(...rows.map(([left]) => left.length))
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
  return `Usage: ${name} [OPTIONS]\n\n${longdesc}\n\nWithout options: from standard input, one
name=value a line, as Pacemaker gives them.\n\n${lines.join('\n')}\n`
}
