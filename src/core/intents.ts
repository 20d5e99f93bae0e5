/**
 * What operators want of nodes and resources beyond the config: a node on standby, a resource that
 * is disabled, moved or banned, and what is in maintenance (maintenance.ts). Intents are in the
 * ledger, so every member holds the same ones, and they last until an operator takes them back.
 * They say where nothing may start; they prove nothing, and no hold ends because of one.
 */
import { isOf, targetsOf } from './clones.ts'
import type { Config, NodeId, ResourceId } from './model.ts'
import { witnessText } from './roles.ts'

export type IntentKind = 'standby' | 'disabled' | 'moved' | 'banned' | 'maintenance'

export interface Intent {
  readonly kind: IntentKind
  /** Empty where it is about all of them. */
  readonly resource: ResourceId
  /** Empty where it is about all of them. */
  readonly node: NodeId
  /** Who wants it, and why; the reason may be empty. */
  readonly by: string
  readonly reason: string
}

/** Who wants it where nobody has ordered it. */
export const OURSELVES = 'picket'

/** Orders that set an intent or take it back, and `cleanup`, which forgets failures. */
export const intentActions = [
  'standby',
  'unstandby',
  'disable',
  'enable',
  'move',
  'unmove',
  'ban',
  'unban',
  'maintain',
  'unmaintain',
  'cleanup',
] as const
export type IntentAction = (typeof intentActions)[number]

/** What an order of this kind is about. */
export interface IntentOrder {
  readonly action: IntentAction
  readonly resource: ResourceId
  readonly node: NodeId
}

interface Meaning {
  /** `undefined`: it leaves all intents as they are. */
  readonly kind: IntentKind | undefined
  readonly sets: boolean
  readonly names: { readonly resource: boolean; readonly node: boolean }
}

const ofNode = { resource: false, node: true }
const ofResource = { resource: true, node: false }
const ofBoth = { resource: true, node: true }
/** A node, a resource, or neither: then it is about the whole cluster. */
const ofEither = { resource: false, node: false }

/** What each of the orders does, and what it has to name. */
export const meanings: Readonly<Record<IntentAction, Meaning>> = {
  standby: { kind: 'standby', sets: true, names: ofNode },
  unstandby: { kind: 'standby', sets: false, names: ofNode },
  disable: { kind: 'disabled', sets: true, names: ofResource },
  enable: { kind: 'disabled', sets: false, names: ofResource },
  move: { kind: 'moved', sets: true, names: ofBoth },
  unmove: { kind: 'moved', sets: false, names: ofResource },
  ban: { kind: 'banned', sets: true, names: ofBoth },
  unban: { kind: 'banned', sets: false, names: ofBoth },
  maintain: { kind: 'maintenance', sets: true, names: ofEither },
  unmaintain: { kind: 'maintenance', sets: false, names: ofEither },
  cleanup: { kind: undefined, sets: false, names: ofResource },
}

/** Is this one of the orders about intents, and none about power? */
export function isIntentAction(action: string): action is IntentAction {
  return intentActions.some((each) => each === action)
}

/** The intents after an order. A newer one takes the place of an older one of its kind. */
export function withOrder(
  intents: readonly Intent[],
  order: IntentOrder,
  by: string,
  reason: string,
): readonly Intent[] {
  const { kind, sets } = meanings[order.action]
  const { resource, node } = order
  if (kind === undefined) {
    const left = intents.filter((each) => !isStoppedByFailure(each, resource))
    return left.length === intents.length ? intents : left
  }
  const others = intents.filter((each) => !isSame(each, kind, resource, node))
  return sets ? [...others, { kind, resource, node, by, reason }] : others
}

/** Is what this order asks for so, as far as the intents tell? */
export function isFulfilled(intents: readonly Intent[], order: IntentOrder): boolean {
  const { kind, sets } = meanings[order.action]
  if (kind === undefined) return !intents.some((each) => isStoppedByFailure(each, order.resource))
  const found = intents.find((each) => isSame(each, kind, order.resource, order.node))
  return sets ? found?.node === order.node : found === undefined
}

/** Has the cluster disabled it, or an instance of it, because it failed? `cleanup` ends that. */
function isStoppedByFailure({ kind, resource, by }: Intent, id: ResourceId): boolean {
  return kind === 'disabled' && isOf(resource, id) && by === OURSELVES
}

/** A resource is moved to one node only. */
function isSame(one: Intent, kind: IntentKind, resource: ResourceId, node: NodeId): boolean {
  if (one.kind !== kind || one.resource !== resource) return false
  return kind === 'moved' || one.node === node
}

/** The maintenance in which a resource is left alone on a node, if it stands. */
export function maintenanceOf(
  intents: readonly Intent[],
  resource: ResourceId,
  node: NodeId,
): Intent | undefined {
  return intents.find(({ kind, ...of }) => {
    if (kind !== 'maintenance') return false
    const meant = of.resource === '' || isOf(resource, of.resource)
    return meant && (of.node === '' || of.node === node)
  })
}

/** Why operators do not want a resource to start on a node, in a clause; empty where they do. */
export function whyUnwanted(
  intents: readonly Intent[],
  resource: ResourceId,
  node: NodeId,
): string {
  const maintenance = maintenanceOf(intents, resource, node)
  if (maintenance !== undefined) return `${whatIn(maintenance)}${source(maintenance)}`
  const found = intents.find((each) => {
    if (each.kind === 'standby') return each.node === node
    if (!isOf(resource, each.resource)) return false
    return each.kind === 'disabled' || (each.kind === 'banned' && each.node === node)
  })
  if (found === undefined) return ''
  const named = found.resource
  const words = { standby: 'it is on standby', disabled: `${named} is disabled` }
  const { kind } = found
  const text =
    kind === 'standby' || kind === 'disabled' ? words[kind] : `${named} is banned from it`
  return `${text}${source(found)}`
}

/** What is in maintenance, as a clause about its node. */
function whatIn({ resource, node }: Pick<Intent, 'resource' | 'node'>): string {
  if (resource !== '') return `${resource} is in maintenance`
  return node === '' ? 'the cluster is in maintenance' : 'it is in maintenance'
}

/** Where an operator wants this resource, if the node can take it. */
export function wantedOn(intents: readonly Intent[], resource: ResourceId): NodeId | undefined {
  return intents.find((each) => each.kind === 'moved' && each.resource === resource)?.node
}

/** An intent as a sentence. */
export function intentText(intent: Intent): string {
  const { kind, resource, node } = intent
  const texts: Readonly<Record<IntentKind, string>> = {
    standby: `${node} is on standby`,
    disabled: `${resource} is disabled`,
    moved: `${resource} is moved to ${node}`,
    banned: `${resource} is banned from ${node}`,
    maintenance: `${resource || node || 'the cluster'} is in maintenance`,
  }
  return `${texts[kind]}${source(intent)}`
}

/** What has been ordered, as the end of the order. */
export function orderText({ action, resource, node }: IntentOrder): string {
  const texts: Readonly<Record<IntentAction, string>> = {
    standby: `${node} is on standby`,
    unstandby: `${node} may take resources again`,
    disable: `${resource} is disabled`,
    enable: `${resource} is enabled`,
    move: `${resource} is moved to ${node}`,
    unmove: `${resource} may run on any of its nodes again`,
    ban: `${resource} is banned from ${node}`,
    unban: `${resource} may run on ${node} again`,
    maintain: `${resource || node || 'the cluster'} is in maintenance`,
    unmaintain: `the maintenance of ${resource || node || 'the cluster'} is over`,
    cleanup: `the failures of ${resource} are forgotten`,
  }
  return texts[action]
}

/** Why it is wanted, and by whom, behind what is wanted. */
export const source = ({ by, reason }: Intent) =>
  reason === '' ? ` (by ${by})` : `: ${reason} (by ${by})`

/** Why the config has no place for such an order, in a sentence; else `undefined`. */
export function whyMeaningless(
  { nodes, resources }: Pick<Config, 'nodes' | 'resources'>,
  intents: readonly Intent[],
  order: IntentOrder,
): string | undefined {
  const { kind, sets, names } = meanings[order.action]
  const { resource, node } = order
  // What stands can always be taken back, also when the config has no word for it any more.
  if (kind !== undefined && !sets && !isFulfilled(intents, order)) return undefined
  const targets = targetsOf(resources, resource)
  if ((names.resource || resource !== '') && targets.length === 0) {
    const ids = [...new Set(resources.map(({ id, clone }) => clone?.id ?? id))].join(', ')
    const known = ids === '' ? 'this cluster has none' : `the resources are ${ids}`
    return `there is no resource ${resource}; ${known}`
  }
  if ((names.node || node !== '') && !nodes.some(({ id }) => id === node)) {
    return `there is no node ${node}; the nodes are ${nodes.map(({ id }) => id).join(', ')}`
  }
  if (kind === 'maintenance' && resource !== '' && node !== '') {
    return 'maintenance is of a node, of a resource, or of the cluster'
  }
  if (order.action === 'move' && targets.some(({ clone }) => clone !== undefined)) {
    const others = 'ban it from a node, or put the node on standby'
    return `${resource} is a clone, which runs on several nodes and cannot be moved; ${others}`
  }
  const own = targets.flatMap(({ nodes: listed }) => listed)
  if (targets.length > 0 && names.node && sets && !own.includes(node)) {
    if (nodes.some(({ id, role }) => id === node && role === 'witness')) {
      return `${resource} cannot be on ${node}: ${witnessText}`
    }
    return `${node} is none of the nodes of ${resource}, which are ${own.join(', ')}`
  }
  return undefined
}
