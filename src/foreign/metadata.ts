/**
 * Reads what an agent says of itself: a fence agent with `-o metadata`, a resource agent with
 * `meta-data`. A strict reader for exactly this XML and no other. What does not fit is refused,
 * because half of it would be worse than nothing.
 *
 * @see ClusterLabs' FenceAgentAPI.md, and metadata.rng of Debian's package fence-agents.
 * @see OCF Resource Agent API 1.1, ra-api.rng.
 */
import { printable } from './printable.ts'

export interface AgentParameter {
  readonly name: string
  readonly required: boolean
  /** Two names for one thing have the same. */
  readonly meaning: string
  readonly type: string
  readonly standard: string | undefined
  /** All values of a `select`. */
  readonly choice: readonly string[]
}

export interface AgentAction {
  readonly name: string
  /** How long it may take, as the agent advises. */
  readonly adviceMs: number | undefined
}

export interface AgentMetadata {
  readonly parameters: readonly AgentParameter[]
  readonly actions: readonly AgentAction[]
  /** Must be switched on again by the cluster or by the node itself: it cuts no power. */
  readonly fabric: boolean
}

/** It is not the metadata of an agent. */
export class MetadataError extends Error {
  override readonly name = 'MetadataError'
}

/** Which element may stand in which. */
const inside: Readonly<Record<string, readonly string[]>> = {
  '': ['resource-agent'],
  'resource-agent': [
    ...['version', 'symlink', 'longdesc', 'shortdesc', 'vendor-url'],
    ...['parameters', 'actions', 'special'],
  ],
  parameters: ['parameter'],
  parameter: ['getopt', 'content', 'shortdesc', 'longdesc', 'deprecated'],
  content: ['option'],
  deprecated: ['replaced-with', 'desc'],
  actions: ['action'],
}
/** They may hold text; and elements of any kind, which say nothing to us. */
const free = ['longdesc', 'shortdesc', 'desc', 'special']
const texts = ['version', 'vendor-url', ...free]

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: Element[]
  /** Below one of the elements that may hold anything. */
  readonly free: boolean
}

/** Throws a MetadataError where it is not the metadata of an agent. */
export function readMetadata(agent: string, xml: string): AgentMetadata {
  const root = parse(agent, xml)
  const all = (name: string, within: string): readonly Element[] =>
    root.children.filter((child) => child.name === within).flatMap((each) => childrenOf(each, name))
  const actions = all('action', 'actions')
  return {
    parameters: all('parameter', 'parameters').map(parameterOf),
    actions: actions.map(({ attributes: { name = '', timeout } }) => ({
      name,
      adviceMs: spanMs(timeout),
    })),
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
    standard: content?.attributes.default,
    choice: choice.map(({ attributes }) => attributes.value ?? ''),
  }
}

const unitMs: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1_000, sec: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 },
}

/** `20`, `20s` and `2m30s` are spans of time; a number alone is seconds. */
function spanMs(text = ''): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/g)]
  const spans = parts.map(([, count, unit]) => Number(count) * (unitMs[unit || 's'] ?? Number.NaN))
  const sumMs = spans.reduce((sum, span) => sum + span, 0)
  return sumMs > 0 ? sumMs : undefined
}

const childrenOf = (element: Element, name: string): readonly Element[] =>
  element.children.filter((child) => child.name === name)

const attribute = `[A-Za-z_][\\w:.-]*=(?:"[^"<]*"|'[^'<]*')`

/** A tag with its attributes, a run of text, or what may be skipped: declarations and comments. */
const token = new RegExp(
  [
    `<(/?)([A-Za-z][\\w:.-]*)((?:\\s+${attribute})*)\\s*(/?)>`,
    '([^<]+)|<!\\[CDATA\\[([\\s\\S]*?)\\]\\]>',
    '<\\?xml[^<>]*\\?>|<!--[\\s\\S]*?-->|<!DOCTYPE\\s[^<>\\[]*>',
  ].join('|'),
  'y',
)

function parse(agent: string, xml: string): Element {
  const top: Element = { name: '', attributes: {}, children: [], free: false }
  const open = [top]
  let at = 0
  const wrong = (): MetadataError => {
    const near = printable(xml.slice(at, at + 60))
    return new MetadataError(`the metadata of ${agent} is no such XML at "${near}"`)
  }
  while (at < xml.length) {
    token.lastIndex = at
    const match = token.exec(xml)
    const parent = open.at(-1)
    if (match === null || parent === undefined) throw wrong()
    const [whole, closing, name, attributes = '', empty, plainText, quoted] = match
    const text = plainText ?? quoted
    if (closing === '/') {
      if (name !== parent.name || open.length === 1 || attributes !== '') throw wrong()
      open.pop()
    } else if (name !== undefined) {
      const below = parent.free || free.includes(parent.name)
      if (!below && !inside[parent.name]?.includes(name)) throw wrong()
      const element = { name, attributes: attributesOf(attributes), children: [], free: below }
      parent.children.push(element)
      if (empty !== '/') open.push(element)
    } else if (text !== undefined && text.trim() !== '') {
      if (!parent.free && !texts.includes(parent.name)) throw wrong()
    }
    at += whole.length
  }
  const [root] = top.children
  if (open.length > 1 || root === undefined || top.children.length > 1) throw wrong()
  return root
}

function attributesOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([A-Za-z_][\w:.-]*)=(?:"([^"]*)"|'([^']*)')/g)]
  return Object.fromEntries(pairs.map(([, name = '', a, b]) => [name, plain(a ?? b ?? '')]))
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
