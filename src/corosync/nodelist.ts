/** What Corosync's configuration says: the nodes, the rules of the ring, and the votes. Pure. */
import type { NodeId } from '../core/model.ts'
import type { Keys } from './cmap.ts'
import type { Rules } from './votes.ts'

/** One entry of Corosync's nodelist. */
export interface ClusterNode {
  /** Its `name`; its first address when it has none. */
  readonly name: NodeId
  readonly nodeid: number
  /** One per link, the first is link 0. */
  readonly addresses: readonly string[]
}

/** How the ring works, with the values in effect (a token grows with the number of nodes). */
export interface Totem {
  readonly cluster: string
  readonly transport: string
  readonly tokenMs: number
  readonly consensusMs: number
  readonly joinMs: number
  /** How often a token is sent again before it counts as lost. */
  readonly retransmits: number
  /** How many messages may be sent with one token. */
  readonly messagesMax: number
  /** Is what goes over the links encrypted? */
  readonly encrypted: boolean
}

export interface QuorumOptions extends Rules {
  /** Votes that quorum is computed from at the moment. */
  readonly expectedVotes: number
  /** Votes that the configuration promises. Fewer expected ones make quorum easier to have (S2). */
  readonly configuredVotes: number
  /** Not all nodes have as many votes as each other. */
  readonly unequalVotes: boolean
  /** `expected_votes` is written, and is less than the nodes have: two parts may be quorate. */
  readonly understated: boolean
}

/** A link to another node, as this node sees it. */
export interface Link {
  readonly node: NodeId
  readonly link: number
  readonly up: boolean
}

/** Begins of the keys that the functions below read. */
export const prefixes = ['nodelist.', 'quorum.', 'totem.', 'runtime.config.totem.'] as const

const nodesMax = 1_000
const linksMax = 8

/** The nodelist, in its own order. */
export function nodesOf(keys: Keys): readonly ClusterNode[] {
  return positionsOf(keys).flatMap((position) => {
    const at = `nodelist.node.${position}`
    const nodeid = keys.get(`${at}.nodeid`)
    if (typeof nodeid !== 'number') return []
    const addresses = Array.from({ length: linksMax }, (_, link) =>
      textOf(keys, `${at}.ring${link}_addr`),
    ).filter((address) => address !== '')
    const name = textOf(keys, `${at}.name`) || addresses[0] || unlistedName(nodeid)
    return [{ name, nodeid, addresses }]
  })
}

function positionsOf(keys: Keys): readonly number[] {
  const positions = new Set<number>()
  for (const key of keys.keys()) {
    const [, position] = /^nodelist\.node\.(\d{1,6})\./.exec(key) ?? []
    if (position !== undefined) positions.add(Number(position))
  }
  return [...positions].sort((a, b) => a - b).slice(0, nodesMax)
}

/** What a node is called that is in the ring, but not in the nodelist. */
export function unlistedName(nodeid: number): NodeId {
  return `nodeid-${nodeid}`
}

export function totemOf(keys: Keys): Totem {
  const cipher = textOf(keys, 'totem.crypto_cipher')
  const secauth = textOf(keys, 'totem.secauth')
  return {
    cluster: textOf(keys, 'totem.cluster_name'),
    transport: textOf(keys, 'totem.transport') || 'knet',
    tokenMs: numberOf(keys, 'runtime.config.totem.token'),
    consensusMs: numberOf(keys, 'runtime.config.totem.consensus'),
    joinMs: numberOf(keys, 'runtime.config.totem.join'),
    retransmits: numberOf(keys, 'runtime.config.totem.token_retransmits_before_loss_const'),
    messagesMax: numberOf(keys, 'runtime.config.totem.max_messages'),
    encrypted: cipher === '' ? secauth === 'on' : cipher !== 'none',
  }
}

/**
 * The rules of quorum. Those that make quorum easier to have count when votequorum named them, and
 * also when the configuration was changed to them since.
 */
export function optionsOf(keys: Keys, rules: Rules, expectedVotes: number): QuorumOptions {
  const on = (name: string) => numberOf(keys, `quorum.${name}`) === 1
  return {
    ...rules,
    twoNode: rules.twoNode || on('two_node'),
    lastManStanding: rules.lastManStanding || on('last_man_standing'),
    autoTieBreaker: rules.autoTieBreaker || on('auto_tie_breaker'),
    allowDownscale: rules.allowDownscale || on('allow_downscale'),
    qdevice: rules.qdevice || keys.has('quorum.device.model'),
    expectedVotes,
    configuredVotes: configuredVotesOf(keys),
    unequalVotes: new Set(nodeVotesOf(keys)).size > 1,
    understated: isUnderstated(keys),
  }
}

function nodeVotesOf(keys: Keys): readonly number[] {
  const positions = positionsOf(keys)
  return positions.map((position) => numberOf(keys, `nodelist.node.${position}.quorum_votes`, 1))
}

function isUnderstated(keys: Keys): boolean {
  const stated = numberOf(keys, 'quorum.expected_votes')
  return stated > 0 && stated < nodeVotesOf(keys).reduce((sum, votes) => sum + votes, 0)
}

/**
 * May half of the nodes be quorate, and decide (S18)? With `two_node` only beside `wait_for_all`:
 * without it a node that boots alone would fence the other one, again and again. With other rules a
 * half may be quorate as well, and yet decides nothing. However the votes are spread, of two halves
 * one alone has most of them, a device's among them; not where fewer are expected than there are.
 */
export function halvesMayDecide(options: Rules & Pick<QuorumOptions, 'understated'>): boolean {
  const { twoNode, waitForAll, qdevice, understated } = options
  return !understated && (qdevice || (twoNode && waitForAll))
}

function configuredVotesOf(keys: Keys): number {
  const stated = numberOf(keys, 'quorum.expected_votes')
  if (stated > 0) return stated
  const device = keys.has('quorum.device.model') ? numberOf(keys, 'quorum.device.votes') : 0
  return nodeVotesOf(keys).reduce((sum, votes) => sum + votes, device)
}

/** Keys of the links to the other nodes, in cmap's `stats`. Only knet has them. */
export function linkKeysOf(keys: Keys, localId: number): readonly string[] {
  return positionsOf(keys).flatMap((position) => {
    const nodeid = numberOf(keys, `nodelist.node.${position}.nodeid`)
    const links = Array.from({ length: linksMax }, (_, link) => link).filter((link) =>
      keys.has(`nodelist.node.${position}.ring${link}_addr`),
    )
    if (nodeid === localId) return []
    return links.map((link) => `stats.knet.node${nodeid}.link${link}.connected`)
  })
}

/** The state of every link in a mirror of `stats`. */
export function linksOf(stats: Keys, nameOf: (nodeid: number) => NodeId): readonly Link[] {
  return [...stats].flatMap(([key, value]) => {
    const [, nodeid, link] = /^stats\.knet\.node(\d+)\.link(\d+)\.connected$/.exec(key) ?? []
    if (nodeid === undefined || link === undefined) return []
    return [{ node: nameOf(Number(nodeid)), link: Number(link), up: value === 1 }]
  })
}

function textOf(keys: Keys, key: string): string {
  const value = keys.get(key)
  return value === undefined ? '' : String(value)
}

/** Corosync keeps some numbers as text. */
function numberOf(keys: Keys, key: string, otherwise = 0): number {
  const value = Number(keys.get(key) ?? otherwise)
  return Number.isFinite(value) ? value : otherwise
}
