/**
 * Reads what a fence agent says of itself with `-o metadata`: a strict reader for exactly this XML
 * and no other. What does not fit is refused, because half of it would be worse than nothing.
 *
 * @see ClusterLabs' FenceAgentAPI.md, and metadata.rng of Debian's package fence-agents.
 */
import { FenceError, printable } from '../errors.ts'

export interface AgentParameter {
  readonly name: string
  readonly required: boolean
  /** Two names for one thing have the same. */
  readonly meaning: string
  readonly type: string
  /** All values of a `select`. */
  readonly choice: readonly string[]
}

export interface AgentMetadata {
  readonly parameters: readonly AgentParameter[]
  readonly actions: readonly string[]
  /** Must be switched on again by the cluster or by the node itself: it cuts no power. */
  readonly fabric: boolean
}

/** Which element may stand in which, and whether it holds text. */
const inside: Readonly<Record<string, readonly string[]>> = {
  '': ['resource-agent'],
  'resource-agent': [
    ...['version', 'symlink', 'longdesc', 'shortdesc', 'vendor-url'],
    ...['parameters', 'actions'],
  ],
  parameters: ['parameter'],
  parameter: ['getopt', 'content', 'shortdesc', 'longdesc'],
  content: ['option'],
  actions: ['action'],
}
const texts = ['version', 'longdesc', 'shortdesc', 'vendor-url']

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
}

/** Throws a FenceError (`garbled`) where it is not the metadata of an agent. */
export function readMetadata(agent: string, xml: string): AgentMetadata {
  const root = parse(agent, xml)
  const all = (name: string, within: string): readonly Element[] =>
    root.children.filter((child) => child.name === within).flatMap((each) => childrenOf(each, name))
  const actions = all('action', 'actions')
  return {
    parameters: all('parameter', 'parameters').map(parameterOf),
    actions: actions.map(({ attributes }) => attributes.name ?? ''),
    fabric: actions.some(
      ({ attributes: { name, automatic, on_target } }) =>
        name === 'on' && (automatic === '1' || on_target === '1'),
    ),
  }
}

function parameterOf(element: Element): AgentParameter {
  const { name = '', required } = element.attributes
  const [getopt] = childrenOf(element, 'getopt')
  const [content] = childrenOf(element, 'content')
  const choice = content === undefined ? [] : childrenOf(content, 'option')
  return {
    name,
    required: required === '1',
    meaning: getopt?.attributes.mixed ?? name,
    type: content?.attributes.type ?? 'string',
    choice: choice.map(({ attributes }) => attributes.value ?? ''),
  }
}

const childrenOf = (element: Element, name: string): readonly Element[] =>
  element.children.filter((child) => child.name === name)

/** A tag with its attributes, a run of text, or what may be skipped: declaration and comment. */
const token =
  /<(\/?)([a-z-]+)((?:\s+[a-z_]+="[^"<]*")*)\s*(\/?)>|([^<]+)|<\?xml[^<>]*\?>|<!--[\s\S]*?-->/y

function parse(agent: string, xml: string): Element {
  const top: Element = { name: '', attributes: {}, children: [] }
  const open = [top]
  let at = 0
  const wrong = (): FenceError => {
    const near = printable(xml.slice(at, at + 60))
    return new FenceError('garbled', `the metadata of ${agent} is no such XML at "${near}"`)
  }
  while (at < xml.length) {
    token.lastIndex = at
    const match = token.exec(xml)
    const parent = open.at(-1)
    if (match === null || parent === undefined) throw wrong()
    const [whole, closing, name, attributes = '', empty, text] = match
    if (closing === '/') {
      if (name !== parent.name || open.length === 1 || attributes !== '') throw wrong()
      open.pop()
    } else if (name !== undefined) {
      if (!inside[parent.name]?.includes(name)) throw wrong()
      const element = { name, attributes: attributesOf(attributes), children: [] }
      parent.children.push(element)
      if (empty !== '/') open.push(element)
    } else if (text !== undefined && text.trim() !== '' && !texts.includes(parent.name)) {
      throw wrong()
    }
    at += whole.length
  }
  const [root] = top.children
  if (open.length > 1 || root === undefined || top.children.length > 1) throw wrong()
  return root
}

function attributesOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([a-z_]+)="([^"]*)"/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, plain(value)]))
}

const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
}

const plain = (text: string): string =>
  text.replace(/&[a-z]+;/g, (found) => entities[found] ?? found)
