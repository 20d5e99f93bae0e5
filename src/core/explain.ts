/** Why a resource is where it is, and not elsewhere, in sentences for `picket explain`. */
import { isOf, targetsOf } from './clones.ts'
import { checkText } from './health.ts'
import { intentText } from './intents.ts'
import { whyNeverLive } from './live.ts'
import type { NodeId, Pull, ResourceConfig, ResourceId } from './model.ts'
import { planFor, whyNotGranted } from './placement.ts'
import { notOnWitnesses } from './roles.ts'
import type { State } from './state.ts'
import { type ResourceStatus, resourceStatus } from './status.ts'

export interface Explanation extends ResourceStatus {
  /** Where it should be; `undefined` where nobody can tell, or nowhere. */
  readonly belongs: NodeId | undefined
  /** Why there, or why nowhere, in a clause. */
  readonly why: string
  /** What it still waits for before it starts there; empty where nothing is missing. */
  readonly waits: string
  /** Why not on its other nodes. */
  readonly elsewhere: Readonly<Record<NodeId, string>>
  readonly wishes: readonly string[]
  /** Whether it is moved live, in a clause; empty where nobody has asked for it. */
  readonly live: string
  /** Checks that are not plainly well, of its nodes and of itself, in sentences. */
  readonly checks: readonly string[]
  /** What operators have ordered of it, in sentences. */
  readonly intents: readonly string[]
}

/** A clone, with every one of its instances. */
export interface CloneExplanation {
  readonly id: ResourceId
  /** At most so many instances at once. */
  readonly max: number
  readonly instances: readonly Explanation[]
  /** Why other nodes have none. */
  readonly elsewhere: Readonly<Record<NodeId, string>>
}

/** `undefined`: the config knows no such clone. */
export function explainClone(state: State, id: ResourceId): CloneExplanation | undefined {
  const targets = targetsOf(state.config.resources, id)
  const clone = targets.find((each) => each.clone?.id === id)?.clone
  if (clone === undefined) return undefined
  const max = Math.min(clone.max, targets.length)
  const instances = targets.flatMap((each) => explain(state, each.id) ?? [])
  return { id, max, instances, elsewhere: notOnWitnesses(state.config) }
}

/** `undefined`: the config knows no such resource. */
export function explain(state: State, id: ResourceId): Explanation | undefined {
  const resource = state.config.resources.find((each) => each.id === id)
  if (resource === undefined) return undefined
  const status = resourceStatus(state, id)
  const { session } = state
  const { clone } = resource
  const place = session?.open ? planFor(state, session).get(id) : undefined
  const runs = status.state === 'running' && status.node === place?.node
  return {
    ...status,
    belongs: place?.node,
    why: place?.because ?? 'the cluster cannot decide now; see `picket status`',
    waits: session?.open && !runs ? whyNotGranted(state, session, resource) : '',
    elsewhere: { ...place?.elsewhere, ...(clone === undefined && notOnWitnesses(state.config)) },
    wishes: wishesOf(state, id),
    live: liveText(state, resource),
    checks: checksOf(state, resource),
    intents: state.ledger.intents.filter((each) => isOf(id, each.resource)).map(intentText),
  }
}

function liveText({ config }: State, resource: ResourceConfig): string {
  if (resource.live === undefined) return ''
  const why = whyNeverLive(config.resources, resource)
  return why === '' ? 'moves live where its agent can' : `is stopped and started to move: ${why}`
}

/** As its nodes last reported them, this one too. */
function checksOf({ session }: State, resource: ResourceConfig): readonly string[] {
  const { id, nodes, onlyWhere } = resource
  return nodes.flatMap((node) => {
    const checks = session?.reports[node]?.checks ?? []
    const own = checks.filter(({ check, resource: whose }) => {
      return whose === '' ? onlyWhere.includes(check) : whose === id
    })
    return own.map((each) => `on ${node} ${checkText(each)}`)
  })
}

function wishesOf({ config }: State, id: ResourceId): readonly string[] {
  const { beside, apart, after, prefers, stays, priority, needs, health, onlyWhere, group } =
    config.resources.find((each) => each.id === id)!
  const pull = ({ to, strength }: Pull) =>
    strength === 'must' ? `${to}, always` : `${to}, if it can (${strength} points)`
  const preferred = Object.entries(prefers).map(([node, points]) => `prefers ${node} (${points})`)
  const needed = Object.entries(needs).map(([kind, amount]) => `needs ${amount} of ${kind}`)
  return [
    ...(group === undefined ? [] : [`with the group ${group}`]),
    ...beside.map((each) => `beside ${pull(each)}`),
    ...apart.map((each) => `apart from ${pull(each)}`),
    ...after.map((leader) => `after ${leader}`),
    ...preferred,
    ...needed,
    ...onlyWhere.map((check) => `only where ${check} succeeds`),
    ...health.map((check) => `healthy while ${check} succeeds`),
    ...(stays === 'must' ? [] : [`stays where it is (${stays} points)`]),
    ...(priority === 0 ? [] : [`priority ${priority}`]),
  ]
}
