/** What the agent says of itself: XML for Pacemaker, pcs and crmsh, and a text for people. */
import { elementsOf, getoptOf, xml } from '../agent/metadata.ts'
import { agents } from '../agent/names.ts'
import { agentNames } from './names.ts'
import { parameters } from './options.ts'

const shortdesc = agents.find(({ name }) => name === agentNames[0])?.title ?? ''

const longdesc = [
  'fence_recorder does not fence by itself. It writes a request into a directory, waits until a',
  'responder has answered it there, and succeeds when the response says that the node is fenced.',
  "Picket brings a responder, 'picket respond'; any other program that follows the same two files",
  'can be one. Every fencing is recorded in three logs, with the GFS2 filesystems that it is',
  'about.',
].join('\n')

/** Which actions are told of to Pacemaker. */
const actions = [
  ...['on', 'off', 'reboot', 'status', 'list', 'list-status', 'monitor', 'metadata', 'manpage'],
  'validate-all',
].map((name) => `\t<action name="${name}"${name === 'on' ? ' automatic="0"' : ''} />`)

/** Valid by fence-agents' `metadata.rng`. */
export function metadataText(name: string): string {
  const others = agentNames.filter((each) => each !== name)
  return [
    '<?xml version="1.0" ?>',
    `<resource-agent name="${name}" shortdesc="${xml(shortdesc)}">`,
    ...others.map((other) => `<symlink name="${other}" shortdesc="${xml(shortdesc)}" />`),
    `<longdesc>${xml(longdesc)}</longdesc>`,
    '<vendor-url></vendor-url>',
    ...['<parameters>', ...parameters.flatMap(elementsOf), '</parameters>'],
    ...['<actions>', ...actions, '</actions>'],
    '</resource-agent>',
  ].join('\n')
}

export function helpText(name: string): string {
  const rows = parameters.map((each): [string, string] => [getoptOf(each), each.title])
  const width = Math.max(...rows.map(([left]) => left.length))
  return [
    `Usage: ${name} -o ACTION [OPTIONS]`,
    `       ${name}            reads name=value, one a line, from standard input`,
    `\n${longdesc}\n`,
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '\nExit codes: 0 done, or status on; 2 status off; 1 everything else.',
  ].join('\n')
}
