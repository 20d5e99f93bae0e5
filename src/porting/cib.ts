/**
 * What a CIB, Pacemaker's configuration, says of fencing: its nodes, stonith resources with their
 * parameters, levels and location constraints. It is read as it stands; what Picket makes of it is
 * somebody else's business (pacemaker.ts). What cannot be read for sure is a remark.
 *
 * @see Pacemaker Explained; pacemaker-*.rng.
 */
import type { Remark } from './draft.ts'
import { attr, below, type XmlElement } from './xml.ts'

export interface Cib {
  readonly nodes: readonly CibNode[]
  readonly properties: ReadonlyMap<string, string>
  readonly devices: readonly CibDevice[]
  readonly levels: readonly CibLevel[]
  readonly locations: readonly CibLocation[]
  /** The ids of all resources that are no stonith devices. */
  readonly others: readonly string[]
  readonly remarks: readonly Remark[]
}

export interface CibNode {
  readonly name: string
  /** Runs Pacemaker Remote, without Corosync. */
  readonly remote: boolean
  readonly attributes: ReadonlyMap<string, string>
  readonly line: number
}

export interface CibDevice {
  readonly id: string
  /** The agent: `fence_ipmilan`. */
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  readonly meta: ReadonlyMap<string, string>
  readonly monitored: boolean
  readonly line: number
}

export interface CibLevel {
  readonly index: number
  readonly devices: readonly string[]
  readonly target: Target
  readonly line: number
}

export type Target =
  | { readonly by: 'node'; readonly name: string }
  | { readonly by: 'pattern'; readonly pattern: string }
  | { readonly by: 'attribute'; readonly name: string; readonly value: string }

export interface CibLocation {
  readonly id: string
  readonly resources: readonly string[]
  readonly node: string
  readonly score: string
  /** It says when, and not only where. */
  readonly ruled: boolean
  readonly line: number
}

/** Cut a CIB into what it says of fencing; `undefined` where it is none. */
export function readCib(root: XmlElement): Cib | undefined {
  const cib = root.name === 'cib' ? root : find(root, 'cib')
  const [configuration] = below(cib, 'configuration')
  if (configuration === undefined) return undefined
  const section = (name: string) => below(configuration, name)[0]
  const remarks: Remark[] = []
  const sets = new Map(nvsetsIn(configuration).map((set) => [attr(set, 'id'), set]))
  const values = (element: XmlElement | undefined, kind: string, whose: string) =>
    valuesOf(element, kind, sets, (line, text) =>
      remarks.push({ lost: true, line, text: `${whose}: ${text}` }),
    )
  const templates = new Map(
    below(section('resources'), 'template').map((each) => [attr(each, 'id'), each]),
  )
  const primitives = primitivesIn(section('resources'))
  const isDevice = (each: XmlElement) => classOf(each, templates) === 'stonith'
  return {
    nodes: readNodes(cib, section('nodes'), values),
    properties: values(section('crm_config'), 'cluster_property_set', 'the cluster options'),
    devices: primitives.filter(isDevice).map((each) => readDevice(each, templates, values)),
    levels: below(section('fencing-topology'), 'fencing-level').flatMap((level) =>
      readLevel(level, remarks),
    ),
    locations: below(section('constraints'), 'rsc_location').map(readLocation),
    others: primitives.filter((each) => !isDevice(each)).map((each) => attr(each, 'id')),
    remarks,
  }
}

type Values = (
  element: XmlElement | undefined,
  kind: string,
  whose: string,
) => ReadonlyMap<string, string>

/** `cibadmin -Q` prints a CIB; a report of Pacemaker's may have it deeper. */
function find(element: XmlElement, name: string): XmlElement | undefined {
  return below(element, name)[0] ?? element.children.flatMap((each) => find(each, name) ?? [])[0]
}

const nvsets = ['cluster_property_set', 'instance_attributes', 'meta_attributes']

function nvsetsIn(element: XmlElement): readonly XmlElement[] {
  const own = nvsets.includes(element.name) && element.attributes.has('id') ? [element] : []
  return [...own, ...element.children.flatMap(nvsetsIn)]
}

/** The sets of a kind, the one with the highest score first, which wins. */
function valuesOf(
  element: XmlElement | undefined,
  kind: string,
  sets: ReadonlyMap<string, XmlElement>,
  remark: (line: number, text: string) => void,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const own = below(element, kind).map((set) => sets.get(attr(set, 'id-ref')) ?? set)
  const scoreOf = (set: XmlElement) => numberOf(attr(set, 'score') || '0')
  for (const set of own.toSorted((a, b) => scoreOf(b) - scoreOf(a))) {
    if (below(set, 'rule').length > 0) {
      remark(set.line, 'options that hold by a rule only are not carried over')
      continue
    }
    for (const pair of below(set, 'nvpair')) {
      const name = attr(pair, 'name')
      if (name === '') remark(pair.line, 'a value that refers to another one is not carried over')
      else if (!found.has(name)) found.set(name, attr(pair, 'value'))
    }
  }
  return found
}

const numberOf = (score: string): number =>
  /^\+?INFINITY$/.test(score) ? 1e6 : /^-INFINITY$/.test(score) ? -1e6 : Number(score) || 0

function readNodes(
  cib: XmlElement | undefined,
  section: XmlElement | undefined,
  values: Values,
): readonly CibNode[] {
  // What a node says of itself while it is up counts for levels as well.
  const passing = new Map(
    below(below(cib, 'status')[0], 'node_state').map((state) => {
      const [transient] = below(state, 'transient_attributes')
      const name = attr(state, 'uname')
      return [name, values(transient, 'instance_attributes', name)]
    }),
  )
  return below(section, 'node').map((node) => {
    const name = attr(node, 'uname')
    const lasting = values(node, 'instance_attributes', name)
    return {
      name,
      remote: attr(node, 'type') === 'remote',
      attributes: new Map([...lasting, ...(passing.get(name) ?? [])]),
      line: node.line,
    }
  })
}

/** Also those in groups, clones and bundles. */
function primitivesIn(element: XmlElement | undefined): readonly XmlElement[] {
  return (
    element?.children.flatMap((child) =>
      child.name === 'primitive' ? [child] : primitivesIn(child),
    ) ?? []
  )
}

function classOf(primitive: XmlElement, templates: ReadonlyMap<string, XmlElement>): string {
  const template = templates.get(attr(primitive, 'template'))
  return attr(primitive, 'class') || (template === undefined ? '' : attr(template, 'class'))
}

function readDevice(
  primitive: XmlElement,
  templates: ReadonlyMap<string, XmlElement>,
  values: Values,
): CibDevice {
  const id = attr(primitive, 'id')
  const template = templates.get(attr(primitive, 'template'))
  const both = (kind: string) =>
    new Map([...values(template, kind, id), ...values(primitive, kind, id)])
  const ops = [primitive, ...(template === undefined ? [] : [template])]
    .flatMap((each) => below(each, 'operations'))
    .flatMap((each) => below(each, 'op'))
  return {
    id,
    type: attr(primitive, 'type') || (template === undefined ? '' : attr(template, 'type')),
    parameters: both('instance_attributes'),
    meta: both('meta_attributes'),
    monitored: ops.some((op) => attr(op, 'name') === 'monitor'),
    line: primitive.line,
  }
}

function readLevel(level: XmlElement, remarks: Remark[]): readonly CibLevel[] {
  const index = Number(attr(level, 'index'))
  const target = targetOf(level)
  const id = attr(level, 'id')
  const lose = (why: string) => {
    remarks.push({ lost: true, line: level.line, text: `the level ${id} ${why}` })
    return []
  }
  if (target === undefined) return lose('names no target; it is left out')
  if (!Number.isInteger(index) || index < 1) return lose('has no number; it is left out')
  const devices = attr(level, 'devices')
    .split(/[\s,]+/)
    .filter(Boolean)
  return [{ index, devices, target, line: level.line }]
}

function targetOf(level: XmlElement): Target | undefined {
  const name = attr(level, 'target')
  if (name !== '') return { by: 'node', name }
  const pattern = attr(level, 'target-pattern')
  if (pattern !== '') return { by: 'pattern', pattern }
  const attribute = attr(level, 'target-attribute')
  if (attribute === '') return undefined
  return { by: 'attribute', name: attribute, value: attr(level, 'target-value') }
}

function readLocation(location: XmlElement): CibLocation {
  const sets = below(location, 'resource_set').flatMap((set) => below(set, 'resource_ref'))
  const own = attr(location, 'rsc') || attr(location, 'rsc-pattern')
  return {
    id: attr(location, 'id'),
    resources: own === '' ? sets.map((each) => attr(each, 'id')) : [own],
    node: attr(location, 'node'),
    score: attr(location, 'score'),
    ruled: below(location, 'rule').length > 0,
    line: location.line,
  }
}
